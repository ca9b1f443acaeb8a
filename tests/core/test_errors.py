"""docs/errors.md names exactly the codes that the source raises."""

import ast
import inspect
import re
from pathlib import Path

import byline
from byline.core import errors

SOURCE = Path(byline.__file__).parent
PAGE = Path(__file__).parents[2] / "docs" / "errors.md"
CLASSES = {
    name for name, kind in inspect.getmembers(errors, inspect.isclass) if issubclass(kind, errors.BylineError)
} - {"BylineError"}


def raised():
    """(class, code) of every error that is made in the source."""
    for file in sorted(SOURCE.rglob("*.py")):
        module = ast.parse(file.read_text(encoding="utf-8"))
        for function in [module, *(node for node in ast.walk(module) if isinstance(node, ast.FunctionDef))]:
            for call in calls(function, CLASSES):
                for code in codes(module, function, call.args[0]):
                    yield call.func.id, code


def calls(tree, names):
    found = (node for node in ast.walk(tree) if isinstance(node, ast.Call) and isinstance(node.func, ast.Name))
    return [node for node in found if node.func.id in names]


def codes(module, function, code):
    """A code is a literal, a constant of the module, the first argument of a helper, or that of an error re-raised."""
    if isinstance(code, ast.Constant):
        return [code.value]
    if isinstance(code, ast.Attribute) and code.attr == "code":
        return []
    constants = [n.value.value for n in module.body if isinstance(n, ast.Assign) and n.targets[0].id == code.id]
    if constants or isinstance(function, ast.Module):
        return constants
    return [call.args[0].value for call in calls(module, {function.name})]


def documented():
    """(class, code) of every row of the page's tables, which stand under a heading with the class."""
    kind = ""
    for line in PAGE.read_text(encoding="utf-8").splitlines():
        if heading := re.match(r"## (\w+)", line):
            kind = heading[1]
        elif row := re.match(r"\| `([a-z0-9-]+)` \| (.+) \| (.+) \|$", line):
            yield kind, row[1]


def test_every_code_is_documented_and_every_documented_code_is_raised():
    source, page = set(raised()), list(documented())
    assert len(source) > 90
    assert source - set(page) == set() and set(page) - source == set()
    assert page == sorted(page) and len(set(page)) == len(page)


def test_every_class_is_in_the_tree_of_the_module():
    for name in CLASSES:
        assert name in (errors.__doc__ or "")
