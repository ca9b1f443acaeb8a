"""Every record of core goes to JSON and back, and what is not its JSON is refused by name."""

import dataclasses
import json
import pickle
import types
import typing
from datetime import UTC, date, datetime
from enum import StrEnum

import pytest
from hypothesis import given
from hypothesis import strategies as st

import byline.core as core
from byline.core import CoreError, Manifest, Record, Split, StoreError, Work, example_id, work_id

CHECKED = ("ShareTable", "Reliability", "Share")  # their numbers must fit together: tests/core/test_tables.py
RECORDS = [
    kind
    for name, kind in vars(core).items()
    if isinstance(kind, type) and issubclass(kind, Record) and kind is not Record and name not in CHECKED
]
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)


def values(hint):
    """Strategy for the values that a field annotation allows."""
    hint = getattr(hint, "__supertype__", hint)
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if origin in (types.UnionType, typing.Union):
        return st.one_of([values(arg) for arg in args])
    if origin is tuple:
        if args[-1] is ...:
            return st.lists(values(args[0]), max_size=3).map(tuple)
        return st.tuples(*map(values, args))
    if isinstance(hint, type) and issubclass(hint, Record):
        return records(hint)
    if isinstance(hint, type) and issubclass(hint, StrEnum):
        return st.sampled_from(hint)
    known = {
        str: texts,
        int: st.integers(-(2**53) + 1, 2**53 - 1),
        bool: st.booleans(),
        date: st.dates(),
        datetime: st.datetimes(timezones=st.just(UTC)),
        type(None): st.none(),
    }
    return known[hint]


def records(kind):
    hints = typing.get_type_hints(kind)
    return st.builds(kind, **{field.name: values(hints[field.name]) for field in dataclasses.fields(kind)})


def test_there_are_records():
    assert {Work, Manifest, Split} <= set(RECORDS)


@pytest.mark.parametrize("kind", RECORDS)
@given(st.data())
def test_round_trip_through_json_text(kind, data):
    record = data.draw(records(kind))
    again = kind.from_json(json.loads(json.dumps(record.to_json())))
    assert again == record and again.digest() == record.digest()


@pytest.mark.parametrize("kind", RECORDS)
@given(st.data())
def test_a_wrong_or_torn_field_is_refused(kind, data):
    record = data.draw(records(kind))
    value = record.to_json()
    name = data.draw(st.sampled_from(sorted(value)))
    for wrong in (1.5, object(), {"no": "record"}):
        with pytest.raises(CoreError) as fault:
            kind.from_json({**value, name: wrong})
        assert fault.value.code == "bad-record"
    for torn in ({**value, "more": 1}, {key: item for key, item in value.items() if key != name}, [value], None, "x"):
        with pytest.raises(CoreError) as fault:
            kind.from_json(torn)
        assert fault.value.code == "bad-record"


SPLIT = {"work": "work:1", "lines": [["party:1", 500_000]], "effective": "2026-01-01", "agreed": True}


@pytest.mark.parametrize(
    ("field", "wrong"),
    [
        ("lines", [["party:1"]]),
        ("lines", [["party:1", 1, 2]]),
        ("lines", [["party:1", True]]),
        ("lines", [["party:1", "500000"]]),
        ("lines", ["party:1"]),
        ("lines", "party:1"),
        ("effective", "01.01.2026"),
        ("effective", 20260101),
        ("agreed", 1),
        ("work", None),
    ],
)
def test_values_are_never_bent_to_fit(field, wrong):
    assert Split.from_json(SPLIT).lines == (("party:1", 500_000),)
    with pytest.raises(CoreError, match=f"Split.{field}") as fault:
        Split.from_json({**SPLIT, field: wrong})
    assert fault.value.code == "bad-record"


def test_records_are_frozen():
    with pytest.raises(dataclasses.FrozenInstanceError):
        Split.from_json(SPLIT).agreed = False


def test_ids_follow_from_content_alone():
    work = work_id("account:a", "Title", "ab" * 32)
    assert work == work_id("account:a", "Title", "ab" * 32)
    parts = [("account:b", "Title", "ab" * 32), ("account:a", "Other", "ab" * 32), ("account:a", "Title", "cd" * 32)]
    assert work not in {work_id(*p) for p in parts} and work.startswith("work:")
    spans = {example_id(work, a, b, c) for a, b, c in [(0, 9, "x"), (0, 8, "x"), (1, 9, "x"), (0, 9, "y")]}
    assert len(spans) == 4


def test_an_error_comes_back_from_another_process_whole():
    fault = StoreError("some-code", "what happened", "what to do")
    again = pickle.loads(pickle.dumps(fault))
    assert type(again) is StoreError and (again.code, again.message, again.fix) == (
        "some-code",
        "what happened",
        "what to do",
    )
    assert str(again) == "what happened\n  fix: what to do"
