"""California AB 2013: the twelve things that a developer of a generative system says of its training data."""

from collections import Counter
from collections.abc import Mapping

from byline.disclosure.filings.corpus import Corpus
from byline.disclosure.filings.derive import (
    BASE,
    VERSION,
    first_use,
    not_before,
    period,
    processing,
    protected,
    put,
    source_of,
    used,
)
from byline.disclosure.filings.filing import Regime, Values
from byline.disclosure.filings.items import Answer, Derived, Disagreement, Item, Kind

YES = Kind.YES_NO
HEADS = (
    "(1) Sources or owners of the datasets",
    "(2) How the datasets further the intended purpose",
    "(3) Number of data points",
    "(4) Types of data points",
    "(5) Copyright, trademark, patent, or public domain",
    "(6) Purchased or licensed",
    "(7) Personal information",
    "(8) Aggregate consumer information",
    "(9) Cleaning, processing or other modification",
    "(10) Time period of collection",
    "(11) Dates of first use",
    "(12) Synthetic data generation",
)
H1, H2, H3, H4, H5, H6, H7, H8, H9, H10, H11, H12 = HEADS
ABOUT = "The developer and the system"

ITEMS = (
    *VERSION,
    Item("developer", ABOUT, "Developer, and where this documentation is posted"),
    Item("system", ABOUT, "Name and version of the generative system or service"),
    Item("1", H1, "Sources of the works, by size", Kind.TABLE),
    Item("1.unregistered", H1, "Was anything read that is not in the register?", YES),
    Item("1.others", H1, "Sources or owners of what is not in the register", only_if="1.unregistered"),
    Item("2", H2, "How the datasets further the intended purpose of the system"),
    Item("3.works", H3, "Works in the dataset", Kind.NUMBER),
    Item("3.examples", H3, "Data points: examples that the model was trained on", Kind.NUMBER),
    Item("3.tokens", H3, "Tokens in them", Kind.NUMBER),
    Item("3.others", H3, "Tokens of what is not in the register", Kind.NUMBER, only_if="1.unregistered"),
    Item("4.modalities", H4, "Kinds of works", Kind.LIST),
    Item("4.labels", H4, "Do the datasets include labels?", YES),
    Item("4", H4, "Types of labels, or general characteristics of the data points"),
    Item("5", H5, "Do the datasets include data protected by copyright, trademark or patent?", YES),
    Item("5.licences", H5, "Licences of the works, and how many works are under each", Kind.TABLE),
    Item("6", H6, "Were datasets purchased or licensed by the developer?", YES),
    Item("7", H7, "Do the datasets include personal information (Civ. Code 1798.140(v))?", YES),
    Item("7.audit", H7, "What an automatic audit found, by type", optional=True),
    Item("8", H8, "Do the datasets include aggregate consumer information (Civ. Code 1798.140(b))?", YES),
    Item("9", H9, "Was there any cleaning, processing or other modification by the developer?", YES),
    Item("9.records", H9, "What the records say was done"),
    Item("9.purpose", H9, "Intended purpose of it, and what else was done"),
    Item("10", H10, "Period in which the data were collected"),
    Item("10.ongoing", H10, "Is the collection ongoing?", YES),
    Item("11", H11, "Date on which the datasets were first used in development", Kind.DATE),
    Item("12", H12, "Was synthetic data generation used, or is it used continuously?", YES),
    Item("12.need", H12, "Functional need or purpose of the synthetic data", optional=True, only_if="12"),
)


def derive(corpus: Corpus, answers: Mapping[str, Answer]) -> dict[str, Derived]:
    whole = f"works of {corpus.manifest}"
    training = f"training {corpus.name}"
    found = {
        "1": Derived(_sources(corpus), whole),
        "1.unregistered": Derived(bool(corpus.base_tokens), f"{training}: {corpus.base_tokens:,} {BASE}"),
        "3.works": Derived(len(corpus.works), whole),
        "3.examples": Derived(corpus.examples, training),
        "3.tokens": Derived(corpus.tokens, training),
        "4.modalities": Derived(list(corpus.modalities), whole),
        "5.licences": Derived(_licences(corpus), "licences of the works"),
        "9": Derived(True, f"decisions in {corpus.manifest}; {training}"),
        "9.records": Derived(processing(corpus), f"decisions in {corpus.manifest}; {training}"),
    }
    if corpus.base_tokens:
        found["3.others"] = Derived(corpus.base_tokens, training)
    put(found, "5", protected(corpus))
    put(found, "6", _obtained(corpus))
    put(found, "11", first_use(corpus))
    put(found, "12", used(corpus, "synthetic"))
    if corpus.personal is not None:
        found |= _personal(corpus.personal, corpus.personal_by)
    if period(corpus.works) and not corpus.base_tokens:
        found["10"] = Derived(period(corpus.works), "acquisitions of all works")
    return found


def _sources(corpus: Corpus) -> list[dict[str, str | int]]:
    works, sizes = Counter[str](), Counter[str]()
    for work in corpus.works:
        works[source_of(work)] += 1
        sizes[source_of(work)] += work.bytes
    ordered = sorted(works, key=lambda name: (-sizes[name], name))
    return [{"source": name, "works": works[name], "bytes": sizes[name]} for name in ordered]


def _licences(corpus: Corpus) -> list[dict[str, str | int]]:
    return [{"licence": name or "none stated", "works": count} for name, count in corpus.counted("licence").items()]


def _obtained(corpus: Corpus) -> Derived | None:
    """A purchase, a grant, or a licence of a right is one; that there is none shows only where all is known."""
    bought = [work for work in corpus.works if work.method == "purchase" or work.authorisation]
    if bought:
        return Derived(True, f"acquisitions and grants: {len(bought)} works purchased or licensed")
    covered = protected(corpus)
    if covered is not None and covered.value is True:
        return Derived(True, covered.because)
    no = covered is not None and corpus.methods_known
    return Derived(False, "acquisitions: none by purchase; no work is under a licence of a right") if no else None


def _personal(counts: tuple[tuple[str, int], ...], by: str) -> dict[str, Derived]:
    """What was found is yes. That nothing was found is not no: detectors miss names."""
    listed = ", ".join(f"{count:,} {kind}" for kind, count in counts) or "nothing"
    found = {"7.audit": Derived(f"{by}: {listed}. Automatic detection misses some.", by)}
    if any(count for _, count in counts):
        found["7"] = Derived(True, f"{by} found {listed}")
    return found


def cross(corpus: Corpus, values: Values) -> list[Disagreement]:
    faults = []
    first = values.get("11")
    if corpus.trained and isinstance(first, str) and first > corpus.trained.isoformat():
        faults.append(Disagreement("11", first, f"the training was on {corpus.trained}"))
    return faults + not_before(values, "11", corpus.frozen, "the manifest that was trained on")


AB2013 = Regime(
    "ab2013",
    "Documentation of training data",
    "California Civil Code 3110-3111 (AB 2013, in force since 1 January 2026). Items 1-9 after the published text, "
    "items 10-12 after secondary sources; to be confirmed by counsel.",
    ITEMS,
    "system",
    derive,
    cross,
)
