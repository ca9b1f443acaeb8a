"""Invariants of money that reach into other rooms: near-copies, erasure, one changed byte, the independent verifier,
blocked payees, and a bank that says anything in any order. The others are in test_invariants; the list of all is in
test_invariant_list."""

import contextlib
import io
import json
import random
import sys
from collections import Counter
from datetime import date, timedelta
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import assume
from hypothesis import strategies as st

from byline.core import PPB, PPM, Contribution, Party, Role, Split, Work, account_id, party_id, sha256_hex, work_id
from byline.disclosure import Log, create_key, sign_statement, verify_document
from byline.gate import decide_all, find_clusters, freeze
from byline.ledger import (
    Answer,
    BankReport,
    MoveKind,
    PayoutRule,
    Reason,
    Standing,
    canonical_stakes,
    export,
    follow,
    open_journal,
    payable,
    plan_payout,
    sent,
    settle,
    statement,
)
from byline.registry import open_database

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parents[2] / "examples"))
from busy import fill
from drawn import worlds
from invariants import invariant
from payees import CENT, NOW, payee
from test_invariants import a_journal, other_splits
from verify_ledger import main as verify_ledger
from worlds import DAY, event, share_table, terms

LATER = DAY + timedelta(60)
seeds = st.integers(0, 2**32)


# --- gaming ---------------------------------------------------------------------------------------------------

BOUND_NANO = 0  # what a near-copy above the threshold gains, as the README publishes it: nothing


def prose(seed, words):
    chance = random.Random(seed)
    return [f"w{chance.randrange(3000)}" for _ in range(words)]


def made(title, name):
    sha256, account = sha256_hex(title.encode()), account_id(name)
    told = (work_id(account, title, sha256), title, "text", account)
    return Work(*told, (Contribution(party_id(name), Role.AUTHOR),), date(2020, 1, 1), "", "CC0-1.0", sha256)


def paid(works, texts, told):
    """Income of each name, when the gate, the clusters and the rule of money have done their work."""
    clusters = find_clusters(works, texts)
    manifest = freeze(works, decide_all(works, clusters, [], DAY - timedelta(9)), clusters, DAY - timedelta(9))
    stakes = canonical_stakes(manifest, {work.id: len(texts[work.id]) for work in works})
    names = [stake.cluster for stake in stakes]
    shares = share_table({name: PPB // (2 * len(names)) for name in names})
    splits = [Split(work.id, ((work.contributions[0].party, PPM),), DAY - timedelta(99)) for work in works]
    settlement = settle(told, shares, stakes, splits, terms())
    income = Counter()
    for line in settlement.lines:
        income[line.account] += line.nano
    return income, len(names)


@invariant(seeds, st.integers(150, 500), st.integers(0, 9), st.integers(0, 100), quick=20)
def test_i22_a_near_copy_above_the_threshold_gains_at_most_the_published_bound(seed, words, percent, shift):
    """One word in ten replaced, and the text turned round at a place: it is still the same text, and earns nothing."""
    chance = random.Random(seed)
    own, other = prose(seed, words), prose(seed + 1, words)
    copy = [chance.choice(other) if chance.random() < percent / 100 else word for word in own]
    copy = [*copy[words * shift // 100 :], *copy[: words * shift // 100]]
    works = [made("Own", "Ann"), made("Other", "Bob"), made("Copy", "Eve")]
    texts = {work.id: " ".join(text) for work, text in zip(works, (own, other, copy), strict=True)}
    money = [event(10**12, "event:1", DAY)]
    cluster_of = dict(find_clusters(works, texts).cluster_of)
    near = cluster_of[works[2].id] == cluster_of[works[0].id]
    assert near or percent > 5
    assume(near)
    before, count = paid(works[:2], texts, money)
    after, counted = paid(works, texts, money)
    assert count == counted == 2
    assert after[payable(party_id("Eve"))] <= BOUND_NANO
    assert after == before  # nor does it take anything from anybody


# --- audit ----------------------------------------------------------------------------------------------------


@cache
def exported():
    """The bytes of a ledger in which everything has happened, as anybody may have it."""
    with TemporaryDirectory() as folder:
        engine = open_database(Path(folder) / "journal.db")
        journal = open_journal(engine)
        fill(journal)
        content = export(journal, "json").encode()
        engine.dispose()
    assert verified(content)[0]
    return content


def verified(content):
    """(accepted, balances) of the 150 lines that share no code with the ledger."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "ledger.jsonl"
        path.write_bytes(content)
        out = io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(io.StringIO()):
            try:
                code = verify_ledger(path)
            except Exception:  # so altered that it is no ledger any more
                code = 1
    return code == 0, sorted(out.getvalue().splitlines())


@invariant(st.integers(0, 2**32), st.integers(1, 255), quick=10)
def test_i25_any_changed_byte_of_the_ledger_fails_verification(place, flip):
    content = bytearray(exported())
    at = place % len(content)
    content[at] ^= flip
    try:
        same = [json.loads(line) for line in bytes(content).decode().strip("\n").split("\n")] == [
            json.loads(line) for line in exported().decode().strip("\n").split("\n")
        ]
    except ValueError:
        same = False
    assume(not same)  # such as a blank that became another blank
    assert not verified(bytes(content))[0]


@invariant(worlds(), seeds, quick=4)
def test_i30_the_independent_verifier_reports_the_same_balances(told, seed):
    with a_journal() as journal:
        first = settle(**told)
        journal.post(first, NOW)
        journal.adjust(settle(**{**told, "splits": other_splits(told, seed)}), first.id, LATER, "agreed later", NOW)
        accepted, balances = verified(export(journal, "json").encode())
        assert accepted
        assert balances == sorted(
            f"{currency} {account} {nano}"
            for currency, of in journal.all_balances().items()
            for account, nano in of.items()
        )


people = st.dictionaries(
    st.sampled_from("abcdef"), st.text("ABCDEFGHIJKLMNOPQRSTUVWXYZäöü", min_size=6, max_size=20), min_size=2
)


@invariant(worlds(), people, quick=4)
def test_i29_erasing_what_is_personal_leaves_everything_else_verifiable(told, names):
    """A payee's statement and name are gone; the log, the journal and the others' statements hold as before."""
    settlement = settle(**told)
    with a_journal() as journal, TemporaryDirectory() as folder:
        place = Path(folder)
        log, key = Log(place / "log"), create_key(place / "keys", "test/operator")
        journal.post(settlement, NOW)
        log.append("journal", journal.head().digest())
        signed = {
            letter: sign_statement(statement(Party(f"party:{letter}", name), settlement, {}), log, key)
            for letter, name in names.items()
        }
        kept = b"".join(path.read_bytes() for path in (place / "log").rglob("*") if path.is_file())
        public = kept + export(journal, "json").encode()
        for letter, name in names.items():
            assert name.encode() not in public  # so there is nothing in either that an erasure would have to change
            assert signed[letter]["seal"]["salt"].encode() not in kept
        erased = sorted(signed)[0]
        del signed[erased]
        for document in signed.values():
            assert verify_document(document, place / "keys" / "byline.pub").ok
        assert journal.check() == []
        assert kept == b"".join(path.read_bytes() for path in (place / "log").rglob("*") if path.is_file())


# --- payouts --------------------------------------------------------------------------------------------------

standings = st.dictionaries(st.sampled_from("abcdef"), st.sampled_from(Standing), min_size=1)


@invariant(
    st.dictionaries(st.sampled_from("abcdef"), st.integers(-(10**13), 10**13), min_size=1),
    standings,
    st.integers(0, 5000),
    st.integers(1, 3),
    quick=60,
)
def test_i07_a_payout_never_exceeds_the_balance_nor_goes_to_who_is_blocked(owed, standing, threshold, rounds):
    accounts = {payable(f"party:{name}"): -nano for name, nano in owed.items()}
    payees, seen = [payee(name, standing=each) for name, each in standing.items()], []
    for number in range(1, rounds + 1):
        told = dict(number=number, execution=DAY, recorded=NOW)
        batch = plan_payout(accounts, payees, PayoutRule("EUR", threshold), **told)
        for one in batch.instructions:
            assert standing[one.party.removeprefix("party:")] is Standing.VERIFIED
            assert 0 < one.minor * CENT <= -accounts[payable(one.party)]
            seen.append(one.end_to_end)
            for account, nano in one.legs:
                accounts[account] = accounts.get(account, 0) + int(nano)
        blocked = {one.party for one in batch.carried if one.reason in (Reason.BLOCKED, Reason.UNVERIFIED)}
        due = {name for name in standing if standing[name] is not Standing.VERIFIED and owed.get(name, 0) > 0}
        assert blocked == {f"party:{name}" for name in due}
    assert len(seen) == len(set(seen))


reports = st.lists(st.tuples(st.sampled_from(Answer), st.integers(0, 3)), max_size=12)


@invariant(st.lists(st.integers(1, 10**6), min_size=1, max_size=4), reports, quick=60)
def test_i31_sent_is_settled_rejected_or_returned_and_a_return_credits_once(cents, told):
    balances = {payable(f"party:{n}"): -amount * CENT for n, amount in enumerate(cents)}
    payees = [payee(str(n)) for n in range(len(cents))]
    batch = plan_payout(balances, payees, PayoutRule("EUR", 0), number=1, execution=DAY, recorded=NOW)
    known = [
        BankReport(answer, one.end_to_end, batch.id, one.amount_minor, "EUR", DAY, "", "m")
        for answer, n in told
        for one in batch.instructions[n % len(cents) : n % len(cents) + 1]
    ]
    moves = sent(batch)
    for report in known:
        moves = [*moves, *follow([report], [batch], moves, NOW).moves]
    sums, ends = Counter(balances), Counter()
    for move in moves:
        for account, nano in move.legs:
            sums[account] += int(nano)
    for one in batch.instructions:
        kinds = Counter(move.kind for move in moves if move.end_to_end == one.end_to_end)
        assert max(kinds.values()) == 1 and kinds[MoveKind.REJECTED] + kinds[MoveKind.SETTLED] <= 1
        back = kinds[MoveKind.REJECTED] + kinds[MoveKind.RETURNED]
        assert back <= 1 and -sums[payable(one.party)] == back * one.minor * CENT
        ends["back" if back else "settled" if kinds[MoveKind.SETTLED] else "on the way"] += one.minor
    assert ends.total() == batch.total_minor == sum(cents)
    assert (
        sums["assets:clearing:payouts"] == -ends["on the way"] * CENT and sums["assets:bank"] == -ends["settled"] * CENT
    )
