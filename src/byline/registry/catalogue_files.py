"""Writing the catalogue as the files that `byline register` reads: works with their texts, splits, opt-outs; and
parties, who can be read too."""

from collections.abc import Iterator, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from byline.core import OptOut, Party, PartyId, Problem, Split, Work, WorkId, party_id
from byline.registry import schema
from byline.registry.assets import Assets
from byline.registry.database import writing
from byline.registry.exchange import write_rows
from byline.registry.media import MEDIA
from byline.registry.rows import Columns, read_rows
from byline.registry.terms import add_name_terms

PARTIES = Columns(("name",), ("id",))
WORK_COLUMNS = ["path", "title", "contributor", "role", "created", "source", "licence", "account"]
SPLIT_COLUMNS = ["title", "account", "contributor", "share", "effective"]
OPT_OUT_COLUMNS = ["contributor", "title", "effective", "recorded", "reason"]


def import_parties(engine: sa.Engine, path: Path) -> tuple[int, int, list[Problem]]:
    """People and organisations who made none of the works: how many were new, how many rows, problems. With any
    problem nothing is added."""
    rows, problems = read_rows(path, PARTIES)
    for row in rows:
        if not row["name"]:
            problems.append(Problem("empty-field", row.at, "name is empty; fill it in"))
        elif row["id"] and row["id"] != party_id(row["name"]):
            says = f"{row['name']!r} has the id {party_id(row['name'])}, not {row['id']}; leave id empty"
            problems.append(Problem("id-differs", row.at, says))
    if problems:
        return 0, len(rows), problems
    with writing(engine) as connection:
        known = set(connection.execute(sa.select(schema.parties.c.id)).scalars())
        named = {party_id(row["name"]): row["name"] for row in rows}
        new = [{"id": party, "name": name} for party, name in named.items() if party not in known]
        if new:
            connection.execute(sa.insert(schema.parties), new)
            add_name_terms(connection, [(row["id"], row["name"]) for row in new])
        return len(new), len(rows), []


def export_parties(parties: Sequence[Party], path: Path) -> int:
    return write_rows(path, ["name", "id"], ({"name": party.name, "id": party.id} for party in parties))


class CatalogueWriter:
    """What `byline register` reads: the same works, accounts, people and splits get the same ids again."""

    def __init__(
        self, works: Sequence[Work], parties: Sequence[Party], accounts: dict[Any, str], assets: Assets
    ) -> None:
        self._works = {work.id: work for work in works}
        self._names = {party.id: party.name for party in parties}
        self._accounts = accounts
        self._assets = assets

    def works(self, path: Path) -> int:
        """The contents go beside the file, into the folder `texts`, each named by its digest.

        Raises: RegistryError("asset-missing"), RegistryError("asset-altered").
        """
        return write_rows(path, WORK_COLUMNS, self._work_rows(path.parent / "texts"))

    def _work_rows(self, texts: Path) -> Iterator[dict[str, Any]]:
        texts.mkdir(parents=True, exist_ok=True)
        for work in self._works.values():
            name = f"{work.sha256}.{'bin' if work.kind in MEDIA else 'txt'}"
            if not (texts / name).is_file():
                self._assets.copy(work.sha256, texts / name)
            yield {
                "path": f"texts/{name}",
                "title": work.title,
                "contributor": tuple(self._names[part.party] for part in work.contributions),
                "role": tuple(str(part.role) for part in work.contributions),
                "created": work.created,
                "source": work.source,
                "licence": work.licence,
                "account": self._accounts[work.account],
            }

    def splits(self, splits: Sequence[Split], path: Path) -> int:
        """`splits`: the newest agreement per work and effective day."""
        return write_rows(path, SPLIT_COLUMNS, (row for split in splits for row in self._split_rows(split)))

    def _split_rows(self, split: Split) -> Iterator[dict[str, Any]]:
        work = self._works[split.work]
        for party, ppm in split.lines:
            percent = f"{ppm // 10_000}.{ppm % 10_000:04d}%"
            yield self._row(work.id, party, split.effective) | {
                "account": self._accounts[work.account],
                "share": percent,
            }

    def opt_outs(self, opt_outs: Sequence[OptOut], path: Path) -> int:
        """A title names every work of that title which the contributor has a part in, as in the file it came from."""
        rows = (
            self._row(one.work, one.party, one.effective) | {"recorded": one.recorded, "reason": one.reason}
            for one in opt_outs
        )
        return write_rows(path, OPT_OUT_COLUMNS, rows)

    def _row(self, work: WorkId | None, party: PartyId, effective: date) -> dict[str, Any]:
        title = self._works[work].title if work else ""
        return {"title": title, "contributor": self._names[party], "effective": effective}
