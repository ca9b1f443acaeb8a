"""Who made what, under which rights: parties, works, splits, opt-outs, and what the gate said of them."""

from byline.registry.catalogue import Catalogue, CatalogueWork, read_catalogue
from byline.registry.database import open_database, upgrade, writing
from byline.registry.division import Division, Hold, Known, concede, divide_work, inherited, role_split
from byline.registry.identifiers import normalise_identifier, schemes
from byline.registry.people import (
    Claim,
    Dispute,
    Ground,
    Identity,
    Lines,
    Merge,
    PeopleRecord,
    Resolution,
    Succession,
    Withdrawal,
    record_id,
)
from byline.registry.people_register import People
from byline.registry.register import Counts, Registry
from byline.registry.rows import Columns, Row, read_rows

__all__ = [
    "Catalogue",
    "CatalogueWork",
    "Claim",
    "Columns",
    "Counts",
    "Dispute",
    "Division",
    "Ground",
    "Hold",
    "Identity",
    "Known",
    "Lines",
    "Merge",
    "People",
    "PeopleRecord",
    "Registry",
    "Resolution",
    "Row",
    "Succession",
    "Withdrawal",
    "concede",
    "divide_work",
    "inherited",
    "normalise_identifier",
    "open_database",
    "read_catalogue",
    "read_rows",
    "record_id",
    "role_split",
    "schemes",
    "upgrade",
    "writing",
]
