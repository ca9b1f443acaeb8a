"""The public summary of training content that art. 53(1)(d) of the EU AI Act asks for: all fields of the template."""

from collections import Counter
from collections.abc import Mapping

from byline.disclosure.filings.corpus import Corpus, Material, domains
from byline.disclosure.filings.derive import (
    BASE,
    VERSION,
    kept_out,
    modalities,
    not_before,
    period,
    put,
    source_of,
    used,
)
from byline.disclosure.filings.filing import Regime, Values
from byline.disclosure.filings.items import Answer, Derived, Disagreement, Item, Kind

MODALITIES = ("text", "image", "audio", "video", "other")
TEXT_SIZES = ("less than 1 billion tokens", "1 billion to 10 trillion tokens", "more than 10 trillion tokens")
IMAGE_SIZES = ("less than 1 million images", "1 million to 1 billion images", "more than 1 billion images")
HOURS = ("less than 10 000 hours", "10 000 to 1 million hours", "more than 1 million hours")
SIZES = {"text": TEXT_SIZES, "image": IMAGE_SIZES, "audio": HOURS, "video": HOURS}
LARGE_PPM = 30_000  # a public dataset above 3 % of all public datasets of its modality is listed by name

S11, S12 = "1.1 Provider identification", "1.2 Model identification"
S13 = "1.3 Modalities, overall training data size and other characteristics"
S21 = "2.1 Publicly available datasets"
S221 = "2.2.1 Datasets commercially licensed by rightsholders or their representatives"
S222 = "2.2.2 Private datasets obtained from other third parties"
S23, S24 = "2.3 Data crawled and scraped from online sources", "2.4 User data"
S25, S26 = "2.5 Synthetic data", "2.6 Other sources of data"
S31 = "3.1 Respect of reservation of rights from the text and data mining exception or limitation"
S32, S33 = "3.2 Removal of illegal content", "3.3 Other information"
COMMENTS = "Additional comments"
COVERED = "Modalities covered"
YES = Kind.YES_NO


def _of_modality(name: str) -> tuple[Item, ...]:
    size = f"Training data size: {name}"
    sized = Item(f"1.3.{name}.size", S13, size, Kind.CHOICE, options=SIZES[name]) if name in SIZES else None
    return (
        Item(f"1.3.{name}", S13, f"Is {name} among the training data?", YES),
        replace_condition(sized or Item(f"1.3.{name}.size", S13, size), f"1.3.{name}"),
        Item(f"1.3.{name}.types", S13, f"Types of content: {name}", only_if=f"1.3.{name}"),
    )


def replace_condition(item: Item, only_if: str) -> Item:
    return Item(item.id, item.section, item.asks, item.kind, item.optional, only_if, item.options)


ITEMS = (
    *VERSION,
    Item("1.1.provider", S11, "Provider name and contact details"),
    Item("1.1.representative", S11, "Authorised representative (if outside the Union)", optional=True),
    Item("1.2.models", S12, "Versioned model names", Kind.LIST),
    Item("1.2.dependencies", S12, "Models it was made from, with their summaries", optional=True),
    Item("1.2.placed", S12, "Date of placement on the Union market", Kind.DATE),
    *(item for name in MODALITIES for item in _of_modality(name)),
    Item("1.3.acquired", S13, "Latest date of data acquisition or collection", Kind.MONTH),
    Item("1.3.continuous", S13, "Is the model continuously trained on new data after that date?", YES),
    Item("1.3.languages", S13, "Linguistic characteristics of the training data"),
    Item("1.3.characteristics", S13, "Other relevant characteristics", optional=True),
    Item("1.3.comments", S13, COMMENTS, optional=True),
    Item("2.1", S21, "Were publicly available datasets used?", YES),
    Item("2.1.modalities", S21, COVERED, Kind.LIST, only_if="2.1"),
    Item("2.1.large", S21, "List of large publicly available datasets", Kind.LIST, only_if="2.1"),
    Item("2.1.others", S21, "General description of other publicly available datasets", optional=True, only_if="2.1"),
    Item("2.1.comments", S21, COMMENTS, optional=True, only_if="2.1"),
    Item("2.2.1", S221, "Were commercial licensing agreements concluded with rightsholders?", YES),
    Item("2.2.1.modalities", S221, COVERED, Kind.LIST, only_if="2.2.1"),
    Item("2.2.2", S222, "Were private datasets obtained from other third parties?", YES),
    Item("2.2.2.modalities", S222, COVERED, Kind.LIST, only_if="2.2.2"),
    Item("2.2.2.known", S222, "Publicly known private datasets", Kind.LIST, optional=True, only_if="2.2.2"),
    Item("2.2.2.others", S222, "General description of those not publicly known", only_if="2.2.2"),
    Item("2.2.2.comments", S222, COMMENTS, optional=True, only_if="2.2.2"),
    Item("2.3", S23, "Were crawlers used by the provider or on its behalf?", YES),
    Item("2.3.crawlers", S23, "Crawler names or identifiers", Kind.LIST, only_if="2.3"),
    Item("2.3.purposes", S23, "Purposes of the crawlers", only_if="2.3"),
    Item("2.3.behaviour", S23, "Behaviour of the crawlers (robots.txt, captchas, paywalls)", only_if="2.3"),
    Item("2.3.records", S23, "What robots.txt said at collection, by works", optional=True, only_if="2.3"),
    Item("2.3.period", S23, "Period of data collection", only_if="2.3"),
    Item("2.3.content", S23, "Types of content and of online sources crawled", only_if="2.3"),
    Item("2.3.modalities", S23, COVERED, Kind.LIST, only_if="2.3"),
    Item("2.3.sme", S23, "Is the provider a small or medium-sized enterprise?", YES, only_if="2.3"),
    Item("2.3.domains", S23, "Most relevant domain names crawled", Kind.TABLE, only_if="2.3"),
    Item("2.3.comments", S23, COMMENTS, optional=True, only_if="2.3"),
    Item("2.4.model", S24, "Were data from users' interaction with the model used?", YES),
    Item("2.4.services", S24, "Were data from users of the provider's other services used?", YES),
    Item("2.4.description", S24, "Services or products that collected the user data", only_if="2.4.services"),
    Item("2.4.modalities", S24, COVERED, Kind.LIST, only_if="2.4.services"),
    Item("2.4.comments", S24, COMMENTS, optional=True),
    Item("2.5", S25, "Were synthetic data made by AI used?", YES),
    Item("2.5.modalities", S25, COVERED, Kind.LIST, only_if="2.5"),
    Item("2.5.models", S25, "General-purpose AI models that made them", Kind.LIST, only_if="2.5"),
    Item("2.5.own", S25, "Other AI models, also the provider's own, that made them", optional=True, only_if="2.5"),
    Item("2.5.comments", S25, COMMENTS, optional=True, only_if="2.5"),
    Item("2.6", S26, "Were other sources of data used?", YES),
    Item("2.6.records", S26, "What the records say of other sources", optional=True, only_if="2.6"),
    Item("2.6.description", S26, "Description of these sources and the data", only_if="2.6"),
    Item("2.6.comments", S26, COMMENTS, optional=True, only_if="2.6"),
    Item("3.1.code", S31, "Has the provider signed the Code of Practice?", YES),
    Item("3.1.records", S31, "What the gate kept out, and which signals were read", optional=True),
    Item("3.1.measures", S31, "Measures to respect reservations, before and during collection"),
    Item("3.1.comments", S31, COMMENTS, optional=True),
    Item("3.2", S32, "Measures to avoid or remove illegal content"),
    Item("3.3", S33, "Other relevant information about data processing", optional=True),
)


def derive(corpus: Corpus, answers: Mapping[str, Answer]) -> dict[str, Derived]:
    found = _modalities(corpus)
    acquired = [work.acquired for work in corpus.works]
    if corpus.works and all(acquired) and not corpus.base_tokens:
        last = max(day for day in acquired if day is not None)
        found["1.3.acquired"] = Derived(last.isoformat()[:7], "acquisitions: the latest of all works")
    found |= _datasets(corpus) | _crawled(corpus, answers) | _made(corpus)
    signals = ", ".join(f"{count:,} of {family}" for family, count in corpus.signals)
    seen = f"Opt-out signals on record: {signals}." if signals else "No opt-out signal is on record."
    found["3.1.records"] = Derived(f"{kept_out(corpus)}. {seen}", f"decisions in {corpus.manifest}; observations")
    return found


def _modalities(corpus: Corpus) -> dict[str, Derived]:
    present = {name if name in MODALITIES else "other" for name in corpus.modalities}
    if corpus.base_tokens:
        present.add("text")
    found = {f"1.3.{name}": Derived(name in present, f"works of {corpus.manifest}") for name in MODALITIES}
    tokens = corpus.tokens + corpus.base_tokens
    if present == {"text"} and tokens:
        size = TEXT_SIZES[(tokens >= 10**9) + (tokens > 10**13)]
        of = f"; {corpus.base_tokens:,} of them of base texts" if corpus.base_tokens else ""
        found["1.3.text.size"] = Derived(size, f"training {corpus.name}: {tokens:,} tokens{of}")
    images = corpus.counted("modality").get("image", 0)
    if images:
        found["1.3.image.size"] = Derived(IMAGE_SIZES[(images >= 10**6) + (images > 10**9)], f"{images:,} works")
    return found


def _datasets(corpus: Corpus) -> dict[str, Derived]:
    found: dict[str, Derived] = {}
    public = corpus.by_method("public_dataset")
    put(found, "2.1", used(corpus, "public_dataset"))
    large = _large(public)
    if public:
        found["2.1.modalities"] = Derived(modalities(public), "works obtained from public datasets")
    if large:
        found["2.1.large"] = Derived(large, "public datasets above 3 % of their modality, by size")
    bought = corpus.by_method("purchase")
    groups = {"2.2.1": [w for w in bought if w.authorisation], "2.2.2": [w for w in bought if not w.authorisation]}
    for name, works in groups.items():
        if works or corpus.methods_known:
            found[name] = Derived(bool(works), f"acquisitions by purchase: {len(works)} of {len(corpus.works)} works")
        if works:
            found[f"{name}.modalities"] = Derived(modalities(works), "works obtained by purchase")
    return found


def _large(public: list[Material]) -> list[str]:
    """Names of the datasets above 3 % of all public material of a modality."""
    names = set()
    for modality in modalities(public):
        works = [work for work in public if work.modality == modality]
        total = sum(work.bytes for work in works) or 1
        for name in {source_of(work) for work in works}:
            size = sum(work.bytes for work in works if source_of(work) == name)
            if size * 1_000_000 > LARGE_PPM * total:
                names.add(name)
    return sorted(names)


def _crawled(corpus: Corpus, answers: Mapping[str, Answer]) -> dict[str, Derived]:
    found: dict[str, Derived] = {}
    crawled = corpus.by_method("crawl")
    put(found, "2.3", used(corpus, "crawl"))
    if not crawled:
        return found
    found["2.3.modalities"] = Derived(modalities(crawled), "works obtained by crawl")
    names = sorted({work.collector for work in crawled})
    if all(names):
        found["2.3.crawlers"] = Derived(names, "acquisitions by crawl: collectors")
    robots = Counter(work.robots or "not noted" for work in crawled)
    told = ", ".join(f"{state.replace('_', ' ')}: {count:,}" for state, count in sorted(robots.items()))
    found["2.3.records"] = Derived(told, "acquisitions by crawl")
    if period(crawled):
        found["2.3.period"] = Derived(period(crawled), "acquisitions by crawl")
    small = "2.3.sme" in answers and answers["2.3.sme"].value is True
    rows = [row.to_json() for row in domains(crawled, small) if row.listed]
    if rows:
        rule = "top 5 % or 1000" if small else "top 10 %"
        found["2.3.domains"] = Derived(rows, f"registered domains of crawled works by size: {rule}")
    return found


def _made(corpus: Corpus) -> dict[str, Derived]:
    found: dict[str, Derived] = {}
    for name, method in (("2.4.services", "user_upload"), ("2.5", "synthetic")):
        put(found, name, used(corpus, method))
        works = corpus.by_method(method)
        if works:
            found[f"{name.partition('.s')[0]}.modalities"] = Derived(modalities(works), f"works by {method}")
    other = corpus.by_method("sensor", "annotation", "crowdsourcing")
    if other or corpus.base_tokens:
        found["2.6"] = Derived(True, "acquisitions, and what the base model read")
        parts = [f"{len(other)} works by sensor, annotation or crowdsourcing"] if other else []
        parts += [f"{corpus.base_tokens:,} {BASE}"] if corpus.base_tokens else []
        found["2.6.records"] = Derived("; ".join(parts), "acquisitions, and what the base model read")
    elif corpus.methods_known:
        found["2.6"] = Derived(False, "acquisitions: every work falls under 2.1 to 2.5")
    return found


def cross(corpus: Corpus, values: Values) -> list[Disagreement]:
    """The market cannot come before the corpus, and a model that kept nothing out cannot say that it did."""
    faults = not_before(values, "1.2.placed", corpus.frozen, "the manifest")
    if corpus.trained:
        faults += not_before(values, "1.2.placed", corpus.trained, "the training")
    latest = values.get("1.3.acquired")
    if isinstance(latest, str) and latest > corpus.frozen.isoformat()[:7] and values.get("1.3.continuous") is False:
        faults.append(Disagreement("1.3.acquired", latest, f"nothing came in after the manifest of {corpus.frozen}"))
    for name in ("2.1.modalities", "2.2.1.modalities", "2.2.2.modalities", "2.3.modalities", "2.5.modalities"):
        told = values.get(name)
        strange = sorted(set(told) - set(corpus.modalities) - {"text"}) if isinstance(told, list) else []
        if strange:
            faults.append(Disagreement(name, "; ".join(strange), f"works are {', '.join(corpus.modalities)}"))
    return faults


EU = Regime(
    "eu",
    "Public summary of training content",
    "Regulation (EU) 2024/1689, art. 53(1)(d); template C(2025) 5235 of 24 July 2025, re-issued as C(2025) 8311 of "
    "5 December 2025. Field list after public transcriptions of the template; thresholds to be confirmed by counsel.",
    ITEMS,
    "1.2.models",
    derive,
    cross,
)
