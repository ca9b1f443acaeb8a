"""Who holds a work on a day, as far as it was known on another day: a pure function of the records.

Claims that add up to more than the work are met by paying each claimant what would be left to them if all the others
were right, and holding the rest: nobody waits for a slice that is not contested. (For two claimants this is the rule
of the contested garment, Aumann and Maschler 1985, before its division of the contested part, which is not ours to do.)
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import TypeVar

from byline.core import PPM, PartyId, Record, RegistryError, Role, Split, Work, WorkId
from byline.registry.people import (
    Claim,
    Dispute,
    Lines,
    Merge,
    PeopleRecord,
    Resolution,
    Succession,
    Withdrawal,
    record_id,
)

Kind = TypeVar("Kind", bound=PeopleRecord)


@dataclass(frozen=True, slots=True)
class Hold(Record):
    """A slice of a work that waits: for a dispute (its id) or for claims to come down to the whole ("overlap")."""

    id: str
    ppm: int
    between: tuple[PartyId, ...]


@dataclass(frozen=True, slots=True)
class Division(Record):
    """A work's shares on a day, in parts per million: lines + holds + unclaimed = 1,000,000."""

    work: WorkId
    on: date
    lines: Lines
    holds: tuple[Hold, ...]
    unclaimed_ppm: int
    agreed: bool

    def split(self) -> Split:
        """What settling pays by; holds and the unclaimed rest wait in the work's own account."""
        return Split(self.work, self.lines, self.on, self.agreed)


@dataclass(frozen=True, slots=True)
class Known:
    """The records that had come in by some day, oldest first."""

    records: tuple[PeopleRecord, ...]

    def of(self, kind: type[Kind]) -> list[Kind]:
        return [record for record in self.records if isinstance(record, kind)]

    def merged(self, on: date) -> dict[PartyId, PartyId]:
        """Alias -> the party it was found to be, followed to the end. Later decisions supersede earlier ones.

        Raises: RegistryError("circular-merge").
        """
        into: dict[PartyId, PartyId] = {}
        for merge in self.of(Merge):
            if merge.effective <= on:
                into.pop(merge.alias, None)
                if merge.into is not None:
                    into[merge.alias] = merge.into
        return {alias: _end(into, alias) for alias in into}

    def heirs(self, on: date) -> dict[PartyId, Lines]:
        """Who takes the place of a party on a day; the latest effective succession counts. Names are merged."""
        merged = self.merged(on)
        found = sorted((one for one in self.of(Succession) if one.effective <= on), key=lambda one: one.effective)
        return {merged.get(one.party, one.party): _lines(_renamed(one.lines, merged)) for one in found}


class Day:
    """What is known, as it stands on a day: read once, asked for every work."""

    def __init__(self, known: Known, on: date) -> None:
        self.on, self.merged, self.heirs = on, known.merged(on), known.heirs(on)
        withdrawn = {one.claim for one in known.of(Withdrawal)}
        self._resolved = {one.dispute: one for one in known.of(Resolution)}
        self._claims: defaultdict[WorkId, list[Claim]] = defaultdict(list)
        self._disputes: defaultdict[WorkId, list[Dispute]] = defaultdict(list)
        for claim in known.of(Claim):
            if claim.effective <= on and record_id(claim) not in withdrawn:
                self._claims[claim.work].append(claim)
        for dispute in known.of(Dispute):
            if dispute.effective <= on:
                self._disputes[dispute.work].append(dispute)

    def claims(self, work: Work) -> dict[PartyId, int]:
        """Claims that are heard: by registered contributors, and by others whom a reviewer admitted. Of several by one
        person the largest counts, for they are about the same work."""
        contributors = {part.party for part in work.contributions}
        newest = {one.party: one for one in self._claims.get(work.id, ())}
        found: dict[PartyId, int] = {}
        for one in newest.values():
            if one.party in contributors or one.admitted_by.strip():
                party = self.merged.get(one.party, one.party)
                found[party] = max(found.get(party, 0), one.ppm)
        return found

    def disputes(self, work: WorkId) -> list[tuple[Dispute, Resolution | None]]:
        return [(dispute, self._resolved.get(dispute.id)) for dispute in self._disputes.get(work, ())]

    def divide(self, work: Work, split: Split) -> Division:
        """The division of a work. `split` is the one in force: agreed, or the default between contributors.

        An agreed split stands; claims beside it reach only what it leaves open, and against it there are disputes.
        Where nothing was agreed, a contributor's claim takes the place of their default share. Then names are merged,
        disputed slices are held or go where it was decided, and heirs take their place.
        """
        settled = _renamed(split.lines, self.merged)
        shares, holds = _with_claims(work.id, settled, split.agreed, self.claims(work))
        for dispute, resolution in self.disputes(work.id):
            party, claimant = (self.merged.get(one, one) for one in (dispute.party, dispute.claimant))
            slice_ppm = min(dispute.ppm, shares[party])
            shares[party] -= slice_ppm
            if resolution is not None:
                shares += _renamed(_parts(slice_ppm, resolution.lines).items(), self.merged)
            elif slice_ppm:
                holds.append(Hold(dispute.id, slice_ppm, (party, claimant)))
        final: Counter[PartyId] = Counter()
        for party, ppm in shares.items():
            final.update(inherited(party, ppm, self.heirs))
        rest = PPM - sum(final.values()) - sum(hold.ppm for hold in holds)
        return Division(work.id, self.on, _lines(final), tuple(holds), rest, split.agreed)


def divide_work(work: Work, split: Split, known: Known, on: date) -> Division:
    """The division of one work on a day; see `Day.divide`."""
    return Day(known, on).divide(work, split)


def inherited(party: PartyId, ppm: int, heirs: Mapping[PartyId, Lines]) -> dict[PartyId, int]:
    """A share as its heirs, and theirs, hold it; what no heir is named for is left out and so unclaimed.

    Raises: RegistryError("circular-succession").
    """
    return dict(_inherited(party, ppm, heirs, ()))


def _inherited(party: PartyId, ppm: int, heirs: Mapping[PartyId, Lines], path: tuple[PartyId, ...]) -> Counter[PartyId]:
    if party not in heirs:
        return Counter({party: ppm})
    if party in path:
        raise RegistryError("circular-succession", f"{' -> '.join([*path, party])}", "correct one of the successions")
    found: Counter[PartyId] = Counter()
    for heir, part in _parts(ppm, heirs[party]).items():
        found.update(_inherited(heir, part, heirs, (*path, party)))
    return found


def concede(whole: int, claims: Mapping[PartyId, int]) -> tuple[dict[PartyId, int], int]:
    """What each claimant gets at once, and what is contested: whole = paid + contested, if the claims reach it.

    A claimant gets what is left if all the others are right; claims that fit into the whole are all paid.
    """
    total = sum(claims.values())
    if total <= whole:
        return dict(claims), 0
    paid = {party: max(0, whole - (total - ppm)) for party, ppm in claims.items()}
    return paid, whole - sum(paid.values())


def role_split(work: Work, weights: Mapping[Role, int], effective: date) -> Split:
    """The default between roles, such as author and translator half each: by role first, equal inside a role.

    For a work whose contributors agreed on nothing. Raises: RegistryError("no-role-weight").
    """
    by_role: dict[Role, set[PartyId]] = {}
    for part in work.contributions:
        by_role.setdefault(part.role, set()).add(part.party)
    missing = sorted(role.value for role in by_role if weights.get(role, 0) <= 0)
    if missing:
        raise RegistryError(
            "no-role-weight", f"{work.id} has a {missing[0]}, and no weight for it", "add it to the table"
        )
    roles = sorted(by_role, key=lambda role: role.value)
    shares: Counter[PartyId] = Counter()
    for role, ppm in zip(roles, _whole_parts(PPM, [weights[role] for role in roles]), strict=True):
        parties = sorted(by_role[role])
        shares.update(dict(zip(parties, _whole_parts(ppm, [1] * len(parties)), strict=True)))
    return Split(work.id, tuple(sorted(shares.items())), effective, agreed=False)


def _with_claims(
    work: WorkId, settled: Mapping[PartyId, int], agreed: bool, claims: Mapping[PartyId, int]
) -> tuple[Counter[PartyId], list[Hold]]:
    if agreed:
        heard = {party: ppm for party, ppm in claims.items() if party not in settled}
        paid, contested = concede(PPM - sum(settled.values()), heard)
        paid = {**settled, **paid}
    else:
        heard = {**settled, **claims}
        paid, contested = concede(PPM, heard)
    overlap = [Hold(f"overlap:{work}", contested, tuple(sorted(heard)))] if contested else []
    return Counter(paid), overlap


def _renamed(shares: Iterable[tuple[PartyId, int]], merged: Mapping[PartyId, PartyId]) -> Counter[PartyId]:
    found: Counter[PartyId] = Counter()
    for party, ppm in shares:
        found[merged.get(party, party)] += ppm
    return found


def _lines(shares: Mapping[PartyId, int]) -> Lines:
    return tuple(sorted((party, ppm) for party, ppm in shares.items() if ppm))


def _end(into: Mapping[PartyId, PartyId], alias: PartyId) -> PartyId:
    seen = [alias]
    while seen[-1] in into:
        if into[seen[-1]] in seen:
            raise RegistryError("circular-merge", " -> ".join(seen), "take one of the decisions back")
        seen.append(into[seen[-1]])
    return seen[-1]


def _parts(total: int, lines: Lines) -> dict[PartyId, int]:
    """`total` by parts per million; what the lines leave open is left out."""
    weights = [*(ppm for _, ppm in lines), PPM - sum(ppm for _, ppm in lines)]
    return dict(zip((party for party, _ in lines), _whole_parts(total, weights), strict=False))


def _whole_parts(total: int, weights: Iterable[int]) -> list[int]:
    """Largest remainder; ties by position."""
    listed = list(weights)
    whole = sum(listed)
    parts = [total * weight // whole for weight in listed]
    order = sorted(range(len(parts)), key=lambda at: (-(total * listed[at] % whole), at))
    for at in order[: total - sum(parts)]:
        parts[at] += 1
    return parts
