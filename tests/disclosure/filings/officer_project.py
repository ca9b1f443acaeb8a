"""A project as an officer has it, with a training, made without training anything; and the program's own `main`."""

import contextlib
import csv
import io
import json
import sys
from datetime import date

from byline.app.cli import main
from byline.app.home import Home, register

FROZEN = date(2026, 11, 21)


def byline(*words):
    out, err, before = io.StringIO(), io.StringIO(), sys.argv
    sys.argv = ["byline", *words]
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            main()
    except SystemExit as leave:
        return leave.code or 0, out.getvalue() + err.getvalue()
    finally:
        sys.argv = before
    raise RuntimeError("main() returned")


def a_project(folder):
    """Seven works of three contributors, one of whom has said no, and a training of the six others' works."""
    people = {"Ada Moore": "river bank", "Ben Okoro": "star moon", "Cleo Marsh": "bread oven", "Dov Lind": "wool loom"}
    rows = [["path", "title", "contributor", "role", "created", "source", "licence"]]
    for name, words in people.items():
        for number in (1, 2):
            title = f"{name.split()[0]} {number}"
            text = " ".join(f"{word} {n * number}" for n in range(120) for word in words.split())
            (folder / f"{title}.txt").write_text(text, encoding="utf-8")
            source = f"https://{name.split()[0].lower()}{number}.example.org/"
            rows.append([f"{title}.txt", title, name, "author", "2020-01-01", source, "CC0-1.0"])
    with (folder / "works.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows(rows[:-1])
    (folder / "opt-outs.csv").write_text(
        "contributor,title,effective,recorded,reason\nDov Lind,,2020-01-01,2020-01-01,no\n", encoding="utf-8"
    )
    home = Home(folder / "byline-home")
    counts, problems = register(home, folder / "works.csv", None, folder / "opt-outs.csv", date(2026, 11, 1))
    assert counts and not problems
    return home


def trained(home, manifest, name="main"):
    """What a training leaves behind, as far as filings read it."""
    told = {"run": "run:00000000000000000000", "manifest": manifest.id, "examples": 14, "parameters": 1000}
    told |= {"losses": [], "heldout": 1.0, "unigram": 2.0, "hardware": "none"}
    folder = home.training(name)
    folder.mkdir(parents=True)
    (folder / "training.json").write_text(json.dumps(told), encoding="utf-8")
    header = json.dumps({"examples": {"dtype": "I64", "shape": [14, 8], "data_offsets": [0, 0]}}).encode()
    (folder / "tokens.safetensors").write_bytes(len(header).to_bytes(8, "little") + header)
