"""Croissant 1.1 with the Responsible-AI vocabulary and use conditions in ODRL: the dataset as JSON-LD.

We write the JSON-LD ourselves: mlcroissant drops the second type of the use conditions when it writes.
Source: MLCommons Croissant 1.1 (29 January 2026), RAI 1.0, ODRL 2.2.
"""

import csv
import io
from collections.abc import Mapping
from typing import Any

from byline.core import sha256_hex
from byline.disclosure.filings.corpus import Corpus
from byline.disclosure.filings.derive import VERSION, kept_out, period, processing
from byline.disclosure.filings.filing import Filing, Regime
from byline.disclosure.filings.items import Answer, Derived, Item, Kind
from byline.gate import licence_terms

SPEC = "http://mlcommons.org/croissant/1.1"
RAI = "http://mlcommons.org/croissant/RAI/1.0"
ODRL = "http://www.w3.org/ns/odrl/2/"
PROV = "http://www.w3.org/ns/prov#"
WORKS = "works.csv"

DATASET, RIGHTS, RESPONSIBLE = "Dataset", "Use conditions", "Responsible AI"
RAI_ITEMS = {
    "rai:dataCollection": "How the data were collected",
    "rai:dataLimitations": "Limits of the data, and uses it is not fit for",
    "rai:dataBiases": "Known biases",
    "rai:dataUseCases": "What the data are meant for",
    "rai:dataSocialImpact": "Social impact",
    "rai:dataReleaseMaintenancePlan": "Releases, maintenance, and how opt-outs are followed up",
    "rai:dataAnnotationProtocol": "How the data were annotated",
    "rai:personalSensitiveInformation": "Personal and sensitive information in the data",
}
ITEMS = (
    *VERSION,
    Item("name", DATASET, "Name of the dataset"),
    Item("description", DATASET, "Description", optional=True),
    Item("publisher", DATASET, "Publisher"),
    Item("url", DATASET, "Address at which the dataset is described", Kind.ADDRESS),
    Item("license", RIGHTS, "Address of the licence of the dataset as a whole", Kind.ADDRESS),
    Item("datePublished", DATASET, "Day on which it was published", Kind.DATE),
    Item("citeAs", DATASET, "How to cite it", optional=True),
    Item("licences", RIGHTS, "Licences of the works, and how many works are under each", Kind.TABLE),
    *(Item(name, RESPONSIBLE, asks, optional=True) for name, asks in RAI_ITEMS.items()),
    Item("rai:dataCollectionType", RESPONSIBLE, "Ways of collection", Kind.LIST, optional=True),
    Item("rai:dataCollectionTimeframe", RESPONSIBLE, "Period of collection", optional=True),
    Item("rai:dataPreprocessingProtocol", RESPONSIBLE, "What was done to the data", optional=True),
    Item("rai:dataCollectionMissingData", RESPONSIBLE, "What was kept out", optional=True),
)


def derive(corpus: Corpus, answers: Mapping[str, Answer]) -> dict[str, Derived]:
    whole = f"works of {corpus.manifest}"
    rows = [{"licence": name or "none stated", "works": count} for name, count in corpus.counted("licence").items()]
    found = {
        "licences": Derived(rows, "licences of the works"),
        "rai:dataPreprocessingProtocol": Derived(processing(corpus), whole),
        "rai:dataCollectionMissingData": Derived(kept_out(corpus), f"decisions in {corpus.manifest}"),
    }
    methods = [name for name in corpus.counted("method") if name != "unknown"]
    if methods and corpus.methods_known:
        found["rai:dataCollectionType"] = Derived([name.replace("_", " ") for name in methods], "acquisitions")
    if period(corpus.works):
        found["rai:dataCollectionTimeframe"] = Derived(period(corpus.works), "acquisitions of all works")
    if corpus.personal is not None and any(count for _, count in corpus.personal):
        listed = [f"{count:,} {kind}" for kind, count in corpus.personal]
        says = f"{corpus.personal_by} found {', '.join(listed)}; automatic detection misses some."
        found["rai:personalSensitiveInformation"] = Derived(says, "audit")
    return found


def document(filing: Filing, corpus: Corpus) -> dict[str, Any]:
    """JSON-LD of the dataset. A property whose field is open is not there; it is never filled with something else."""
    told: dict[str, Any] = {"@context": _context(), "@type": "sc:Dataset", "conformsTo": [SPEC, RAI]}
    told |= _present(filing, "name", "url", "license", "datePublished", "citeAs")
    told["description"] = filing.text("description") or _description(corpus)
    if filing.text("publisher"):
        told["publisher"] = told["creator"] = {"@type": "sc:Organization", "name": filing.text("publisher")}
    told |= {"version": f"{filing.version}.0.0", "identifier": corpus.manifest, "isLiveDataset": False}
    told |= _present(filing, *RAI_ITEMS, "rai:dataCollectionType", "rai:dataCollectionTimeframe")
    told |= _present(filing, "rai:dataPreprocessingProtocol", "rai:dataCollectionMissingData")
    told["prov:wasGeneratedBy"] = {
        "@type": "prov:Activity",
        "name": "Byline gate",
        "description": f"Frozen as {corpus.manifest} on {corpus.frozen}; Merkle root {corpus.root}.",
    }
    sources = sorted({work.source for work in corpus.works if "://" in work.source})
    if sources:
        told["prov:wasDerivedFrom"] = [{"@id": source} for source in sources]
    told["usageInfo"] = offer(corpus)
    return told | _content(sha256_hex(works_csv(corpus)))


def _present(filing: Filing, *names: str) -> dict[str, Any]:
    return {name: filing.values[name] for name in names if name in filing.values}


def _description(corpus: Corpus) -> str:
    return (
        f"{len(corpus.works)} works ({', '.join(corpus.modalities)}) that were admitted to the training {corpus.name}."
    )


def offer(corpus: Corpus) -> dict[str, Any]:
    """What the licences of all works together permit: a use that one of them forbids is forbidden for the whole."""
    terms = [licence_terms(work.licence) for work in corpus.works]
    known = [each for each in terms if each is not None]
    duties = []
    if any(each.attribution != "none" for each in known):
        duties.append({"odrl:action": {"@id": "odrl:attribute"}})
    if any(each.share_alike != "none" for each in known):
        duties.append({"odrl:action": {"@id": "http://creativecommons.org/ns#ShareAlike"}})
    told: dict[str, Any] = {"@type": ["CreativeWork", "odrl:Offer"], "@id": f"urn:byline:{corpus.manifest}#offer"}
    told["name"] = "What the licences of all works together permit"
    free = len(known) == len(terms) and all(each.train == "permits" for each in known)
    if free:
        permission: dict[str, Any] = {"odrl:action": {"@id": "odrl:use"}}
        told["odrl:permission"] = [permission | ({"odrl:duty": duties} if duties else {})]
    forbidden = [{"odrl:action": {"@id": "odrl:commercialize"}}] if any(not e.commercial for e in known) else []
    forbidden += [{"odrl:action": {"@id": "odrl:derive"}}] if any(e.derivatives == "no" for e in known) else []
    if forbidden:
        told["odrl:prohibition"] = forbidden
    return told


def works_csv(corpus: Corpus) -> bytes:
    """The list of works that lies beside the metadata: ids, digests and licences; no title, no content."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(("work", "sha256", "licence"))
    writer.writerows((work.work, work.sha256, work.licence) for work in sorted(corpus.works, key=lambda w: w.work))
    return out.getvalue().encode("utf-8")


def _content(sha256: str) -> dict[str, Any]:
    """The file that lies beside the metadata, and its columns."""
    file = {"@type": "cr:FileObject", "@id": WORKS, "name": WORKS, "contentUrl": WORKS}
    file |= {"encodingFormat": "text/csv", "sha256": sha256}
    works = {"fileObject": {"@id": WORKS}}
    columns = {"work": "Id of the work", "sha256": "SHA-256 of its content", "licence": "Licence as stated"}
    fields = [
        {
            "@type": "cr:Field",
            "@id": f"works/{name}",
            "name": name,
            "description": asks,
            "dataType": "sc:Text",
            "source": works | {"extract": {"column": name}},
        }
        for name, asks in columns.items()
    ]
    records = {"@type": "cr:RecordSet", "@id": "works", "name": "works", "description": "The admitted works."}
    return {"distribution": [file], "recordSet": [records | {"key": {"@id": "works/work"}, "field": fields}]}


def _context() -> dict[str, Any]:
    """The context of Croissant 1.1, and the names of provenance and of ODRL beside it."""
    plain = (
        "arrayShape citeAs column containedIn equivalentProperty extract field fileProperty fileObject fileSet format "
        "includes isArray isLiveDataset jsonPath key md5 parentField path recordSet references regex repeated replace "
        "samplingRate separator source subField transform"
    ).split()
    by_language = {"@container": "@language"}
    return {
        "@language": "en",
        "@vocab": "https://schema.org/",
        "sc": "https://schema.org/",
        "cr": "http://mlcommons.org/croissant/",
        "rai": "http://mlcommons.org/croissant/RAI/",
        "dct": "http://purl.org/dc/terms/",
        "prov": PROV,
        "odrl": ODRL,
        "conformsTo": "dct:conformsTo",
        "data": {"@id": "cr:data", "@type": "@json"},
        "examples": {"@id": "cr:examples", "@type": "@json"},
        "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
        "name": by_language,
        "description": by_language,
        **{name: f"cr:{name}" for name in plain},
    }


CROISSANT = Regime(
    "croissant",
    "Croissant metadata of the dataset",
    "MLCommons Croissant 1.1 of 29 January 2026, Croissant RAI 1.0, ODRL 2.2",
    ITEMS,
    "name",
    derive,
    document=document,
    file="croissant.json",
)
