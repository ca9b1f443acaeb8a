"""Who made what, under which rights: parties, works, splits, opt-outs, and what the gate said of them."""

from byline.registry.catalogue import Catalogue, CatalogueWork, read_catalogue
from byline.registry.database import open_database, upgrade, writing
from byline.registry.register import Counts, Registry
from byline.registry.rows import Columns, Row, read_rows

__all__ = [
    "Catalogue",
    "CatalogueWork",
    "Columns",
    "Counts",
    "Registry",
    "Row",
    "open_database",
    "read_catalogue",
    "read_rows",
    "upgrade",
    "writing",
]
