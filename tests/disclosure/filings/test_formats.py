"""What machines read: Croissant by mlcroissant, SPDX by the model's own bindings, DPS by its required parts."""

import copy
import json
import re
from dataclasses import replace
from datetime import datetime, timedelta

import mlcroissant
import pytest
from corpora import TODAY, corpus_of, every_answer, material
from spdx_python_model import v3_0_1 as spdx3

from byline.core import sha256_hex
from byline.disclosure.filings import CROISSANT, DPS, SPDX, make_filing, works_csv
from byline.disclosure.filings.croissant import offer

pytestmark = pytest.mark.filterwarnings("ignore:ConjunctiveGraph is deprecated")  # mlcroissant's own


def document(regime, corpus):
    return json.loads(
        json.dumps(regime.document(make_filing(regime, corpus, every_answer(regime, corpus), TODAY), corpus))
    )


# --- Croissant ------------------------------------------------------------------------------------------------------


def test_mlcroissant_finds_nothing_wrong(known, unknown):
    for corpus in (known, unknown):
        issues = mlcroissant.Dataset(jsonld=document(CROISSANT, corpus)).metadata.ctx.issues
        assert list(issues.errors) == [] and list(issues.warnings) == []


def test_mlcroissant_does_find_what_is_wrong(known):
    broken = document(CROISSANT, known)
    del broken["distribution"]
    with pytest.raises(mlcroissant.ValidationError):
        mlcroissant.Dataset(jsonld=broken)


def test_croissant_keeps_the_second_type_of_the_use_conditions_and_both_specifications(known):
    told = document(CROISSANT, known)
    assert told["usageInfo"]["@type"] == ["CreativeWork", "odrl:Offer"]
    assert told["conformsTo"] == ["http://mlcommons.org/croissant/1.1", "http://mlcommons.org/croissant/RAI/1.0"]
    assert told["rai:dataCollectionTimeframe"] == "2026-09-03 to 2026-10-01"


def test_the_file_beside_it_is_the_one_it_names(known):
    (file,) = document(CROISSANT, known)["distribution"]
    body = works_csv(known)
    assert file["sha256"] == sha256_hex(body) and body.count(b"\n") == len(known.works) + 1


def test_what_one_licence_forbids_is_forbidden_for_the_whole():
    def told(*licences):
        found = offer(corpus_of([material(n, licence=licence) for n, licence in enumerate(licences)]))
        return found.get("odrl:permission"), found.get("odrl:prohibition")

    free, forbidden = told("CC0-1.0")
    assert free == [{"odrl:action": {"@id": "odrl:use"}}] and forbidden is None
    assert told("CC0-1.0", "CC-BY-4.0")[0][0]["odrl:duty"] == [{"odrl:action": {"@id": "odrl:attribute"}}]
    assert told("CC0-1.0", "CC-BY-NC-4.0")[1] == [{"odrl:action": {"@id": "odrl:commercialize"}}]
    assert told("CC0-1.0", "LicenseRef-Nobody-Knows")[0] is None
    assert told("")[0] is None


# --- SPDX 3 -----------------------------------------------------------------------------------------------------------


def read_spdx(told, tmp_path):
    path = tmp_path / "dataset.spdx3.json"
    path.write_text(json.dumps(told), encoding="utf-8")
    objects = spdx3.SHACLObjectSet()
    with path.open("rb") as file:
        spdx3.JSONLDDeserializer().read(file, objects)
    return objects


def test_the_spdx_document_is_read_by_the_bindings_whole(known, unknown, tmp_path):
    for corpus in (known, unknown):
        told = document(SPDX, corpus)
        objects = read_spdx(told, tmp_path)
        assert objects.link() == set()  # every reference leads somewhere
        (dataset,) = objects.foreach_type(spdx3.dataset_DatasetPackage)
        assert dataset.dataset_datasetSize == len(corpus.works)
        assert dataset.verifiedUsing[0].hashValue == corpus.root
        (model,) = objects.foreach_type(spdx3.ai_AIPackage)
        related = {(r.relationshipType.rpartition("/")[2], r.from_) for r in objects.foreach_type(spdx3.Relationship)}
        assert ("trainedOn", model) in related
        for kind in ("hasDeclaredLicense", "hasConcludedLicense"):  # the profile asks for exactly one of each
            assert [r for r in related if r[0] == kind] == [(kind, dataset)]


def test_the_bindings_refuse_what_is_no_spdx(known, tmp_path):
    told = document(SPDX, known)
    broken = copy.deepcopy(told)
    dataset = next(each for each in broken["@graph"] if each["type"] == "dataset_DatasetPackage")
    dataset["dataset_datasetSize"] = "many"
    with pytest.raises((TypeError, ValueError)):
        read_spdx(broken, tmp_path)


def test_a_draft_of_spdx_claims_no_licence_that_nobody_concluded(known):
    draft = make_filing(SPDX, known, {}, TODAY)
    kinds = [e.get("relationshipType") for e in SPDX.document(draft, known)["@graph"]]
    assert "hasConcludedLicense" not in kinds and "hasDeclaredLicense" in kinds


# --- Data Provenance Metadata --------------------

REQUIRED = {
    "": ("$schema", "set", "source", "provenance", "use"),
    "set": ("category", "schema-version", "publisher", "label", "tracking"),
    "set/publisher": ("name", "namespace"),
    "set/tracking": ("current-release-date", "id", "initial-release-date", "revision-history", "status", "version"),
    "source": ("about", "id", "issuer", "location", "name", "data-version"),
    "source/about": ("content", "purpose"),
    "provenance": ("origin-geography", "date", "generation-method"),
    "use": ("intended-purpose",),
}
VERSION = re.compile(r"0|[1-9][0-9]*")


def part(told, pointer):
    for name in filter(None, pointer.split("/")):
        told = told.get(name, {})
    return told


def missing(told):
    return {f"{where}/{name}" for where, names in REQUIRED.items() for name in names if name not in part(told, where)}


def test_dps_has_every_part_that_its_schema_requires(known, unknown):
    for corpus in (known, unknown):
        told = document(DPS, corpus)
        assert missing(told) == set()
        assert set(told["set"]["publisher"]) <= {"name", "namespace", "contact-details"}  # no others are allowed
        assert VERSION.fullmatch(told["set"]["tracking"]["version"])
        assert told["set"]["tracking"]["status"] == "final"
        datetime.fromisoformat(told["set"]["tracking"]["current-release-date"])
        (tree,) = told["source"]["id"]["hashes"]
        assert tree["tree-hashes"][0] == {"algorithm": "sha256", "value": corpus.root} and tree["path"]
        for code in told["provenance"]["generation-method"] + told["use"]["intended-purpose"]:
            assert set(code) == {"code", "description"}


def test_a_second_version_of_dps_knows_when_the_first_was_released(known):
    one = make_filing(DPS, known, {}, TODAY)
    two = make_filing(DPS, replace(known, tokens=1), {}, TODAY + timedelta(days=3), one)
    tracking = DPS.document(two, known)["set"]["tracking"]
    assert tracking["initial-release-date"] == "2026-11-22T00:00:00Z" and tracking["version"] == "2"
    assert [entry["number"] for entry in tracking["revision-history"]] == ["1", "2"]


def test_a_draft_of_dps_leaves_out_what_nobody_has_said(known, unknown):
    told = DPS.document(make_filing(DPS, unknown, {}, TODAY), unknown)
    assert told["set"]["tracking"]["status"] == "draft"
    assert {"source/issuer", "provenance/origin-geography", "use/intended-purpose"} <= missing(told)
    assert "" not in json.loads(json.dumps(list(told["source"].values()))) and "classification" not in told["use"]
    audited = replace(known, personal=(("email", 1),), personal_by="an audit")
    says = DPS.document(make_filing(DPS, audited, {}, TODAY), audited)["use"]["classification"]
    assert says == [{"regulation": {"code": "personal-data"}, "evaluated": True}]
