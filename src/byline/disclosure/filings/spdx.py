"""SPDX 3.0.1 with the Dataset and AI profiles: the corpus as a package, the model that was trained on it, licences.

Source: SPDX 3.0.1, profiles Core, Software, Dataset, AI, SimpleLicensing.
"""

from collections.abc import Mapping
from typing import Any

from byline.core import sha256_hex
from byline.disclosure.filings.corpus import Corpus
from byline.disclosure.filings.derive import VERSION, kept_out, processing
from byline.disclosure.filings.filing import Filing, Regime
from byline.disclosure.filings.items import Answer, Derived, Item, Kind

CONTEXT = "https://spdx.org/rdf/3.0.1/spdx-context.jsonld"
CREATION = "_:creationInfo"
TYPES = {"text": "text", "image": "image", "audio": "audio", "video": "video"}
LEVELS = ("clear", "green", "amber", "red")
PRESENCE = ("yes", "no", "noAssertion")
AVAILABILITY = ("directDownload", "query", "clickthrough", "registration", "scrapingScript")

DATASET, MODEL = "Dataset", "Model"
ITEMS = (
    *VERSION,
    Item("organisation", DATASET, "Organisation that makes this document"),
    Item("namespace", DATASET, "Address under its control, under which the elements are named", Kind.ADDRESS),
    Item("name", DATASET, "Name of the dataset"),
    Item("collection", DATASET, "How the data were collected"),
    Item("types", DATASET, "Types of data", Kind.LIST),
    Item("size", DATASET, "Works in it", Kind.NUMBER),
    Item("preprocessing", DATASET, "What was done to the data"),
    Item("use", DATASET, "What it is meant for"),
    Item("bias", DATASET, "Known biases", Kind.LIST, optional=True),
    Item("noise", DATASET, "Noise in the data", optional=True),
    Item("sensitive", DATASET, "Does it hold sensitive personal information?", Kind.CHOICE, options=PRESENCE),
    Item("confidentiality", DATASET, "Confidentiality", Kind.CHOICE, optional=True, options=LEVELS),
    Item("availability", DATASET, "How it can be had", Kind.CHOICE, optional=True, options=AVAILABILITY),
    Item("concluded", DATASET, "Licence of the dataset as a whole, as concluded (SPDX expression)"),
    Item("declared", DATASET, "Licences of the works", Kind.LIST),
    Item("model", MODEL, "Name and version of the model"),
    Item("model.type", MODEL, "Type of the model", Kind.LIST, optional=True),
    Item("model.limitation", MODEL, "Limits of the model", optional=True),
)


def derive(corpus: Corpus, answers: Mapping[str, Answer]) -> dict[str, Derived]:
    whole = f"works of {corpus.manifest}"
    return {
        "types": Derived([TYPES.get(name, "other") for name in corpus.modalities], whole),
        "size": Derived(len(corpus.works), whole),
        "preprocessing": Derived(processing(corpus), f"decisions in {corpus.manifest}"),
        "declared": Derived([name or "NOASSERTION" for name in corpus.counted("licence")], "licences of the works"),
    }


def document(filing: Filing, corpus: Corpus) -> dict[str, Any]:
    """JSON-LD of the package. Where an address of the publisher is open, elements are named under a URN."""
    base = (filing.text("namespace") or f"urn:byline:{corpus.manifest}").rstrip("/")
    names = {name: f"{base}/{name}" for name in ("organisation", "document", "dataset", "model")}
    organisation = filing.text("organisation") or "not stated"
    graph = [
        {
            "type": "CreationInfo",
            "@id": CREATION,
            "specVersion": "3.0.1",
            "created": f"{filing.made.isoformat()}T00:00:00Z",
            "createdBy": [names["organisation"]],
        },
        _element("Organization", names["organisation"], name=organisation),
        _document(names),
        _dataset(filing, corpus, names),
        _model(filing, corpus, names),
        _relation(base, "trainedOn", names["model"], names["dataset"]),
    ]
    return {"@context": CONTEXT, "@graph": graph + _licences(filing, corpus, base, names["dataset"])}


def _element(kind: str, spdx_id: str, **more: Any) -> dict[str, Any]:
    told = {"type": kind, "spdxId": spdx_id, "creationInfo": CREATION} | more
    return {name: value for name, value in told.items() if value not in ("", [], None)}


def _relation(base: str, kind: str, one: str, other: str) -> dict[str, Any]:
    name = f"{base}/relationship/{kind}-{sha256_hex(other.encode())[:12]}"
    return _element("Relationship", name, relationshipType=kind) | {"from": one, "to": [other]}


def _document(names: Mapping[str, str]) -> dict[str, Any]:
    profiles = ["core", "software", "dataset", "ai", "simpleLicensing"]
    roots = [names["dataset"], names["model"]]
    return _element("SpdxDocument", names["document"], profileConformance=profiles, rootElement=roots)


def _dataset(filing: Filing, corpus: Corpus, names: Mapping[str, str]) -> dict[str, Any]:
    values = filing.values
    root = {"type": "Hash", "algorithm": "sha256", "hashValue": corpus.root}
    return _element(
        "dataset_DatasetPackage",
        names["dataset"],
        name=filing.text("name") or corpus.manifest,
        comment=f"Merkle root of {corpus.manifest} in verifiedUsing. {kept_out(corpus)}.",
        verifiedUsing=[root],
        builtTime=f"{corpus.frozen.isoformat()}T00:00:00Z",
        originatedBy=[names["organisation"]],
        software_primaryPurpose="data",
        dataset_datasetType=values["types"],
        dataset_datasetSize=values["size"],
        dataset_dataCollectionProcess=filing.text("collection"),
        dataset_dataPreprocessing=[filing.text("preprocessing")],
        dataset_intendedUse=filing.text("use"),
        dataset_knownBias=values.get("bias"),
        dataset_datasetNoise=filing.text("noise"),
        dataset_hasSensitivePersonalInformation=values.get("sensitive"),
        dataset_confidentialityLevel=values.get("confidentiality"),
        dataset_datasetAvailability=values.get("availability"),
    )


def _model(filing: Filing, corpus: Corpus, names: Mapping[str, str]) -> dict[str, Any]:
    trained = f"{corpus.examples:,} examples, {corpus.tokens:,} tokens of {corpus.manifest}"
    base = f"; before that {corpus.base_tokens:,} tokens that are not in the register" if corpus.base_tokens else ""
    return _element(
        "ai_AIPackage",
        names["model"],
        name=filing.text("model") or corpus.name,
        software_primaryPurpose="model",
        ai_typeOfModel=filing.values.get("model.type"),
        ai_informationAboutTraining=trained + base,
        ai_limitation=filing.text("model.limitation"),
    )


def _licences(filing: Filing, corpus: Corpus, base: str, dataset: str) -> list[dict[str, Any]]:
    """The concluded licence if somebody concluded one, and all licences of the works joined with AND as declared."""
    declared = filing.values["declared"]
    joined = " AND ".join(f"({each})" if " " in str(each) else str(each) for each in declared if each)  # type: ignore[union-attr]
    found: list[dict[str, Any]] = []
    for kind, expression in (("hasDeclaredLicense", joined), ("hasConcludedLicense", filing.text("concluded"))):
        if expression:
            name = f"{base}/licence/{sha256_hex(expression.encode())[:12]}"
            licence = _element("simplelicensing_LicenseExpression", name, simplelicensing_licenseExpression=expression)
            found += [licence] if licence not in found else []
            found.append(_relation(base, kind, dataset, name))
    return found


SPDX = Regime(
    "spdx",
    "SPDX 3 dataset package",
    "SPDX 3.0.1, profiles Dataset and AI",
    ITEMS,
    "name",
    derive,
    document=document,
    file="dataset.spdx3.json",
)
