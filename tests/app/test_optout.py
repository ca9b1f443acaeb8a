"""Opt-outs and claims from the command line: a line each, receipts that verify, and no proof that lies passes."""

import copy
import json
import shutil
import subprocess
import sys
from datetime import date, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_project import byline, write_catalogue, write_csv

from byline.app import notices
from byline.app.exclusion import begin_run, finish_run, prove_exclusion
from byline.app.home import Home, check, freeze_manifest, register
from byline.core import AppError, BylineError, Verdict, sha256_hex
from byline.disclosure import (
    create_key,
    prove_growth,
    seal_exclusion,
    sign_statement,
    verify_exclusion,
    verify_file,
    write_statement,
)

ROOT = Path(__file__).parents[2]
TODAY = date.today()


def trained(home, name="main", weights="ab" * 32):
    """What `byline train` does about records, without training: begin, and sign what was trained."""
    manifest = home.registry.latest_manifest()
    begun = begin_run(home, manifest)
    told = {"run": f"run:{sha256_hex(name.encode())[:20]}", "name": name, "manifest": manifest.id}
    finish_run(home, manifest, begun, told, weights)
    (home.training(name) / "training.json").write_text(json.dumps(told))
    return begun


def fresh(folder):
    files = write_catalogue(folder / "catalogue")
    home = Home(folder / "home")
    counts, problems = register(home, files / "works.csv", files / "splits.csv", files / "opt-outs.csv", TODAY)
    assert counts is not None and problems == []
    return home


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """Eight works; Dov's no came with the catalogue, Cleo said hers on the command line, then a model was trained."""
    home = fresh(tmp_path_factory.mktemp("world"))
    ran = byline("optout", "Cleo 1", "--by", "Cleo Marsh", "--home", home.path, "--json")
    assert ran.code == 0, ran.err
    freeze_manifest(home, TODAY)
    trained(home)
    return home


@pytest.fixture
def place(world, tmp_path):
    return Home(Path(shutil.copytree(world.path, tmp_path / "home")))


@pytest.fixture(scope="module")
def proof(world):
    return prove_exclusion(world, "Cleo 1", "main")


def run(place, *words):
    return byline(*words, "--home", place.path)


def told(place, *words):
    ran = byline(*words, "--home", place.path, "--json")
    assert ran.code == 0, ran.err
    return ran.last


def refused(home, on=TODAY):
    return {home.works[d.work].title for d in check(home, on)[0] if d.verdict is Verdict.REFUSE}


# --- saying it ---------------------------------------------------------------------------------------------------


def test_a_no_is_as_short_as_a_yes():
    """The same options in the same order, so that neither is harder to find."""
    helps = [byline(command, "--help").out for command in ("optout", "claim")]
    options = [[word for word in text.split() if word.startswith("--")] for text in helps]
    assert options[0] == options[1] and "--by" in options[0]


def test_a_no_blocks_at_once_before_anybody_has_checked_it(place):
    before = refused(place)
    said = told(place, "optout", "Ada 1", "--by", "Ada Moore")["notices"][0]
    assert told(place, "notice", said["id"])["level"] == "none"
    assert refused(place) - before == {"Ada 1"}


@pytest.mark.parametrize(
    ("target", "titles"),
    [
        ("account:Ben Okoro", {"Ben 1", "Ben 2"}),
        ("contributor:Ben Okoro", {"Ben 1", "Ben 2", "Both"}),
        ("collection:test", {"Ada 1", "Ada 2", "Ben 1", "Ben 2", "Cleo 1", "Cleo 2", "Both", "Dov 1"}),
        ("domain:example.org", set()),
    ],
)
def test_the_gate_honours_each_kind_of_target(place, target, titles):
    assert {place.works[w].title for w in told(place, "optout", target, "--by", "X")["notices"][0]["works"]} == titles
    assert refused(place) >= titles


def test_the_gate_honours_a_file_and_an_iscc(place, tmp_path):
    pytest.importorskip("iscc_core")
    text = place.registry.text(next(w.id for w in place.works.values() if w.title == "Ben 1"))
    (tmp_path / "mine.txt").write_text(text, encoding="utf-8")
    assert len(told(place, "optout", str(tmp_path / "mine.txt"), "--by", "Ben")["notices"][0]["works"]) == 1
    from byline.registry import text_units

    other = place.registry.text(next(w.id for w in place.works.values() if w.title == "Ada 2"))
    code = text_units(other.upper(), b"another file").content
    found = told(place, "optout", f"ISCC:{code}", "--by", "Ada")["notices"][0]
    assert [place.works[w].title for w in found["works"]] == ["Ada 2"]
    assert refused(place) >= {"Ben 1", "Ada 2"}


def test_a_no_to_search_alone_stops_no_training(place):
    before = refused(place)
    told(place, "optout", "Ada 1", "--by", "Ada Moore", "--uses", "search")
    assert refused(place) == before


def test_a_no_of_some_days_holds_on_those(place):
    until = TODAY + timedelta(days=5)
    told(place, "optout", "Ada 1", "--by", "Ada", "--from", TODAY + timedelta(days=2), "--until", until)
    assert [("Ada 1" in refused(place, TODAY + timedelta(days=n))) for n in (1, 2, 5, 6)] == [False, True, True, False]


def test_a_yes_lifts_nobodys_no(place):
    told(place, "claim", "Cleo 1", "--by", "Somebody Else")
    assert "Cleo 1" in refused(place)
    mine = next(n for n in told(place, "optout")["notices"] if "Cleo" in (told(place, "notice", n["id"])["by"] or ""))
    assert len(told(place, "notice", mine["id"])["conflicts"]) == 1


def test_saying_it_twice_records_it_once(place):
    first = told(place, "optout", "Ada 1", "--by", "Ada Moore")
    again = told(place, "optout", "Ada 1", "--by", "Ada Moore")
    assert (first["new"], again["new"]) == (1, 0)
    assert first["notices"][0]["id"] == again["notices"][0]["id"]


def test_many_at_once_all_or_none(place, tmp_path):
    before = len(place.notices.all())
    bad = write_csv(tmp_path / "bad.csv", ["target", "by"], ["Ada 1", "Ada"], ["None such", ""])
    ran = run(place, "optout", "--bulk", bad)
    assert ran.code == 1 and "bad.csv:3" in ran.err and len(Home(place.path).notices.all()) == before
    good = write_csv(tmp_path / "good.csv", ["target", "uses"], ["Ada 1", "train.gen"], ["domain:a.org", ""])
    found = told(place, "optout", "--bulk", good, "--by", "Ada", "--to", tmp_path / "receipts")
    assert found["new"] == 2
    papers = list((tmp_path / "receipts").glob("*.json"))
    assert len(papers) == 2 and all(verify_file(path, place.public_key).ok for path in papers)


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["optout", "No such title", "--by", "A"], "unknown-target"),
        (["optout", "Ada 1"], "no-name"),
        (["optout", "Ada 1", "--by", "A", "--uses", "fly"], "bad-use"),
        (["optout", "Ada 1", "--by", "A", "--law", "martian"], "unknown-law"),
        (["optout", "Ada 1", "--by", "A", "--evidence", "none.pdf"], "no-file"),
        (["notice", "optout:none"], "no-such-notice"),
        (["notice", "optout:none", "--check", "magic"], "bad-level"),
        (["notice", "optout:none", "--decide", "maybe"], "bad-decision"),
        (["notice", "optout:none", "--decide", "upheld", "--withdraw"], "two-steps"),
        (["prove", "Ada 1", "--run", "none"], "no-run-record"),
        (["prove", "Ada 1"], "work-in-run"),
        (["log", "--since", "none"], "no-file"),
    ],
)
def test_what_cannot_be_done_is_said_with_its_fix(place, words, code):
    ran = run(place, *words)
    assert ran.code == 1 and f"[{code}]" in ran.err and "fix:" in ran.err


# --- what happens to a notice ------------------------------------------------------------------------------------


def notice_of(place, *words):
    return told(place, "optout", *words)["notices"][0]["id"]


def shown(place, notice, way, tmp_path, around='v=spf1 "{}"'):
    path = tmp_path / f"{way}.txt"
    path.write_text(around.format(told(place, "notice", notice)["challenges"][way]))
    return path


def test_a_domain_is_checked_by_what_stands_in_it(place, tmp_path):
    notice = notice_of(place, "domain:example.org", "--by", "Joe")
    other = notice_of(place, "domain:example.net", "--by", "Joe")
    for wrong in (shown(place, other, "domain", tmp_path), shown(place, notice, "contact", tmp_path),
                  shown(place, notice, "domain", tmp_path, "x{}x")):  # fmt: skip
        assert "[not-shown]" in run(place, "notice", notice, "--check", "domain", "--shown", wrong).err
    right = shown(place, notice, "domain", tmp_path)
    assert told(place, "notice", notice, "--check", "domain", "--shown", right)["level"] == "domain"
    (receipt,) = (place.path / "receipts").glob(f"{notice.replace(':', '-')}.1-*.json")
    assert verify_file(receipt, place.public_key).ok


def test_identity_needs_somebody_who_saw_a_document(place, tmp_path):
    notice = notice_of(place, "Ada 1", "--by", "Ada Moore")
    assert "[no-decider]" in run(place, "notice", notice, "--check", "identity").err
    (tmp_path / "passport.pdf").write_bytes(b"%PDF")
    words = ("--check", "identity", "--decided-by", "Officer", "--evidence", tmp_path / "passport.pdf")
    assert told(place, "notice", notice, *words)["level"] == "identity"


def test_only_who_gave_it_withdraws_it(place, tmp_path):
    notice = notice_of(place, "Ada 1", "--by", "Ada Moore")
    assert "[not-theirs]" in run(place, "notice", notice, "--withdraw", "--by", "Eve").err
    told(place, "notice", notice, "--check", "contact", "--shown", shown(place, notice, "contact", tmp_path))
    assert "[not-shown]" in run(place, "notice", notice, "--withdraw", "--by", "Ada Moore").err
    assert "Ada 1" in refused(place)
    paper = shown(place, notice, "withdraw", tmp_path)
    done = told(place, "notice", notice, "--withdraw", "--by", "Ada Moore", "--shown", paper)
    assert done["status"] == "withdrawn" and "Ada 1" not in refused(place)
    (receipt,) = (place.path / "receipts").glob(f"{notice.replace(':', '-')}.2-*.json")
    assert verify_file(receipt, place.public_key).ok
    assert json.loads(receipt.read_text())["seal"]["kind"] == "withdrawal"


def test_a_no_from_a_catalogue_is_withdrawn_like_any_other(place):
    assert "Dov 1" in refused(place)
    (mine,) = [n for n in told(place, "optout")["notices"] if n["target"].startswith("contributor:")]
    told(place, "notice", mine["id"], "--withdraw", "--by", "Dov Lind")
    assert "Dov 1" not in refused(place)
    freeze_manifest(Home(place.path), TODAY)  # adopts catalogues again
    assert "Dov 1" not in refused(Home(place.path))


def test_every_model_is_told_apart_and_nothing_is_said_to_be_removed(place):
    notice = notice_of(place, "Ada 1", "--by", "Ada Moore")
    (model,) = told(place, "notice", notice)["models"]
    assert (model["name"], model["state"], model["owed"]) == ("main", "still in the weights", "removal")
    (clean,) = told(place, "notice", told(place, "optout")["notices"][1]["id"])["models"]
    assert (clean["state"], clean["owed"], clean["works"]) == ("not in it", "", [])
    text = run(place, "notice", notice).out
    assert "none removed yet" in text and "still in the weights" in text


def test_after_erasing_nothing_names_the_person_and_the_no_holds(place):
    notice = notice_of(place, "Ada 1", "--by", "Zebedee Quixotic", "--contact", "z@quixotic.example")
    log = (place.path / "log/leaves").read_bytes() + (place.path / "log/checkpoint").read_bytes()
    assert b"uixotic" not in log
    ran = told(place, "notice", notice, "--forget")
    assert ran["by"] is None and ran["in_force"] and ran["challenges"] == {}
    files = [path for path in place.path.rglob("*") if path.is_file()]
    assert [path for path in files if b"uixotic" in path.read_bytes()] == []
    assert (place.path / "log/leaves").read_bytes().startswith(log[:64]) and "Ada 1" in refused(place)


def test_a_process_killed_before_the_receipt_leaves_a_no_that_holds(place, monkeypatch):
    def killed(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(notices, "issue_receipts", killed)
        notices.give(place, notices.NoticeKind.OPT_OUT, [wish(place, "Ada 1")], notices.moment())
    (waiting,) = [d for d in place.notices.all() if d.receipt() is None]
    assert "Ada 1" in refused(place)
    assert notices.issue_receipts(place) == 1 and notices.issue_receipts(place) == 0
    assert verify_file(notices.receipt_path(place, waiting.notice.id), place.public_key).ok


def wish(home, title):
    from byline.registry import Defaults, read_target

    return Defaults("Ada", TODAY).wish(read_target(title, notices.names(home)))


# --- training ----------------------------------------------------------------------------------------------------


def test_a_manifest_with_a_work_that_was_opted_out_since_is_not_trained_on(place):
    told(place, "optout", "Ben 1", "--by", "Ben Okoro")
    with pytest.raises(AppError) as fault:
        begin_run(place, place.registry.latest_manifest())
    assert fault.value.code == "opted-out-since" and "'Ben 1'" in fault.value.message
    freeze_manifest(place, TODAY)
    trained(place, "again")
    assert verify_exclusion(prove_exclusion(place, "Ben 1", "again"), place.key.public).ok


def test_the_manifest_and_the_run_carry_the_head_and_the_root(world):
    from byline.registry import Snapshot, TrainingRun

    (snapshot,) = world.registry.evidence.in_force(Snapshot, TODAY)
    (run,) = world.registry.evidence.in_force(TrainingRun, TODAY)
    body = json.loads((world.training("main") / "run.json").read_text())["statement"]
    assert snapshot.decision_root == run.decision_root == body["decision_root"]
    assert run.opt_out_checkpoint == body["checkpoint"] and snapshot.opt_out_checkpoint.startswith("byline.local")
    assert verify_file(world.training("main") / "run.json", world.public_key).ok


# --- proof of exclusion ------------------------------------------------------------------------------------------


def failed(proof, key):
    return [check.name for check in verify_exclusion(proof, key).checks if not check.ok]


@pytest.mark.parametrize("title", ["Cleo 1", "Dov 1"])
def test_a_proof_verifies_from_its_file_and_the_public_key(world, title, tmp_path):
    done = told(world, "prove", title, "--to", tmp_path / "proof.json")
    assert done["verified"] is True
    key = shutil.copy(world.public_key, tmp_path / "byline.pub")
    ran = byline("verify", tmp_path / "proof.json", "--key", key)
    assert ran.code == 0 and "The proof holds." in ran.out


def test_a_file_that_was_never_registered_has_its_proof_too(place, tmp_path):
    (tmp_path / "mine.txt").write_text("never handed in")
    told(place, "optout", tmp_path / "mine.txt", "--by", "Ada")
    freeze_manifest(place, TODAY)
    trained(place, "again")
    found = prove_exclusion(place, str(tmp_path / "mine.txt"), "again")
    assert found["work"] is None and verify_exclusion(found, place.key.public).ok
    assert found["content"]["word"] == sha256_hex(b"never handed in")
    for wrong in ({"work": next(iter(place.works))}, {"content": {**found["content"], "word": "00" * 32}}):
        assert failed(found | wrong, place.key.public)


def leaves(value, path=()):
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else None
    if items is None:
        yield path, value
    else:
        for name, item in items:
            yield from leaves(item, (*path, name))


def changed(document, path, value):
    forged = copy.deepcopy(document)
    at = forged
    for step in path[:-1]:
        at = at[step]
    at[path[-1]] = value
    return forged


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_any_changed_character_of_any_value_is_refused_and_its_part_named(world, proof, data):
    path, value = data.draw(st.sampled_from(sorted(leaves(proof), key=str)))
    text = value if isinstance(value, str) else json.dumps(value)
    at = data.draw(st.integers(0, max(len(text) - 1, 0)))
    letter = data.draw(st.sampled_from(sorted(set("0123456789abcdefABCDEF+/= .-é\n") - set(text[at : at + 1]))))
    text = text[:at] + letter + text[at + 1 :]
    if not isinstance(value, str):
        try:
            text = json.loads(text)
        except ValueError:
            return
        if text == value and type(text) is type(value):
            return
    verification = verify_exclusion(changed(proof, path, text), world.key.public)
    assert not verification.ok
    if path[0] not in ("format", "work"):
        assert verification.changed is not None and verification.changed.startswith(f"/{path[0]}")


def test_a_receipt_for_another_work_proves_nothing_here(world, proof):
    other = prove_exclusion(world, "Dov 1", "main")
    assert "decision" in failed(proof | {k: other[k] for k in ("opt_out", "in_log", "in_force")}, world.key.public)
    assert failed(proof | {"opt_out": other["opt_out"]}, world.key.public)
    assert failed(proof | {"work": other["work"]}, world.key.public)
    assert failed(proof | {"absence": other["absence"]}, world.key.public)
    assert failed(proof | {"decision": other["decision"]}, world.key.public)


def test_a_receipt_of_another_kind_under_the_same_key_proves_nothing(world, proof):
    assert "kinds" in failed(proof | {"opt_out": proof["run"]}, world.key.public)
    assert "kinds" in failed(proof | {"run": proof["opt_out"]}, world.key.public)


def test_a_proof_for_another_run_is_refused(place, proof):
    told(place, "optout", "Ben 2", "--by", "Ben Okoro")
    freeze_manifest(place, TODAY)
    trained(place, "again")
    other = prove_exclusion(place, "Cleo 1", "again")
    assert failed(proof | {"run": other["run"]}, place.key.public)
    assert failed(other | {"run": proof["run"]}, place.key.public)


def test_a_no_that_came_after_the_run_began_is_not_in_its_proof(place):
    """The head that the run carries is older than the receipt: nothing leads from one to the other."""
    (mine,) = [d for d in place.notices.all() if d.notice.target.value == place_id(place, "Cleo 1")]
    told(place, "notice", mine.notice.id, "--withdraw", "--by", "Cleo Marsh")
    told(place, "optout", "Cleo 1", "--by", "Cleo Marsh", "--reason", "again")
    late = json.loads(
        sorted((place.path / "receipts").glob("optout-*.json"), key=lambda p: p.stat().st_mtime)[-1].read_text()
    )
    proof = prove_exclusion(place, "Cleo 1", "main")  # the first notice was in force then, whatever came later
    assert proof["opt_out"]["digest"] != late["digest"]
    assert {"in_log", "in_force"} <= set(failed(proof | {"opt_out": late}, place.key.public))


def place_id(place, title):
    return next(work.id for work in place.works.values() if work.title == title)


def test_a_wrong_key_is_refused(world, proof, tmp_path):
    other = create_key(tmp_path / "keys", world.key.name)
    assert {"run", "opt_out"} <= set(failed(proof, other.public))


def test_a_run_signed_under_an_old_head_of_a_forked_log_is_refused(place, proof):
    """The operator signs the same run again under a head of another history: no path leads from one to the other."""
    body = dict(proof["run"]["statement"])
    fork = place.log.__class__(place.path / "fork")
    fork.append_all("filing", [sha256_hex(str(n).encode()) for n in range(40)])
    resigned = sign_statement(body, fork, place.key, "run")
    assert failed(sealed(proof | {"run": resigned}, place), place.key.public) == ["consistency"]


def test_a_run_that_claims_another_manifest_shows_no_absence(place, proof):
    """An operator who signs a false record must sign it: the paths of the true one do not fit it."""
    lie = {**proof["run"]["statement"], "manifest_root": "00" * 32, "contents_root": "11" * 32}
    resigned = sign_statement(lie, place.log, place.key, "run")
    assert {"absence", "content"} <= set(failed(sealed(proof | {"run": resigned}, place), place.key.public))


def sealed(proof, place):
    """By an operator who lies, with the right key."""
    return seal_exclusion(
        {name: part for name, part in proof.items() if name not in ("digest", "signature")}, place.key
    )


BROKEN = [{}, {"format": "byline-exclusion-1"}, {"run": 7}, {"opt_out": None}, {"in_log": []}, {"absence": {}}]
BROKEN += [{"content": None}, {"consistency": "00"}, {"decision": 1}]


@pytest.mark.parametrize("broken", BROKEN)
def test_broken_proofs_are_refused_and_do_not_crash(world, proof, broken):
    told = proof | broken if broken and set(broken) != {"format"} else broken
    assert not verify_exclusion(told, world.key.public).ok


# --- the independent verifier ------------------------------------------------------------------------------------


def independent(*words):
    command = [sys.executable, "-W", "error", str(ROOT / "examples" / "verify_receipt.py"), *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60)


def test_the_independent_verifier_is_short_and_shares_no_code():
    text = (ROOT / "examples" / "verify_receipt.py").read_text()
    assert len(text.splitlines()) < 120
    imports = {line.split()[1] for line in text.splitlines() if line.startswith(("import", "from"))}
    assert not any(name.startswith("byline") for name in imports)


def test_the_independent_verifier_agrees_on_receipts_and_proofs(world, proof, tmp_path):
    write_statement(tmp_path / "proof.json", proof)
    receipt = next((world.path / "receipts").glob("optout-*.json"))
    for path in (receipt, tmp_path / "proof.json", world.training("main") / "run.json"):
        ran = independent(path, world.public_key)
        assert ran.returncode == 0 and "FAIL" not in ran.stdout, ran.stdout + ran.stderr


@pytest.mark.parametrize(
    "path",
    [
        ("opt_out", "statement", "by"),
        ("opt_out", "log", "checkpoint"),
        ("run", "statement", "manifest_root"),
        ("run", "signature"),
        ("in_log", "proof", 0),
        ("in_force", "word"),
        ("decision", "decision", "work"),
        ("absence", "after", "entry", "work"),
        ("content", "before", "word"),
        ("work",),
    ],
)
def test_the_independent_verifier_refuses_what_was_changed(world, proof, tmp_path, path):
    value = dict(leaves(proof))[path]
    wrong = value[:-4] + ("b" if value[-4] != "b" else "c") + value[-3:]
    write_statement(tmp_path / "proof.json", changed(proof, path, wrong))
    ran = independent(tmp_path / "proof.json", world.public_key)
    assert ran.returncode == 1 and "FAIL" in ran.stdout + ran.stderr
    assert not verify_file(tmp_path / "proof.json", world.public_key).ok


# --- the log -----------------------------------------------------------------------------------------------------


def test_the_log_is_published_audited_and_shown_to_grow(place, tmp_path):
    old = tmp_path / "old"
    shutil.copy(place.path / "log/checkpoint", old)
    told(place, "optout", "Ada 1", "--by", "Ada Moore")
    shown = told(place, "log", "--publish", tmp_path / "public")
    assert shown["size"] == told(place, "log")["size"] == sum(told(place, "log")["kinds"].values())
    assert told(place, "log", "--audit", tmp_path / "public", "--since", old)["ok"]
    told(place, "log", "--since", old, "--to", tmp_path / "grown.json")
    ran = run(place, "verify", tmp_path / "grown.json")
    assert ran.code == 0 and "The proof holds." in ran.out
    (tmp_path / "public/checkpoint").write_text(old.read_text())
    ran = byline("log", "--audit", tmp_path / "public", "--key", place.public_key)
    assert ran.code == 1 and "refused" in ran.out


def test_a_forked_log_is_refused_by_the_command(place, tmp_path):
    fork = place.log.__class__(tmp_path / "fork")
    fork.append_all("filing", [sha256_hex(str(n).encode()) for n in range(3)])
    (tmp_path / "seen").write_text(fork.checkpoint(place.key))
    assert "[forked-log]" in run(place, "log", "--since", tmp_path / "seen").err
    with pytest.raises(BylineError):
        prove_growth(place.log, (tmp_path / "seen").read_text(), place.log.checkpoint(place.key), place.key.public)


def test_a_no_does_not_fail_because_a_list_of_works_is_missing(place):
    told_of = {"run": "run:elsewhere", "name": "old", "manifest": "manifest:gone"}
    (place.path / "trainings/old").mkdir()
    (place.path / "trainings/old/training.json").write_text(json.dumps(told_of))
    notice = notice_of(place, "Ada 1", "--by", "Ada Moore")
    states = {model["name"]: model["state"] for model in told(place, "notice", notice)["models"]}
    assert states["main"] == "still in the weights" and states["old"].startswith("not known")
