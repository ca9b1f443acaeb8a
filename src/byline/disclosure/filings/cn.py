"""China: the annex on the corpus that goes with a filing of a generative service, in the manner of GB/T 45654-2025."""

from collections.abc import Mapping

from byline.core import PPM
from byline.disclosure.filings.corpus import UNKNOWN, Corpus, Material
from byline.disclosure.filings.derive import BASE, VERSION, kept_out, source_of
from byline.disclosure.filings.filing import Regime, Values
from byline.disclosure.filings.items import Answer, Derived, Disagreement, Item, Kind

MOST_ILLEGAL_PPM = 50_000
LEAST_MANUAL, MANUAL_PASS_PPM = 4_000, 960_000
LEAST_AUTO_PPM, AUTO_PASS_PPM = 100_000, 980_000

ABOUT, SOURCES = "1 Provider and model", "2 Sources of the corpus"
RIGHTS, PEOPLE = "3 Intellectual property", "4 Personal information"
SAMPLES, NOTES = "5 Sampling", "6 Annotation"
NUMBER, YES = Kind.NUMBER, Kind.YES_NO

ITEMS = (
    *VERSION,
    Item("1.provider", ABOUT, "Provider, and the person responsible for the corpus"),
    Item("1.model", ABOUT, "Model and service that is filed"),
    Item("2.table", SOURCES, "Source, type, works, bytes, share, method, licence, authorisation", Kind.TABLE),
    Item("2.works", SOURCES, "Works in the corpus", NUMBER),
    Item("2.tokens", SOURCES, "Tokens that the model was trained on", NUMBER),
    Item("2.languages", SOURCES, "Languages, and the share of each"),
    Item("2.foreign", SOURCES, "Does the corpus combine Chinese and foreign sources, where content allows it?", YES),
    Item("2.unregistered", SOURCES, "Was anything read that is not in the register?", YES),
    Item("2.others", SOURCES, "Sources and authorisation of what is not in the register", only_if="2.unregistered"),
    Item("2.refused", SOURCES, "What was kept out because of reservations and for other reasons"),
    Item("2.records", SOURCES, "Were collection records kept for all that was collected by the provider?", YES),
    Item("3.person", RIGHTS, "Person in charge of intellectual property, and the strategy"),
    Item("3.complaints", RIGHTS, "Channel for complaints and for questions of third parties"),
    Item("4.consent", PEOPLE, "Does the corpus hold personal information, and on what ground?"),
    Item("4.sensitive", PEOPLE, "Does it hold sensitive personal information, and with which separate consent?"),
    Item("4.audit", PEOPLE, "What an automatic audit found, by type", optional=True),
    Item("5.source_sampled", SAMPLES, "Items in the sample taken before collection", NUMBER),
    Item("5.source_illegal", SAMPLES, "Of these, illegal or harmful (at most 5 %)", NUMBER),
    Item("5.manual_inspected", SAMPLES, "Items inspected by hand (at least 4,000)", NUMBER),
    Item("5.manual_passed", SAMPLES, "Of these, passed (at least 96 %)", NUMBER),
    Item("5.auto_inspected", SAMPLES, "Items inspected by keywords and classifiers (at least 10 %)", NUMBER),
    Item("5.auto_passed", SAMPLES, "Of these, passed (at least 98 %)", NUMBER),
    Item("5.raters", SAMPLES, "Who inspected", Kind.LIST),
    Item("5.sample_ids", SAMPLES, "Where the list of the sampled items is kept"),
    Item("6.rules", NOTES, "Annotation rules, training of annotators, and spot checks", optional=True),
)


def derive(corpus: Corpus, answers: Mapping[str, Answer]) -> dict[str, Derived]:
    whole = f"works of {corpus.manifest}"
    found = {
        "2.table": Derived(_table(corpus), whole),
        "2.works": Derived(len(corpus.works), whole),
        "2.tokens": Derived(corpus.tokens + corpus.base_tokens, f"training {corpus.name}"),
        "2.unregistered": Derived(bool(corpus.base_tokens), f"training {corpus.name}: {corpus.base_tokens:,} {BASE}"),
        "2.refused": Derived(kept_out(corpus), f"decisions in {corpus.manifest}"),
    }
    missing = sum(1 for work in corpus.works if work.method == UNKNOWN)
    if missing:
        found["2.records"] = Derived(False, f"no acquisition is recorded for {missing} of {len(corpus.works)} works")
    if corpus.personal is not None:
        listed = ", ".join(f"{count:,} {kind}" for kind, count in corpus.personal) or "nothing"
        found["4.audit"] = Derived(f"{corpus.personal_by}: {listed}. Automatic detection misses some.", "audit")
    return found


def _table(corpus: Corpus) -> list[dict[str, str | int]]:
    """One row for each source, type, method and licence; the largest first."""
    groups: dict[tuple[str, str, str, str], list[Material]] = {}
    for work in corpus.works:
        groups.setdefault((source_of(work), work.modality, work.method, work.licence), []).append(work)
    total = sum(work.bytes for work in corpus.works) or 1
    rows: list[dict[str, str | int]] = []
    for (source, modality, method, licence), works in groups.items():
        size = sum(work.bytes for work in works)
        documents = sorted({each for work in works for each in work.authorisation})
        rows.append(
            {
                "source": source,
                "type": modality,
                "works": len(works),
                "bytes": size,
                "share_ppm": size * PPM // total,
                "method": method,
                "licence": licence or "none stated",
                "authorisation": ", ".join(documents) or "none on record",
            }
        )
    return sorted(rows, key=lambda row: (-int(row["bytes"]), str(row["source"]), str(row["licence"])))


def cross(corpus: Corpus, values: Values) -> list[Disagreement]:
    """Samples that contradict themselves, or are larger than the corpus. Whether they pass is for `shortfalls`."""
    faults = []
    most = {"5.auto_inspected": corpus.examples, "5.manual_inspected": corpus.examples}
    for name, limit in most.items():
        told = values.get(name)
        if isinstance(told, int) and told > max(limit, len(corpus.works)):
            faults.append(Disagreement(name, f"{told:,}", f"the corpus has {limit:,} examples"))
    for part, of in _PARTS:
        some, all_of = values.get(part), values.get(of)
        if isinstance(some, int) and isinstance(all_of, int) and some > all_of:
            faults.append(Disagreement(part, f"{some:,}", f"{of} is {all_of:,}"))
    return faults


_PARTS = (
    ("5.source_illegal", "5.source_sampled"),
    ("5.manual_passed", "5.manual_inspected"),
    ("5.auto_passed", "5.auto_inspected"),
)


def shortfalls(values: Values, items: int) -> list[str]:
    """Where the numbers of the sample stay below what the standard asks, in words. `items`: in the corpus."""
    known = {name: told for name, told in values.items() if isinstance(told, int) and not isinstance(told, bool)}

    def below(part: str, whole: str, ppm: int) -> bool:
        return part in known and whole in known and known[part] * PPM < ppm * known[whole]

    found = []
    sampled, illegal = known.get("5.source_sampled"), known.get("5.source_illegal")
    if sampled is not None and illegal is not None and illegal * PPM > MOST_ILLEGAL_PPM * sampled:
        found.append("more than 5 % of the sample of the source is illegal or harmful: the source may not be used")
    if known.get("5.manual_inspected", LEAST_MANUAL) < LEAST_MANUAL:
        found.append(f"fewer than {LEAST_MANUAL:,} items were inspected by hand")
    if below("5.manual_passed", "5.manual_inspected", MANUAL_PASS_PPM):
        found.append("fewer than 96 % of the items inspected by hand passed")
    if "5.auto_inspected" in known and known["5.auto_inspected"] * PPM < LEAST_AUTO_PPM * items:
        found.append("fewer than 10 % of the items were inspected by keywords and classifiers")
    if below("5.auto_passed", "5.auto_inspected", AUTO_PASS_PPM):
        found.append("fewer than 98 % of the items inspected by keywords and classifiers passed")
    return found


CN = Regime(
    "cn",
    "Corpus annex",
    "Interim Measures for Generative AI Services, art. 7; GB/T 45654-2025 (in force since 1 November 2025). The "
    "numbers of the samples are those of TC260-003-2024; to be checked against the standard.",
    ITEMS,
    "1.model",
    derive,
    cross,
)
