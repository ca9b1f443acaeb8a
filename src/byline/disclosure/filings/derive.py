"""What several filings ask in the same way: was a method used, when, of which modalities, and what was kept out."""

from collections.abc import Iterable, Mapping
from datetime import date

from byline.disclosure.filings.corpus import UNKNOWN, Corpus, Material
from byline.disclosure.filings.items import Derived, Disagreement, Item, Kind
from byline.gate import licence_terms

VERSION = (
    Item("version", "", "Version of this filing", Kind.NUMBER),
    Item("first_made", "", "Date of the first version", Kind.DATE),
    Item("last_update", "", "Date of the last update", Kind.DATE),
)
BASE = (
    "tokens were read by the base model before recording began, from texts that are not in the register; what they are "
    "only a person can say"
)


def used(corpus: Corpus, *methods: str) -> Derived | None:
    """Yes if a work was obtained so; no only if of every work, and of the base texts, it is known how."""
    found = corpus.by_method(*methods)
    named = " or ".join(method.replace("_", " ") for method in methods)
    if found:
        return Derived(True, f"acquisitions: {len(found)} of {len(corpus.works)} works by {named}")
    if corpus.methods_known:
        return Derived(False, f"acquisitions: none of {len(corpus.works)} works by {named}")
    return None


def modalities(works: Iterable[Material]) -> list[str]:
    return sorted({work.modality for work in works})


def period(works: Iterable[Material]) -> str:
    """First to last day on which the works were obtained; "" unless the day is recorded for each."""
    days = [work.acquired for work in works]
    known = sorted(day for day in days if day is not None)
    return f"{known[0]} to {known[-1]}" if known and len(known) == len(days) else ""


def put(found: dict[str, Derived], name: str, value: "Derived | None") -> None:
    if value is not None:
        found[name] = value


def kept_out(corpus: Corpus) -> str:
    """What the gate refused, by rule, in words."""
    rules = ", ".join(f"{count} by the rule {rule}" for rule, count in corpus.refused)
    whole = sum(count for _, count in corpus.refused)
    return f"{whole} of {whole + len(corpus.works)} works were kept out before training" + (
        f": {rules}" if rules else ""
    )


def processing(corpus: Corpus) -> str:
    """What was done to the works, as far as Byline did it."""
    cut = f"The {len(corpus.works)} admitted works were cut into {corpus.examples:,} examples of text"
    return f"{kept_out(corpus)}. {cut} ({corpus.tokens:,} tokens). Byline changed nothing inside a work."


def protected(corpus: Corpus) -> Derived | None:
    """Whether works are under copyright, from their licences: a licence is given on what is protected.

    That a work is said to be in the public domain is a claim and shows nothing; then the question is for a person.
    """
    licensed = [work for work in corpus.works if _public(work.licence) == "none"]
    if licensed:
        return Derived(True, f"licences: {len(licensed)} of {len(corpus.works)} works are under a licence of a right")
    dedicated = all(_public(work.licence) == "dedicated" for work in corpus.works) and not corpus.base_tokens
    return Derived(False, "licences: every work was dedicated to the public") if dedicated else None


def _public(licence: str) -> str:
    terms = licence_terms(licence)
    return "none" if terms is None else terms.public_domain


def first_use(corpus: Corpus) -> Derived | None:
    return Derived(corpus.trained.isoformat(), f"training run {corpus.run}") if corpus.trained else None


def not_before(values: Mapping[str, object], name: str, day: date, what: str) -> list[Disagreement]:
    """A day that cannot lie before another one."""
    told = values.get(name)
    if isinstance(told, str) and told[:10] < day.isoformat()[: len(told)]:
        return [Disagreement(name, told, f"{what} is of {day}")]
    return []


def unknown_methods(corpus: Corpus) -> int:
    return sum(1 for work in corpus.works if work.method == UNKNOWN)


def source_of(work: Material) -> str:
    return work.dataset or work.domain or work.source or "not recorded"


def refused_by(corpus: Corpus, *rules: str) -> int:
    return sum(count for rule, count in corpus.refused if rule in rules)
