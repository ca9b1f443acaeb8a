"""Works that the gate holds until a person has looked at them: which they are, what a look needs, and deciding.

A review is a record with a name, a reason and a day; its salted digest is a leaf of the log. It counts at once: the
gate had refused the work for how it reads and for nothing else, as of its last look. Every later check asks the other
rules again.
"""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from byline.app.corrections import Waiting, waiting_new
from byline.app.home import Home
from byline.core import AppError, Decision, RegistryError, Verdict, Work, WorkId
from byline.gate import HELD_RULES
from byline.registry import MEDIA, Looked, Review

RELEASED = "reviewed"  # rule of a decision that admits what a person has looked at
CANDIDATES = 40  # works among which one to compare with is looked for


@dataclass(frozen=True)
class Held:
    """A work, as the gate decided on it last, and what people who looked at it have decided so far."""

    work: Work
    decision: Decision
    reviews: tuple[Review, ...]

    @property
    def open(self) -> bool:
        """Whether it is held now."""
        return self.decision.verdict is Verdict.REFUSE and self.decision.rule in HELD_RULES


def held(home: Home, name: str) -> Held:
    """A work that the gate has decided on, by title or id: held or not. Raises: AppError("not-held")."""
    work = _work(home, name)
    decision = home.registry.decision(work.id)
    if decision is None:
        raise AppError("not-held", f"{work.title} was never decided on", "`byline check`")
    return Held(work, decision, home.registry.verdicts.reviews(work.id))


def _work(home: Home, name: str) -> Work:
    """Raises: AppError("not-held")."""
    try:
        return home.registry.work(WorkId(name))
    except RegistryError:
        titled = home.registry.works_titled(name)
    if len(titled) != 1:
        says = f"{len(titled)} works are called {name!r}"
        raise AppError("not-held", says, "`byline review` lists the works that are held, with their ids")
    return titled[0]


def waiting(home: Home, kept: bool, skip: int, most: int) -> tuple[int, list[Decision]]:
    """Held works that nobody has looked at, or that somebody keeps held: how many, and a page of them."""
    count, some = home.registry.verdicts.held(HELD_RULES, kept, skip, most)
    return count, list(some)


def new_works(home: Home) -> list[Waiting]:
    """New works whose pay waits until a person has looked at them: of each how much, largest amount first."""
    return waiting_new(home)


def review(home: Home, name: str, looked: Looked, because: str, by: str, now: datetime) -> Review:
    """Release a work, or keep it held. Of one that is not held it is recorded that a person has looked at it, for pay
    that waits for that. Raises: AppError("not-held"), ("no-decider"), ("no-reason")."""
    if not by.strip():
        raise AppError("no-decider", "nobody is named who looked at it", "add --by with the name of whoever did")
    if not because.strip():
        raise AppError("no-reason", "a decision has no reason", "add --because: it is kept with the decision")
    found = held(home, name)
    rule = found.decision.rule if found.open else next((r.rule for r in reversed(found.reviews) if r.rule), "")
    if looked is Looked.KEPT and not rule:
        says = f"{found.work.title} is not held for how it reads, so it cannot be kept so"
        raise AppError("not-held", says, "`byline review` lists the works that are")
    made = Review(found.work.id, looked, rule, because.strip(), by.strip(), now, secrets.token_hex(16))
    home.registry.verdicts.add(made)
    if (decided := _decided(made, found)) != found.decision:
        home.registry.save_decisions([decided], now.date())
    home.log.append("review", made.digest())
    return made


def _decided(made: Review, found: Held) -> Decision:
    """What follows for the work. Names and reasons stay in the review: decisions are read by everybody."""
    evidence = (f"review:{made.digest()}",)
    if made.looked is Looked.RELEASED and found.open:
        says = "A person has looked at it, and it is not held for how it reads."
        return Decision(made.work, Verdict.ADMIT, RELEASED, says, evidence)
    if made.looked is Looked.KEPT and (found.open or found.decision.verdict is Verdict.ADMIT):
        return Decision(made.work, Verdict.REFUSE, made.rule, "A person has looked at it and keeps it held.", evidence)
    return found.decision  # it was not held, or is refused for another reason: that stays as it is


# --- looking at it ----------------------------------------------------------------------------------------------


def beside(home: Home, work: Work, name: str = "") -> Work | None:
    """A text to read beside a held one: the one that was asked for; else one that is admitted, by the same people if
    there is one. None where there is none.

    Raises: AppError("not-held") if no single text is called so.
    """
    if name:
        asked = _work(home, name)
        return asked if asked.kind not in MEDIA else None
    return _first_admitted(home, work, _by_the_same(home, work)) or _first_admitted(home, work, _near(home, work))


def _by_the_same(home: Home, work: Work) -> list[Work]:
    return [each for part in work.contributions for each in home.shelf.works_of(part.party, CANDIDATES).works]


def _near(home: Home, work: Work) -> Sequence[Work]:
    """Neighbours by id, which is as good as drawn: ids are digests."""
    return home.shelf.after(work.id, CANDIDATES) or home.shelf.after("", CANDIDATES)


def _first_admitted(home: Home, work: Work, some: Sequence[Work]) -> Work | None:
    texts = {each.id: each for each in some if each.kind not in MEDIA and each.id != work.id}
    newest = home.registry.verdicts.newest(list(texts))
    admitted = [each.work for each in newest if each.verdict is Verdict.ADMIT and each.rule != RELEASED]
    return texts[admitted[0]] if admitted else None


def told(home: Home, decision: Decision) -> dict[str, Any]:
    """A held work in a list."""
    work = home.works[decision.work]
    return {"work": work.id, "title": work.title, "by": home.contributors(work.id), "rule": decision.rule,
            "because": decision.because}  # fmt: skip
