"""Records that were given more fields after the first of them had been hashed and signed."""

import dataclasses
from typing import Any, Self

from byline.core import Record


class GrownRecord(Record):
    """A record whose fields with a default are written only where they differ from it.

    So a policy or a settlement that uses none of the later fields keeps the JSON, and with it the digest and the id,
    that it had before they came. For every record `type(r).from_json(r.to_json()) == r`.
    """

    __slots__ = ()

    def to_json(self) -> dict[str, Any]:
        written = super().to_json()
        return {name: value for name, value in written.items() if name not in self._at_default()}

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Self:
        """Raises: CoreError("bad-record")."""
        if not isinstance(value, dict):
            return super().from_json(value)
        missing = {name: default for name, default in _defaults(cls).items() if name not in value}
        return super().from_json({**value, **_as_json(missing)})

    def _at_default(self) -> set[str]:
        return {name for name, default in _defaults(type(self)).items() if getattr(self, name) == default}


def _defaults(kind: type) -> dict[str, Any]:
    fields = dataclasses.fields(kind)
    return {field.name: field.default for field in fields if field.default is not dataclasses.MISSING}


def _as_json(defaults: dict[str, Any]) -> dict[str, Any]:
    return {name: list(value) if isinstance(value, tuple) else value for name, value in defaults.items()}
