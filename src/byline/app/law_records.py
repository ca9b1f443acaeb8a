"""Facts about works from the records of the registry: how they came, under which licence, grant and consent, what the
signals said, and what the audit for personal data found.

Two records that contradict each other establish nothing. A record that was ended no longer counts; a consent that was
withdrawn counts against.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from byline.app.home import Home
from byline.app.looks import Look, looks
from byline.app.pii import pii_facts
from byline.core import GateError, Problem, Role, Source, Work, WorkId
from byline.gate.law import Value, licence_facts, signal_facts, vocabulary
from byline.registry import (
    Acquisition,
    Consent,
    Credit,
    Entry,
    Grant,
    Licence,
    Method,
    Robots,
    Subject,
    Use,
    Why,
    scopes_of,
)

FOREVER = date.max  # a grant without an end
_SAID = {Robots.REFUSED: True, Robots.ALLOWED: False, Robots.ABSENT: False, Robots.NOT_APPLICABLE: False}
_CONSENTS = (
    (Subject.PERSONAL_DATA, (Use.TRAIN_GEN, Use.TRAIN_OTHER), "consent_train"),
    (Subject.VOICE, (Use.VOICE_SYNTHESIS,), "consent_ai_voice"),
    (Subject.LIKENESS, (Use.LIKENESS_SYNTHESIS,), "consent_ai_likeness"),
    (Subject.SENSITIVE_DATA, (Use.TRAIN_GEN, Use.TRAIN_OTHER), "consent_separate_sensitive"),
)
"""What of a person, for which use, answers which fact."""

_SHOWN = (Role.VOICE, Role.PERFORMER, Role.SUBJECT)
_HEARD_OR_SEEN = {
    "consent_ai_voice": (Role.VOICE, Role.PERFORMER),
    "consent_ai_likeness": (Role.SUBJECT, Role.PERFORMER),
}
"""Whose consent is asked; for other facts that of everybody who is shown."""

Found = dict[str, Value]


@dataclass(frozen=True)
class Recorded:
    """`facts` by work; works of which nothing is recorded are left out. `reserved`: works whose publisher reserved
    training, as far as was seen. `problems`: facts in records that the vocabulary refuses."""

    facts: Mapping[WorkId, Found]
    reserved: frozenset[WorkId]
    problems: tuple[Problem, ...]


def recorded_facts(home: Home, works: Sequence[Work], on: date) -> Recorded:
    """What the registry, the kept looks and the kept audits establish of works on a day."""
    evidence, problems = home.registry.evidence, list[Problem]()
    found: defaultdict[WorkId, Found] = defaultdict(dict)
    acquired = evidence.of_works(Acquisition, works, on)
    credits = evidence.of_works(Credit, works, on)
    seen = looks(home, works, on)
    for work, stated in _licences(home, works, on, problems).items():
        found[work] |= stated
    for work, records in acquired.items():
        found[work] |= _agreed(_acquisition(each, problems) for each in _closest(records))
    for work, look in seen.items():
        found[work] |= _look_facts(look, acquired.get(work, ()))
    for work, granted in evidence.of_works(Grant, works, on).items():
        found[work] |= _grant(granted, problems)
    for work, facts in _consents(home, works, credits, on, problems).items():
        found[work] |= facts
    for work, facts in pii_facts(home).items():
        found[work] |= facts
    reserved = frozenset(work for work, look in seen.items() if look.reserved)
    return Recorded(dict(found), reserved, tuple(problems))


# --- how it came ------------------------------------------------------------------------------------------------


def _closest(records: Sequence[Acquisition]) -> Sequence[Acquisition]:
    """Those of the closest scope: what is said of a work stands over what is said of its domain."""
    return [each for each in records if each.about == records[0].about]


def _acquisition(record: Acquisition, problems: list[Problem]) -> Found:
    found: Found = {"method": record.method.value}
    if record.robots in _SAID:
        found["access_refused"] = _SAID[record.robots]
    papers = (record.collector, record.fetched_at, record.evidence, record.evidence_sha256)
    if record.method is Method.CRAWL and all(papers):
        found["fetch_records"] = True
    return found | _stated(record.id, record.facts, problems)


def _stated(record: str, facts: Iterable[tuple[str, str]], problems: list[Problem]) -> Found:
    found: Found = {}
    for name, text in facts:
        try:
            value = vocabulary().parse(name, text)
        except GateError as fault:
            problems.append(Problem(fault.code, Source(record), f"{fault.message}; {fault.fix}"))
            continue
        if value is not None:
            found[name] = value
    return found


def _agreed(sides: Iterable[Found]) -> Found:
    """What all that speak of a fact say alike."""
    said: defaultdict[str, set[Value]] = defaultdict(set)
    for side in sides:
        for name, value in side.items():
            said[name].add(value)
    return {name: values.pop() for name, values in said.items() if len(values) == 1}


# --- what the carriers said -------------------------------------------------------------------------------------


def _look_facts(look: Look, acquired: Sequence[Acquisition]) -> Found:
    """`reserved`; the age of the signals when the copy was taken, if they were read before; and how long ago the last
    complete look was is for the start of a run (`law_run`)."""
    found = signal_facts(look.readings, look.silence_counts)
    fetched = [each.fetched_at for each in acquired if each.fetched_at is not None]
    if fetched and look.oldest <= min(map(_zoned, fetched)):
        age = max(map(_zoned, fetched)) - look.oldest
        found["signal_age_h"] = -(-age // timedelta(hours=1))
    return found


def _zoned(moment: datetime) -> datetime:
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


# --- licences and grants ----------------------------------------------------------------------------------------


def _licences(home: Home, works: Sequence[Work], on: date, problems: list[Problem]) -> dict[WorkId, Found]:
    """Of the closest scope; where a licence was recorded and has ended, the catalogue's is not relied on either."""
    found: dict[WorkId, Found] = {}
    standing = home.registry.evidence.of_works(Licence, works, on)
    once = {entry.record.about for entry in home.registry.evidence.history(Licence) if entry.record.effective <= on}
    for work in works:
        records = standing.get(work.id, ())
        if records:
            closest = [each for each in records if each.about == records[0].about]
            found[work.id] = no_licence() | _agreed(_licence(each, problems) for each in closest)
        elif once & set(scopes_of(work)):
            found[work.id] = no_licence()
    return {work: facts for work, facts in found.items() if facts}


def no_licence() -> Found:
    """Facts that a catalogue's licence could have stated, taken back: none of them is known."""
    return dict.fromkeys(LICENCE_FACTS, UNKNOWN)


UNKNOWN = ""
"""Stands for "not known" over what weaker sources state; it never reaches the packs."""

LICENCE_FACTS = (
    "licence_train",
    "licence_reproduce",
    "licence_commercial",
    "licence_attribution",
    "licence_share_alike",
    "licence_restricts_use",
    "public_domain_in",
)


def _licence(record: Licence, problems: list[Problem]) -> Found:
    return licence_facts(record.expression) | _stated(record.id, record.facts, problems)


def _grant(records: Sequence[Grant], problems: list[Problem]) -> Found:
    """The widest grant for training, then the longest; one grant is relied on, not parts of several."""
    fit = [each for each in records if {Use.TRAIN_GEN, Use.TRAIN_OTHER} & set(each.uses)]
    if not fit:
        return {}
    best = max(fit, key=lambda each: ("WORLD" in each.territory, len(each.territory), each.until or FOREVER))
    places = frozenset(best.territory) & frozenset(vocabulary().places)
    found: Found = {"grant": True, "grant_in": places, "grant_until": best.until or FOREVER}
    return found | _stated(best.id, best.facts, problems)


# --- consents ---------------------------------------------------------------------------------------------------


def _consents(
    home: Home, works: Sequence[Work], credits: Mapping[WorkId, Sequence[Credit]], on: date, problems: list[Problem]
) -> dict[WorkId, Found]:
    evidence = home.registry.evidence
    withdrawn: defaultdict[str, list[Consent]] = defaultdict(list)
    for entry in evidence.history(Consent):
        if _withdrawn(entry, on):
            withdrawn[entry.record.about].append(entry.record)
    standing = evidence.of_works(Consent, works, on)
    found: dict[WorkId, Found] = {}
    for work in works:
        given = standing.get(work.id, ())
        gone = [each for scope in scopes_of(work) for each in withdrawn.get(scope, ())]
        if given or gone:
            found[work.id] = _consent_facts(work, given, gone, credits.get(work.id, ()), problems)
    return found


def _withdrawn(entry: Entry[Consent], on: date) -> bool:
    ended = entry.ended
    return ended is not None and ended.why in (Why.WITHDRAWN, Why.REVOKED) and ended.effective <= on


def _consent_facts(
    work: Work, given: Sequence[Consent], gone: Sequence[Consent], credits: Sequence[Credit], problems: list[Problem]
) -> Found:
    """A consent counts for a use only if everybody has given it whose voice or likeness, by the credits, is in the
    work; where nobody is credited, only if it names the work itself."""
    found: Found = {}
    for subject, uses, fact in _CONSENTS:
        people = {each.person for each in given if subject in each.subjects and set(uses) & set(each.uses)}
        shown = _people(work, credits, _HEARD_OR_SEEN.get(fact, _SHOWN))
        named = any(each.about == work.id for each in given if subject in each.subjects)
        if people and (shown <= people if shown else named):
            found[fact] = True
    if any(each.how == "guardian" for each in given):
        found["guardian_consent"] = True
    again = {(each.person, subject) for each in given for subject in each.subjects}
    if any((each.person, subject) not in again for each in gone for subject in each.subjects):
        found["consent_withdrawn"] = True
    return found | _agreed(_stated(each.id, each.facts, problems) for each in given)


def _people(work: Work, credits: Sequence[Credit], roles: Sequence[Role]) -> set[str]:
    parts = [(part.party, part.role) for part in work.contributions]
    return {party for party, role in (*parts, *((each.party, each.role) for each in credits)) if role in roles}
