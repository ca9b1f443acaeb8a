"""Receipts of the proxy: signed at once, in the log in batches, verified offline; and no change of one goes unseen."""

import copy
import hashlib
import json
import threading

import pytest
import sqlalchemy as sa
from test_proxy import CHAT, OWN, proxy, stream, upstream  # noqa: F401
from tiny_project import byline

from byline.app.api import Place
from byline.app.api.completions import MOST, Receipts, new_receipt
from byline.app.api.receipt_tables import BATCHES, RECEIPTS
from byline.core import AppError
from byline.disclosure import BATCH, verify_document
from byline.registry import writing

CHOICE = {"index": 0, "action": "pass", "words": 2, "reasons": [], "released_sha256": "cd" * 32}
COUNTS = {"works": 3, "opted_out": 1}
TOLD = {"model": "fake", "broken": "", "policy": "standard", "policy_sha256": "ab" * 32, "choices": [CHOICE]} | COUNTS


@pytest.fixture
def receipts(api):
    return Receipts(Place(api.home))


def rows(engine, table):
    with engine.connect() as connection:
        return connection.execute(sa.select(table)).all()


def leaves(api):
    return [leaf for leaf in api.home.log.entries() if leaf.kind == BATCH]


def test_the_receipt_is_of_the_words_that_were_let_through(api, proxy):  # noqa: F811
    whole = proxy.post(CHAT, json={"model": "fake"})
    streamed = stream(proxy, CHAT)[3]
    for answer in (whole, streamed):
        document = api.all.get(f"/v1/completions/{answer.headers['byline-receipt']}").json()
        (choice,) = document["statement"]["choices"]
        assert choice["released_sha256"] == hashlib.sha256(OWN.encode()).hexdigest()
        assert "tractors" not in json.dumps(document) and document["statement"]["opted_out"] == 1


def test_the_command_verifies_it_offline(api, receipts, tmp_path):
    name = new_receipt()
    receipts.keep(name, TOLD)
    answer = api.all.get(f"/v1/completions/{name}")
    (tmp_path / "receipt.json").write_bytes(answer.content)
    ran = byline("verify", tmp_path / "receipt.json", "--key", api.home.public_key, "--json")
    assert ran.code == 0 and json.loads(ran.out)["ok"], ran.out
    changed = answer.text.replace('"action":"pass"', '"action":"flag"')
    assert changed != answer.text
    (tmp_path / "receipt.json").write_text(changed)
    assert byline("verify", tmp_path / "receipt.json", "--key", api.home.public_key).code == 1


def test_many_receipts_are_one_leaf(api, receipts):
    receipts.enter()
    before, names = len(leaves(api)), [new_receipt() for _ in range(7)]
    for name in names:
        receipts.keep(name, TOLD)
    assert receipts.enter() == 7 and receipts.enter() == 0
    assert len(leaves(api)) == before + 1
    documents = [receipts.one(name) for name in names]
    assert [each["log"][BATCH]["index"] for each in documents] == list(range(7))
    assert all(verify_document(each, api.home.public_key).ok for each in documents)
    receipts.keep(new_receipt(), TOLD)
    receipts.enter()
    assert verify_document(receipts.one(names[3]), api.home.public_key).ok  # under a later head too


def fields(value, path=()):
    """Every value in it that is no object or list."""
    if isinstance(value, dict | list):
        items = value.items() if isinstance(value, dict) else enumerate(value)
        return [found for name, each in items for found in fields(each, (*path, name))]
    return [path]


def test_no_field_can_be_changed_unseen(api, receipts):
    names = [new_receipt() for _ in range(5)]
    for name in names:
        receipts.keep(name, TOLD)
    document = receipts.one(names[2])
    assert {"batch", "index"} <= {path[1] for path in fields(document) if path[0] == "log"}
    for path in fields(document):
        bad = copy.deepcopy(document)
        at = bad
        for step in path[:-1]:
            at = at[step]
        old = at[path[-1]]
        at[path[-1]] = old + 1 if isinstance(old, int) else ("0" if old[:1] != "0" else "1") + old[1:]
        assert not verify_document(bad, api.home.public_key).ok, path
    del document["log"][BATCH]
    assert not verify_document(document, api.home.public_key).ok


def test_a_receipt_of_another_batch_is_refused(api, receipts):
    one, other = new_receipt(), new_receipt()
    for name in (one, other):
        receipts.keep(name, TOLD)
        receipts.enter()
    mine, theirs = receipts.one(one), receipts.one(other)
    assert not verify_document(mine | {"log": theirs["log"]}, api.home.public_key).ok


def test_a_process_killed_before_the_commit_leaves_them_waiting(api, receipts):
    """The leaf is there, the receipts wait on, and enter once more: nothing is lost, nothing is said that is not so."""
    name = new_receipt()
    receipts.keep(name, TOLD)
    before = len(leaves(api))
    with pytest.raises(KeyboardInterrupt), writing(api.home.journal.engine) as connection:
        found = connection.execute(sa.select(RECEIPTS).where(RECEIPTS.c.batch.is_(None))).all()
        receipts._log_batch(connection, found)
        raise KeyboardInterrupt
    assert len(leaves(api)) == before + 1
    assert verify_document(receipts.one(name), api.home.public_key).ok and len(leaves(api)) == before + 2


def test_writers_side_by_side_enter_each_receipt_once(api):
    all_of_them = [Receipts(Place(api.home)) for _ in range(4)]
    names = [[new_receipt() for _ in range(5)] for _ in all_of_them]

    def write(mine, some):
        for name in some:
            mine.keep(name, TOLD)
            mine.enter()

    threads = [threading.Thread(target=write, args=each) for each in zip(all_of_them, names, strict=True)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for name in [each for some in names for each in some]:
        assert verify_document(all_of_them[0].one(name), api.home.public_key).ok
    held = rows(api.home.journal.engine, RECEIPTS)
    assert all(row.batch is not None for row in held)
    sizes = {row.seq: row.size for row in rows(api.home.journal.engine, BATCHES)}
    for batch, size in sizes.items():
        assert sorted(row.place for row in held if row.batch == batch) == list(range(size)) and size <= MOST


def test_there_is_no_other_receipt(receipts):
    with pytest.raises(AppError, match="no completion"):
        receipts.one(new_receipt())
