"""Plans against real models and real folders, the doctor against broken set-ups, the audit on the tiny project."""

import contextlib
import json

import numpy as np
import pytest
import torch
from tiny_project import byline
from torch import nn
from torch.utils.flop_counter import FlopCounterMode
from transformers import GPT2Config, GPT2LMHeadModel, LlamaConfig, LlamaForCausalLM

from byline.app.carried import log_likelihood
from byline.app.engine.bank import Bank, pooled
from byline.app.engine.checkup import checkup
from byline.app.engine.cost import RANKS, Asked, Budget, Data, capture_floor, row_bytes, sizes_of
from byline.app.engine.evidence import Effects, intervals, share_columns
from byline.app.engine.findings import doctor
from byline.app.engine.measured import measured
from byline.app.engine.period import PERIOD, queries_of
from byline.app.engine.plan import plan
from byline.app.engine.shape import shape_of
from byline.app.engine.speed import measure_speed
from byline.app.home import Home
from byline.app.model import Training
from byline.attribution import open_run
from byline.capture import Projector, find_taps
from byline.core import AppError, ScoreTable
from byline.evaluation import Certificate, Metasmoothness
from byline.training import Query, Recipe, measure_query, new_model, new_optimizer, single_thread

SMALL = shape_of(width=128, layers=2, vocabulary=2048)
DATA = Data(examples=1000, tokens=128)


@pytest.fixture(scope="module")
def audited(project, tmp_path_factory):
    """A copy of the project whose period is three held-out passages, audited below the gate."""
    copy = project.copy(tmp_path_factory.mktemp("audited"))
    assert copy("attribute", "--held-out", 3, "--json").code == 0
    words = ("audit", "--contributors", 3, "--subsets", 4, "--outputs", 2, "--anyway", "--json")
    return copy, words, copy(*words)


def tiny():
    recipe = Recipe.of("tiny")
    model = new_model(recipe)
    return model.train(), new_optimizer(model, recipe)


# --- shapes -----------------------------------------------------------------------------------------------------


def test_the_shape_of_a_recipe_has_the_parameters_of_its_model():
    parameters = new_model(Recipe.of("demo")).parameters()
    assert shape_of("llama-small").parameters == sum(p.numel() for p in parameters)


@pytest.mark.parametrize("tied", [False, True])
def test_a_llama_config_gives_the_parameters_of_its_model(tmp_path, tied):
    config = LlamaConfig(
        vocab_size=61, hidden_size=24, intermediate_size=40, num_hidden_layers=3, num_attention_heads=4,
        num_key_value_heads=2, head_dim=8, tie_word_embeddings=tied, bos_token_id=0, eos_token_id=None,
    )  # fmt: skip
    config.save_pretrained(tmp_path)
    shape = shape_of(str(tmp_path))
    model = LlamaForCausalLM._from_config(config)
    assert shape.parameters == sum(p.numel() for p in model.parameters())
    check_rows(shape, model, Projector(4))


def test_a_gpt2_config_gives_the_weights_that_capture_reads(tmp_path):
    config = GPT2Config(vocab_size=61, n_embd=24, n_layer=2, n_head=4, n_positions=32, bos_token_id=0, eos_token_id=0)
    config.save_pretrained(tmp_path)
    shape, model = shape_of(str(tmp_path / "config.json")), GPT2LMHeadModel._from_config(config)
    taps, _ = find_taps(model, Projector(4, skip=("transformer.wpe",)))
    assert sum(m.size for m in shape.matrices) == sum(tap.weight.numel() for tap in taps)


def check_rows(shape, model, projector):
    taps, _ = find_taps(model, projector)
    assert row_bytes(shape, projector.rank) == sum(tap.width for tap in taps) + 4 * len(taps) + 8


def test_training_flops_are_those_that_torch_counts():
    recipe = Recipe.of("tiny")
    model, counted = new_model(recipe), FlopCounterMode(display=False)
    tokens_BT = torch.randint(recipe.vocabulary, (3, 20))
    with counted:
        model(input_ids=tokens_BT).logits.sum().backward()
    shape = shape_of("llama-small", width=recipe.width, layers=recipe.layers, vocabulary=recipe.vocabulary)
    sizes = {"inner": recipe.inner}
    shape = type(shape)(**{name: getattr(shape, name) for name in shape.__slots__} | sizes)
    assert shape.training_flops(20) * tokens_BT.numel() == pytest.approx(counted.get_total_flops(), rel=0.02)


def test_a_known_size_gives_a_model_of_about_that_size():
    shape = shape_of(parameters=10**9)
    assert abs(shape.parameters / 10**9 - 1) < 0.1 and len(shape.assumed) == 3
    assert shape_of(width=256, layers=2, vocabulary=100).vocabulary == 100


@pytest.mark.parametrize(
    ("model", "sizes", "code"),
    [
        (None, {}, "no-model-shape"),
        ("no/such/file", {}, "no-model-shape"),
        (None, {"width": 0, "layers": 2}, "no-model-shape"),
        ("bad.json", {}, "unreadable"),
        ("other.json", {}, "unreadable"),
    ],
)
def test_a_model_without_a_size_is_refused(tmp_path, model, sizes, code):
    (tmp_path / "bad.json").write_text("{")
    (tmp_path / "other.json").write_text('{"n_embd": 4}')
    with contextlib.chdir(tmp_path), pytest.raises(AppError) as caught:
        shape_of(model, **sizes)
    assert caught.value.code == code


# --- cost -------------------------------------------------------------------------------------------------------


def test_the_floor_is_that_of_a_loop_over_weights():
    rank, sketch, training = 8, 0, 0
    for name, parameter in new_model(Recipe.of("demo")).named_parameters():
        if parameter.ndim < 2:
            continue
        large, small = parameter.shape
        sketch += rank * rank + rank * (small if "embed" in name else large + small)  # ids are not multiplied
        training += 0 if "embed" in name else 3 * large * small
    assert capture_floor(shape_of("llama-small"), rank) == pytest.approx(sketch / training)


def test_planned_bytes_are_those_of_a_real_run(project):
    run = open_run(project.home / "runs" / "main").store
    recipe = json.loads((project.home / "trainings" / "main" / "recipe.json").read_text())
    shape = shape_of(str(project.home / "trainings" / "main"))
    files = {kind: sum(f.stat().st_size for f in (run.path / "shards").glob(f"*.{kind}.*")) for kind in
             ("features", "scales", "rows", "ids", "steps")}  # fmt: skip
    rows = files["features"] + files["scales"] + files["rows"]
    assert row_bytes(shape, recipe["rank"]) * run.n_rows == rows
    data = Data(len(run.example_ids), recipe["sequence"], recipe["epochs"], recipe["batch"])
    sizes = sizes_of(shape, data, Asked(), recipe["rank"])
    spare = (data.visits - run.n_rows) * row_bytes(shape, recipe["rank"])  # the incomplete last batches
    assert sizes["store"] - spare == pytest.approx(sum(files.values()), rel=0.1)
    states = [f.stat().st_size for f in (run.path / "blobs").glob("state.*")]
    assert sum(states) <= sizes["checkpoints"] * 1.1 and max(states) == pytest.approx(12 * shape.parameters, rel=0.05)


def test_hours_follow_from_speed_data_and_cores():
    slow, fast = (plan(SMALL, DATA, speed, cores=2) for speed in (10.0, 20.0))
    assert [tier.hours for tier in slow.tiers] == pytest.approx([2 * tier.hours for tier in fast.tiers])
    (one, *_), (two, *_) = (plan(SMALL, Data(1000, 128, epochs), 10.0).tiers for epochs in (1, 2))
    assert two.hours == pytest.approx(2 * one.hours)
    alone = plan(SMALL, DATA, 10.0, cores=1)
    assert alone.tiers[3].trainings == slow.tiers[3].trainings and alone.tiers[3].hours > slow.tiers[3].hours


def test_without_a_budget_everything_fits_and_no_dial_is_named():
    made = plan(SMALL, DATA, 50.0)
    assert made.fits and made.advice == () and [tier.tier for tier in made.tiers] == [0, 1, 2, 3, 2]


def test_turning_the_named_dial_makes_the_training_fit():
    whole = plan(SMALL, DATA, 50.0).tiers[0].hours
    budget = Budget(hours=whole * 0.7)
    made = plan(SMALL, DATA, 50.0, budget=budget)
    assert not made.fits and not any(tier.within for tier in made.tiers) and "--epochs 2" in made.advice[0]
    assert plan(SMALL, Data(1000, 128, epochs=2), 50.0, budget=budget).tiers[0].within


def test_a_budget_reaches_for_the_audit_before_the_tangents():
    tiers = plan(SMALL, DATA, 50.0).tiers
    made = plan(SMALL, DATA, 50.0, budget=Budget(hours=1.001 * sum(tier.hours for tier in tiers[:4])))
    assert [tier.within for tier in made.tiers] == [True] * 4 + [False]
    assert len(made.advice) == 1 and "tangents" in made.advice[0]


def test_little_space_lowers_the_rank_or_names_the_states():
    wide = shape_of(width=1024, layers=4, vocabulary=4096)
    many = Data(examples=100_000, tokens=128)
    assert plan(wide, many, 50.0).rank == 32
    assert plan(wide, many, 50.0, budget=Budget(gb=4.0)).rank == 8
    few = plan(wide, Data(1000, 128), 50.0, budget=Budget(gb=1.0))
    assert not few.tiers[0].within and "checkpoints=1" in few.advice[0]


@pytest.mark.parametrize("data", [Data(0, 128), Data(10, 0), Data(10, 10, epochs=0)])
def test_a_plan_for_nothing_is_refused(data):
    with pytest.raises(AppError) as caught:
        plan(SMALL, data, 50.0)
    assert caught.value.code == "bad-plan"


def test_what_was_not_measured_is_said_to_be(tmp_path):
    assert all(line.endswith("not measured") for line in measured(SMALL, 8, tmp_path))
    assert all(line.endswith("not measured") for line in measured(SMALL, 8, None))


def test_what_was_measured_is_told_with_its_circumstances(tmp_path):
    rows = [{"width": w, "rank": r, "overhead_ratio": 1 + w / 1000 + r / 10000} for w in (64, 512) for r in (4, 32)]
    (tmp_path / "capture.json").write_text(json.dumps({"date": "2026-01-02", "hardware": "an abacus", "rows": rows}))
    table = {"byline-x": {"lds": 0.612, "lds_se": 0.05}, "bm25": {"lds": 0.9}, "byline-y": {"lds": None}}
    (tmp_path / "latest.json").write_text(json.dumps({"finetune": table, "capture": {"byline": 3}}))
    overhead, *scores = measured(SMALL, 32, tmp_path)
    assert "+6.7%" in overhead and "width 64 and rank 32" in overhead and "an abacus, 2026-01-02" in overhead
    assert scores == ["byline-x on finetune: LDS 0.61 +- 0.05, measured by the bench, not on this training"]
    (tmp_path / "latest.json").write_text("{")
    with pytest.raises(AppError):
        measured(SMALL, 32, tmp_path)


def test_the_speed_is_measured_and_nothing_else_is_changed():
    threads, state = torch.get_num_threads(), torch.get_rng_state()
    found = measure_speed(shape_of(width=64, layers=1, vocabulary=100), tokens=16, seconds=0.0)
    assert found.gflops > 0 and found.steps >= 1 and "width 64" in found.says
    assert torch.get_num_threads() == threads and torch.equal(torch.get_rng_state(), state)


def test_plan_on_the_command_line(tmp_path):
    words = ("plan", "--model", "llama-small", "--gflops", 50, "--results", tmp_path)
    ran = byline(*words, "--json")
    assert ran.code == 0 and ran.last["fits"] is True and ran.last["rank"] in RANKS
    spoken = byline(*words, "--budget-hours", 0.0001)
    assert spoken.code == 0 and "dial" in spoken.out and "Not all of it fits." in spoken.out
    assert spoken.out.count("not measured") == 2
    assert "[no-model-shape]" in byline("plan").err


# --- doctor -----------------------------------------------------------------------------------------------------


def grades(report, about):
    return [finding.grade for finding in report.findings if finding.about == about]


def test_the_reference_training_is_sound():
    with single_thread():
        report = doctor(*tiny(), smoothness=Metasmoothness(0.995, 0.01, 0))
    assert report.sound and {finding.grade for finding in report.findings} == {"ok", "note"}
    trained = sum(p.numel() for p in tiny()[0].parameters())
    norms = sum(p.numel() for name, p in tiny()[0].named_parameters() if "norm" in name)
    assert (report.parameters, report.captured) == (trained, trained - norms)


def test_worst_findings_come_first_and_each_has_a_remedy():
    model = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Dropout(0.1), nn.Linear(4, 2))
    report = doctor(model, torch.optim.NAdam(model.parameters()))
    order = [finding.grade for finding in report.findings]
    assert order == sorted(order, key=["wrong", "warning", "note", "ok"].index) and order[0] == "wrong"
    assert all(finding.fix for finding in report.findings if finding.grade != "ok")
    assert not report.sound and grades(report, "optimizer") == ["warning", "warning", "ok"]
    assert (report.captured, report.parameters) == (20, 34)


def test_batch_norm_is_wrong_because_rows_mix():
    """The oracle of the finding: a row's loss has a gradient that depends on another row."""
    model = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Linear(4, 2))

    def first_gradient(inputs):
        return torch.autograd.grad(model(inputs)[0].square().sum(), model[0].weight)[0]

    rows = torch.randn(4, 3)
    other = torch.cat([rows[:1], 2 * rows[1:]])
    assert not torch.allclose(first_gradient(rows), first_gradient(other)) and not doctor(model).sound
    model.eval()
    assert torch.allclose(first_gradient(rows), first_gradient(other)) and doctor(model).sound


@pytest.mark.parametrize(
    ("build", "about", "code"),
    [
        (lambda m: (nn.LayerNorm(3), None), "capture", "nothing-to-capture"),
        (lambda m: (m, torch.optim.RMSprop(m.parameters())), "optimizer", "unknown-optimizer"),
        (lambda m: (m, torch.optim.SGD([m.bias], 0.1)), "optimizer", "not-optimised"),
        (
            lambda m: (m, torch.optim.SGD([*m.parameters(), nn.Parameter(torch.ones(2))], 0.1)),
            "optimizer",
            "foreign-parameter",
        ),
    ],
)
def test_what_the_recorder_would_refuse_is_wrong(build, about, code):
    report = doctor(*build(nn.Linear(3, 2)))
    assert not report.sound and report.findings[0].about == about and f"[{code}]" in report.findings[0].says


def test_amsgrad_and_untrained_parameters_are_told():
    model = nn.Linear(3, 2)
    report = doctor(model, torch.optim.Adam([model.weight], amsgrad=True))
    assert grades(report, "optimizer") == ["warning", "note", "ok", "ok"] and report.sound


def test_precision_and_attention_are_told():
    assert grades(doctor(nn.Linear(3, 2).bfloat16()), "precision") == ["warning"]
    assert grades(doctor(nn.Linear(3, 2)), "precision") == ["ok"]
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("medium")
    try:
        assert grades(doctor(nn.Linear(3, 2)), "precision") == ["warning"]
    finally:
        torch.set_float32_matmul_precision(before)
    sizes = {"hidden_size": 8, "intermediate_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2}
    kinds = {
        kind: LlamaForCausalLM._from_config(LlamaConfig(vocab_size=11, **sizes), attn_implementation=kind)
        for kind in ("eager", "sdpa")
    }
    found = {kind: grades(doctor(model), "model") for kind, model in kinds.items()}
    assert found == {"eager": ["ok", "ok"], "sdpa": ["note", "ok", "ok"]}
    kinds["eager"].config.attention_dropout = 0.1
    assert grades(doctor(kinds["eager"].train()), "model") == ["warning", "ok"]
    assert grades(doctor(kinds["eager"].eval()), "model") == ["ok", "ok"]


@pytest.mark.parametrize(("score", "grade"), [(0.995, "ok"), (0.97, "warning"), (0.5, "warning")])
def test_smoothness_is_graded_by_the_gate(score, grade):
    assert grades(doctor(nn.Linear(3, 2), smoothness=Metasmoothness(score, 0.01, 0)), "smoothness") == [grade]


def test_the_doctor_of_a_training_measures_smoothness_only_when_asked(project):
    plain, asked = project("doctor", "--json"), project("doctor", "--metasmoothness", "--json")
    assert plain.code == asked.code == 0 and plain.last["sound"] is True
    about = [{finding["about"] for finding in ran.last["findings"]} for ran in (plain, asked)]
    assert about[1] - about[0] == {"smoothness"} and "run" in about[0]


def test_a_record_of_other_weights_is_wrong(project, tmp_path):
    copy = project.copy(tmp_path)
    folder = copy.home / "trainings" / "main"
    (folder / "final.safetensors").write_bytes((folder / "base.safetensors").read_bytes())
    ran = copy("doctor")
    assert ran.code == 1 and "Something here makes the records wrong." in ran.out
    (worst, *_) = checkup(Training.open(Home.open(copy.home), "main")).findings
    assert (worst.about, worst.grade) == ("run", "wrong") and "final.safetensors" in worst.says


# --- audit: parts -----------------------------------------------------------------------------------------------


def outputs(count):
    return {f"q{n}": Query((n, n + 1, n + 2), 1) for n in range(count)}


def test_the_period_and_evenly_spread_outputs_are_asked_about():
    queries = queries_of(outputs(9), 3)
    assert list(queries) == [PERIOD, "q0", "q3", "q6"] and queries[PERIOD] == tuple(outputs(9).values())
    assert list(queries_of(outputs(2), 5)) == [PERIOD, "q0", "q1"] and list(queries_of(outputs(1), 4)) == ["q0"]


def test_what_is_differentiated_is_what_retrainings_measure():
    model, asked = new_model(Recipe.of("tiny")).eval(), list(outputs(3).values())
    one_by_one = sum(float(measure_query(model, query)) for query in asked)
    found = log_likelihood(model, asked)
    assert found.requires_grad and float(found.detach()) == pytest.approx(one_by_one, rel=1e-5)


def effects(contributors, queries=4, seed=0):
    draw = np.random.default_rng(seed)
    predicted_CQ = draw.standard_normal((contributors, queries))
    actual_CQ = 1.4 * predicted_CQ + 0.3 * draw.standard_normal(predicted_CQ.shape)
    names = tuple(f"c{n}" for n in range(contributors))
    return Effects(names, actual_CQ, predicted_CQ, np.full(predicted_CQ.shape, 0.2))


@pytest.mark.parametrize(("contributors", "word"), [(4, "spread"), (12, "conformal")])
def test_intervals_of_a_contributor_do_not_know_its_own_retraining(contributors, word):
    given = effects(contributors)
    low_CQ, high_CQ, says = intervals(given, 0.9)
    changed = given.actual_CQ.copy()
    changed[0] += 5
    moved = Effects(given.names, changed, given.predicted_CQ, given.errors_CQ)
    low_again_CQ, high_again_CQ, _ = intervals(moved, 0.9)
    assert word in says.partition(",")[0] and (low_CQ < high_CQ).all()
    assert np.array_equal(low_CQ[0], low_again_CQ[0]) and np.array_equal(high_CQ[0], high_again_CQ[0])
    assert not np.allclose(low_CQ[1:], low_again_CQ[1:])


def test_conformal_intervals_hold_about_what_they_promise():
    held = []
    for seed in range(20):
        given = effects(20, queries=5, seed=seed)
        low_CQ, high_CQ, _ = intervals(given, 0.9)
        held.append(((low_CQ <= given.actual_CQ) & (given.actual_CQ <= high_CQ)).mean())
    assert 0.85 <= np.mean(held) <= 0.97


def test_effects_and_shares_are_sums_over_examples():
    scores = np.random.default_rng(0).standard_normal((2, 5)).astype(np.float32)
    table = ScoreTable(scores, ("q0", "q1"), tuple("abcde"), "m")
    found = Effects.of(("x", "y"), [{"a", "c"}, {"e"}], table, np.zeros((2, 2)))
    slow = [[sum(float(scores[q, "abcde".index(e)]) for e in group) for q in range(2)] for group in ("ac", "e")]
    assert np.allclose(found.predicted_CQ, slow) and (found.errors_CQ > 0).all()
    columns_CQ = share_columns(table, ["x", "y", "x", "y", "y"], ["q1"])
    assert np.allclose(columns_CQ, [[scores[1, 0] + scores[1, 2]], [scores[1, 1] + scores[1, 3] + scores[1, 4]]])


# --- audit: the command -----------------------------------------------------------------------------------------


def folder_of(copy):
    (folder,) = (copy.home / "trainings" / "main" / "audit").iterdir()
    return folder


def test_the_certificate_is_kept_and_says_why_it_does_not_certify(audited):
    copy, _, ran = audited
    told = json.loads((copy.home / "trainings" / "main" / "certificate.json").read_text())
    certificate = Certificate.from_json(told)
    assert ran.code == 1 and ran.last == told | {"digest": certificate.digest()}
    assert not certificate.certified and any("3 contributors" in reason for reason in certificate.reasons)
    assert certificate.audit == "byline-metagradient" and certificate.loco.queries == 3
    period = json.loads((copy.home / "trainings" / "main" / "attribution.json").read_text())["period"]
    assert certificate.engine == period["method"] != certificate.audit
    assert certificate.drops[0].subsets == 4 and 0 < float(certificate.drops[0].drop) <= 0.1
    assert certificate.retrainings == 4 + 3 + 3 and "sum of 3 outputs" in certificate.notes[1]


def test_a_second_audit_makes_nothing_again(audited, monkeypatch):
    copy, words, ran = audited
    monkeypatch.setattr("byline.app.engine.bank.ProcessPoolExecutor", None)
    monkeypatch.setattr("byline.app.engine.audit.metasmoothness", None)
    monkeypatch.setattr("byline.app.engine.audit.Metagradient.score", None)
    again = copy(*words)
    assert again.last == ran.last


def test_the_truth_is_what_the_retrained_models_say(audited):
    """Without anybody missing it is the recorded model; whoever is left out, it is another one."""
    copy, _, _ = audited
    training = Training.open(Home.open(copy.home), "main")
    kept = [json.loads(line) for line in (folder_of(copy) / "bank.jsonl").read_text().splitlines()]
    passages = json.loads((copy.home / "trainings" / "main" / "attribution.json").read_text())["passages"]
    (whole,) = (line["values"] for line in kept if line["key"] == "whole")
    model = training.model()
    said = [float(measure_query(model, Query(tuple(p["tokens"]), p["start"]))) for p in passages]
    ends = [line["weights"] for line in kept]
    assert whole == pytest.approx(said, abs=1e-6) and len(ends) == 8 and ends.count(ends[0]) == 1


def test_a_torn_line_is_made_again(audited, tmp_path):
    copy, _, _ = audited
    whole = (folder_of(copy) / "bank.jsonl").read_bytes()
    path = tmp_path / "bank.jsonl"
    path.write_bytes(whole[:-20])
    bank = Bank(path, pooled(tmp_path, ()))
    keys = [json.loads(line)["key"] for line in whole.splitlines()]
    assert list(bank.outcomes()) == keys[:-1]
    bank._end_torn_line()
    assert path.read_bytes() == b"".join(line + b"\n" for line in whole.splitlines()[:-1])


def test_below_the_gate_it_refuses_and_says_why(audited, tmp_path):
    copy = audited[0].copy(tmp_path)
    smooth = folder_of(copy) / "smoothness.json"
    smooth.write_text(json.dumps(json.loads(smooth.read_text()) | {"score": 0.9}))
    (copy.home / "trainings" / "main" / "certificate.json").unlink()
    ran = copy("audit", "--contributors", 3, "--subsets", 4)
    assert ran.code == 1 and "[below-gate]" in ran.err and "0.900" in ran.err and "--anyway" in ran.err
    assert not (copy.home / "trainings" / "main" / "certificate.json").exists()


def test_a_gate_that_allows_little_drops_little(audited, tmp_path):
    copy = audited[0].copy(tmp_path)
    smooth = folder_of(copy) / "smoothness.json"
    smooth.write_text(json.dumps(json.loads(smooth.read_text()) | {"score": 0.96}))
    ran = copy(*[word for word in audited[1] if word != "--anyway"])
    assert ran.last["largest_drop"] == "0.020000" and not any("below" in reason for reason in ran.last["reasons"])
    examples = len(open_run(copy.home / "runs" / "main").store.example_ids)
    assert float(ran.last["drops"][0]["drop"]) == pytest.approx(max(1, int(0.02 * examples)) / examples, abs=1e-6)


def test_a_training_that_comes_out_otherwise_is_refused(audited, tmp_path):
    copy = audited[0].copy(tmp_path)
    path = folder_of(copy) / "bank.jsonl"
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    changed = [line | {"weights": "0" * 64} if line["key"] == "whole" else line for line in lines]
    path.write_text("".join(json.dumps(line) + "\n" for line in changed))
    assert "[retraining-differs]" in copy(*audited[1]).err


def test_without_the_tokens_or_a_known_engine_there_is_no_audit(audited, tmp_path):
    copy = audited[0].copy(tmp_path)
    path = copy.home / "trainings" / "main" / "attribution.json"
    told = json.loads(path.read_text())
    path.write_text(json.dumps(told | {"period": told["period"] | {"method": "guesswork"}}))
    assert "[unknown-engine]" in copy(*audited[1]).err
    told["passages"][0].pop("tokens")
    path.write_text(json.dumps(told))
    assert "[unreadable]" in copy(*audited[1]).err
    path.unlink()
    assert "[not-made-yet]" in copy(*audited[1]).err


def test_an_audit_in_words(audited):
    copy, words, _ = audited
    ran = copy(*[word for word in words if word != "--json"])
    assert (
        ran.code == 1 and "NOT certified:" in ran.out and "of the money" in ran.out and "LDS of the engine" in ran.out
    )
