"""Every invariant of money, I1 to I33, has a property that carries its number and is tried at least 500 times."""

import ast
import re
from pathlib import Path

from invariants import SLOW

TESTS = Path(__file__).parents[1]
COUNT = 33


def properties():
    """(number of the invariant, test, examples tried in the slow suite) of every test that names one."""
    for path in sorted(TESTS.rglob("test_*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef):
                for number in re.findall(r"(?<=_)i(\d\d)(?=_)", node.name):
                    yield int(number), f"{path.relative_to(TESTS)}::{node.name}", examples_of(node)


def examples_of(test):
    """By `@invariant`, or by Hypothesis' own settings; 0 for what is no property."""
    calls = [each for each in test.decorator_list if isinstance(each, ast.Call)]
    names = {ast.unparse(call.func): call for call in calls}
    if "invariant" in names:
        return SLOW
    if "given" in names and "settings" in names:
        told = {word.arg: word.value for word in names["settings"].keywords}
        return getattr(told.get("max_examples"), "value", 100)
    return 100 if "given" in names else 0


def test_every_invariant_has_a_property_with_enough_examples():
    assert SLOW >= 500
    most = dict.fromkeys(range(1, COUNT + 1), 0)
    for number, _, examples in properties():
        most[number] = max(most[number], examples)
    assert {number: examples for number, examples in most.items() if examples < 500} == {}
