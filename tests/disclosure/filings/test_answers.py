"""Answers files: every fault with its line, nothing half-read, and a template that asks what is open."""

from datetime import date

import pytest
from corpora import TODAY
from hypothesis import given, settings
from hypothesis import strategies as st

from byline.disclosure.filings import EU, REGIMES, Kind, State, make_filing, read_answers, template

HEAD = "filing: eu\nanswered_by: Jane Officer\nanswered_on: 2026-11-20\nanswers:\n"


def read(tmp_path, text, name="answers.yaml", regime=EU):
    path = tmp_path / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode("utf-8"))
    return read_answers(path, regime)


def faults(tmp_path, text, name="answers.yaml"):
    _, problems = read(tmp_path, text, name)
    return [(problem.code, problem.at.line) for problem in problems]


def test_answers_are_read_with_who_and_when(tmp_path):
    body = "  1.1.provider: Example Ltd.\n  2.3: no\n  3.2: {answer: A list., by: Sam, on: 2026-11-19}\n"
    body += "  1.2.models: [m 1, m 2]\n  1.2.placed: 2026-12-01\n  1.3.acquired:\n"
    found, problems = read(tmp_path, HEAD + body)
    assert problems == []
    assert {name: (each.value, each.by, each.on) for name, each in found.items()} == {
        "1.1.provider": ("Example Ltd.", "Jane Officer", date(2026, 11, 20)),
        "2.3": (False, "Jane Officer", date(2026, 11, 20)),
        "3.2": ("A list.", "Sam", date(2026, 11, 19)),
        "1.2.models": (["m 1", "m 2"], "Jane Officer", date(2026, 11, 20)),
        "1.2.placed": ("2026-12-01", "Jane Officer", date(2026, 11, 20)),
    }


def test_json_says_the_same(tmp_path):
    body = '{"filing": "eu", "answered_by": "J", "answered_on": "2026-11-20",\n "answers": {"2.3": false,\n"zz": 1}}'
    found, problems = read(tmp_path, body, "answers.json")
    assert found["2.3"].value is False
    assert [(p.code, p.at.line) for p in problems] == [("unknown-key", 3)]


FAULTY = {
    "unknown field": (HEAD + "  2.3: no\n  9.9: x\n", [("unknown-key", 6)]),
    "unknown key": ("mood: good\n" + HEAD, [("unknown-key", 1)]),
    "wrong shape of an answer": (
        HEAD + "  2.3: perhaps\n  1.3.acquired: 2026-13\n",
        [("bad-answer", 5), ("bad-answer", 6)],
    ),
    "a table cannot be answered": (HEAD + "  2.3.domains: [a.example]\n", [("bad-answer", 5)]),
    "nobody answered": (HEAD.replace("Jane Officer", "") + "  2.3: no\n", [("unsigned-answer", 5)]),
    "no day": (HEAD.replace("2026-11-20", "soon") + "  2.3: no\n", [("bad-date", 5)]),
    "another filing": (HEAD.replace("eu", "cn"), [("other-filing", 1)]),
    "twice": (HEAD + "  2.3: no\n  2.3: yes\n", [("key-twice", 6)]),
    "an unknown part": (HEAD + "  3.2: {answer: x, mood: y}\n", [("unknown-key", 5)]),
    "answers are a list": (HEAD.rstrip() + " [1]\n", [("bad-shape", 4)]),
    "no answers": ("filing: eu\n", [("missing-key", 0)]),
    "empty": ("", [("missing-key", 0), ("missing-key", 0)]),
    "not YAML": (HEAD + "  2.3: [\n", [("bad-yaml", 6)]),
    "a reference": ("a: &x [1]\nb: *x\n", [("bad-yaml", 2)]),
    "not UTF-8": (HEAD.encode() + b"  3.2: \xff\n", [("encoding", 5)]),
    "a list": ("- 1\n", [("bad-shape", 1), ("missing-key", 0), ("missing-key", 0)]),
}


@pytest.mark.parametrize("what", FAULTY)
def test_every_fault_has_its_line(what, tmp_path):
    text, wanted = FAULTY[what]
    assert sorted(faults(tmp_path, text)) == sorted(wanted)


@pytest.mark.parametrize("text", ["{", "[1,", '{"a": 1, "a": 2}', "9" * 5000, "[" * 100_000], ids=range(5))
def test_broken_json_is_told(text, tmp_path):
    assert faults(tmp_path, text, "answers.json")


def test_a_file_of_many_megabytes_is_not_read(tmp_path):
    assert faults(tmp_path, b"a: " + b"x" * (5 * 2**20)) == [("too-long", 0)]


def test_no_file_is_a_problem(tmp_path):
    assert read_answers(tmp_path / "none.yaml", EU)[1][0].code == "missing-file"


@settings(max_examples=150, deadline=None)
@given(text=st.text(max_size=200), name=st.sampled_from(["a.yaml", "a.json"]))
def test_whatever_stands_in_the_file_ends_in_answers_or_problems(text, name, tmp_path_factory):
    found, problems = read(tmp_path_factory.mktemp("junk"), text, name)
    assert found == {} and problems


@pytest.mark.parametrize("regime", REGIMES.values(), ids=REGIMES)
def test_the_template_asks_what_is_open_and_reads_as_no_answer(regime, known, unknown, tmp_path):
    for corpus in (known, unknown):
        text = template(regime, corpus, TODAY)
        filing = make_filing(regime, corpus, {}, TODAY)
        found, problems = read(tmp_path, text, regime=regime)
        assert found == {} and problems == []
        for field in filing.fields:
            asked = f"\n  {field.item.id}:" in text or f'\n  "{field.item.id}":' in text
            open_to_people = field.state in (State.OPEN, State.WAITING, State.EMPTY)
            assert asked == (open_to_people and field.item.kind is not Kind.TABLE)
