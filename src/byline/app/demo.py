"""The demo: every command in turn, on real text, with one honest number for each promise."""

import resource
import shutil
import time
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from byline.app.answers import attribute, evaluate
from byline.app.attack_run import attack_training
from byline.app.corpus import DemoFiles, write_demo_catalogue
from byline.app.demo_money import afterwards
from byline.app.home import Home, freeze_manifest, read_json, register, write_json
from byline.app.model import Progress, Training, texts_of, train_model
from byline.app.money import STANDARD_POLICY, conservation, pay, read_events, reserve_of
from byline.app.passages import evaluation_passages, generated_passages, held_out_passages, most_recorded
from byline.app.report import write_report
from byline.app.view import NOTICE, made_now, people, report_data
from byline.core import PPB, PPM, AppError
from byline.ledger import Settlement
from byline.training import Recipe

PROMPTS = (
    "The state of the Union is",
    "The Treasury and the public debt",
    "Our relations with foreign nations",
    "The farmers and workers of this country",
    "The Army and the Navy",
    "My fellow Americans, tonight",
)
LEAVE_OUT = 6  # contributors, one retraining each
NAME = "demo"
MARKER, MADE_BY = "demo.json", {"made by": "byline demo"}
MADE = {MARKER, "home.json", "summary.json", "report.html", "byline.db", "byline.db-wal", "byline.db-shm"}
MADE |= {"assets", "bank", "catalogue", "excerpts", "keys", "log", "manifests", "payouts", "runs", "statements"}
MADE |= {"contracts", "filings", "iscc.json", "lookup", "pii", "receipts", "trainings", "votes"}
Tell = Callable[[str], None]


def run_demo(folder: Path, effort: str, today: date, progress: Progress, tell: Tell) -> dict[str, Any]:
    """Everything, in a fresh folder; returns the summary that `byline demo --json` prints.

    Raises: AppError("not-a-demo") if the folder holds something else than an earlier demo.
    """
    started = time.monotonic()
    recipe = Recipe.of(effort)
    home = fresh_home(folder)
    agreed, changed = today - timedelta(days=30), today + timedelta(days=60)
    files = write_demo_catalogue(folder / "catalogue", agreed, changed)
    admit(home, files, today, tell)
    told = train_model(
        home, home.registry.latest_manifest(), recipe, NAME, base=texts_of(files.base), twin=True, progress=progress
    )
    tell(
        f"Trained {told['parameters']:,} parameters: held-out {told['heldout']:.2f} nats per token, single-token "
        f"frequencies {told['unigram']:.2f}. Recording cost {told['overhead_ratio'] - 1:+.1%} CPU time."
    )
    training = Training.open(home, NAME)
    ask(training, today, progress, tell)
    settled = pay(training, _fee(folder, today, changed), STANDARD_POLICY, datetime.now(UTC))
    tell(f"{conservation(settled.settlement)} {NOTICE}")
    later = afterwards(home, files, settled, agreed, changed, tell)
    attacked = cheat(training, progress, tell)
    faults = home.journal.check()
    if faults:
        raise AppError("journal-faults", f"the journal does not compute: {faults[0]}", "keep the folder and report it")
    data = report_data(training, made_now(today, time.monotonic() - started))
    write_report(data, folder / "report.html")
    summary = {
        **_summary(training, settled.settlement, data),
        **later,
        "attacks": attacked,
        "report": str(folder / "report.html"),
        "seconds": {"train": told["cpu_seconds"], "total": time.monotonic() - started},
        "peak_memory_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
    }
    tell(
        f"{summary['verify']['accepted']} of {summary['verify']['statements']} statements verify; one with a digit "
        f"changed was {'refused' if summary['verify']['tampered_refused'] else 'ACCEPTED'}."
    )
    write_json(folder / "summary.json", summary)
    return summary


def admit(home: Home, files: DemoFiles, today: date, tell: Tell) -> None:
    """Register the catalogue, check every work and freeze the admitted ones."""
    counts, problems = register(home, files.works, files.splits, files.opt_outs, today)
    if counts is None:
        raise AppError("demo-catalogue", f"{len(problems)} problems, first: {problems[0]}", "reinstall byline[demo]")
    tell(f"Registered {counts.works} works by {counts.parties} contributors.")
    manifest = freeze_manifest(home, today)
    rules = ", ".join(sorted({decision.rule for decision in manifest.refused}))
    tell(f"Gate: {len(manifest.entries)} works admitted, {len(manifest.refused)} refused ({rules}). {manifest.id}")


def ask(training: Training, today: date, progress: Progress, tell: Tell) -> None:
    """Attribute generated and held-out passages, then measure such answers by retraining."""
    parties = most_recorded(training, LEAVE_OUT)
    passages = generated_passages(training, PROMPTS) + held_out_passages(training, parties[:4], each=1)
    first = attribute(training, passages, progress)["passages"][0]
    lines = sorted(first["contributor"]["shares"]["lines"], key=lambda line: -line["ppb"])[:3]
    behind = ", ".join(f"{line['id']} {line['ppb'] / PPB:.0%}" for line in lines)
    rest = first["contributor"]["shares"]["unattributed_ppb"] / PPB
    tell(f"It wrote, after “{first['title']}”: “{' '.join(first['text'].split())}”")
    tell(f"Behind it, by the sketches: {behind}; unattributed {rest:.0%}.")
    measured = evaluate(training, evaluation_passages(training, parties), parties, today, progress)
    byline, sketch, bm25, chance = (method["spearman"] for method in measured["methods"])
    tell(
        f"Left {len(parties)} contributors out, retrained, and compared: rank correlation {byline:+.2f} "
        f"(sketches {sketch:+.2f}, BM25 {bm25:+.2f}, random {chance:+.2f}); "
        f"lambda {measured['reliability']['lambda_ppm'] / PPM:.2f}. "
        f"Byline {'is ahead of' if byline > bm25 else 'does not beat'} BM25 here."
    )


GAINS = ("gain_undefended", "gain_defended", "gain_if_passed", "bound")


def cheat(training: Training, progress: Progress, tell: Tell) -> dict[str, dict[str, float]]:
    """Every known attack on the pay of this run: its gain without defences and with them, and the bound claimed."""
    found = attack_training(training, progress=progress)
    told = {
        name: {
            "gain_undefended": each.gain_undefended_ppm / PPM,
            "gain_defended": each.gain_defended_ppm / PPM,
            "gain_if_passed": each.gain_if_passed_ppm / PPM,
            "bound": each.bound_ppm / PPM,
        }
        for name, each in found.items()
    }
    tell(
        "What cheating would bring, as a multiple of honest pay: without defences; with them; if whoever is asked to "
        "look at new works lets everything pass; and the bound of the second."
    )
    for name, each in told.items():
        above = "  above the bound" if each["gain_defended"] > each["bound"] else ""
        tell(f"  {name:<18}" + "".join(f" {each[what]:6.2f}" for what in GAINS) + above)
    return told


def _summary(training: Training, settlement: Settlement, data: dict[str, Any]) -> dict[str, Any]:
    """The demo's promises as numbers of this run."""
    told, shown, totals = training.told, people(training, settlement), settlement.totals()
    names = ("byline", "sketch", "bm25", "random")
    ranked = dict(zip(names, (method["spearman"] for method in data["check"]["methods"]), strict=True))
    return {
        "perplexity": {"heldout": data["training"]["perplexity"], "unigram": data["training"]["unigram_perplexity"]},
        "capture": {name: told[name] for name in ("overhead_ratio", "bytes_per_example", "identical_weights")},
        "loco": {"contributors": data["check"]["retrainings"], **ranked},
        "lambda": data["check"]["lambda"],
        "money": {
            "currency": settlement.currency,
            **{f"{what}_nano": str(totals[what]) for what in ("received", "allocated", "held", "commission")},
            "reserve_nano": str(reserve_of(settlement)),  # a part of what is held
        },
        "verify": {key: data["verify"][key] for key in ("statements", "accepted", "tampered_refused")},
        "optout": {"in_manifest": shown["optout"]["in_manifest"], "paid_nano": shown["optout"]["paid_nano"]},
        "copycat": {"gain_nano": shown["copycat_gain_nano"]},
    }


def fresh_home(folder: Path) -> Home:
    """An empty project folder; an earlier demo in it is replaced, anything else is left alone."""
    if folder.is_dir() and any(folder.iterdir()):
        marker, strangers = folder / MARKER, [path.name for path in folder.iterdir() if path.name not in MADE]
        if strangers or not marker.is_file() or read_json(marker, "byline demo") != MADE_BY:
            shown = ", ".join(sorted(strangers)[:3]) or "a project"
            raise AppError("not-a-demo", f"{folder} holds {shown}, which no demo made", "choose another --home")
        shutil.rmtree(folder)
    write_json(folder / MARKER, MADE_BY)
    return Home(folder)


def _fee(folder: Path, today: date, changed: date) -> Any:
    """A licence fee in two instalments: one before the day on which the split changes, one after it."""
    path = folder / "catalogue" / "fee.csv"
    rows = [(today + timedelta(days=1), "600.00"), (changed + timedelta(days=1), "400.00")]
    lines = [f"{received},Example Model Company,{amount},EUR" for received, amount in rows]
    path.write_text("received,licensee,amount,currency\n" + "\n".join(lines) + "\n", encoding="utf-8")
    events, problems = read_events(path)
    if problems:
        raise AppError("demo-catalogue", str(problems[0]), "reinstall byline[demo]")
    return events
