"""Members, votes and what is in force, on SQLite and PostgreSQL; I32 and I33."""

import json
import shutil
from dataclasses import replace
from datetime import timedelta

import pytest
import sqlalchemy as sa
from cooperatives import COOP, DAY, MEMBERS, STATUTES, decided, founded, joined, policy, proposal
from hypothesis import given, settings
from hypothesis import strategies as st

from byline.cooperative import (
    ABSTAIN,
    NO,
    YES,
    CoopBook,
    Cooperative,
    Effect,
    MemberClass,
    Statutes,
    Step,
    open_coop_book,
    read_box,
    receipt_faults,
    recount,
)
from byline.cooperative.ballots import commitment
from byline.core import CooperativeError, party_id
from byline.registry import open_database

BEFORE, AFTER = DAY + timedelta(7), DAY + timedelta(8)


def refused(code, what, *args, **named):
    with pytest.raises(CooperativeError) as fault:
        what(*args, **named)
    assert fault.value.code == code


def test_a_vote_that_carries_puts_its_policy_in_force_from_the_day_after(book):
    made = proposal()
    box, _ = decided(book, made, [(YES,), (YES,), (NO,)])
    assert box.closing.tally.carried and box.closing.effect_sha256 == policy().digest()
    assert book.policy_in_force(COOP.id, made.closes) is None
    assert book.policy_in_force(COOP.id, made.closes + timedelta(1)) == policy()


def test_a_policy_with_a_later_date_waits_for_it(book):
    decided(book, proposal(), [(YES,)] * 3)
    later = policy(2, effective=DAY + timedelta(30))
    decided(book, proposal(later.to_json(), on=DAY + timedelta(8), title="Later"), [(YES,)] * 3)
    assert book.policy_in_force(COOP.id, DAY + timedelta(30)) == policy()
    assert book.policy_in_force(COOP.id, DAY + timedelta(31)) == later


def test_a_vote_that_fails_changes_nothing(book):
    decided(book, proposal(), [(YES,)] * 3)
    box, _ = decided(book, proposal(policy(2).to_json(), on=AFTER, title="No"), [(YES,), (NO,)])
    assert not box.closing.tally.carried and box.closing.effect_sha256 == ""
    assert book.policy_in_force(COOP.id, DAY + timedelta(99)) == policy()


def test_only_members_who_were_recorded_before_the_proposal_vote(book):
    made = proposal()
    book.propose(made, DAY)
    book.admit(joined(MEMBERS[7]), DAY)  # the same day, and dated before: too late
    refused("not-on-roll", book.vote, made.id, MEMBERS[7], (YES,), made.opens)
    book.admit(joined(MEMBERS[0], step=Step.LEFT), DAY)  # and nobody is put out while a vote runs
    assert book.vote(made.id, MEMBERS[0], (YES,), made.opens).ballot.version == 1
    assert book.turnout(made.id) == (1, 5)


def test_members_of_a_class_that_does_not_vote_do_not(book):
    book.admit(joined(MEMBERS[8], kind=MemberClass.ORGANISATION), DAY)
    made = proposal()
    book.propose(made, DAY)
    refused("not-on-roll", book.vote, made.id, MEMBERS[8], (YES,), made.opens)


def test_two_names_of_one_person_have_one_vote(book):
    made = proposal()
    book.propose(made, DAY)
    merged = {MEMBERS[1]: MEMBERS[0]}
    first = book.vote(made.id, MEMBERS[0], (YES,), made.opens, merged)
    second = book.vote(made.id, MEMBERS[1], (NO,), made.opens, merged)
    assert second.ballot.token == first.ballot.token and second.ballot.version == 2
    assert book.turnout(made.id, merged) == (1, 4)
    assert book.close(made.id, made.closes, merged).closing.tally.ayes_and_nays() == (0, 1)


def test_votes_are_cast_while_it_is_open_and_counted_after(book):
    made = proposal()
    book.propose(made, DAY)
    refused("not-open", book.vote, made.id, MEMBERS[0], (YES,), made.opens - timedelta(1))
    refused("not-open", book.vote, made.id, MEMBERS[0], (YES,), made.closes)
    refused("still-open", book.close, made.id, made.closes - timedelta(1))
    refused("still-open", book.box, made.id)
    book.close(made.id, made.closes)
    refused("not-open", book.vote, made.id, MEMBERS[0], (YES,), made.opens)  # a clock set back helps nobody


def test_closing_twice_is_closing_once(book):
    made = proposal()
    first, _ = decided(book, made, [(YES,)])
    assert book.close(made.id, made.closes + timedelta(40)) == first


def test_who_cast_which_ballot_is_forgotten_and_the_voter_still_finds_it(book):
    made = proposal()
    book.propose(made, DAY)
    receipt = book.vote(made.id, MEMBERS[0], (YES,), made.opens)
    other = book.vote(made.id, MEMBERS[1], (NO,), made.opens)
    box = book.close(made.id, made.closes)
    with book.engine.connect() as connection:
        assert connection.execute(sa.text("SELECT count(*) FROM coop_salt")).scalar_one() == 0
    told = box.lines().decode()
    assert receipt.salt not in told and other.salt not in told
    assert MEMBERS[0] not in "".join(line for line in told.splitlines()[1:])
    assert receipt_faults(receipt, list(box.ballots)) == receipt_faults(other, list(box.ballots)) == []


def test_rows_cannot_be_changed(book):
    decided(book, proposal(), [(YES,)])
    for statement in ("UPDATE coop_ballot SET body = ''", "DELETE FROM coop_record", "DELETE FROM coop_voted"):
        with pytest.raises(sa.exc.DBAPIError, match="append-only"), book.engine.begin() as connection:
            connection.execute(sa.text(statement))


def test_joining_and_leaving_with_dates(book):
    book.admit(joined(MEMBERS[0], DAY + timedelta(10), step=Step.LEFT), DAY)
    book.admit(joined(MEMBERS[0], DAY + timedelta(20)), DAY)
    held = [MEMBERS[0] in book.members(COOP.id, DAY + timedelta(days)) for days in (-1, 0, 9, 10, 19, 20)]
    assert held == [False, True, True, False, False, True]
    assert not book.admit(joined(MEMBERS[0], DAY + timedelta(20)), DAY)
    refused("already-member", book.admit, joined(MEMBERS[0], DAY + timedelta(21)), DAY)
    refused("not-a-member", book.admit, joined(MEMBERS[8], step=Step.LEFT), DAY)
    refused("no-such-cooperative", book.admit, replace(joined(MEMBERS[8]), cooperative="x"), DAY)


def test_a_pool_has_one_cooperative(book):
    assert not book.found(COOP, DAY)
    refused("pool-taken", book.found, Cooperative("Others", "main", DAY, STATUTES), DAY)
    assert book.of_pool("main") == COOP and book.of_pool("side") is None


def test_statutes_change_by_vote_and_old_votes_keep_theirs(book):
    new = Statutes(2, DAY + timedelta(9), STATUTES.rules, (MemberClass.PERSON,), 5)
    old = proposal()
    decided(book, old, [(YES,)])
    box = book.box(old.id)
    decided(book, proposal(new.to_json(), effect=Effect.STATUTES, title="Statutes"), [(YES,)] * 3)
    assert book.statutes(COOP.id, DAY + timedelta(8)) == STATUTES
    assert book.statutes(COOP.id, DAY + timedelta(9)) == new
    assert book.box(old.id) == box
    refused("other-statutes", book.propose, proposal(on=DAY + timedelta(20), title="Old rules"), DAY + timedelta(20))


def test_a_proposal_gives_the_notice_that_the_statutes_ask_for(book):
    made = proposal()
    refused("too-hasty", book.propose, replace(made, opens=DAY + timedelta(1)), DAY)
    refused("too-hasty", book.propose, replace(made, closes=made.opens + timedelta(4)), DAY)
    refused("no-such-proposal", book.vote, "proposal:none", MEMBERS[0], (YES,), DAY)


# --- recounting -----------------------------------------------------------------------------------------------


@pytest.fixture
def box(lite):
    made = proposal()
    lite.propose(made, DAY)
    for party, choice in zip(MEMBERS, [(YES,), (NO,), (YES,), (YES,)], strict=False):
        lite.vote(made.id, party, choice, made.opens)
    lite.vote(made.id, MEMBERS[1], (ABSTAIN,), made.opens)
    return lite.close(made.id, made.closes)


def counted(lines, logged=None):
    found, problems = read_box(b"".join(lines), "box.jsonl")
    return problems if found is None else recount(found, "box.jsonl", logged)[1]


def test_a_recount_gives_the_same_bytes(box):
    found, problems = read_box(box.lines(), "box.jsonl")
    assert problems == [] and found == box
    again, problems = recount(found, "box.jsonl", [one.commitment for one in box.ballots])
    assert problems == [] and again.tally.text() == box.closing.tally.text() and again == box.closing


def test_a_changed_ballot_is_named(box):
    lines = box.lines().splitlines(keepends=True)
    at = next(n for n, line in enumerate(lines[1:], 1) if json.loads(line)["choice"] == [YES])
    ballot = json.loads(lines[at]) | {"choice": [NO]}
    lines[at] = json.dumps(ballot).encode() + b"\n"
    problems = counted(lines)
    altered = [problem for problem in problems if problem.code == "ballot-altered"]
    assert [problem.at.line for problem in altered] == [at + 1] and ballot["token"][:12] in altered[0].says
    assert "tally-differs" in {problem.code for problem in problems}


def test_a_ballot_with_a_commitment_made_to_fit_is_not_in_the_log(box):
    lines = box.lines().splitlines(keepends=True)
    at = next(n for n, line in enumerate(lines[1:], 1) if json.loads(line)["choice"] == [YES])
    ballot = json.loads(lines[at]) | {"choice": [NO]}
    ballot["commitment"] = commitment(ballot["proposal"], ballot["token"], ballot["version"], (NO,), ballot["nonce"])
    lines[at] = json.dumps(ballot).encode() + b"\n"
    found = counted(lines, [one.commitment for one in box.ballots])
    assert {"ballot-unlogged", "tally-differs"} <= {problem.code for problem in found}


def test_a_ballot_taken_out_or_put_in_is_seen(box):
    lines = box.lines().splitlines(keepends=True)
    at = next(n for n, line in enumerate(lines[1:], 1) if json.loads(line)["choice"] == [YES])
    assert {"ballots-differ", "tally-differs"} <= {problem.code for problem in counted(lines[:at] + lines[at + 1 :])}
    assert "ballot-twice" in {problem.code for problem in counted([*lines, lines[-1]])}
    head = json.loads(lines[0])
    head["voted"] = [*head["voted"][:-1], "party:ghost"]
    assert "voter-not-on-roll" in {problem.code for problem in counted([json.dumps(head).encode() + b"\n", *lines[1:]])}


@pytest.mark.parametrize(
    "data", [b"", b"{}\n", b"[1]\n", b"\xff\n", b'{"format": "byline-ballot-box-1"}\n', b"nonsense"]
)
def test_what_is_no_box_is_told_with_its_line(data):
    found, problems = read_box(data, "box.jsonl")
    assert found is None and problems[0].code == "box-unreadable" and problems[0].at.line == 1


def test_a_receipt_says_what_happened_to_its_ballot(box, lite):
    made = proposal(policy(2).to_json(), on=AFTER, title="Second")
    lite.propose(made, AFTER)
    first = lite.vote(made.id, MEMBERS[0], (YES,), made.opens)
    second = lite.vote(made.id, MEMBERS[0], (NO,), made.opens)
    ballots = list(lite.close(made.id, made.closes).ballots)
    assert "supersedes" in receipt_faults(first, ballots)[0] and receipt_faults(second, ballots) == []
    assert "no ballot" in receipt_faults(second, [])[0]
    assert "not this member's" in receipt_faults(replace(second, party=MEMBERS[3]), ballots)[0]
    forged = replace(second.ballot, choice=(YES,))
    assert "has the voter's ballot as yes" in receipt_faults(second, [forged])[0]


# --- I32 ------------------------------------------------------------------------------------------------------

CASTS = st.lists(st.tuples(st.integers(0, 6), st.sampled_from([YES, NO, ABSTAIN])), max_size=8)


@settings(max_examples=500, deadline=None)
@given(data=st.data())
def test_i32_one_active_ballot_per_member_tally_recomputable_policy_of_the_last_valid_vote(data, tmp_path_factory):
    """Members cast, change their minds, strangers try; one or two votes follow one another."""
    book, day, expected = _template(tmp_path_factory), DAY, None
    for number in range(data.draw(st.integers(1, 2))):
        rule = policy(number + 1)
        made = proposal(rule.to_json(), on=day, title=f"Vote {number}")
        book.propose(made, day)
        last = {}
        for who, choice in data.draw(CASTS):
            try:
                book.vote(made.id, MEMBERS[who], (choice,), made.opens)
                last[who] = choice
            except CooperativeError as fault:
                assert fault.code == "not-on-roll" and who >= 5
        box = book.close(made.id, made.closes)
        tally = box.closing.tally
        assert tally.voted == len(last) == len(box.voted)
        assert tally.ayes_and_nays() == (list(last.values()).count(YES), list(last.values()).count(NO))
        again, problems = recount(read_box(box.lines(), "box")[0], "box")
        assert problems == [] and again.tally.text() == tally.text()
        votes = list(last.values())
        if len(votes) >= 1 and votes.count(YES) > votes.count(NO):
            expected = rule
        assert tally.carried == (expected == rule)
        day = made.closes + timedelta(1)
        assert book.policy_in_force(COOP.id, day) == expected
    book.engine.dispose()


_FRESH = []


def _template(factory):
    """A founded book per example: a copy of one file, because making tables takes longer than voting."""
    if not _FRESH:
        folder = factory.mktemp("coop")
        engine = open_database(folder / "template.db")
        founded(open_coop_book(engine))
        with engine.connect() as connection:
            connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
        engine.dispose()
        _FRESH.append(folder)
    path = _FRESH[0] / f"{len(_FRESH)}.db"
    _FRESH.append(path)
    shutil.copy(_FRESH[0] / "template.db", path)
    engine = open_database(path)
    sa.event.listen(engine, "connect", lambda raw, _: raw.execute("PRAGMA synchronous = OFF"))
    engine.dispose()
    return CoopBook(engine)


def test_party_ids_of_the_sample_are_those_of_names():
    assert MEMBERS[0] == party_id("Member 0")
