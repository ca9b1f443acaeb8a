"""The book of payouts: with a real bank at the other end, with one that lies, and with crashes between the steps."""

import itertools
import sys
from datetime import timedelta
from pathlib import Path
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from byline.core import LedgerError
from byline.ledger import (
    Answer,
    BankReport,
    JournalAccounts,
    MoveKind,
    PayoutRule,
    follow,
    open_journal,
    open_payout_book,
    pain001,
    plan_payout,
    read_bank,
    sent,
    settle,
)
from byline.ledger.booking import BANK
from byline.ledger.payout import CLEARING
from byline.registry import open_database

sys.path.insert(0, str(Path(__file__).parent))
from payees import CENT, CLOSED, DAY, DEBTOR, NOW, OTHER, RULE, ListAccounts, payee, running_bank
from worlds import event, world

PEOPLE = [payee("ann"), payee("bob", OTHER), payee("closed", CLOSED), payee("few")]


@pytest.fixture
def accounts():
    return ListAccounts(ann=25_000 * CENT + 7, bob=1500 * CENT, closed=3000 * CENT, few=5 * CENT)


@pytest.fixture
def book(tmp_path, accounts):
    engine = open_database(tmp_path / "byline.db")
    yield open_payout_book(engine, accounts)
    engine.dispose()


@pytest.fixture(scope="module")
def bank():
    pytest.importorskip("mockbank")
    with running_bank() as running:
        yield running


@pytest.fixture(autouse=True)
def _fresh(request):
    if "bank" in request.fixturenames:
        assert request.getfixturevalue("bank").call("POST", "/_mock/reset", b"")[0] == 200


def read_all(bank, book, kinds=("pain.002", "camt.053", "camt.054", "pacs.004"), now=NOW):
    """Everything the bank sent, applied; the problems and the number of moves."""
    problems, moves = [], 0
    for kind, content in bank.messages():
        if kind.startswith(kinds):
            reports, faults = read_bank(content, kind)
            applied = book.apply(reports, now)
            problems += [*faults, *applied.problems]
            moves += len(applied.moves)
    return problems, moves


def test_i31_the_whole_loop_with_a_rejection_and_a_return(bank, book, accounts):
    bank.behave("ACME", "return-later", days=2, reason="MD07")
    batch = book.send(PEOPLE, RULE, DAY, NOW)
    assert accounts.owed("ann") == 7 and accounts.owed("closed") == 0
    file = pain001(batch, PEOPLE, DEBTOR)
    assert bank.send(file) == 202
    assert read_all(bank, book) == ([], 1)
    assert accounts.owed("closed") == 3000 * CENT  # AC04: at once back in the payee's account
    bank.advance(1)
    assert read_all(bank, book)[1] == 2
    assert book.totals("EUR")["settled"] == 26_500
    bank.advance(6)
    problems, moves = read_all(bank, book)
    assert problems == [] and moves == 2
    assert (accounts.owed("ann"), accounts.owed("bob")) == (25_000 * CENT + 7, 1500 * CENT)
    totals = book.totals("EUR")
    assert totals == {"sent": 29_500, "settled": 0, "rejected": 3000, "returned": 26_500, "on_their_way": 0}
    before = accounts.balances("EUR")
    assert read_all(bank, book) == ([], 0)  # read again, nothing is credited again
    assert accounts.balances("EUR") == before and before[CLEARING] == before[BANK] == 0


def test_a_return_told_by_one_message_alone_is_the_same_return(bank, book, accounts):
    bank.behave("ACME", "return-later", days=1)
    assert bank.send(pain001(book.send(PEOPLE, RULE, DAY, NOW), PEOPLE, DEBTOR)) == 202
    bank.advance(6)
    for kind in ("pacs.004", "camt.053", "camt.054", "pain.002"):
        assert read_all(bank, book, (kind,))[0] == []
        assert accounts.owed("ann") == 25_000 * CENT + 7
    assert book.totals("EUR")["on_their_way"] == 0


def test_a_file_sent_twice_is_a_duplicate_and_undoes_nothing(bank, book, accounts):
    batch = book.send(PEOPLE[:2], RULE, DAY, NOW)
    file = pain001(batch, PEOPLE, DEBTOR)
    assert book.keep_file(batch, "pain.001", file) and not book.keep_file(batch, "pain.001", file)
    assert bank.send(file) == 202
    assert bank.send(pain001(book.batch(batch.id), PEOPLE, DEBTOR)) == 422
    bank.advance(1)
    problems, _ = read_all(bank, book)
    assert [problem.code for problem in problems] == ["duplicate-file"]
    assert book.totals("EUR")["settled"] == batch.total_minor and accounts.owed("bob") == 0
    changed = pain001(batch, [payee("ann", CLOSED), PEOPLE[1]], DEBTOR)
    with pytest.raises(LedgerError) as caught:
        book.keep_file(batch, "pain.001", changed)
    assert caught.value.code == "payout-file-differs"


def test_a_file_rejected_as_a_whole_comes_back_whole_and_can_be_sent_anew(bank, book, accounts):
    bank.behave("ACME", "reject-file")
    first = book.send(PEOPLE[:2], RULE, DAY, NOW)
    assert bank.send(pain001(first, PEOPLE, DEBTOR)) == 422
    assert read_all(bank, book) == ([], 2)
    assert accounts.owed("ann") == 25_000 * CENT + 7
    bank.behave("ACME", "accept")
    second = book.send(PEOPLE[:2], RULE, DAY, NOW)
    assert second.id != first.id and bank.send(pain001(second, PEOPLE, DEBTOR)) == 202


def test_nothing_is_sent_twice_nor_kept_when_there_is_nothing(book):
    assert len(book.preview(PEOPLE, RULE, DAY, NOW).instructions) == 3
    assert len(book.send(PEOPLE, RULE, DAY, NOW).instructions) == 3
    again = book.send(PEOPLE, RULE, DAY, NOW)
    assert again.instructions == () and len(book.batches()) == 1
    with pytest.raises(LedgerError):
        book.batch("BYLX")
    with pytest.raises(LedgerError, match="time zone"):
        book.send(PEOPLE, RULE, DAY, NOW.replace(tzinfo=None))


# --- a bank that lies ---------------------------------------------------------------------------------------------

OWED = {"payable:party:ann": -25_000 * CENT, "payable:party:bob": -1500 * CENT}
BATCH = plan_payout(OWED, PEOPLE, RULE, number=1, execution=DAY, recorded=NOW)
ANN, BOB = BATCH.instructions


def report(answer, one=ANN, **over):
    fields = dict(answer=Answer(answer), end_to_end=one.end_to_end, message=BATCH.id, amount_minor=one.amount_minor)
    return BankReport(**{**fields, "currency": "EUR", "on": DAY, "reason": "", "source": "m", **over})


def follow_one_by_one(reports):
    """Slow truth: the reports in their order, each on top of all moves made before."""
    moves, problems = sent(BATCH), []
    for one in reports:
        applied = follow([one], [BATCH], moves, NOW)
        moves, problems = [*moves, *applied.moves], [*problems, *applied.problems]
    return moves, problems


def final(moves):
    sums = dict(OWED)
    for move in moves:
        for account, nano in move.legs:
            sums[account] = sums.get(account, 0) + int(nano)
    return {account: nano for account, nano in sums.items() if nano}


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(Answer), st.sampled_from([ANN, BOB])), max_size=8), st.randoms())
def test_any_reports_in_any_order_credit_a_payment_at_most_once(told, random):
    reports = [report(answer, one) for answer, one in told]
    moves, _ = follow_one_by_one(reports)
    at_once = follow(reports, [BATCH], sent(BATCH), NOW)
    assert [*sent(BATCH), *at_once.moves] == moves
    assert len({move.reference for move in moves}) == len(moves)
    for one in BATCH.instructions:
        kinds = [move.kind for move in moves if move.end_to_end == one.end_to_end]
        assert not {MoveKind.REJECTED, MoveKind.SETTLED} <= set(kinds)
        credited = kinds.count(MoveKind.REJECTED) + kinds.count(MoveKind.RETURNED)
        owed = final(moves).get(f"payable:{one.party}", 0)
        assert owed == (OWED[f"payable:{one.party}"] if credited else 0) and credited <= 1
    honest = [one for one in reports if one.answer in (Answer.SETTLED, Answer.RETURNED, Answer.ACCEPTED)]
    shuffled = random.sample(honest * 2, len(honest) * 2)
    assert final(follow_one_by_one(shuffled)[0]) == final(follow_one_by_one(honest)[0])


@pytest.mark.parametrize(
    ("reports", "code"),
    [
        ([report("settled", amount_minor="1")], "amount-differs"),
        ([report("settled", currency="USD")], "amount-differs"),
        ([report("rejected"), report("settled")], "bank-contradicts"),
        ([report("settled"), report("rejected")], "bank-contradicts"),
        ([report("rejected"), report("returned")], "bank-contradicts"),
        ([report("returned", end_to_end="BYLE0")], "unknown-payment"),
        ([report("duplicate")], "duplicate-file"),
    ],
)
def test_contradictions_are_told_and_not_booked(reports, code):
    moves, problems = follow_one_by_one(reports)
    assert [problem.code for problem in problems] == [code]
    assert len(moves) == 2 + len(reports) - 1


def test_what_is_not_ours_is_left_alone():
    others = [report("returned", end_to_end="INV-1"), report("rejected", end_to_end="", message="OTHER")]
    assert follow(others, [BATCH], sent(BATCH), NOW).foreign == 2


# --- files of a bank that cannot be read ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"<Document>",
        b"<a/>",
        b"<Document><Other/></Document>",
        b"\xff\xfe\x00",
        b"<!DOCTYPE a [<!ENTITY b 'c'>]><Document><BkToCstmrStmt>&b;</BkToCstmrStmt></Document>",
        '<?xml version="1.0" encoding="UTF-16"?><!DOCTYPE a SYSTEM "x"><a/>'.encode("utf-16"),
        b"PK\x03\x04",
    ],
)
def test_what_is_no_answer_of_a_bank_is_refused(content):
    with pytest.raises(LedgerError) as caught:
        read_bank(content, "file.xml")
    assert caught.value.code == "bad-bank-file"


def entry(sign, details, status="BOOK"):
    return (
        f'<Document><BkToCstmrStmt><GrpHdr><MsgId>M</MsgId></GrpHdr><Stmt><Ntry><Amt Ccy="EUR">3.00</Amt><CdtDbtInd>'
        f"{sign}</CdtDbtInd><Sts><Cd>{status}</Cd></Sts><NtryDtls>{details}</NtryDtls></Ntry></Stmt></BkToCstmrStmt></Document>"
    ).encode()


def detail(end_to_end, amount="", more=""):
    money = f'<Amt Ccy="EUR">{amount}</Amt>' if amount else ""
    return f"<TxDtls><Refs><EndToEndId>{end_to_end}</EndToEndId></Refs>{money}{more}</TxDtls>"


def test_lines_of_a_statement_become_reports_or_problems():
    def read(*arguments):
        reports, problems = read_bank(entry(*arguments), "s.xml")
        return [(r.answer.value, r.end_to_end, r.amount_minor) for r in reports], len(problems)

    assert read("DBIT", detail("A")) == ([("settled", "A", "300")], 0)
    assert read("DBIT", detail("A", "1.00") + detail("B", "2.00")) == (
        [("settled", "A", "100"), ("settled", "B", "200")],
        0,
    )
    assert read("DBIT", detail("A") + detail("B")) == ([], 2)  # whose amount is which?
    assert read("DBIT", detail("A"), "PDNG") == ([], 0)
    assert read("CRDT", detail("A")) == ([], 1)
    back = "<RtrInf><Rsn><Cd>AC04</Cd></Rsn></RtrInf>"
    assert read("CRDT", detail("A", "3.00", back)) == ([("returned", "A", "300")], 0)
    assert read("DBIT", "<Btch><NbOfTxs>2</NbOfTxs></Btch>") == ([], 1)
    assert read("DBIT", detail("NOTPROVIDED")) == ([], 0)
    assert read("DBIT", detail("A", "1.005")) == ([], 1) and read("DBIT", detail("A", "1e999")) == ([], 1)


# --- on both databases, with the real journal ------------------------------------------------------------------------


class Dying:
    """Accounts whose book dies before or after the nth move."""

    def __init__(self, inner, at, after):
        self.inner, self.left, self.after = inner, at, after

    def balances(self, currency):
        return self.inner.balances(currency)

    def book(self, move):
        self.left -= 1
        if self.left == 0 and not self.after:
            raise KeyboardInterrupt
        self.inner.book(move)
        if self.left == 0:
            raise KeyboardInterrupt


def test_payouts_are_bookings_of_the_journal_and_a_crash_between_loses_nothing(database):
    journal = open_journal(database)
    journal.post(settle(**world()), NOW)
    people = [payee("a"), payee("b", OTHER)]
    accounts = JournalAccounts(journal)
    due = {party: -journal.balances("EUR")[f"payable:party:{party}"] for party in "ab"}
    with pytest.raises(KeyboardInterrupt):
        open_payout_book(database, Dying(accounts, 2, after=True)).send(people, RULE, DAY, NOW)
    book = open_payout_book(database, accounts)
    assert book.send(people, RULE, DAY, NOW).instructions == ()
    (batch,) = book.batches()
    assert {one.party: one.minor for one in batch.instructions} == {f"party:{p}": due[p] // CENT for p in "ab"}
    returned = [BankReport(Answer.RETURNED, one.end_to_end, "", one.amount_minor, "EUR", DAY, "AC04", "m")
                for one in batch.instructions]  # fmt: skip
    for at, after in itertools.product((1, 2, 3), (False, True)):
        with pytest.raises(KeyboardInterrupt):
            open_payout_book(database, Dying(accounts, at, after)).apply(returned, NOW)
        if at < 3:
            break
    for _ in range(2):
        book.apply(returned, NOW + timedelta(1))
    balances = journal.balances("EUR")
    assert {party: -balances[f"payable:party:{party}"] for party in "ab"} == due
    assert balances.get(CLEARING, 0) == 0 and balances.get(BANK, 0) == 0 and sum(balances.values()) == 0
    assert journal.check() == []
    with pytest.raises(Exception, match="append-only"), database.begin() as connection:
        connection.exec_driver_sql("UPDATE payout_move SET body = ''")


@pytest.mark.parametrize("seed", range(3))
def test_i06_paid_and_remaining_add_up_over_many_rounds(tmp_path, seed):
    random = Random(seed)
    engine, names = open_database(tmp_path / "b.db"), ("ann", "bob", "few")
    accounts = ListAccounts(ann=0, bob=0, few=0)
    accrued = dict.fromkeys(names, 0)
    book = open_payout_book(engine, accounts)
    people = [payee(name) for name in names]
    for round_ in range(8):
        for name in names:
            more = random.randrange(10**10)
            accrued[name] += more
            accounts.opening[f"payable:party:{name}"] -= more
            accounts.opening["assets:receivable"] += more
        batch = book.send(people, PayoutRule("EUR", 500), DAY + timedelta(round_), NOW)
        answers = [
            BankReport(random.choice(list(Answer)), one.end_to_end, "", one.amount_minor, "EUR", DAY, "", "m")
            for one in batch.instructions
            for _ in range(2)
        ]
        book.apply(answers, NOW)
        totals = book.totals("EUR")
        assert min(totals.values()) >= 0
        gone = totals["settled"] + totals["on_their_way"]
        assert sum(accounts.owed(name) for name in names) == sum(accrued.values()) - gone * CENT
        assert sum(accounts.balances("EUR").values()) == 0
    engine.dispose()


def test_events_of_other_currencies_are_not_paid(database):
    journal = open_journal(database)
    told = world()
    told["events"] = (event(currency="USD"),)
    journal.post(settle(**told), NOW)
    book = open_payout_book(database, JournalAccounts(journal))
    assert book.send([payee("a"), payee("b")], RULE, DAY, NOW).instructions == ()
    assert len(book.send([payee("a"), payee("b")], PayoutRule("USD", 0), DAY, NOW).instructions) == 2
