"""What happens after the demo's money was divided: a late agreement, a dispute, and a payment that comes back."""

import csv
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from byline.app.corpus import COPIED, COPYCAT, DemoFiles
from byline.app.corrections import correct_all
from byline.app.demo_bank import CLOSED, OPEN, OPERATOR, answers_of_a_bank
from byline.app.home import Home, register
from byline.app.money import Settled, verify
from byline.app.payouts import Asked, apply_answers, pay_out, read_answers
from byline.core import AppError, PartyId, Problem, WorkId, party_id, sha256_hex
from byline.ledger import Debtor, MoveKind, Payee, PayoutRule, amount_text, minor_text, payable, unclaimed
from byline.registry import People, read_people

Tell = Callable[[str], None]
LATE_SPLIT, CONTESTED, THRESHOLD = ("70%", "30%"), "20%", 1000  # minor units


@dataclass(frozen=True, slots=True)
class Afterwards:
    """The project as it was when its money had been divided."""

    home: Home
    files: DemoFiles
    settled: Settled
    agreed: date
    later: date

    def run(self, tell: Tell) -> dict[str, Any]:
        """All three in turn, each told in a line; figures of each."""
        return {
            "adjustment": self.late_agreement(tell),
            "dispute": self.dispute(tell),
            "bank": self.returned_payment(tell),
        }

    def late_agreement(self, tell: Tell) -> dict[str, Any]:
        """Two contributors hand in another agreement from before the money: only the difference is booked."""
        before = {path: path.read_bytes() for _, path in self.settled.statements}
        path = self._agreement()
        _refuse(register(self.home, self.files.works, path, None, date.today())[1])
        moved = self._corrected("an agreement handed in later")
        unchanged = all(path.read_bytes() == content for path, content in before.items())
        holds = all(verify(path, self.home.public_key).ok for path in before)
        up = max(moved.values(), default=0)
        names = [self._name(account) for account, nano in sorted(moved.items(), key=lambda item: item[1])]
        tell(
            f"Adjustment: another split, agreed before the money and handed in after it, moves {self._text(up)} from "
            f"{names[0]} to {names[-1]}; the statements of before are "
            f"{'the same, byte for byte, and verify' if unchanged and holds else 'CHANGED'}."
        )
        return {"moved_nano": str(up), "accounts": len(moved), "sum_nano": str(sum(moved.values())),
                "statements_unchanged": unchanged and holds}  # fmt: skip

    def dispute(self, tell: Tell) -> dict[str, Any]:
        """Somebody contests a part of one work: that part waits, and nobody else is touched."""
        work = self._contested_work()
        row = {"kind": "dispute", "work": work, "person": COPIED, "other": COPYCAT, "share": CONTESTED,
               "ground": "authorship", "effective": str(self.agreed),
               "evidence": sha256_hex(b"a letter that the demo made up")}  # fmt: skip
        path = _write(self.files.works.parent / "people.csv", list(row), [list(row.values())])
        found, problems = read_people(path, self.home.registry.works())
        added = People(self.home.journal.engine, self.home.registry).add_all(found.parties, found.records, date.today())
        _refuse([*problems, *(Problem(fault.code, found.at[at], fault.message) for at, fault in added.faults)])
        moved = self._corrected("a dispute over authorship")
        held, owner = unclaimed(work), payable(party_id(COPIED))
        only = set(moved) == {held, owner} and sum(moved.values()) == 0
        tell(
            f"Dispute: {COPYCAT} contests {CONTESTED} of one speech by {COPIED}: {self._text(moved.get(held, 0))} "
            f"waits for the decision, and {'no other account changes' if only else 'OTHER ACCOUNTS CHANGE'}."
        )
        return {"held_nano": str(moved.get(held, 0)), "only_its_slice": only}

    def returned_payment(self, tell: Tell) -> dict[str, Any]:
        """Everybody is paid through a pretended bank, at which one account is closed."""
        home, now = self.home, datetime.now(UTC)
        currency = self.settled.settlement.currency
        owed = self._owed()
        payees = [Payee(party, home.names[party], OPEN) for party in sorted(owed)]
        unlucky = payees[len(payees) // 2]
        payees[len(payees) // 2] = Payee(unlucky.party, unlucky.name, CLOSED)
        asked = Asked(PayoutRule(currency, THRESHOLD, (unlucky.party,)), self.later, "pain.001", Debtor(*OPERATOR))
        batch, file = pay_out(home, payees, asked, now)
        if file is None:
            raise AppError("demo-bank", "nobody is owed anything", "keep the folder and report it")
        reports, problems = read_answers(answers_of_a_bank(file.read_bytes(), self.later, home.path / "bank"))
        applied = apply_answers(home, reports, now)
        _refuse([*problems, *applied.problems])
        kinds = [move.kind for move in applied.moves]
        back = self._owed().get(unlucky.party, 0) == owed[unlucky.party]
        sent = minor_text(batch.total_minor, currency)
        tell(
            f"Payout: {len(batch.instructions)} payments, {sent} {currency}; the bank settles "
            f"{kinds.count(MoveKind.SETTLED)} and rejects {kinds.count(MoveKind.REJECTED)} (account closed): "
            f"{self._text(owed[unlucky.party])} {'is' if back else 'is NOT'} owed to {unlucky.name} again. "
            f"{len(batch.carried)} below {THRESHOLD // 100} {currency} are carried forward."
        )
        return {
            "sent": len(batch.instructions),
            "settled": kinds.count(MoveKind.SETTLED),
            "rejected": kinds.count(MoveKind.REJECTED),
            "returned_to_balance": back,
            "carried": len(batch.carried),
        }

    # --- parts --------------------------------------------------------------------------------------------------

    def _agreement(self) -> Path:
        """The shared work's other agreement, from the day of the first."""
        first = min((s for s in self.settled.settlement.splits if s.agreed), key=lambda split: split.effective)
        work = self.home.works[first.work]
        account = self.home.registry.accounts()[work.account]
        names = [self.home.names[part.party] for part in work.contributions]
        rows = [[work.title, account, *line, self.agreed] for line in zip(names, LATE_SPLIT, strict=True)]
        columns = ["title", "account", "contributor", "share", "effective"]
        return _write(self.files.works.parent / "splits-later.csv", columns, rows)

    def _corrected(self, because: str) -> dict[str, int]:
        """What a correction gives each account, in nano-units."""
        corrections, problems = correct_all(self.home, self.later, because, datetime.now(UTC))
        _refuse(problems)
        moved: dict[str, int] = {}
        for change in (change for each in corrections for change in each.changes):
            moved[change.account] = moved.get(change.account, 0) + change.nano
        return moved

    def _contested_work(self) -> WorkId:
        """The work that earned its author the most."""
        account = payable(party_id(COPIED))
        sums: dict[WorkId, int] = {}
        for line in self.settled.settlement.lines:
            if line.account == account and line.work:
                sums[line.work] = sums.get(line.work, 0) + line.nano
        return max(sums, key=lambda work: (sums[work], work))

    def _owed(self) -> dict[PartyId, int]:
        balances = self.home.journal.balances(self.settled.settlement.currency)
        prefix = payable(PartyId(""))
        return {PartyId(name.removeprefix(prefix)): -n for name, n in balances.items() if name.startswith(prefix)}

    def _name(self, account: str) -> str:
        return self.home.names.get(PartyId(account.removeprefix("payable:")), account)

    def _text(self, nano: int) -> str:
        return amount_text(nano, self.settled.settlement.currency)


def afterwards(home: Home, files: DemoFiles, settled: Settled, agreed: date, changed: date, tell: Tell) -> Any:
    """`changed`: the day of the demo's second agreement; payments are made some days after the last money came."""
    return Afterwards(home, files, settled, agreed, changed + timedelta(days=5)).run(tell)


def _refuse(problems: Sequence[Problem]) -> None:
    if problems:
        raise AppError("demo-catalogue", f"{len(problems)} problems, first: {problems[0]}", "reinstall byline[demo]")


def _write(path: Path, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> Path:
    part = path.with_name(path.name + ".part")
    with part.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([columns, *rows])
    return part.replace(path)
