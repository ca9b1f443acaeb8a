"""Who made what, under which rights: parties, works, splits, opt-outs, and what the gate said of them."""

from byline.registry.catalogue import Catalogue, CatalogueWork, read_catalogue
from byline.registry.database import open_database, upgrade, writing
from byline.registry.register import Counts, Registry

__all__ = [
    "Catalogue",
    "CatalogueWork",
    "Counts",
    "Registry",
    "open_database",
    "read_catalogue",
    "upgrade",
    "writing",
]
