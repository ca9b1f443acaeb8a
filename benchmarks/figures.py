"""The figures in the README, made from kept results: no number is typed by hand.

    python benchmarks/figures.py                              # README.md from benchmarks/results/
    python benchmarks/figures.py byline-demo/summary.json     # keep the summary of a demo first
    python benchmarks/figures.py attacks FILE "What was attacked."    # keep what `byline attack --json` printed

A test compares the README with what this prints.
"""

import datetime
import json
import os
import platform
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"
DEMO = ROOT / "benchmarks" / "results" / "demo.json"
START, END = "<!-- figures -->\n", "<!-- /figures -->\n"
BENCH_START, BENCH_END = "<!-- bench -->\n", "<!-- /bench -->\n"
ATTACK_START, ATTACK_END = "<!-- attacks -->\n", "<!-- /attacks -->\n"
RESULTS = ROOT / "benchmarks" / "results"
TASKS = {
    "finetune": "language model, trained on from a base model; 20 presidents",
    "scratch": "the same from random weights, every retraining with a fresh seed",
    "digits": "image classifier",
    "diffusion": "image diffusion model",
}


def keep(summary, to=DEMO):
    """Keep a demo's summary with the day, the commit and the machine."""
    told = json.loads(Path(summary).read_text(encoding="utf-8"))
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    told["date"], told["commit"] = datetime.date.today().isoformat(), commit.stdout.strip()
    told["hardware"] = (
        f"{os.cpu_count()} x {platform.machine()}, {platform.system()}, Python {platform.python_version()}"
    )
    to.parent.mkdir(exist_ok=True)
    to.write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")


def table(told):
    """Markdown of one demo's figures."""
    loco, money = told["loco"], told["money"]
    rank = f"rank correlation with retraining, {loco['contributors']} contributors left out"
    rows = [
        (f"**Byline**: {rank}", f"**{loco['byline']:.2f}**"),
        ("the sketches behind the evidence list: the same", two(loco.get("sketch"))),
        ("BM25 (lexical similarity): the same", f"{loco['bm25']:.2f}"),
        ("random scores: the same", f"{loco['random']:.2f}"),
        ("lambda, the part of the pot that follows attribution", f"{told['lambda']:.2f}"),
        ("CPU time of the training loop with the recorder, over without", f"{told['capture']['overhead_ratio']:.2f}"),
        ("feature store, bytes per example and visit", f"{told['capture']['bytes_per_example']:,}"),
        ("perplexity on held-out passages (single-token frequencies)", perplexity(told["perplexity"])),
        (f"statements that verify, of {told['verify']['statements']}", f"{told['verify']['accepted']}"),
        (
            "paid to the contributor who said no; gained by the copycat",
            f"{told['optout']['paid_nano']}; {copied(told)}",
        ),
        (f"received = allocated + held + commission, in nano-{money['currency']}", sums(money)),
        ("seconds for everything", f"{told['seconds']['total']:.0f}"),
    ]
    lines = [
        "| measured in one run of `byline demo` | |",
        "|---|---|",
        *(f"| {what} | {number} |" for what, number in rows),
    ]
    ahead = "is ahead of" if loco["byline"] > loco["bm25"] else "does not beat"
    made = f"Byline {ahead} BM25 in this run. {told['date']}, commit {told['commit']}, {told['hardware']}."
    return "\n".join([*lines, "", made]) + "\n"


def perplexity(told):
    return f"{told['heldout']:.0f} ({told['unigram']:.0f})"


def copied(told):
    return told["copycat"]["gain_nano"]


def sums(money):
    received, *parts = (int(money[f"{what}_nano"]) for what in ("received", "allocated", "held", "commission"))
    return "exact" if received == sum(parts) else f"off by {received - sum(parts)}"


def bench(results=RESULTS):
    """Markdown of the bench: one table per task, methods by how well they predict retraining."""
    parts = []
    for name, title in TASKS.items():
        path = results / f"bench-{name}.json"
        if path.is_file():
            parts.append(bench_table(title, json.loads(path.read_text(encoding="utf-8"))))
    return "\n".join(parts) or "Not measured yet: `make bench`.\n"


def bench_table(title, told):
    main, other = ("50 %", "10 %") if told["truth"]["fresh_seeds"] else ("10 %", "50 %")
    lines = [
        f"**{title[0].upper()}{title[1:]}**: {told['truth']['retrainings']} retrainings, "
        f"{told['truth']['queries']} queries",
        "",
        f"| method | LDS, {main} left out | {other} | one contributor left out: Pearson | slope | top-1 | cover "
        "| epochs |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for method, row in told["methods"].items():
        if row.get("lds") is not None:
            bold = "**" if method.startswith("byline") else ""
            cells = (
                f"{bold}{method}{bold}",
                f"{bold}{row['lds']:.2f}{bold} ± {row['lds_se']:.2f}",
                two(row.get(f"lds_{other.split()[0]}")),
                two(row.get("loco_pearson")),
                two(row.get("slope")),
                two(row.get("top1")),
                two(row.get("coverage")),
                f"{row['cost_epochs']:.1f}",
            )
            lines.append(f"| {' | '.join(cells)} |")
    made = f"{told['date']}, commit {told['commit']}, {told['hardware']}."
    return "\n".join([*lines, "", f"{ceilings(told['truth'])}{made}"]) + "\n"


def ceilings(truth):
    known = {drop: truth[drop].get("ceiling") for drop in ("10%", "50%") if drop in truth}
    told = ", ".join(f"{value:.2f} at {drop.replace('%', ' %')}" for drop, value in known.items() if value)
    return f"Ceiling set by the noise of retraining: {told}. " if told else ""


def two(number):
    return "" if number is None else f"{number:.2f}"


def between(text, start, end, figures):
    before, _, rest = text.partition(start)
    _, _, after = rest.partition(end)
    return f"{before}{start}{figures}{end}{after}"


def attacks(path=RESULTS / "attack.json"):
    """Markdown of the attacks: what `byline attack --json` printed, kept with `keep`."""
    if not path.is_file():
        return "Not measured yet: `byline attack --json`.\n"
    told = json.loads(path.read_text(encoding="utf-8"))
    lines = [
        "| attack | gain without defences | with | if all is let pass | bound | what it is |",
        "|---|---|---|---|---|---|",
    ]
    for name, each in told["attacks"].items():
        over = ", exceeded" if each["gain_defended"] > each["bound"] else ""
        shown = [f"{each[name]:.2f}" for name in ("gain_undefended", "gain_defended", "gain_if_passed", "bound")]
        gains = (shown[0], f"**{shown[1]}**", shown[2], shown[3] + over)
        lines.append(f"| {name} | {' | '.join(gains)} | {each['says']} |")
    made = f"{told['world']} {told['date']}, commit {told['commit']}, {told['hardware']}."
    return "\n".join([*lines, "", made]) + "\n"


def written(text, path=DEMO):
    """The README's text with the figures of the kept results, if there are any, in their places."""
    demo = table(json.loads(path.read_text(encoding="utf-8"))) if path.is_file() else "Not measured yet: `make demo`.\n"
    text = between(text, ATTACK_START, ATTACK_END, attacks())
    return between(between(text, START, END, demo), BENCH_START, BENCH_END, bench())


def keep_attacks(printed, world, to=RESULTS / "attack.json"):
    """What `byline attack --json` printed, with the world that it says was attacked."""
    part = to.with_name(to.name + ".part")
    told = json.loads(Path(printed).read_text(encoding="utf-8").splitlines()[-1])
    part.write_text(json.dumps({"world": world, "attacks": told}), encoding="utf-8")
    keep(part, to)
    part.unlink()


if __name__ == "__main__":
    if sys.argv[1:2] == ["attacks"]:
        keep_attacks(*sys.argv[2:])
    elif sys.argv[1:]:
        keep(sys.argv[1])
    README.write_text(written(README.read_text(encoding="utf-8")), encoding="utf-8")
