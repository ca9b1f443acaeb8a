"""The import rules hold in this tree and a breach of any of them fails; what needs no tensors starts without torch."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import byline

ROOT = Path(__file__).parents[1]
LINT = Path(sys.executable).with_name("lint-imports")
RECORDS = ("core", "registry", "store", "gate", "ledger", "disclosure", "cooperative")
BREACHES = {
    "upwards": ("core/ids.py", "import byline.ledger", "Rooms import downwards only"),
    "sideways": ("gate/licence.py", "import byline.lookup", "Rooms import downwards only"),
    "a room that no layer names": ("spare/__init__.py", "", "Rooms import downwards only"),
    "records and torch": ("ledger/allocate.py", "import torch", "Records never import tensors"),
    "records and torch, over another room": ("registry/rows.py", "import torch", "Records never import tensors"),
    "transformers outside training": ("capture/hooks.py", "import transformers", "Model libraries stay in training"),
    "a score that sees money": ("attribution/shares.py", "import byline.ledger", "Nothing that computes a score"),
    "a retraining that sees money": (
        "training/retrain.py",
        "import byline.disclosure",
        "Nothing that computes a score",
    ),
}


def lint(folder):
    return subprocess.run([LINT, "--no-cache"], cwd=folder, capture_output=True, text=True, timeout=120)


def loaded_after(code):
    """Names of the modules that are loaded after `code` has run in a fresh interpreter."""
    code = f"import sys\n{code}\nsys.stdout.write(' '.join(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return set(done.stdout.splitlines()[-1].split())


@pytest.fixture
def copy(tmp_path):
    """The package and its contracts, in a folder of their own: the linter reads that copy, not the installed one."""
    shutil.copytree(ROOT / "src" / "byline", tmp_path / "byline", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def test_the_tree_keeps_every_contract(copy):
    done = lint(copy)
    assert done.returncode == 0 and "4 kept, 0 broken" in done.stdout, done.stdout


@pytest.mark.parametrize("breach", BREACHES)
def test_a_planted_breach_fails(copy, breach):
    file, line, contract = BREACHES[breach]
    path = copy / "byline" / file
    path.parent.mkdir(exist_ok=True)
    before = path.read_text(encoding="utf-8") if path.exists() else ""
    path.write_text(f"{before}\n{line}\n", encoding="utf-8")
    done = lint(copy)
    assert done.returncode != 0
    assert any(name.startswith(contract) and "BROKEN" in name for name in done.stdout.splitlines()), done.stdout


def test_records_load_no_tensors():
    loaded = loaded_after("import " + ", ".join(f"byline.{room}" for room in RECORDS))
    assert {f"byline.{room}" for room in RECORDS} <= loaded
    assert loaded.isdisjoint({"torch", "transformers", "tokenizers"})


def test_the_package_gives_its_names_only_when_they_are_used():
    assert loaded_after("import byline").isdisjoint({"torch", "byline.capture"})
    assert {"torch", "byline.capture"} <= loaded_after("from byline import Recorder")
    from byline.attribution import Subject, open_run
    from byline.capture import Projector, Recorder

    assert (byline.Recorder, byline.Projector, byline.open_run) == (Recorder, Projector, open_run)
    assert byline.Subject is Subject
    assert sorted(byline.__all__) == ["Projector", "Recorder", "Subject", "open_run"]
    with pytest.raises(AttributeError, match="Recorde"):
        _ = byline.Recorde


@pytest.mark.parametrize(
    "command", ["verify statement.json", "register --help", "register works.csv", "check", "freeze"]
)
def test_commands_about_records_start_without_torch(command, tmp_path):
    words = [*command.split(), *([] if "--help" in command else ["--home", str(tmp_path / "none")])]
    code = (
        f"sys.argv = ['byline', *{words!r}]\nfrom byline.app.cli import main\ntry: main()\nexcept SystemExit: print()"
    )
    loaded = loaded_after(code)
    assert "byline.app.cli" in loaded and loaded.isdisjoint({"torch", "transformers", "tokenizers"})
