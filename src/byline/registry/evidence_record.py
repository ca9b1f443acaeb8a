"""What all records of evidence have in common."""

from datetime import date
from typing import ClassVar

from byline.core import Record, make_id


class EvidenceRecord(Record):
    """A frozen record of the register of evidence. `effective`: the day from which it counts."""

    __slots__ = ()
    KIND: ClassVar[str]
    effective: date

    @property
    def id(self) -> str:
        """From its kind and content, so that the same record has the same id in every register."""
        return make_id(self.KIND, self.digest())
