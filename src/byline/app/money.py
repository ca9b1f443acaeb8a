"""Where scores meet money: the only place that joins share tables to the ledger, and signs what comes of it."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path
from typing import Any, Protocol

from byline.app.coop_effects import refuse_other_policy
from byline.app.credit import own_stakes
from byline.app.home import Home, read_json, read_kept, write_json
from byline.app.money_files import STANDARD_POLICY, PricedOutputs, read_events, read_policy
from byline.core import PPM, AppError, Manifest, Party, PartyId, Reliability, RevenueEvent, ShareTable, Split, WorkId
from byline.disclosure import Verification, sign_statement, verify_document, write_statement
from byline.ledger import (
    RESERVE,
    Booking,
    Contract,
    Due,
    Game,
    Mode,
    Policy,
    Settlement,
    Terms,
    Use,
    agreed_terms,
    amount_text,
    contract_booking,
    dues,
    no_shares,
    payable,
    settle,
    statement,
    sum_outputs,
)
from byline.registry import People

__all__ = ["STANDARD_POLICY", "read_events", "read_policy"]  # of money_files; the rest is below

_ADVANCE = "assets:advance:"


class Ground(Protocol):
    """What money is divided on: a training, or, where no measurement divides it, only the works that were frozen."""

    @property
    def home(self) -> Home: ...
    @property
    def name(self) -> str: ...
    @property
    def manifest(self) -> Manifest: ...


@dataclass(frozen=True)
class Unmeasured:
    """The works of a training, or of the latest manifest if there is no such training. Needs no torch."""

    home: Home
    name: str

    @property
    def manifest(self) -> Manifest:
        path = self.home.training(self.name) / "training.json"
        if not path.is_file():
            return self.home.registry.latest_manifest()
        told = read_json(path, f"byline train --name {self.name}", ("manifest",))
        return self.home.registry.manifest(told["manifest"])


@dataclass(frozen=True, slots=True)
class Details:
    """What some payments bring with them: the works they name, the outputs they were for, what parties agreed on."""

    uses: Sequence[Use] = ()
    outputs: PricedOutputs = field(default_factory=lambda: PricedOutputs((), {}))
    contracts: Sequence[Contract] = ()


@dataclass(frozen=True, slots=True)
class Settled:
    settlement: Settlement
    posted: bool  # False if the journal held it already
    statements: tuple[tuple[Party, Path], ...]
    dues: tuple[Due, ...] = ()


def is_measured(policy: Policy) -> bool:
    """Whether the policy divides anything by attribution. Flat payments, tolls and lump sums it does not."""
    return policy.mode is Mode.SHARES and policy.train_share_ppm < PPM


def divide(
    ground: Ground, events: Sequence[RevenueEvent], policy: Policy, details: Details | None = None
) -> Settlement:
    """The settlement of some payments by what was attributed and how reliable that was measured to be. Pure reading.

    Raises: AppError("not-made-yet"), AppError("other-policy") where the members of a cooperative voted for another
    one, LedgerError("terms-too-late") and the others of `settle`.
    """
    home, asked = ground.home, details or Details()
    refuse_other_policy(home, ground.name, events, policy)
    shares, terms = measured(home, ground.name, policy) if is_measured(policy) else _agreed(events, policy)
    works = {entry.work for entry in ground.manifest.entries}
    columns = asked.outputs
    sums = [sum_outputs(event, [block], columns.clusters, terms) for event, block in sorted(columns.of.items())]
    splits = splits_in_force(home, works, events)
    stakes = own_stakes(home, ground.manifest, policy)
    return settle(events, shares, stakes, splits, terms, uses=asked.uses, outputs=sums)


def measured(home: Home, name: str, policy: Policy) -> tuple[ShareTable, Terms]:
    """Raises: AppError("other-game") if the shares were made in another way than the policy names."""
    kept = read_kept(home, name, "attribution")
    _refuse_other_game(kept.get("period_effects", {}).get("game", {}), policy, name)
    shares = ShareTable.from_json(kept["period"])
    told = read_kept(home, name, "evaluation")
    return shares, Terms(policy, Reliability.from_json(told["reliability"]), date.fromisoformat(told["measured"]))


def _refuse_other_game(choice: Mapping[str, Any], policy: Policy, name: str) -> None:
    """`choice` as attribution.json keeps it; none is the plain one, which was the only one once."""
    made = (str(choice.get("game", Game.LINEAR)), bool(choice.get("blend")), bool(choice.get("words")))
    agreed = (policy.game.value, policy.blended or policy.words, policy.words)
    if made != agreed:
        words = [_way(*each) for each in (made, agreed)]
        more = " --words" if policy.words else " --blend" if policy.blended else ""
        again = f"byline attribute --name {name} --game {policy.game.value}{more}"
        raise AppError(
            "other-game", f"the shares were made by {words[0]}, policy {policy.id} agrees on {words[1]}", f"{again} ..."
        )


def _way(game: str, blended: bool, words: bool) -> str:
    joined = " with blended channels" + (", the words among them" if words else "")
    return f"the {game} game" + (joined if blended else "")


def _agreed(events: Sequence[RevenueEvent], policy: Policy) -> tuple[ShareTable, Terms]:
    return no_shares(min((event.received.isoformat() for event in events), default="")), agreed_terms(policy)


def splits_in_force(home: Home, works: Iterable[WorkId], events: Sequence[RevenueEvent]) -> list[Split]:
    """How each work was divided on the day of each payment, by all that is known about people now: agreements,
    claims, disputes, heirs. What is contested and what nobody is named for is in no line, and waits for the work.

    A work whose agreements say all keeps them with their own dates; of another each day has its own split.
    """
    days = sorted({event.received for event in events})
    people = People(home.journal.engine, home.registry)
    divided = {day: people.divisions_on(day) for day in days}
    agreed = {day: home.registry.splits_on(day) for day in days}
    found: dict[tuple[WorkId, date], Split] = {}
    for work in works:
        plain = all(divided[day][work].lines == tuple(sorted(agreed[day][work].lines)) for day in days)
        for day in days:
            split = agreed[day][work] if plain else divided[day][work].split()
            found[work, split.effective] = split
    return list(found.values())


# --- posting ----------------------------------------------------------------------------------------------------


def pay(
    ground: Ground, events: Sequence[RevenueEvent], policy: Policy, now: datetime, details: Details | None = None
) -> Settled:
    """Divide, post to the journal, apply contracts, log the journal's head, and write a signed statement for everybody
    who is owed something. Doing it again changes nothing."""
    home, asked = ground.home, details or Details()
    settlement = divide(ground, events, policy, asked)
    posted = home.journal.post(settlement, now)
    changes = _apply_contracts(home, settlement, asked.contracts, now)
    if posted or changes:
        home.log.append("journal", home.journal.head().digest())
    written = write_statements(home, settlement)
    if is_measured(policy):
        write_json(home.training(ground.name) / "settlement.json", _kept(settlement, home, written))
    return Settled(settlement, posted, tuple(written), tuple(changes))


def contract_dues(home: Home, settlement: Settlement, contracts: Sequence[Contract]) -> list[Due]:
    """What contracts and unpaid advances change in a settlement, which counts as one period.

    Raises: those of `ledger.dues`.
    """
    balances = home.journal.balances(settlement.currency)
    advances = {PartyId(name.removeprefix(_ADVANCE)): nano for name, nano in balances.items()
                if name.startswith(_ADVANCE) and nano > 0}  # fmt: skip
    last = max(event.received for event in settlement.events)
    found = dues([settlement], contracts, advances, last)
    return [due for due in found if (due.rebate_nano, due.top_up_nano, due.recouped_nano) != ("0", "0", "0")]


def _apply_contracts(home: Home, settlement: Settlement, contracts: Sequence[Contract], now: datetime) -> list[Due]:
    """Book what they change, once per settlement, and keep the contracts under their digest."""
    if home.journal.has_booked(f"contracts:{settlement.id}:{settlement.currency}"):
        return []
    found = contract_dues(home, settlement, contracts)
    if found:
        home.journal.book(_contract_booking(settlement, found), now)
        for contract in contracts:
            path = home.path / "contracts" / f"{contract.digest()}.json"
            if not path.is_file():
                write_json(path, contract.to_json())
    return found


def _contract_booking(settlement: Settlement, found: Sequence[Due]) -> Booking:
    last = max(event.received for event in settlement.events)
    return contract_booking(found, settlement.terms.policy, settlement.currency, last, settlement.id)


def write_statements(home: Home, settlement: Settlement) -> list[tuple[Party, Path]]:
    """A signed statement for everybody who is owed something; one that is there already is left as it is."""
    folder = home.path / "statements" / settlement.id.removeprefix("settlement:")
    titles = {work.id: work.title for work in home.works.values()}
    owed = {line.account for line in settlement.lines}
    payees = sorted((p for p in home.registry.parties() if payable(p.id) in owed), key=lambda party: party.name)
    written = []
    for party, name in _file_names(payees).items():
        path = folder / f"{name}.json"
        if not path.is_file():
            write_statement(path, sign_statement(statement(party, settlement, titles), home.log, home.key))
        written.append((party, path))
    return written


def _kept(settlement: Settlement, home: Home, written: Sequence[tuple[Party, Path]]) -> dict[str, Any]:
    return {
        "settlement": settlement.id,
        "statements": [
            {"party": party.id, "name": party.name, "file": str(path.relative_to(home.path))} for party, path in written
        ],
    }


def _file_names(payees: Sequence[Party]) -> dict[Party, str]:
    """A name that people recognise; two payees of the same one are told apart by their ids."""
    plain = {party: _file_name(party.name) for party in payees}
    taken = Counter(plain.values())
    return {p: name if taken[name] == 1 else f"{name}-{p.id.rpartition(':')[2][:8]}" for p, name in plain.items()}


# --- showing ----------------------------------------------------------------------------------------------------


def conservation(settlement: Settlement) -> str:
    """Where all of the money went, in one sentence."""
    totals, reserve = settlement.totals(), reserve_of(settlement)
    parts = {**totals, "held": totals["held"] - reserve, "reserve": reserve}
    text = {what: amount_text(nano, settlement.currency) for what, nano in parts.items()}
    return (
        f"{text['received']} received = {text['allocated']} allocated + {text['held']} held + {text['reserve']} "
        f"reserve + {text['commission']} commission, to the last nano-unit."
    )


def reserve_of(settlement: Settlement) -> int:
    """What of the held money is the reserve, in nano-units."""
    return sum(line.nano for line in settlement.lines if line.account == RESERVE)


def verify(path: Path, key: Path) -> Verification:
    return verify_document(path, key)


def verify_altered(path: Path, key: Path) -> Verification:
    """What verification says of a copy of the statement in which one digit of the total was changed."""
    document = read_json(path, "byline settle")
    total = document["statement"]["total"]
    total["nano"] = _other_digit(total["nano"])
    return verify_document(document, key)


def _other_digit(number: str) -> str:
    return str((int(number[0]) % 9) + 1) + number[1:]


def _file_name(name: str) -> str:
    return "-".join("".join(c if c.isalnum() else " " for c in name.lower()).split())
