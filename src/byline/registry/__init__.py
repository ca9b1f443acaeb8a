"""Who made what, under which rights: parties, works, splits, opt-outs, and what the gate said of them."""

from byline.registry.catalogue import Catalogue, CatalogueWork, read_catalogue
from byline.registry.database import open_database, upgrade, writing
from byline.registry.division import Division, Hold, Known, concede, divide_work, inherited, role_split
from byline.registry.evidence import Entry, Evidence
from byline.registry.evidence_record import EvidenceRecord
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
from byline.registry.people_files import PeopleFile, read_people
from byline.registry.people_register import Added, People
from byline.registry.register import Counts, Registry
from byline.registry.rights import (
    Acquisition,
    Consent,
    Credit,
    Ending,
    Grant,
    Licence,
    Method,
    Robots,
    Subject,
    Use,
    Why,
)
from byline.registry.rows import Columns, Row, read_rows
from byline.registry.scope import domain_of, domain_scopes, scopes_of
from byline.registry.traces import LegalDecision, Signal, Snapshot, TrainingRun

__all__ = [
    "Acquisition",
    "Added",
    "Catalogue",
    "CatalogueWork",
    "Claim",
    "Columns",
    "Consent",
    "Counts",
    "Credit",
    "Dispute",
    "Division",
    "Ending",
    "Entry",
    "Evidence",
    "EvidenceRecord",
    "Grant",
    "Ground",
    "Hold",
    "Identity",
    "Known",
    "LegalDecision",
    "Licence",
    "Lines",
    "Merge",
    "Method",
    "People",
    "PeopleFile",
    "PeopleRecord",
    "Registry",
    "Resolution",
    "Robots",
    "Row",
    "Signal",
    "Snapshot",
    "Subject",
    "Succession",
    "TrainingRun",
    "Use",
    "Why",
    "Withdrawal",
    "concede",
    "divide_work",
    "domain_of",
    "domain_scopes",
    "inherited",
    "normalise_identifier",
    "open_database",
    "read_catalogue",
    "read_people",
    "read_rows",
    "record_id",
    "role_split",
    "schemes",
    "scopes_of",
    "upgrade",
    "writing",
]
