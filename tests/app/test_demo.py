"""The whole demo at its smallest effort, as a user runs it: every number is there and fits the others."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = Path(sys.executable).with_name("byline")


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_the_demo_keeps_its_promises(tmp_path):
    home = tmp_path / "demo"
    home.mkdir()
    (home / "demo.json").write_text('{"made by": "byline demo"}')  # an earlier demo was stopped here
    (home / "report.html").write_text("of an earlier demo")
    words = [PROGRAM, "demo", "--effort", "tiny", "--json", "--home", home]
    done = subprocess.run(words, capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout.splitlines()[-1])

    assert 1 < told["perplexity"]["heldout"] < 0.7 * told["perplexity"]["unigram"]
    assert told["capture"]["identical_weights"] is True
    assert told["capture"]["overhead_ratio"] > 0.5 and told["capture"]["bytes_per_example"] > 0
    assert told["loco"]["contributors"] >= 4
    assert all(-1 <= told["loco"][method] <= 1 for method in ("byline", "bm25", "random"))
    assert told["lambda"] == pytest.approx(max(told["loco"]["byline"], 0), abs=1e-6)
    money = {what: int(told["money"][f"{what}_nano"]) for what in ("received", "allocated", "held", "commission")}
    assert money["received"] == money["allocated"] + money["held"] + money["commission"] > 0
    assert told["money"]["currency"] == "EUR" and min(money.values()) > 0
    assert 0 < int(told["money"]["reserve_nano"]) < money["held"]
    late, dispute, bank = (told[what] for what in ("adjustment", "dispute", "bank"))
    assert late["statements_unchanged"] is True and late["accounts"] == 2
    assert int(late["moved_nano"]) > 0 and late["sum_nano"] == "0"
    assert int(dispute["held_nano"]) > 0 and dispute["only_its_slice"] is True
    assert bank["sent"] == bank["settled"] + bank["rejected"] and bank["rejected"] == 1
    assert bank["sent"] + bank["carried"] > 30
    assert bank["returned_to_balance"] is True
    assert told["verify"]["accepted"] == told["verify"]["statements"] > 30
    assert told["verify"]["tampered_refused"] is True
    assert told["optout"] == {"in_manifest": False, "paid_nano": "0"}
    assert told["copycat"] == {"gain_nano": "0"}
    for copies in ("duplicate-stuffing", "sock-puppets", "near-duplicates", "self-prompting"):
        assert 0 <= told["attacks"][copies]["gain_defended"] <= told["attacks"][copies]["bound"]
    assert 0 < told["seconds"]["train"] < told["seconds"]["total"]

    assert told["report"] == str(home / "report.html")
    page = (home / "report.html").read_text(encoding="utf-8")
    assert "Abraham Lincoln" in page and "James K. Polk" in page and "of an earlier demo" not in page
    assert json.loads((home / "summary.json").read_text(encoding="utf-8")) == told
    assert len(list((home / "statements").rglob("*.json"))) == told["verify"]["statements"]
    assert not list(home.rglob("*.part"))
