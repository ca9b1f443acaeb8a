"""Which works a notice reaches: a pure function of its target and of what is registered.

A target reaches works that are registered later too, because it is asked anew each time. What only resembles the
target is reported as similar and never counted as reached.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import cached_property
from typing import Protocol

from byline.core import Work, WorkId
from byline.registry.optout import Dossier, NoticeKind, Target, TargetKind
from byline.registry.optout_iscc import NEAR_BITS, Units, bits_apart, parse_iscc
from byline.registry.rights import Use
from byline.registry.scope import domain_scopes

CodesOf = Callable[[Work], Units]


@dataclass(frozen=True, slots=True)
class Similar:
    """A work whose words resemble a code that somebody gave; `bits` of 64 differ."""

    work: WorkId
    bits: int


@dataclass(frozen=True, slots=True)
class Reach:
    works: tuple[WorkId, ...]
    similar: tuple[Similar, ...] = ()


@dataclass(frozen=True, slots=True)
class Block:
    """A no that reaches a work: by which notices, the one that has held longest first; target, first day and a sentence
    for people are of that one."""

    work: WorkId
    notices: tuple[str, ...]
    target: str
    effective: date
    because: str


class Reaches(Protocol):
    """Tells which works a target reaches."""

    def by(self, target: Target) -> Reach: ...


class Reached:
    """The works of a register, found by any kind of target. `codes` computes the ISCC units of a work; it is asked
    only if a target is an ISCC."""

    def __init__(self, works: Sequence[Work], codes: CodesOf) -> None:
        self._works = works
        self._codes = codes

    def by(self, target: Target) -> Reach:
        if target.kind is TargetKind.ISCC:
            return self._by_iscc(target.value)
        if target.kind is TargetKind.COLLECTION:
            return Reach(self._by_collection(target.value))
        return Reach(tuple(sorted(self._named[target.kind].get(target.value, ()))))

    @cached_property
    def _named(self) -> dict[TargetKind, defaultdict[str, set[WorkId]]]:
        found: dict[TargetKind, defaultdict[str, set[WorkId]]] = {kind: defaultdict(set) for kind in TargetKind}
        for work in self._works:
            found[TargetKind.WORK][work.id].add(work.id)
            found[TargetKind.FILE][work.sha256].add(work.id)
            found[TargetKind.ACCOUNT][work.account].add(work.id)
            for part in work.contributions:
                found[TargetKind.CONTRIBUTOR][part.party].add(work.id)
            for scope in domain_scopes(work.source):
                found[TargetKind.DOMAIN][scope.removeprefix("domain:")].add(work.id)
        return found

    def _by_collection(self, prefix: str) -> tuple[WorkId, ...]:
        """By where works came from; the name of a collection ends where its path does, not inside a word."""
        whole = prefix.rstrip("/")
        return tuple(
            sorted(w.id for w in self._works if w.source.rstrip("/") == whole or w.source.startswith(f"{whole}/"))
        )

    def _by_iscc(self, code: str) -> Reach:
        wanted, exact, similar = parse_iscc(code), [], []
        for work in self._works:
            own = self._codes(work)
            bits = bits_apart(wanted.content, own.content) if wanted.content and own.content else None
            if bits == 0 or (wanted.instance and wanted.instance == own.instance):
                exact.append(work.id)
            elif bits is not None and bits <= NEAR_BITS:
                similar.append(Similar(work.id, bits))
        return Reach(tuple(sorted(exact)), tuple(sorted(similar, key=lambda near: (near.bits, near.work))))


def blocks(
    dossiers: Iterable[Dossier],
    reached: Reaches,
    on: date,
    use: Use = Use.TRAIN_GEN,
    licensed: Collection[WorkId] = (),
) -> dict[WorkId, Block]:
    """For each work that somebody has said no for on a day: every no that reaches it. `licensed`: works for which a
    licence for the use is on record, which answers a no that was said only for want of one."""
    found: dict[WorkId, Block] = {}
    speaking = [d for d in dossiers if d.notice.kind is NoticeKind.OPT_OUT and d.in_force(on) and d.covers(use)]
    for dossier in sorted(speaking, key=lambda d: (d.notice.effective, d.notice.received, d.notice.id)):
        for work in reached.by(dossier.notice.target).works:
            if dossier.notice.unless_licensed and work in licensed:
                continue
            first = found.get(work) or _block(work, dossier)
            found[work] = replace(first, notices=(*first.notices, dossier.notice.id))
    return found


def _block(work: WorkId, dossier: Dossier) -> Block:
    notice = dossier.notice
    what = {
        TargetKind.WORK: "this work",
        TargetKind.FILE: "a file with exactly this content",
        TargetKind.ISCC: "a text with this content code",
        TargetKind.DOMAIN: f"everything from {notice.target.value}",
        TargetKind.ACCOUNT: "everything of this account",
        TargetKind.COLLECTION: f"everything from {notice.target.value}",
        TargetKind.CONTRIBUTOR: "all works of this contributor",
    }[notice.target.kind]
    span = f"from {notice.effective} to {notice.until}" if notice.until else f"from {notice.effective} on"
    unless = " without a licence, and none is on record" if notice.unless_licensed else ""
    because = f"Opted out: training on {what} is refused {span}{unless}."
    return Block(work, (), str(notice.target), notice.effective, because)
