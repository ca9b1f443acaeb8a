"""The commands in order, each with --json, on a project of eight short works."""

import json
import shutil
import subprocess
import sys
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from tiny_project import DAY, byline, files_of, write_events

from byline.core import PPB

PROGRAM = Path(sys.executable).with_name("byline")
COMMANDS = ("register", "check", "freeze", "train", "attribute", "evaluate", "settle", "verify", "report", "demo")
NANO = 10**9


def process(*words):
    """The installed program, as a user starts it."""
    return subprocess.run([PROGRAM, *map(str, words)], capture_output=True, text=True, timeout=120)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(command):
    ran = byline(command, "--help")
    assert ran.code == 0 and "--json" in ran.out and "--home" in ran.out and ran.err == ""


def test_the_program_lists_its_commands():
    ran = process("--help")
    assert ran.returncode == 0 and all(f" {command} " in ran.stdout for command in COMMANDS)


def test_every_command_prints_one_object_on_its_last_line(project):
    assert {command: set(ran.last) for command, ran in project.ran.items()} == {
        "register": {"parties", "works", "splits", "opt_outs"},
        "check": {"admitted", "refused"},
        "freeze": {"manifest", "root", "works", "refused"},
        "train": {
            "name", "run", "manifest", "recipe", "examples", "held_out", "parameters", "unigram", "heldout", "captured",
            "bytes_per_example", "cpu_seconds", "hardware", "overhead_ratio", "identical_weights", "started",
            "opt_out_checkpoint",
        },
        "attribute": {
            "training", "run", "method", "blend", "passages", "period", "period_effects", "period_intervals",
            "period_errors", "period_numbers",
        },
        "evaluate": {"run", "contributors", "methods", "reliability"},
        "settle": {
            "posted", "statements", "settlement", "currency", "received_nano", "allocated_nano", "held_nano",
            "commission_nano", "reserve_nano", "policy_sha256", "contracts", "new_works",
        },
        "report": {"report"},
    }  # fmt: skip


def test_register_and_gate_say_what_was_handed_in(project):
    assert project.ran["register"].last == {"parties": 4, "works": 8, "splits": 1, "opt_outs": 1}
    checked = project.ran["check"].last
    assert checked["admitted"] == 7 and [refused["rule"] for refused in checked["refused"]] == ["opt-out"]
    assert (project.ran["freeze"].last["works"], project.ran["freeze"].last["refused"]) == (7, 1)


def test_training_is_recorded_and_recording_changes_no_weight(project):
    told = project.ran["train"].last
    assert told["identical_weights"] is True and told["overhead_ratio"] > 0
    assert told["manifest"] == project.ran["freeze"].last["manifest"]
    assert (project.home / "runs" / "main" / "manifest.json").is_file()


def test_every_passage_is_divided_without_a_rest_that_nobody_sees(project):
    told = project.ran["attribute"].last
    assert [passage["kind"] for passage in told["passages"]] == ["generated", "held-out", "held-out", "given", "given"]
    tables = [passage[unit]["shares"] for passage in told["passages"] for unit in ("cluster", "work", "contributor")]
    for table in [*tables, told["period"]]:
        assert sum(line["ppb"] for line in table["lines"]) + table["unattributed_ppb"] == PPB
    for passage in told["passages"]:
        assert "".join(segment["text"] for segment in passage["segments"]) == passage["text"]
        assert "Dov Lind" not in passage["contributor"]["scores"]


def test_lambda_is_measured_by_retraining(project):
    told = project.ran["evaluate"].last
    assert len(told["contributors"]) == 2
    methods = [method["method"] for method in told["methods"]]
    assert methods[0] == "byline-gauss-newton-transport" and methods[1].startswith("byline-sketch")
    assert [method.partition("-")[0] for method in methods[2:]] == ["bm25", "random"]
    assert 0 <= told["reliability"]["lambda_ppm"] <= 1_000_000


def test_money_goes_by_the_transport_and_evidence_by_both_channels(project):
    told = project.ran["attribute"].last
    assert told["period"]["method"] == "byline-gauss-newton-transport" != told["method"]
    assert told["blend"]["channels"] == ["gradient", "lexical"]
    for passage in told["passages"]:
        blended = [found["blended"] for found in passage["evidence"]]
        assert 1 <= len(blended) <= 5 and blended == sorted(blended, reverse=True)
        for found in passage["evidence"]:
            assert found["text"] and {"gradient", "lexical", "work", "contributor", "example"} <= set(found)


def test_money_is_conserved_and_every_statement_verifies(project):
    told = project.ran["settle"].last
    amounts = {what: int(told[f"{what}_nano"]) for what in ("received", "allocated", "held", "commission")}
    assert amounts["received"] == 1000 * NANO == amounts["allocated"] + amounts["held"] + amounts["commission"]
    statements = sorted((project.home / "statements").rglob("*.json"))
    assert [path.stem for path in statements] == ["ada-moore", "ben-okoro", "cleo-marsh"]
    assert len(statements) == told["statements"]
    for path in statements:
        ran = project("verify", path, "--json")
        assert ran.code == 0 and ran.last["ok"] is True
    paid = sum(int(json.loads(path.read_text())["statement"]["total"]["nano"]) for path in statements)
    assert paid == amounts["allocated"]


def test_verify_needs_the_file_and_the_key_only(project, tmp_path):
    statement = next((project.home / "statements").rglob("*.json"))
    shutil.copy(statement, tmp_path / "mine.json")
    shutil.copy(project.home / "keys" / "byline.pub", tmp_path / "byline.pub")
    ran = process("verify", tmp_path / "mine.json", "--key", tmp_path / "byline.pub", "--home", tmp_path / "none")
    assert ran.returncode == 0 and "The statement holds." in ran.stdout and ran.stderr == ""


def test_the_report_is_one_page_that_names_the_contributors(project):
    page = Path(project.ran["report"].last["report"]).read_text(encoding="utf-8")
    assert page.lstrip().startswith("<!doctype html>")
    assert all(name in page for name in ("Ada Moore", "Ben Okoro", "Cleo Marsh"))


def test_without_json_each_command_speaks_in_sentences(project, tmp_path):
    copy = project.copy(tmp_path)
    later = write_events(tmp_path / "later.csv", (DAY + timedelta(days=2), "Model Co", "9.99", "EUR"))
    said = {
        ("register", project.files / "works.csv"): "Added 0 parties, 0 works",
        ("check",): "7 works admitted, 1 refused.",
        ("freeze",): project.ran["freeze"].last["root"],
        ("attribute", project.files / "ask.txt"): "unattributed",
        ("settle", later, "--dry-run"): "9.99 EUR received",
        ("report", "--to", tmp_path / "page.html"): "page.html",
    }
    for words, sentence in said.items():
        ran = copy(*words)
        assert ran.code == 0 and sentence in ran.out, ran
    assert (tmp_path / "page.html").is_file()


def test_settling_twice_pays_once(project, tmp_path):
    copy = project.copy(tmp_path)
    again = copy("settle", project.files / "events.csv", "--json")
    assert again.code == 0 and again.last == project.ran["settle"].last | {"posted": False}


def test_a_dry_run_shows_the_same_division_and_writes_nothing(project, tmp_path):
    copy = project.copy(tmp_path)
    before = files_of(copy.home)
    later = write_events(tmp_path / "later.csv", (DAY + timedelta(days=2), "Model Co", "9.99", "EUR"))
    dry = copy("settle", later, "--dry-run", "--json")
    assert dry.last["posted"] is False and dry.last["statements"] == 0 and files_of(copy.home) == before
    real = copy("settle", later, "--json")
    assert real.last["posted"] is True and real.last["settlement"] == dry.last["settlement"]


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_the_same_records_on_postgresql(project, database_url, tmp_path):
    """Only the database differs, so the works, the manifest and every amount are the same."""
    copy, files = project.copy(tmp_path), project.files
    for path in copy.home.glob("byline.db*"):
        path.unlink()
    shutil.rmtree(copy.home / "statements")
    there = ("--database", database_url, "--json")
    tables = ("--splits", files / "splits.csv", "--opt-outs", files / "opt-outs.csv")
    assert copy("register", files / "works.csv", *tables, *there).last == project.ran["register"].last
    assert copy("check", *there).last == project.ran["check"].last
    assert copy("freeze", *there).last == project.ran["freeze"].last
    settled = copy("settle", files / "events.csv", *there)
    assert settled.code == 0 and settled.last == project.ran["settle"].last
    assert not list(copy.home.glob("byline.db*"))


def test_a_usage_error_is_exit_code_2():
    ran = process("register", "--no-such-option")
    assert ran.returncode == 2 and "--no-such-option" in ran.stderr and "Traceback" not in ran.stderr


def test_amounts_on_the_command_line_are_exact(project, tmp_path):
    amount = "123456789.123456789"
    later = write_events(tmp_path / "later.csv", (DAY + timedelta(days=2), "Model Co", amount, "EUR"))
    ran = project("settle", later, "--dry-run", "--json")
    assert Decimal(ran.last["received_nano"]) / NANO == Decimal(amount)
