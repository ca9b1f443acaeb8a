"""Reading the files in which people hand in works, splits and opt-outs: CSV or JSON lines, by the file's ending.

Reading changes nothing and knows no database. Every fault comes back as a `Problem` with file and line, all at once;
a catalogue with problems is not to be added.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date
from decimal import Context, Decimal, Inexact, InvalidOperation, Overflow
from pathlib import Path

from byline.core import (
    PPM,
    AccountId,
    Contribution,
    OptOut,
    Party,
    PartyId,
    Problem,
    Role,
    Source,
    Split,
    Work,
    WorkId,
    account_id,
    party_id,
    sha256_hex,
    work_id,
)
from byline.registry.media import MEDIA, content_kind
from byline.registry.rows import Columns, Row, decode, read_rows

WORKS = Columns(("path", "title", "contributor", "role", "created", "source", "licence"), optional=("account",))
SPLITS = Columns(("title", "contributor", "share", "effective"), optional=("account",))
OPT_OUTS = Columns(("contributor", "title", "effective", "recorded", "reason"))

_EXACT = Context(prec=28, traps=[Inexact, InvalidOperation, Overflow])


@dataclass(frozen=True, slots=True)
class CatalogueWork:
    """A work as handed in: the record, the file with its content, and the line that says so."""

    work: Work
    path: Path
    at: Source


@dataclass(frozen=True, slots=True)
class Catalogue:
    """What was handed in, in the order of the files. `accounts` are (id, name)."""

    works: tuple[CatalogueWork, ...]
    parties: tuple[Party, ...]
    accounts: tuple[tuple[AccountId, str], ...]
    splits: tuple[Split, ...]
    opt_outs: tuple[OptOut, ...]


def read_catalogue(works: Path, splits: Path | None, opt_outs: Path | None) -> tuple[Catalogue, list[Problem]]:
    """The catalogue, and everything that is wrong with it; what has a problem is left out of the catalogue."""
    reading = _Reading()
    for row in reading.rows(works, WORKS):
        reading.work(row, works.parent)
    if not reading.works and not reading.problems:
        reading.fault("empty-catalogue", Source(str(works)), "names no work")
    if splits is not None:
        reading.agreements(reading.rows(splits, SPLITS))
    if opt_outs is not None:
        for row in reading.rows(opt_outs, OPT_OUTS):
            reading.opt_out(row)
    return reading.catalogue(), reading.problems


def parse_share(text: str) -> int | None:
    """`60%`, `60 %` or `0.6` as parts per million, exactly; None for what is not such a share in (0, 100 %]."""
    unit = Decimal(PPM // 100 if text.endswith("%") else PPM)
    try:
        ppm = _EXACT.multiply(Decimal(text.removesuffix("%").strip()), unit)
    except ArithmeticError:
        return None
    return int(ppm) if ppm.is_finite() and 0 < ppm <= PPM and ppm == int(ppm) else None


@dataclass(slots=True)
class _Reading:
    """What has been read so far. A work with a fault is left out, but `named` keeps its title, so that one fault is
    not reported again by every split that names the work."""

    works: dict[tuple[AccountId, str], CatalogueWork] = field(default_factory=dict)
    named: set[str] = field(default_factory=set)
    parties: dict[PartyId, Party] = field(default_factory=dict)
    accounts: dict[AccountId, str] = field(default_factory=dict)
    splits: list[Split] = field(default_factory=list)
    opt_outs: list[OptOut] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)

    def fault(self, code: str, at: Source, says: str) -> None:
        self.problems.append(Problem(code, at, says))

    def rows(self, path: Path, columns: Columns) -> list[Row]:
        rows, problems = read_rows(path, columns)
        self.problems += problems
        return rows

    def catalogue(self) -> Catalogue:
        return Catalogue(
            tuple(self.works.values()),
            tuple(self.parties.values()),
            tuple(self.accounts.items()),
            tuple(self.splits),
            tuple(self.opt_outs),
        )

    # --- works

    def work(self, row: Row, folder: Path) -> None:
        before = len(self.problems)
        self.named.add(row["title"])
        if not row["title"]:
            self.fault("no-title", row.at, "the work has no title")
        contributions = self._contributions(row)
        created = self._date(row, "created")
        content = self._content(row, folder)
        if len(self.problems) > before or created is None or content is None:
            return
        kind, sha256 = content
        name = row["account"] or self.parties[contributions[0].party].name
        account = account_id(name)
        work = Work(
            id=work_id(account, row["title"], sha256),
            title=row["title"],
            kind=kind,
            account=account,
            contributions=contributions,
            created=created,
            source=row["source"],
            licence=row["licence"],
            sha256=sha256,
        )
        self._keep(CatalogueWork(work, folder / row["path"], row.at), name)

    def _keep(self, new: CatalogueWork, account: str) -> None:
        key = (new.work.account, new.work.title)
        old = self.works.get(key)
        if old is None:
            self.works[key] = new
            self.accounts[new.work.account] = account
        elif old.work.id == new.work.id:
            self.fault("duplicate-work", new.at, f"{new.work.title!r} of {account!r} already stands at {old.at}")
        else:
            says = f"{account!r} has {new.work.title!r} at {old.at} with other content; give it another title"
            self.fault("title-taken", new.at, says)

    def _contributions(self, row: Row) -> tuple[Contribution, ...]:
        names, roles = row.list("contributor"), row.list("role")
        known = {str(role) for role in Role}
        if not names or not all(names):
            self.fault(
                "no-contributor", row.at, f"{row['title']!r} has no contributor" + (" between ;" if names else "")
            )
            return ()
        if len(roles) != len(names):
            self.fault("role-count", row.at, f"{len(names)} contributors and {len(roles)} roles: one role each, with ;")
            return ()
        unknown = [role for role in roles if role not in known]
        for role in unknown:
            self.fault("unknown-role", row.at, f"{role!r} is not a role; the roles are {', '.join(sorted(known))}")
        if len(set(zip(names, roles, strict=True))) != len(names):
            self.fault("contributor-twice", row.at, "a contributor is named twice in the same role")
        if unknown:
            return ()
        for name in names:
            self.parties.setdefault(party_id(name), Party(party_id(name), name))
        return tuple(Contribution(party_id(n), Role(r)) for n, r in zip(names, roles, strict=True))

    def _content(self, row: Row, folder: Path) -> tuple[str, str] | None:
        """Kind and digest of the file: a picture, a sound, or else a text."""
        path = folder / row["path"]
        if not row["path"] or not path.is_file():
            self.fault("file-missing", row.at, f"there is no file {row['path']!r} in {folder}")
            return None
        content = path.read_bytes()
        kind = content_kind(content)
        if kind in MEDIA:
            return kind, sha256_hex(content)
        text, says = decode(content)
        if text is None:
            self.fault("encoding", row.at, f"{row['path']}: {says}")
        elif not any(character.isalnum() for character in text):
            self.fault("empty-text", row.at, f"{row['path']} holds no words")
        else:
            return "text", sha256_hex(content)
        return None

    def _date(self, row: Row, column: str) -> date | None:
        try:
            return date.fromisoformat(row[column])
        except ValueError:
            self.fault("bad-date", row.at, f"{column} is {row[column]!r}; write it as 1865-04-14")
            return None

    # --- splits

    def agreements(self, rows: Iterable[Row]) -> None:
        """Rows of one work and one effective date are one agreement."""
        agreements: defaultdict[tuple[WorkId, date], list[tuple[Row, PartyId, int]]] = defaultdict(list)
        for row in rows:
            work, effective, ppm = self._work_named(row), self._date(row, "effective"), self._share(row)
            if work is None:
                continue
            party = party_id(row["contributor"])
            if party not in {line.party for line in work.contributions}:
                says = f"{row['contributor']!r} is not a contributor of {work.title!r}"
                self.fault("unknown-contributor", row.at, says)
            elif effective is not None and ppm is not None:
                agreements[work.id, effective].append((row, party, ppm))
        for (work_id_, effective), lines in agreements.items():
            self._agreement(work_id_, effective, lines)

    def _agreement(self, work: WorkId, effective: date, lines: list[tuple[Row, PartyId, int]]) -> None:
        last, total = lines[-1][0], sum(ppm for _, _, ppm in lines)
        if len({party for _, party, _ in lines}) != len(lines):
            self.fault("share-twice", last.at, f"a contributor has two shares in {last['title']!r} from {effective}")
        elif total > PPM:
            percent = (Decimal(total) / 10_000).normalize()
            self.fault("shares-over-100", last.at, f"shares in {last['title']!r} from {effective} add to {percent:f} %")
        else:
            ordered = sorted((party, ppm) for _, party, ppm in lines)
            self.splits.append(Split(work, tuple(ordered), effective))

    def _share(self, row: Row) -> int | None:
        ppm = parse_share(row["share"])
        if ppm is None:
            says = f"share is {row['share']!r}; write 60% or 0.6, above 0, at most 100 %, in whole parts per million"
            self.fault("bad-share", row.at, says)
        return ppm

    def _work_named(self, row: Row) -> Work | None:
        """The one work of this title; `account` chooses when several accounts have the title."""
        found = self._titled(row["title"])
        if row["account"]:
            found = [work for work in found if work.account == account_id(row["account"])]
        if len(found) == 1:
            return found[0]
        if found:
            says = f"several accounts have a work {row['title']!r}: fill in the column account"
            self.fault("ambiguous-work", row.at, says)
        elif row["title"] not in self.named or self._titled(row["title"]):
            owner = f" of account {row['account']!r}" if row["account"] else ""
            self.fault("unknown-work", row.at, f"there is no work {row['title']!r}{owner} in the catalogue")
        return None

    def _titled(self, title: str) -> list[Work]:
        return [entry.work for (_, name), entry in self.works.items() if name == title]

    # --- opt-outs

    def opt_out(self, row: Row) -> None:
        """A title names every work of that title which the contributor has a part in, whoever submitted it."""
        effective, recorded = self._date(row, "effective"), self._date(row, "recorded")
        party, title = party_id(row["contributor"]), row["title"]
        works: list[WorkId | None] = [None]
        if party not in self.parties:
            says = f"{row['contributor']!r} contributes to no work in the catalogue"
            self.fault("unknown-contributor", row.at, says)
            return
        if title:
            named = self._titled(title)
            works = [work.id for work in named if party in {line.party for line in work.contributions}]
            if not works and (named or title not in self.named):
                says = f"{row['contributor']!r} contributes to no work {title!r} in the catalogue"
                self.fault("unknown-work", row.at, says)
        if effective is not None and recorded is not None:
            self.opt_outs += [OptOut(party, work, effective, recorded, row["reason"]) for work in works]
