"""Works by title, parties and accounts by name: how people write in files what the register knows by id."""

from collections import defaultdict
from functools import cached_property

import sqlalchemy as sa

from byline.core import PartyId, RegistryError, account_id, party_id
from byline.registry import schema
from byline.registry.scope import check_scope, domain_of


class Names:
    """Looks up in an open connection, and only what is asked for: a register may hold a million titles."""

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection

    @cached_property
    def _parties(self) -> dict[str, str]:
        return self._all(schema.parties)

    @cached_property
    def _accounts(self) -> dict[str, str]:
        return self._all(schema.accounts)

    @cached_property
    def _titles(self) -> dict[str, list[str]]:
        found: defaultdict[str, list[str]] = defaultdict(list)
        for row in self._connection.execute(sa.select(schema.works.c.title, schema.works.c.id)):
            found[row.title].append(row.id)
        return found

    def _all(self, table: sa.Table) -> dict[str, str]:
        return {row.id: row.name for row in self._connection.execute(sa.select(table.c.id, table.c.name))}

    def party(self, written: str) -> PartyId:
        """A name or an id. Raises: RegistryError("unknown-party")."""
        name = written if written in self._parties else party_id(written)
        if name not in self._parties:
            fix = "add it first: byline import parties FILE"
            raise RegistryError("unknown-party", f"{written!r} is not registered", fix)
        return PartyId(name)

    def scope(self, written: str) -> str:
        """A title, an id, `party:NAME`, `account:NAME`, `domain:HOST` or `*`.

        Raises: RegistryError("bad-about"), ("unknown-party"), ("unknown-account"), ("no-such-work"),
        ("ambiguous-work").
        """
        kind, colon, rest = written.partition(":")
        if colon and kind == "party":
            return self.party(written if written in self._parties else rest)
        if colon and kind == "account":
            return self._account(written, rest)
        if colon and kind == "domain":
            written = f"domain:{domain_of(rest)}"
        elif written and written != "*" and not written.startswith("work:"):
            return self._work(written)
        check_scope(written)
        return written

    def _account(self, written: str, rest: str) -> str:
        name = written if written in self._accounts else account_id(rest)
        if name not in self._accounts:
            fix = "an account is who submitted works to this register"
            raise RegistryError("unknown-account", f"{written!r} is not registered", fix)
        return name

    def _work(self, title: str) -> str:
        found = self._titles.get(title, [])
        if len(found) > 1:
            fix = f"write its id: {' or '.join(sorted(found)[:3])}"
            raise RegistryError("ambiguous-work", f"several works have the title {title!r}", fix)
        if not found:
            fix = "give a title, an id, party:NAME, account:NAME, domain:HOST or *"
            raise RegistryError("no-such-work", f"{title!r} is not registered", fix)
        return found[0]

    def shown(self, party: str) -> str:
        """The name by which `party` finds it again, or else its id."""
        name = self._parties.get(party, "")
        return name if name and name not in self._parties and party_id(name.strip()) == party else party
