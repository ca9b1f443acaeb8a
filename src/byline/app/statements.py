"""Statements of payees and periods: who has an account, what is drawn up, signed once and kept, and written out."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import Any

from byline.app.home import Home
from byline.app.outputs_behind import Behind
from byline.app.statement_csv import statement_csv
from byline.app.statement_page import statement_html
from byline.core import AppError, Party, PartyId
from byline.disclosure import (
    read_document,
    seal_page,
    sign_all,
    verify_document,
    with_later,
    write_statement,
    write_text,
)
from byline.ledger import (
    PERIOD_KIND,
    Asked,
    Bridges,
    Issued,
    Movement,
    PayeeAccounts,
    Period,
    open_payout_book,
    period_statement,
    read_period,
)

FORMATS = ("json", "html", "csv")


@dataclass(frozen=True, slots=True)
class Kept:
    """A statement that was signed: its period and currency, where it is kept, and what it says."""

    period: Period
    path: Path
    document: dict[str, Any]

    @property
    def issued(self) -> Issued:
        body = self.document["statement"]
        entries = int(body["drawn"]["entries"])
        return Issued(self.period, entries, body["closing"]["nano"], self.document["digest"])


@dataclass(frozen=True)
class Desk:
    """Draws up and signs the statements of a project folder; what many of them need is read once."""

    home: Home
    today: date

    # --- who and when -------------------------------------------------------------------------------------------

    @cached_property
    def accounts(self) -> PayeeAccounts:
        return PayeeAccounts(self.home.journal)

    @cached_property
    def payees(self) -> tuple[Party, ...]:
        """Everybody with an account in the journal, by name."""
        names = self.home.names
        found = (Party(party, names.get(party, str(party))) for party in self.accounts.parties())
        return tuple(sorted(found, key=lambda party: (party.name, party.id)))

    def payee(self, name: str) -> Party:
        """By name, in any case of letters, or by id. Raises: AppError("no-payee"), which names the nearest."""
        wanted = name.casefold().strip()
        exact = [p for p in self.payees if wanted in (p.name.casefold(), str(p.id).casefold(), self.file_names[p.id])]
        near = exact or [p for p in self.payees if wanted in p.name.casefold()]
        if len(near) == 1:
            return near[0]
        shown = ", ".join(f"{p.name} ({p.id})" for p in near[:5]) or "nobody of that name has an account"
        raise AppError("no-payee", f"{name!r}: {shown}", "byline statement lists everybody; give the name or the id")

    def currency(self, party: Party, wanted: str | None) -> str:
        """Raises: AppError("which-currency") if the payee has none in it, or several and none was named."""
        found = self.accounts.currencies(party.id)
        if wanted and wanted.upper() in found:
            return wanted.upper()
        if not wanted and len(found) == 1:
            return found[0]
        raise AppError("which-currency", f"{party.name} has accounts in {', '.join(found)}", "give one: --currency")

    def periods(self, party: Party, currency: str) -> list[Period]:
        """The months in which something happened, oldest first."""
        days = {each.effective for each in self._movements(party.id, currency)}
        return sorted({read_period(f"{day:%Y-%m}") for day in days}, key=lambda period: period.start)

    def balance(self, party: Party, currency: str) -> int:
        """Nano-units owed to the payee, of everything that is in the journal."""
        return sum(each.nano for each in self._movements(party.id, currency))

    def _movements(self, party: PartyId, currency: str) -> list[Movement]:
        return self.accounts.movements(party, currency)

    # --- what is kept -------------------------------------------------------------------------------------------

    @cached_property
    def file_names(self) -> dict[PartyId, str]:
        """A name that people recognise; two payees of the same one are told apart by their ids."""
        taken = Counter(file_name(party.name) for party in self.payees)
        return {p.id: _names(p)[int(taken[file_name(p.name)] > 1 or not file_name(p.name))] for p in self.payees}

    def path(self, party: Party, period: Period, currency: str) -> Path:
        folder = self.home.path / "statements" / "periods" / period.name
        return folder / f"{self.file_names[party.id]}-{currency.lower()}.json"

    def kept(self, party: Party, currency: str) -> list[Kept]:
        """The payee's signed statements, by period. Raises: AppError("statement-damaged")."""
        found, folder = [], self.home.path / "statements" / "periods"
        for path in (path for name in _names(party) for path in folder.glob(f"*/{name}-{currency.lower()}.json")):
            document = self._whole(path)
            body = document["statement"]
            if body["payee"]["id"] == party.id and body["kind"] == PERIOD_KIND:
                found.append(Kept(read_period(body["period"]["name"]), path, document))
        return sorted(found, key=lambda each: (each.period.end, each.period.start))

    def _whole(self, path: Path) -> dict[str, Any]:
        """A kept document, verified: what it says goes into what is signed next."""
        found = verify_document(path, self.home.key.public)
        if not found.ok:
            fault = next(check.says for check in found.checks if not check.ok)
            says = f"{path} is not the statement that was signed: {fault}"
            raise AppError("statement-damaged", says, "restore it from a copy; byline verify says more")
        return read_document(path)

    # --- drawing up ---------------------------------------------------------------------------------------------

    def body(self, party: Party, period: Period, currency: str) -> dict[str, Any]:
        """What a statement says, or would say if it were signed now."""
        kept = self.kept(party, currency)
        for each in kept:
            if each.period == period:
                told: dict[str, Any] = each.document["statement"]
                return told
        return period_statement(self.accounts, self._asked(party, period, currency, kept), self._bridges)

    @cached_property
    def _bridges(self) -> Bridges:
        return Bridges()

    def _asked(self, party: Party, period: Period, currency: str, kept: Sequence[Kept]) -> Asked:
        before = [each for each in kept if each.period.end < period.start]
        after = [each for each in kept if each.period.end >= period.start]
        movements = self._movements(party.id, currency)
        in_period = [each for each in movements if each.effective <= period.end]
        return Asked(
            party,
            period,
            currency,
            self.today,
            {work.id: work.title for work in self.home.works.values()},
            before[-1].issued if before and not after else None,
            dict(self._signed(party, movements, kept)),
            self._behind.told(party.id, self.accounts, [each for each in in_period if each.effective >= period.start]),
            self._carried(party, period, currency),
        )

    @cached_property
    def _behind(self) -> Behind:
        return Behind(self.home)

    def _signed(self, party: Party, movements: Sequence[Movement], kept: Sequence[Kept]) -> Iterator[tuple[str, str]]:
        """Settlement -> digest of the statement in which the payee was told about it; a period's stands before the
        settlement's own."""
        for run in sorted({each.run for each in movements if each.kind == "settlement"}):
            for path in (self.home.path / "statements" / run.removeprefix("settlement:")).glob("*.json"):
                if path.stem.startswith(file_name(party.name)):
                    document = self._whole(path)
                    if document["statement"]["payee"]["id"] == party.id:
                        yield run, document["digest"]
        for each in kept:
            runs = {line["run"] for line in each.document["statement"]["lines"] if line["kind"] == "earning"}
            yield from ((run, each.document["digest"]) for run in sorted(runs))

    def _carried(self, party: Party, period: Period, currency: str) -> list[tuple[date, str, str]]:
        """Payouts of the period that passed the payee over, and why."""
        found = []
        for batch in self._batches:
            if batch.execution in period and batch.rule.currency == currency:
                found += [
                    (batch.execution, one.reason.value, one.amount_nano)
                    for one in batch.carried
                    if one.party == party.id
                ]
        return found

    @cached_property
    def _batches(self) -> list[Any]:
        from byline.ledger import JournalAccounts

        return list(open_payout_book(self.home.journal.engine, JournalAccounts(self.home.journal)).batches())

    # --- signing and writing ------------------------------------------------------------------------------------

    def issue(self, asked: Sequence[tuple[Party, Period, str]]) -> list[Kept]:
        """Sign what was not signed before, under one checkpoint, and keep it; a statement is signed once.

        Raises: AppError("period-passed") if one of a payee's statements tells about a later day already.
        """
        kept = {each: self._kept_of(*each) for each in asked}
        fresh = [each for each, found in kept.items() if found is None]
        bodies = [self._signable(*each) for each in fresh]
        documents = sign_all(bodies, self.home.log, self.home.key, "statement") if bodies else []
        for each, document in zip(fresh, documents, strict=True):
            path = self.path(*each)
            write_statement(path, document)
            kept[each] = Kept(each[1], path, document)
        return [found for found in kept.values() if found]

    def _kept_of(self, party: Party, period: Period, currency: str) -> Kept | None:
        return next((each for each in self.kept(party, currency) if each.period == period), None)

    def _signable(self, party: Party, period: Period, currency: str) -> dict[str, Any]:
        for each in self.kept(party, currency):
            if each.period.end >= period.start:
                says = f"{party.name} has a signed statement of {each.period}, and {period} begins before its end"
                raise AppError("period-passed", says, "what came to light later stands in the next statement")
        return self.body(party, period, currency)

    def write(self, kept: Kept, folder: Path, formats: Sequence[str]) -> list[Path]:
        """The statement in these formats, in a folder of the payee's or the operator's. What was signed is copied with
        a proof that the log has only grown since."""
        stem = folder / f"{kept.path.stem}-{kept.period.name}"
        document = with_later(kept.document, self.home.log, self.home.key)
        written = []
        for form in formats:
            path = stem.with_name(f"{stem.name}.{form}")
            if form == "json":
                write_statement(path, document)
            else:
                content = (statement_html if form == "html" else statement_csv)(kept.document)
                write_text(path, seal_page(content, path.suffix, kept.document["digest"], self.home.key))
            written.append(path)
        return written


def _names(party: Party) -> tuple[str, str]:
    """What a payee's files may be called: until somebody of the same name comes, and since."""
    plain = file_name(party.name)
    return plain, "-".join(filter(None, (plain, file_name(str(party.id))[-8:])))


def file_name(name: str) -> str:
    return "-".join("".join(c if c.isalnum() else " " for c in name.lower()).split())


def refuse_formats(formats: Sequence[str]) -> tuple[str, ...]:
    """Raises: AppError("unknown-form")."""
    for form in formats:
        if form not in FORMATS:
            raise AppError("unknown-form", f"{form!r} is no form of statement", f"choose of {', '.join(FORMATS)}")
    return tuple(dict.fromkeys(formats)) or FORMATS
