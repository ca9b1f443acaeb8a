"""How long the gate takes: a million made-up works under six jurisdictions, one ruling per distinct vector of facts.

    python benchmarks/decide.py [--works 1000000] [--out benchmarks/results/decide.json]

The works are drawn: a method of acquisition, one of the licences of the table, and the facts that go with them, most
of them clean, some not established, some bad; ages of signals and days of expiry take hundreds of values each. What is
drawn is not a real corpus, and the number of distinct vectors, which decides the time, is printed with it. The facts
come by column, as a data base would give them; reading a million rows from a file is not in the time.
"""

import argparse
import json
import os
import platform
import time
from datetime import date, timedelta
from pathlib import Path

import numpy as np

from byline.gate.law import JURISDICTIONS, FactTable, judge_all, licence_facts, load_packs, vocabulary
from byline.gate.law.table import Column

ON = date(2026, 11, 22)
LICENCES = ("", "CC0-1.0", "CC-BY-4.0", "CC-BY-SA-4.0", "CC-BY-NC-4.0", "CC-BY-ND-4.0", "MIT", "GPL-3.0-only",
            "LicenseRef-PublicDomain", "LicenseRef-AllRightsReserved")  # fmt: skip
LICENCE_SHARE = (0.45, 0.05, 0.1, 0.1, 0.03, 0.02, 0.05, 0.03, 0.05, 0.12)
METHODS = ("crawl", "public_dataset", "purchase", "user_upload", "synthetic", "crowdsourcing", "annotation", "sensor")
METHOD_SHARE = (0.62, 0.15, 0.08, 0.06, 0.05, 0.02, 0.015, 0.005)
RARE = (0.985, 0.01, 0.005)  # as usual, the opposite, not established
USUALLY = {
    "lawful_access": True, "tpm_circumvented": False, "piracy_source": False, "tos_forbids": False,
    "access_refused": False, "reserved": False, "fetch_records": True, "opt_out_open": False,
    "personal_data": False, "special_category": False, "consent_withdrawn": False, "objection_open": False,
}  # fmt: skip
SAME = {
    "purpose": "commercial", "phase": "admit", "copied_in": frozenset({"EU"}), "placed_in": frozenset({"WORLD"}),
    "legacy_model": False, "synthesises_people": False, "enjoyment_purpose": False, "targets_single_creator": False,
    "db_for_sale": False, "output_substitutes_market": False, "copies_kept_apart": True, "cmi_removed": False,
    "source_known_infringing": False, "collection_records": True, "minor": False, "biometric_voice": False,
    "biometric_face": False, "source_illegal_ppm": 10_000, "manual_sample_items": 4_000, "manual_pass_ppm": 970_000,
    "auto_sample_ppm": 100_000, "auto_pass_ppm": 985_000, "upload_toggle_on": True, "third_party_declared": True,
    "generator_terms_ok": True, "generator_cleared": True, "label_model_terms_ok": True, "chain_of_title": True,
    "contract_covers_training": True, "purchase_papers": True, "upstream_reserved": False, "upstream_evidence": True,
    "device_owner_agrees": True, "sensor_notice": True, "annotation_records": True, "annotators_trained": True,
    "contributor_papers": True, "own_capture": True, "contributor_terms": True, "annotator_assignment": True,
}  # fmt: skip


def drawn(works: int, seed: int = 0) -> FactTable:
    draw = np.random.default_rng(seed)
    columns = {"method": Column(METHODS, draw.choice(len(METHODS), works, p=METHOD_SHARE))}
    licence_N = draw.choice(len(LICENCES), works, p=LICENCE_SHARE)
    for name in vocabulary().facts:
        by_licence = [licence_facts(licence).get(name) for licence in LICENCES]
        if any(value is not None for value in by_licence):
            columns[name] = by_code(by_licence, licence_N)
    for name, usual in USUALLY.items():
        codes = np.array([0, 1, -1])[draw.choice(3, works, p=RARE)]
        columns[name] = Column((usual, not usual), codes)
    columns["signal_age_h"] = Column(tuple(range(48)), draw.integers(0, 48, works))
    days = tuple(ON + timedelta(days=n) for n in range(-365, 365))
    columns["grant"] = Column((False, True), (draw.random(works) < 0.1).astype(np.int64))
    columns["grant_until"] = Column(days, draw.integers(0, len(days), works))
    places = tuple(frozenset({place}) for place in (*JURISDICTIONS, "WORLD"))
    columns["grant_in"] = Column(places, draw.integers(0, len(places), works))
    rest = {name: value for name, value in vocabulary().on_file(SAME).items() if name not in columns}
    return FactTable(works, columns).assuming(rest)


def by_code(values, code_N):
    """A column in which each work has the value of its code; None for what is not known."""
    distinct = list(dict.fromkeys(value for value in values if value is not None))
    of_code = np.array([-1 if value is None else distinct.index(value) for value in values])
    return Column(tuple(distinct), of_code[code_N])


def cpu_seconds() -> float:
    """Of this process and of those that it has waited for."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def timed(table: FactTable, cedar: bool) -> dict[str, object]:
    packs = load_packs(JURISDICTIONS)
    begun, cpu = time.perf_counter(), cpu_seconds()
    judgement = judge_all(table, packs, ON, cedar=cedar, processes=1 if cedar else 0)
    counts = judgement.counts()
    seconds, busy = time.perf_counter() - begun, cpu_seconds() - cpu
    vectors = {judged.pack.jurisdiction: len(judged.rulings) for judged in judgement.by_pack}
    outcomes = {j.pack.jurisdiction: {str(k): n for k, n in j.counts().items()} for j in judgement.by_pack}
    return {
        "seconds": round(seconds, 1),
        "cpu_seconds": round(busy, 1),
        "distinct_vectors": vectors,
        "outcomes": outcomes,
        "all_jurisdictions": {str(outcome): count for outcome, count in counts.items()},
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--works", type=int, default=1_000_000)
    parser.add_argument("--out", type=Path)
    asked = parser.parse_args()
    table = drawn(asked.works)
    found = {
        "works": asked.works,
        "jurisdictions": len(JURISDICTIONS),
        "with_cedar": timed(table, cedar=True),
        "without_cedar": timed(table, cedar=False),
        "cores": os.cpu_count(),
        "load": round(os.getloadavg()[0], 1),
        "machine": platform.machine(),
        "python": platform.python_version(),
    }
    text = json.dumps(found, indent=1)
    print(text)
    if asked.out:
        asked.out.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
