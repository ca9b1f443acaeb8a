"""What a cluster's sum must clear, and what an audit does to the period's intervals."""

import json

import numpy as np
import pytest
from tiny_project import byline

from byline.app.home import Home
from byline.app.model import Training
from byline.app.period import SPREAD, Hurdle, period_table, recalibrate
from byline.core import PPB, AppError, ShareTable


@pytest.fixture(scope="module")
def told(project):
    return json.loads((project.home / "trainings" / "main" / "attribution.json").read_text())


def widths(table):
    return np.array([line.high_ppb - line.low_ppb for line in table.lines])


def test_the_table_follows_from_what_is_kept_beside_it(told):
    assert told["period_intervals"] == SPREAD == told["period_effects"]["noise_from"]
    assert period_table(told["period_effects"], None) == ShareTable.from_json(told["period"])
    effects = told["period_effects"]
    sums, floors = np.array(effects["sums"]), np.array(effects["floors"])
    slow = [max(s - effects["threshold"] * f, 0) for s, f in zip(sums, floors, strict=True)]
    whole = (1 - effects["outside"]) / sum(max(s, 0) for s in sums)
    shares = {line["id"]: line["ppb"] for line in told["period"]["lines"]}
    for cluster, each in zip(effects["clusters"], slow, strict=True):
        assert shares.get(cluster, 0) == pytest.approx(PPB * whole * each, abs=2)


def test_what_the_audit_missed_by_widens_the_intervals_and_moves_no_share(told):
    effects = told["period_effects"] | {"threshold": 0.0, "outside": 0.2}
    plain = period_table(effects, None)
    known = {"slope": 2.0, "radius": 8.0, "level": 0.9}
    wide, wider = (period_table(effects, known | {"radius": radius}) for radius in (8.0, 80.0))
    assert wide.ppb() == plain.ppb() == wider.ppb()
    assert widths(plain).sum() < widths(wide).sum() < widths(wider).sum()
    halved = period_table(effects, {"slope": 1.0, "radius": 4.0, "level": 0.9})
    assert np.array_equal(widths(halved), widths(wide))  # a common slope cancels


def test_an_audit_of_this_run_makes_the_table_again(project, tmp_path):
    copy = project.copy(tmp_path)
    training = Training.open(Home.open(copy.home), "main")
    folder = copy.home / "trainings" / "main"
    before = json.loads((folder / "attribution.json").read_text())
    known = {"run": training.run.id, "method": before["period"]["method"], "slope": 1.0, "radius": 5.0, "level": 0.9}
    (folder / "calibration.json").write_text(json.dumps(known | {"contributors": 12, "run": "run:of another"}))
    assert not recalibrate(training)
    (folder / "calibration.json").write_text(json.dumps(known | {"contributors": 12}))
    assert recalibrate(training)
    after = json.loads((folder / "attribution.json").read_text())
    assert "12 contributors" in after["period_intervals"]
    assert {**after, "period": 0, "period_intervals": 0} == {**before, "period": 0, "period_intervals": 0}
    assert [line["ppb"] for line in after["period"]["lines"]] == [line["ppb"] for line in before["period"]["lines"]]


def test_a_higher_threshold_pays_less_and_the_rest_is_visible(told):
    effects = told["period_effects"] | {"outside": 0.2}
    tables = [period_table(effects | {"threshold": k}, None) for k in (0.0, 1.0, 3.0)]
    rests = [table.unattributed_ppb for table in tables]
    assert rests == sorted(rests) and rests[0] < rests[-1]
    assert abs(rests[0] - 0.2 * PPB) <= 2  # without a threshold only what came from outside is missing


def test_noise_measured_on_passages_that_nobody_here_can_have_influenced(project, tmp_path):
    copy = project.copy(tmp_path)
    ran = copy("attribute", "--prompt", "the river", "--nulls", 3, "--threshold", "volume-proof", "--json")
    assert ran.code == 0, ran.err
    effects = ran.last["period_effects"]
    assert effects["noise_from"] == "3 passages of the base model" and effects["threshold"] > 1
    assert effects["floors"] != effects["errors"] and min(effects["floors"]) > 0
    assert ran.last["period"]["unattributed_ppb"] <= PPB


@pytest.mark.parametrize("words", [("much", 0), ("-1", 0), ("nan", 0), ("1e9", 0), ("1", 1)])
def test_a_threshold_that_is_none_is_refused(words):
    with pytest.raises(AppError) as fault:
        Hurdle.of(*words)
    assert fault.value.code == "bad-threshold"
    ran = byline("attribute", "--prompt", "x", "--threshold", words[0], "--nulls", words[1])
    assert ran.code == 1 and "[bad-threshold]" in ran.err
