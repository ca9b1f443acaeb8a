"""Hold a model's output against works while it is written: how long it copies, how much, how nearly, and what to do.

Verdict and figures depend on the words alone, not on how the output was cut into fragments.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from byline.core import PPM, CoreError, LookupFault, Record, WorkId
from byline.lookup.corpus import CorpusIndex
from byline.lookup.near import Alignment, NearMatch, alignments
from byline.lookup.runs import Runs
from byline.lookup.verbatim import Verbatim, passage
from byline.lookup.words import unfinished, words

Word = tuple[str, int, int]
CANDIDATES = 3  # works that the last words are aligned with


class Action(StrEnum):
    PASS = "pass"
    FLAG = "flag"
    BLOCK = "block"


@dataclass(frozen=True, slots=True)
class Limits(Record):
    """From where on something is done about an output, for one kind of works; 0 switches a limit off.

    `run_words`: words in a row from one work. `covered_ppm`: part of the words of the output so far that stand in runs
    of `least_run` words and more, asked once `covered_words` of them do. `near_ppm`: likeness of a passage of
    `window_words` words or less to one work's (see NearMatch), asked if `near_words` of it agree.
    """

    run_words: int
    covered_ppm: int
    covered_words: int
    near_ppm: int
    near_words: int
    action: Action


@dataclass(frozen=True, slots=True)
class GuardPolicy(Record):
    """`hold_back` words are kept back while an output is written, so that a run that is blocked was never shown.

    `opted_out` is for works whose contributors said no, `works` for all others.
    """

    name: str
    least_run: int
    hold_back: int
    window_words: int
    works: Limits
    opted_out: Limits


STANDARD = GuardPolicy(
    name="standard",
    least_run=8,
    hold_back=16,
    window_words=64,
    works=Limits(40, covered_ppm=500_000, covered_words=100, near_ppm=800_000, near_words=40, action=Action.FLAG),
    opted_out=Limits(16, covered_ppm=250_000, covered_words=50, near_ppm=650_000, near_words=24, action=Action.BLOCK),
)
"""Where to start from, not law: what counts as copying is for the operator and its lawyers to set."""


@dataclass(frozen=True, slots=True)
class Reason(Record):
    """Which limit was reached at which word of the output (1 = the first), and by what measure."""

    limit: str  # run_words, covered_ppm or near_ppm
    of: str  # works or opted_out
    at_word: int
    measured: int
    action: Action


@dataclass(frozen=True, slots=True)
class Finding(Record):
    """What the output has in common with one kind of works. `longest`: the longest run, against a single work."""

    longest: Verbatim | None
    covered_words: int
    covered_ppm: int
    runs: int
    nearest: NearMatch | None


@dataclass(frozen=True, slots=True)
class GuardReport(Record):
    """`released`: characters of the output that could be shown before a block; all of it if there was none."""

    policy: str
    action: Action
    words: int
    released: int
    reasons: tuple[Reason, ...]
    works: Finding
    opted_out: Finding


def read_policy(path: Path) -> GuardPolicy:
    """Raises: LookupFault("bad-policy")."""
    fix = f"write a JSON object with the fields of: {json.dumps(STANDARD.to_json())}"
    try:
        policy = GuardPolicy.from_json(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, CoreError) as fault:
        raise LookupFault("bad-policy", f"{path}: {fault}", fix) from fault
    return check_policy(policy, fix)


def check_policy(policy: GuardPolicy, fix: str = "correct the policy") -> GuardPolicy:
    """Raises: LookupFault("bad-policy") for limits that could not do what they say."""
    limits = (policy.works, policy.opted_out)
    numbers = [number for each in limits for number in each.to_json().values() if isinstance(number, int)]
    blocking = [each.run_words for each in limits if each.action is Action.BLOCK]
    if policy.least_run < 1 or policy.window_words < 1 or min(numbers) < 0:
        raise LookupFault("bad-policy", f"policy {policy.name!r} has a limit below 0, or no shortest run", fix)
    if any(0 < each.run_words < policy.least_run for each in limits):
        raise LookupFault("bad-policy", f"policy {policy.name!r}: no limit may be below least_run", fix)
    if max(blocking, default=0) > policy.hold_back:
        says = f"policy {policy.name!r} holds back {policy.hold_back} words, and blocks runs of {max(blocking)}"
        raise LookupFault("bad-policy", says, "hold back as many words as the longest run that is blocked")
    return policy


class Guard:
    """`corpus`: all works that may be copied from; `opted_out`: those whose contributors said no, by themselves, so
    that no longer passage of another work hides one of theirs."""

    def __init__(
        self, corpus: CorpusIndex, opted_out: CorpusIndex | None = None, policy: GuardPolicy = STANDARD
    ) -> None:
        self.policy = check_policy(policy)
        self._indexes = [(corpus, "works", policy.works)]
        if opted_out is not None:
            self._indexes.append((opted_out, "opted_out", policy.opted_out))

    def check(self, text: str) -> GuardReport:
        """The whole output at once. Raises: LookupFault("lookup-missing"), LookupFault("index-differs")."""
        stream = self.stream()
        stream.push(text)
        return stream.close()

    def stream(self) -> "GuardStream":
        return GuardStream(self.policy, [_Watch(self.policy, *each) for each in self._indexes])


@dataclass
class _Watch:
    """One kind of works, while the output grows."""

    policy: GuardPolicy
    index: CorpusIndex
    name: str
    limits: Limits
    runs: Runs = field(init=False)
    spans: list[tuple[int, int]] = field(default_factory=list)  # finished runs: first word, words
    covered: int = 0
    reached: int = 0  # words before this one are counted as covered, or never will be
    near: tuple[Alignment, int] | None = None  # and how many words of the output stand before its window
    said: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.runs = Runs(self.index.segments, self.policy.least_run)

    def push(self, name: str, number: int) -> Iterable[Reason]:
        """A further word, the `number`th."""
        finished = self.runs.step(name)
        if finished is not None:
            self.spans.append(finished)
        length = self.runs.length
        return self._judged(number, length) if length else ()

    def _judged(self, number: int, length: int) -> Iterable[Reason]:
        """The word ends a run of that length."""
        self.covered += number - max(self.reached, number - length)
        self.reached = number
        if self.limits.run_words and length >= self.limits.run_words:
            yield from self._reason("run_words", number, length)
        ppm = self.covered * PPM // number
        if self.limits.covered_ppm and self.covered >= self.limits.covered_words and ppm >= self.limits.covered_ppm:
            yield from self._reason("covered_ppm", number, ppm)

    def compare(self, window: list[Word], before: int) -> Iterable[Reason]:
        """Look for near-copies in the last words; `before`: words of the output in front of them. Once is enough."""
        if not self.limits.near_ppm or "near_ppm" in self.said:
            return
        for found in alignments(self.index.segments, window, CANDIDATES):
            if self.near is None or found.same_words > self.near[0].same_words:
                self.near = found, before
            if found.similarity_ppm >= self.limits.near_ppm and found.same_words >= self.limits.near_words:
                yield from self._reason("near_ppm", before + len(window), found.similarity_ppm)

    def _reason(self, limit: str, number: int, measured: int) -> Iterable[Reason]:
        if limit not in self.said:
            self.said.add(limit)
            yield Reason(limit, self.name, number, measured, self.limits.action)

    def finding(self, asked: list[Word]) -> Finding:
        self.spans += self.runs.close()
        longest = max(self.spans, key=lambda span: (span[1], -span[0]), default=None)
        run = passage(self.index, asked[longest[0] : sum(longest)]) if longest else None
        ppm = self.covered * PPM // max(1, len(asked))
        near = self.near[0].located(self.index, asked[self.near[1] :]) if self.near else None
        return Finding(run, self.covered, ppm, len(self.spans), near)


class GuardStream:
    """An output that comes in fragments. What `push` returns may be shown; after a block it returns nothing more."""

    def __init__(self, policy: GuardPolicy, watches: list[_Watch]) -> None:
        self._policy, self._watches = policy, watches
        self._fragments: list[str] = []  # of the word that is not finished
        self._tail = ""  # text from the end of the last finished word
        self._at = 0  # where it starts in the output
        self._words: list[Word] = []  # all so far
        self._held = ""  # text that was not released yet
        self._released = 0
        self._reasons: list[Reason] = []
        self.blocked = False

    def push(self, fragment: str) -> str:
        """Take a further fragment; returns the text that may be shown now."""
        if not self.blocked:
            self._held += fragment
        self._fragments.append(fragment)
        if fragment.isascii() and fragment.isalnum():
            return ""  # inside a word
        self._tail += "".join(self._fragments)
        self._fragments.clear()
        self._take(words(self._tail), whole=False)
        return self._release(self._safe())

    def close(self) -> GuardReport:
        """The output is at its end. `rest` then holds the text that was still held back."""
        self._tail += "".join(self._fragments)
        self._fragments.clear()
        length = self._at + len(self._tail)
        self._take(words(self._tail), whole=True)
        if self._words and len(self._words) % self._step:
            self._compare()
        self.rest = self._release(length)
        return self._report()

    def so_far(self) -> GuardReport:
        """What is known while the output is still written: its last word may go on and is not judged, and `released`
        leaves out what is held back. Nothing is pushed afterwards."""
        return self._report()

    def _report(self) -> GuardReport:
        findings = {watch.name: watch.finding(self._words) for watch in self._watches}
        empty = Finding(None, 0, 0, 0, None)
        return GuardReport(
            policy=self._policy.name,
            action=max((r.action for r in self._reasons), key=list(Action).index, default=Action.PASS),
            words=len(self._words),
            released=self._released,
            reasons=tuple(self._reasons),
            works=findings["works"],
            opted_out=findings.get("opted_out", empty),
        )

    @property
    def _step(self) -> int:
        return max(1, self._policy.window_words // 2)

    def _take(self, found: list[Word], whole: bool) -> None:
        """Words of the tail; the last one may go on in the next fragment, unless the output is `whole`."""
        cut = len(self._tail)
        if found and not whole and unfinished(self._tail, found[-1][2]):
            cut = found.pop()[1]
        for name, start, end in found:
            self._words.append((name, self._at + start, self._at + end))
            self._judge(name)
        self._tail = self._tail[cut:]
        self._at += cut

    def _judge(self, name: str) -> None:
        for watch in self._watches:
            self._react(watch.push(name, len(self._words)))
        if len(self._words) % self._step == 0:
            self._compare()

    def _compare(self) -> None:
        window = self._words[-self._policy.window_words :]
        for watch in self._watches:
            self._react(watch.compare(window, len(self._words) - len(window)))

    def _react(self, reasons: Iterable[Reason]) -> None:
        for reason in reasons:
            self._reasons.append(reason)
            if reason.action is Action.BLOCK and not self.blocked:
                self.blocked, self._stop = True, self._safe()

    def _safe(self) -> int:
        """Characters in front of the last words that are held back."""
        held = self._policy.hold_back
        if held == 0:
            return self._words[-1][2] if self._words else 0
        return self._words[-held][1] if len(self._words) >= held else 0

    def _release(self, to: int) -> str:
        to = max(self._released, min(to, self._stop) if self.blocked else to)
        text = self._held[: to - self._released]
        self._held = "" if self.blocked else self._held[to - self._released :]
        self._released = to
        return text

    rest = ""  # text that was held back to the end and may be shown
    _stop = 0  # characters that could be shown before a block


def work_ids(report: GuardReport) -> tuple[WorkId, ...]:
    """Every work that the report names, each once."""
    found = (report.works, report.opted_out)
    places = [place.work for each in found if each.longest for place in each.longest.places]
    return tuple(dict.fromkeys([*places, *(each.nearest.work for each in found if each.nearest)]))
