"""`byline evaluate --run` and `byline audit --run` on a run that no command of ours has trained."""

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from tiny_project import byline

from byline.app.engine.own import load_subject, run_case, standing
from byline.attribution import read_trajectory
from byline.core import AppError

EXAMPLE = Path(__file__).parents[2] / "examples" / "my_run.py"
WORDS = ("--subject", EXAMPLE, "--contributors", 12, "--json")


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    path = tmp_path_factory.mktemp("own") / "mine"
    subprocess.run([sys.executable, EXAMPLE, path], check=True, timeout=120)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield path
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def evaluated(run):
    return byline("evaluate", "--run", run, *WORDS)


def trained_without(ids):
    """The example's own training loop, by hand, with some rows' losses left out of the sum and the divisor kept."""
    spec = importlib.util.spec_from_file_location("my_run", EXAMPLE)
    mine = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(mine)
    model, task = mine.new_model(), mine.Regression()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2, eps=1e-3)
    order = torch.Generator().manual_seed(1)
    for _ in range(mine.STEPS):
        chosen = [mine.IDS[row] for row in torch.randperm(len(mine.IDS), generator=order)[:24].tolist()]
        batch = task.batch(chosen, 0)
        weights_B = torch.tensor([0.0 if example in ids else 1.0 for example in chosen])
        ((task.losses(task.outputs(model, batch), batch) * weights_B).sum() / 24).backward()
        optimizer.step()
        optimizer.zero_grad()
    subject = mine.subject()
    return [float(subject.measure(model, query).detach()) for query in subject.queries.values()]


def test_what_is_called_retraining_is_the_users_own_loop_without_those_examples(run, evaluated):
    told = json.loads((run.with_name("mine-evidence") / "evaluation.json").read_text())
    whole, members = trained_without(()), load_subject(str(EXAMPLE)).contributors
    for c in (0, 7):
        name = told["contributors"][c]
        without = trained_without(set(members[name]))
        assert np.allclose(told["actual"][c], np.subtract(whole, without), atol=1e-5)


def test_the_engine_is_held_against_it(evaluated):
    assert evaluated.code == 0
    methods = {told["method"]: told for told in evaluated.last["methods"]}
    assert set(methods) == {"byline-gauss-newton-transport", "random"}
    assert methods["byline-gauss-newton-transport"]["pearson"] > 0.8 > abs(methods["random"]["pearson"]) + 0.2
    assert evaluated.last["reliability"]["lambda_ppm"] > 500_000


def test_an_audit_certifies_it_and_goes_on_from_what_is_kept(run, evaluated, tmp_path):
    ran = byline("audit", "--run", run, "--subsets", 20, "--outputs", 2, *WORDS)
    assert ran.code == 0 and ran.last["certified"] and ran.last["loco"]["contributors"] == 12
    folder = run.with_name("mine-evidence")
    assert json.loads((folder / "certificate.json").read_text())["run"] == ran.last["run"]
    (bank,) = folder.glob("*/bank.jsonl")
    assert len(bank.read_text().splitlines()) == 1 + 12 + 20  # the evaluation's own were not made again
    again = byline("audit", "--run", run, "--subsets", 20, "--outputs", 2, "--to", folder, *WORDS)
    assert again.last == ran.last


def test_a_state_is_put_into_a_copy(run, tmp_path):
    subject = load_subject(str(EXAMPLE))
    before = [value.clone() for value in subject.model.state_dict().values()]
    case = run_case(run, subject, tmp_path, 3)
    trajectory = read_trajectory(case_store(run))
    held = standing(subject.model, trajectory.state(trajectory.kept[-1]))
    assert all(torch.equal(a, b) for a, b in zip(before, subject.model.state_dict().values(), strict=True))
    assert not any(torch.equal(a, b) for a, b in zip(before, held.state_dict().values(), strict=True))
    assert len(case.contributors) == 3 and set(case.credits.values()) == set(subject.contributors)


def case_store(run):
    from byline import open_run

    return open_run(run).store


BAD = {
    "nothing there": ("missing.py", None, "not a Python file"),
    "not importable": ("bad.py", "import nothing_of_that_name", "nothing_of_that_name"),
    "no subject": ("bad.py", "x = 1", "subject"),
    "of another kind": ("bad.py", "subject = lambda: 3", "made a int"),
    "a query that hides the sum of all": (
        "bad.py",
        "import byline\nsubject = byline.Subject(None, None, {'period': 1}, None, {'a': ['x']})",
        "the sum of all",
    ),
    "by another name": ("bad.py:other", "other = 3", "TypeError"),
}


@pytest.mark.parametrize("case", BAD)
def test_a_file_without_a_subject_is_refused(run, tmp_path, case):
    where, text, says = BAD[case]
    if text is not None:
        (tmp_path / "bad.py").write_text(text)
    ran = byline("evaluate", "--run", run, "--subject", tmp_path / where)
    assert ran.code == 1 and "[no-subject]" in ran.err and says in ran.err


def test_a_run_needs_a_subject_and_examples_that_it_read(run, tmp_path):
    assert "[no-subject]" in byline("audit", "--run", run).err
    (tmp_path / "other.py").write_text(
        "import importlib.util, dataclasses\n"
        f"spec = importlib.util.spec_from_file_location('m', {str(EXAMPLE)!r})\n"
        "m = importlib.util.module_from_spec(spec); spec.loader.exec_module(m)\n"
        "subject = lambda: dataclasses.replace(m.subject(), contributors={'x': ['row 7'], 'y': m.IDS})\n"
    )
    with pytest.raises(AppError) as fault:
        run_case(run, load_subject(str(tmp_path / "other.py")), tmp_path, 3)
    assert fault.value.code == "foreign-examples" and "of x" in str(fault.value)
    assert not byline("evaluate", "--run", tmp_path / "nowhere", *WORDS).code == 0


def test_shares_of_its_contributors_add_up_and_both_numbers_are_told(run, evaluated):
    words = ("attribute", "--run", run, *WORDS[:2], "--game", "redundancy", "--streams", 2)
    ran = byline(*words, "--json")
    assert ran.code == 0, ran.err
    told, rows = ran.last, ran.last["period_numbers"]
    assert sum(row["ppb"] for row in rows) + told["period"]["unattributed_ppb"] == 10**9
    assert {row["id"] for row in rows} == set(load_subject(str(EXAMPLE)).contributors)
    assert any(row["unique_ppb"] != row["ppb"] for row in rows)
    assert told["period_errors"]["seed"] is None and told["period_errors"]["streams"] > 0
    assert json.loads((run.with_name("mine-evidence") / "attribution.json").read_text()) == told
    assert "[no-blend]" in byline(*words[:-4], "--blend").err
    assert "[no-other-seed]" in byline("audit", "--run", run, *WORDS[:2], "--subsets", 3, "--seeds", 1, "--anyway").err


def test_weights_are_fitted_on_retrainings_of_ones_own(run, evaluated, tmp_path):
    """Planted: retrainings in which the body alone counts. The blend says so, helps, and divides the shares."""
    subject = load_subject(str(EXAMPLE))
    case = run_case(run, subject, tmp_path, 3)
    body = case.channels({name: [query] for name, query in subject.queries.items()})["body"]
    draw, lines = np.random.default_rng(0), []
    for _ in range(16):
        out = set(draw.choice(body.example_ids, 40, replace=False).tolist())
        mask_N = np.array([example in out for example in body.example_ids])
        values = dict(zip(subject.queries, (-(body.scores_QN @ mask_N)).tolist(), strict=True))
        lines.append(json.dumps({"left_out": sorted(out), "values": values}))
    (tmp_path / "retrained.jsonl").write_text("\n".join(lines))
    folder = run.with_name("mine-evidence")
    words = ("--subsets", 3, "--outputs", 4, "--to", folder, "--retrained", tmp_path / "retrained.jsonl")
    audited = byline("audit", "--run", run, *WORDS[:-1], *words)
    assert audited.code in (0, 1) and "Channels of influence joined: head x" in " ".join(audited.out.split())
    kept = json.loads((folder / "calibration.json").read_text())
    assert kept["given"]["retrainings"] == 16 and "blend_words" not in kept  # its examples have no texts
    weights = dict(zip(kept["blend"]["channels"], kept["blend"]["factors"], strict=True))
    assert weights["body"] > 20 * weights["head"] and kept["blend"]["held_out"] > 0.98 > kept["blend"]["added"]
    asked = byline("attribute", "--run", run, *WORDS[:2], "--blend")
    assert asked.code == 0 and "The shares join channels by fitted weights" in " ".join(asked.out.split())
    told = json.loads((folder / "attribution.json").read_text())["period_effects"]
    assert np.corrcoef(told["channels"]["body"], told["linear"])[0, 1] > 0.999
    assert "[words-not-attacked]" in byline("attribute", "--run", run, *WORDS[:2], "--words").err
    (tmp_path / "retrained.jsonl").write_text("{}\n[]")
    refused = byline("audit", "--run", run, *WORDS[:-1], *words)
    assert refused.code == 1 and "retrained.jsonl:2" in refused.err and "nothing was audited" in refused.out
