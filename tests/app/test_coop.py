"""A cooperative on the command line: founded, voted, counted again, obeyed by `byline settle`, offered, reported."""

import json
from datetime import timedelta

import pytest
from tiny_project import DAY, byline, state_of, write_csv, write_events

from byline.app.money import STANDARD_POLICY

OPENS, CLOSES = DAY + timedelta(7), DAY + timedelta(14)
PAID = DAY + timedelta(20)
MEMBERS = ("Ada Moore", "Ben Okoro", "Cleo Marsh")


class Folder:
    """A copy of the tiny project with a cooperative in it."""

    def __init__(self, project, path):
        self.path, self.home, self.files = path, project.copy(path).home, project.files
        self.evidence = path / "minutes.txt"
        self.evidence.write_text("seen by the board")
        (path / "text.md").write_text("We lower the commission to five per cent.")
        policy = STANDARD_POLICY.to_json() | {"id": "policy:voted", "commission_ppm": 50_000}
        self.policy = self.file("voted.json", policy)

    def file(self, name, told):
        (self.path / name).write_text(json.dumps(told))
        return self.path / name

    def __call__(self, *words):
        return byline("coop", *words, "--home", self.home)

    def told(self, *words):
        done = self(*words, "--json")
        assert done.code == 0, done.err
        return done.last

    def settle(self, *words):
        return byline("settle", *words, "--home", self.home, "--json")

    def found(self):
        self.told("found", "Readers", "--pool", "main")
        for name in MEMBERS:
            self.told("join", name, "--evidence", self.evidence, "--decided-by", "the board")

    def decide(self, title, effect, document, *choices, later=timedelta(0)):
        words = ("--text", self.path / "text.md", "--effect", effect, "--document", document, "--on", DAY + later)
        told = self.told("propose", title, *words)
        for name, choice in zip(MEMBERS, choices, strict=False):
            receipt = self.path / f"{title} {name}.json"
            words = ("--member", name, "--choice", choice, "--on", OPENS + later, "--receipt", receipt)
            self.told("vote", told["proposal"], *words)
        return told["proposal"], self.told("close", told["proposal"], "--on", CLOSES + later)


@pytest.fixture
def folder(project, tmp_path):
    made = Folder(project, tmp_path)
    made.found()
    return made


def test_settle_uses_what_was_voted_for_and_refuses_anything_else(folder):
    events = write_events(folder.path / "later.csv", (PAID, "Model Co", "500.00", "EUR"))
    refused = folder.settle(events)
    assert refused.code == 1 and "no-vote-yet" in refused.err
    _, closed = folder.decide("Lower commission", "policy", folder.policy, "yes", "yes", "no")
    assert closed["carried"] and "2 of 3" not in closed["tally"]["because"] and closed["tally"]["voted"] == 3
    other = folder.file("other.json", STANDARD_POLICY.to_json())
    refused = folder.settle(events, "--policy", other)
    assert refused.code == 1 and "other-policy" in refused.err
    done = folder.settle(events)
    assert done.code == 0, done.err
    assert int(done.last["commission_nano"]) == 25 * 10**9  # five per cent, where the standard policy takes ten
    assert folder.settle(events, "--policy", folder.policy, "--dry-run").code == 0
    early = write_events(folder.path / "early.csv", (CLOSES, "Model Co", "500.00", "EUR"))
    assert "no-vote-yet" in folder.settle(early).err  # the vote counts from the day after it was counted
    both = write_events(folder.path / "both.csv", (PAID, "B", "5.00", "EUR"), (CLOSES, "B", "5.00", "EUR"))
    assert folder.settle(both).code == 1


def test_every_member_sees_what_would_change_before_the_vote(folder):
    before = state_of(folder.home)
    told = folder.told(
        "propose", "Lower commission", "--text", folder.path / "text.md", "--effect", "policy", "--document",
        folder.policy, "--dry-run"
    )  # fmt: skip
    assert state_of(folder.home) == before
    (shown,) = told["impact"].values()
    changes = {one["who"]: int(one["after_nano"]) - int(one["before_nano"]) for one in shown["changes"]}
    assert shown["unit"] == "EUR" and sum(changes.values()) == 0
    assert changes["income:commission"] == -50 * 10**9
    mine = [nano for who, nano in changes.items() if who.startswith("party:")]
    assert len(mine) == 3 and all(nano > 0 for nano in mine)


def test_a_recount_gives_the_same_bytes_and_names_a_changed_ballot(folder):
    name, closed = folder.decide("Lower commission", "policy", folder.policy, "yes", "yes", "no")
    box, tally = folder.home / "votes" / f"{name.removeprefix('proposal:')}.jsonl", folder.path / "tally.json"
    receipt = folder.path / "Lower commission Ada Moore.json"
    told = folder.told("tally", "--recompute", box, "--receipt", receipt, "--to", tally)
    assert told["receipt_faults"] == [] and json.loads(tally.read_bytes()) == closed["tally"]
    again = folder.path / "again.json"
    folder.told("tally", "--recompute", box, "--offline", "--to", again)
    assert again.read_bytes() == tally.read_bytes()
    lines = box.read_bytes().splitlines(keepends=True)
    ballot = json.loads(lines[2])
    ballot["choice"] = ["no" if ballot["choice"] == ["yes"] else "yes"]
    box.write_bytes(b"".join([*lines[:2], json.dumps(ballot).encode() + b"\n", *lines[3:]]))
    refused = folder("tally", "--recompute", box, "--json")
    assert refused.code == 1
    assert {problem["code"] for problem in refused.last["problems"]} == {"ballot-altered", "tally-differs"}
    assert ballot["token"][:12] in refused.err and ":3:" in refused.err


def test_a_ranked_vote_between_two_policies(folder):
    other = folder.file("standard.json", STANDARD_POLICY.to_json())
    told = folder.told(
        "propose", "Which rule", "--text", folder.path / "text.md", "--effect", "policy",
        "--document", folder.policy, "--document", other, "--on", DAY
    )  # fmt: skip
    for name, choices in zip(MEMBERS, (["voted"], ["none of these", "standard"], ["standard", "voted"]), strict=True):
        words = [word for choice in choices for word in ("--choice", choice)]
        folder.told("vote", "Which rule", "--member", name, *words, "--on", OPENS)
    closed = folder.told("close", told["proposal"], "--on", CLOSES)
    assert len(closed["tally"]["rounds"]) >= 2 and closed["tally"]["voted"] == 3


def test_an_offer_is_exported_and_read_back(folder):
    offer = folder.file("offer.json", {
        "permits": ["ai-train"], "payment": "training", "amount": "0.02", "currency": "EUR",
        "terms": "https://coop.example/licence", "reports": ["provenance"],
    })  # fmt: skip
    refused = folder("offer", "--base", "https://coop.example/works")
    assert refused.code == 1 and "nothing-voted" in refused.err
    folder.decide("Offer", "offer", offer, "yes", "yes", "yes")
    told = folder.told("offer", "--base", "https://coop.example/works", "--on", PAID)
    assert told["offered"] == 7 and told["refused"] == 1  # all but the work of Dov, who has said no
    assert told["read"] == {"conditional": 7, "deny": 1}
    assert (folder.home / "rsl.xml").read_text(encoding="utf-8").count("<content ") == 8


def test_the_yearly_report_adds_up(folder):
    folder.decide("Lower commission", "policy", folder.policy, "yes", "yes", "no")
    told = folder.told("report", "--year", (DAY + timedelta(1)).year, "--to", folder.path / "report.md")
    (money,) = told["money"]
    flows = {flow["kind"]: int(flow["closing_nano"]) for flow in money["flows"]}
    assert flows.pop("received") == 1000 * 10**9 == sum(flows.values())
    assert told["members"]["at_the_end"] == 3
    text = (folder.path / "report.md").read_text(encoding="utf-8")
    assert "1000.00 EUR" in text.replace("\u202f", " ") or "1,000.00" in text or "1000" in text


def test_unclaimed_money_goes_where_a_vote_sends_it_and_not_before_its_years(folder):
    write_csv(
        folder.path / "splits.csv",
        ["title", "contributor", "share", "effective"],
        ["Ada 1", "Ada Moore", "40%", "2021-01-01"],
    )
    catalogue = folder.files / "works.csv"
    assert byline("register", catalogue, "--splits", folder.path / "splits.csv", "--home", folder.home).code == 0
    folder.decide("Lower commission", "policy", folder.policy, "yes", "yes", "no")
    assert folder.settle(write_events(folder.path / "later.csv", (PAID, "Model Co", "500.00", "EUR"))).code == 0
    fate = folder.file("fate.json", {"to": "members", "works": []})
    early, closed = folder.decide("Too early", "unclaimed", fate, "yes", "yes", "yes")
    assert closed["carried"] and folder.told("carry-out", early)["moves"] == []
    name, _ = folder.decide("In time", "unclaimed", fate, "yes", "yes", "yes", later=timedelta(days=3 * 366 + 10))
    told = folder.told("impact", name, "--on", PAID + timedelta(days=3 * 366 + 10))["impact"]["In time"]
    (move,) = folder.told("carry-out", name)["moves"]
    paid = {account: int(nano) for account, nano in move["legs"]}
    waited = paid.pop(next(account for account in paid if account.startswith("held:unclaimed:")))
    assert waited > 0 and sum(paid.values()) == -waited
    assert len(paid) == 3 and max(paid.values()) - min(paid.values()) <= 1
    assert sum(int(one["after_nano"]) for one in told["changes"]) == waited
    assert folder.told("carry-out", name)["moves"] == []
    assert byline("journal", "--check", "--home", folder.home).code == 0


def test_dry_runs_write_nothing(folder):
    folder.told("propose", "Lower commission", "--text", folder.path / "text.md", "--effect", "policy",
                "--document", folder.policy, "--on", DAY)  # fmt: skip
    before = state_of(folder.home)
    folder.told("found", "Others", "--pool", "side", "--dry-run")
    folder.told("leave", "Ada Moore", "--evidence", folder.evidence, "--decided-by", "the board", "--dry-run")
    folder.told("vote", "Lower commission", "--member", "Ada Moore", "--choice", "yes", "--on", OPENS, "--dry-run")
    folder.told("close", "Lower commission", "--dry-run")
    folder.told("offer", "--base", "https://x.example", "--dry-run")
    folder.told("show")
    assert state_of(folder.home) == before


@pytest.mark.parametrize(
    "words, code",
    [
        (("join", "Nobody", "--evidence", "EVIDENCE", "--decided-by", "b"), "no-such-party"),
        (("join", "Ada Moore", "--evidence", "EVIDENCE", "--decided-by", "b"), "already-member"),
        (("join", "Dov Lind", "--evidence", "missing.pdf", "--decided-by", "b"), "no-file"),
        (("impact", "Nothing"), "no-such-proposal"),
        (("show", "--coop", "Others"), "no-cooperative"),
        (("found", "Others", "--pool", "main"), "pool-taken"),
        (("found", "Others", "--pool", "side", "--statutes", "EVIDENCE"), "unreadable"),
        (("tally", "--recompute", "missing.jsonl"), "no-file"),
        (("tally", "--recompute", "EVIDENCE"), "problems"),
        (("report", "--year", "2026", "--coop", "Others"), "no-cooperative"),
    ],
)
def test_what_cannot_be_done_is_said_and_changes_nothing(folder, words, code):
    before = state_of(folder.home)
    refused = folder(*(folder.evidence if word == "EVIDENCE" else word for word in words))
    assert refused.code == 1 and code in refused.err + refused.out
    assert state_of(folder.home) == before
