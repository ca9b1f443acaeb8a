"""Looks at the signals around works: kept as they were read, and what they come to on a later day.

A look at a place replaces what that place said before. A look that was complete (everything that could have spoken was
read) replaces all that was seen before it. Silence means "not reserved" only after a complete look without problems.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from byline.core import AppError, Decision, Problem, Source, Verdict, Work, WorkId
from byline.core.hashing import sha256_hex
from byline.gate.signals import Answer, Category, Observation, Reading, Resolved, canonical, resolve
from byline.gate.signals import Grant as Lifting
from byline.registry import Grant, Signal

if TYPE_CHECKING:
    from byline.app.home import Home

LOOK, COMPLETE = "look", "complete look"
"""Notes on a signal: the look that it is of, by the time of its keeping; and that the look was complete."""

TRAINING = (Category.TDM, Category.TRAIN_GEN, Category.TRAIN_OTHER)
_NO = (Reading.DENY, Reading.CONDITIONAL)


# --- keeping ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Kept:
    """`works`: those of which something was kept. `unmatched`: sources in which no registered work was recognised."""

    signals: int
    works: tuple[WorkId, ...]
    unmatched: tuple[str, ...]


def keep_answers(
    home: "Home", answers: Sequence[Answer], at: datetime, *, site: str = "", about: str = "", complete: bool = False
) -> Kept:
    """Record what was read of each work that is recognised.

    A work is recognised by its address (that of a capture; `site` and the path of a file), or by its bytes. `about`: a
    scope that everything read is about, whatever it is. Raises: AppError("no-such-work-here") if nothing is recognised.
    """
    recognise = _Recogniser(home, site, about)
    signals: list[Signal] = []
    works: dict[str, None] = {}
    unmatched = []
    for answer in answers:
        scopes = recognise.scopes(answer)
        for scope in scopes:
            signals += _signals(answer, scope, at, recognise.address(answer), complete)
            works[scope] = None
        if not scopes:
            unmatched.append(answer.source)
    if not works:
        says = f"none of the {len(answers)} places read is a registered work, by address or by bytes"
        raise AppError("no-such-work-here", says, "give --site, the address that the folder mirrors, or --about WORK")
    home.registry.evidence.add(signals, date.today())
    return Kept(len(signals), tuple(WorkId(scope) for scope in works), tuple(unmatched))


def scope_of(home: "Home", about: str) -> str:
    """A scope as it is written, or the work of that title. Raises: AppError("no-such-title")."""
    if not about or (":" in about and about.partition(":")[0] in ("domain", "account", "party")):
        return about
    found = [work.id for work in home.works.values() if about in (work.id, work.title)]
    if len(found) != 1:
        how = "is the title of several works" if found else "is neither the title nor the id of a work"
        raise AppError("no-such-title", f"{about!r} {how}", "`byline check --json` names the ids")
    return found[0]


class _Recogniser:
    def __init__(self, home: "Home", site: str, about: str) -> None:
        self._site, self._about = site.rstrip("/"), about
        self._by_source: defaultdict[str, list[WorkId]] = defaultdict(list)
        self._by_digest: defaultdict[str, list[WorkId]] = defaultdict(list)
        for work in home.works.values():
            self._by_source[_plain(work.source)].append(work.id)
            self._by_digest[work.sha256].append(work.id)

    def address(self, answer: Answer) -> str:
        """What the look was at: for a file under a site, the address there."""
        return f"{self._site}{answer.path}" if self._site and "://" not in answer.source else answer.source

    def scopes(self, answer: Answer) -> list[str]:
        if self._about:
            return [self._about]
        found: list[str] = [*self._by_source.get(_plain(self.address(answer)), ())]
        file = Path(answer.source)
        if not found and "://" not in answer.source and file.is_file():
            found = [*self._by_digest.get(sha256_hex(file.read_bytes()), ())]
        return found


def _plain(address: str) -> str:
    """Without the parts that do not change what is fetched."""
    return address.partition("#")[0].removeprefix("https://").removeprefix("http://").rstrip("/")


def _signals(answer: Answer, about: str, at: datetime, address: str, complete: bool) -> list[Signal]:
    notes = (f"{LOOK} {at.isoformat()}", *((COMPLETE,) if complete else ()))
    seen = [replace(_of_observation(each, about), notes=(*each.notes, *notes)) for each in answer.findings.observations]
    faults = [
        Signal(about, answer.seen, fault.at.file or address, answer.path, "unread", raw=fault.says, line=fault.at.line,
               problem=fault.code, notes=notes)
        for fault in answer.findings.problems
    ]  # fmt: skip
    looked = Signal(about, answer.seen, address, answer.path, notes=notes)  # that somebody looked is evidence too
    return [*seen, *faults, *([] if seen or faults else [looked])]


def _of_observation(seen: Observation, about: str) -> Signal:
    said = tuple((each.value, reading.value) for each, reading in sorted(seen.canonical.items()))
    return Signal(
        about, seen.observed_at, seen.source, seen.path, seen.carrier, seen.family, seen.spec, seen.raw, seen.rule,
        seen.line, said, seen.access.value, seen.body_sha256, seen.media, seen.duties, seen.notes, seen.signer,
        seen.signature,
    )  # fmt: skip


# --- reading back -----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Look:
    """What was last seen of a work. `stated`: what the carriers say; `lifted`: the same after the grants that cover a
    use. `oldest`: the earliest of the statements that still speak; `complete`: the time of the last complete look, or
    None."""

    stated: tuple[Resolved, ...]
    lifted: tuple[Resolved, ...]
    problems: tuple[Problem, ...]
    oldest: datetime
    complete: datetime | None

    @property
    def readings(self) -> dict[str, str]:
        return canonical(self.stated)

    @property
    def silence_counts(self) -> bool:
        return self.complete is not None and not self.problems

    @property
    def reserved(self) -> bool:
        """Whether training is reserved in any carrier, granted or not: law packs weigh grants by place and day."""
        return bool(_against(self.stated))

    def reservation(self) -> str:
        """Who reserved training, by which rule; "" if nobody did, or a grant covers it."""
        return "; ".join(dict.fromkeys(reason for each in _against(self.lifted) for reason in each.because))


def _against(resolved: Sequence[Resolved]) -> list[Resolved]:
    return [each for each in resolved if each.category in TRAINING and each.reading in _NO]


def looks(home: "Home", works: Sequence[Work], on: date) -> dict[WorkId, Look]:
    """Of every work of which something was seen by then."""
    evidence = home.registry.evidence
    granted = evidence.of_works(Grant, works, on)
    signals = evidence.of_works(Signal, works, on)
    return {work: look_of(seen, granted.get(work, ()), on) for work, seen in signals.items()}


def look_of(signals: Sequence[Signal], grants: Sequence[Grant], on: date) -> Look:
    complete = _complete(signals)
    speaking = list(_latest(each for each in signals if complete is None or each.observed_at >= complete))
    problems = tuple(
        Problem(each.problem, Source(each.source, each.line), each.raw) for each in speaking if each.problem
    )
    observations = [_observation(each) for each in speaking if not each.problem and each.carrier != "nothing"]
    lifting = [held for grant in grants if (held := _lifting(grant))]
    stated = resolve(observations, problems)
    lifted = resolve(observations, problems, grants=lifting, on=on)
    return Look(stated, lifted, problems, min(each.observed_at for each in speaking), complete)


def _complete(signals: Sequence[Signal]) -> datetime | None:
    """When the newest complete look began: the first thing that was fetched for it."""
    begun: dict[str, datetime] = {}
    for each in signals:
        if COMPLETE in each.notes:
            look = next((note for note in each.notes if note.startswith(f"{LOOK} ")), "")
            begun[look] = min(begun.get(look, each.observed_at), each.observed_at)
    return max(begun.values(), default=None)


def _latest(signals: Iterable[Signal]) -> Iterable[Signal]:
    """Of each source, what was seen in it last."""
    by_source: defaultdict[str, list[Signal]] = defaultdict(list)
    for each in signals:
        by_source[each.source].append(each)
    for listed in by_source.values():
        last = max(each.observed_at for each in listed)
        yield from (each for each in listed if each.observed_at == last)


def _observation(signal: Signal) -> Observation:
    return Observation(
        signal.carrier, signal.family, signal.spec, signal.raw, signal.rule, signal.line, signal.source, signal.path,
        signal.observed_at, signal.body_sha256,
        {Category(name): Reading(word) for name, word in signal.canonical}, Reading(signal.access), signal.media,
        signal.duties, signal.notes, signal.signer, signal.signature,
    )  # fmt: skip


def _lifting(grant: Grant) -> Lifting | None:
    """The grant in the words of the signals; None if it covers none of their uses."""
    known = {each.value for each in Category}
    uses = frozenset(Category(use.value) for use in grant.uses if use.value in known)
    return Lifting(grant.contract or grant.id, uses, grant.effective, grant.until) if uses else None


# --- what stands against a work ---------------------------------------------------------------------------------


def reserved_works(home: "Home", works: Sequence[Work], on: date) -> dict[WorkId, Decision]:
    """A refusal for every work whose publisher, as far as was seen, reserved training, and that no grant covers."""
    found = {work: look.reservation() for work, look in looks(home, works, on).items()}
    return {
        work: Decision(work, Verdict.REFUSE, "reserved", f"Training was reserved: {why}.", ("signals",))
        for work, why in found.items()
        if why
    }
