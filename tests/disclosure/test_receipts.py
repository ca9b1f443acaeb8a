import copy
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from byline.disclosure import RECEIPT_FORMAT, Log, create_key, sign_all, verify_document, verify_file, write_statement
from byline.disclosure.receipts import receipt_faults

BODY = {
    "format": RECEIPT_FORMAT,
    "type": "opt-out",
    "id": "optout:0",
    "target": {"kind": "domain", "value": "example.org"},
    "uses": ["tdm", "train.gen"],
    "from": "2026-01-30",
    "until": None,
    "by": "Ada Moöre",
    "reason": "",
    "received": "2026-01-30T09:00:00+00:00",
    "level": "none",
    "reaches": 3,
    "clocks": [{"law": "byline", "what": "decide on it", "due": "2026-02-13T09:00:00+00:00", "cite": "ours"}],
    "says": "no",
}


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """Seven receipts under one checkpoint, behind three other leaves."""
    folder = tmp_path_factory.mktemp("receipts")
    key, log = create_key(folder / "keys", "byline.example/log"), Log(folder / "log")
    log.append_all("filing", ["ab" * 32] * 3)
    documents = sign_all([BODY | {"id": f"optout:{n}"} for n in range(7)], log, key, "opt-out")
    return key, log, documents


def test_many_receipts_stand_side_by_side_under_one_head(world):
    key, log, documents = world
    assert [document["log"]["index"] for document in documents] == list(range(3, 10))
    assert len({document["log"]["checkpoint"] for document in documents}) == 1
    assert len({document["seal"]["salt"] for document in documents}) == 7
    assert all(verify_document(document, key.public).ok for document in documents)
    assert sign_all([], log, key, "opt-out") == []


def leaves(value, path=()):
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else None
    if items is None:
        yield path, value
    else:
        for name, item in items:
            yield from leaves(item, (*path, name))


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_any_changed_character_is_refused_and_its_field_named(world, data):
    key, _, documents = world
    path, value = data.draw(st.sampled_from(sorted(leaves(documents[2]), key=str)))
    text = value if isinstance(value, str) else json.dumps(value)
    at = data.draw(st.integers(0, max(len(text) - 1, 0)))
    text = (
        text[:at]
        + data.draw(st.sampled_from(sorted(set("0123456789abcdef =+/é\n") - set(text[at : at + 1]))))
        + text[at + 1 :]
    )
    if not isinstance(value, str):
        try:
            text = json.loads(text)
        except ValueError:
            return
        if text == value and type(text) is type(value):
            return
    forged = at_path = copy.deepcopy(documents[2])
    for step in path[:-1]:
        at_path = at_path[step]
    at_path[path[-1]] = text
    found = verify_document(forged, key.public)
    assert not found.ok
    if path[0] == "statement":
        assert found.changed == "/" + "/".join(str(step) for step in path)


def test_parts_of_two_receipts_do_not_make_a_third(world):
    key, _, documents = world
    one, two = documents[:2]
    for part in one:
        assert part == "log" or one[part] != two[part]
        if one[part] != two[part]:
            assert not verify_document(one | {part: two[part]}, key.public).ok, part


def test_a_receipt_is_told_by_its_kind(world, tmp_path):
    key, log, documents = world
    write_statement(tmp_path / "a.json", documents[0])
    assert verify_file(tmp_path / "a.json", key.public).what == "receipt"
    mislabelled = sign_all([BODY], log, key, "claim")[0]
    found = verify_document(mislabelled, key.public)
    assert [check.name for check in found.checks if not check.ok] == ["receipt"]


WRONG = [{"format": "x"}, {"type": "claim"}, {"uses": []}, {"uses": ["train.gen", "tdm"]}, {"uses": ["fly"]}]
WRONG += [{"from": "soon"}, {"until": "2025-01-01"}, {"until": 7}, {"target": {"kind": "work"}}, {"reaches": True}]
WRONG += [{"reaches": False}, {"reaches": "3"}, {"by": None}, {"received": "now"}, {"more": 1}]


@pytest.mark.parametrize("change", WRONG)
def test_what_a_receipt_must_say(change):
    assert receipt_faults("opt-out", BODY) == []
    assert receipt_faults("opt-out", BODY | change)


def test_a_field_may_not_be_missing():
    for name in BODY:
        assert receipt_faults("opt-out", {key: value for key, value in BODY.items() if key != name})
