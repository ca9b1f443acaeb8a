"""Expressions of licences, and the table they are read from."""

import csv
import itertools
from pathlib import Path

import pytest

import byline.gate.licence as module
from byline.gate.licence import (
    ATTRIBUTION,
    DERIVATIVES,
    PUBLIC,
    SHARE_ALIKE,
    TRAIN,
    LicenceTerms,
    licence_terms,
    read_licence,
)

TABLE = Path(module.__file__).with_name("licences.csv")


@pytest.mark.parametrize(
    ("expression", "permits", "chosen"),
    [
        ("CC-BY-4.0 OR MIT", True, "MIT"),
        ("GPL-3.0-only or cc0-1.0", True, "cc0-1.0"),
        ("LicenseRef-Commercial OR MIT", True, "MIT"),
        ("MIT AND CC-BY-4.0", True, "MIT AND CC-BY-4.0"),
        ("MIT AND CC-BY-NC-4.0", False, "MIT AND CC-BY-NC-4.0"),
        ("MIT AND LicenseRef-AllRightsReserved", False, "MIT AND LicenseRef-AllRightsReserved"),
        ("MIT OR LicenseRef-PublicDomain", True, "MIT"),
        ("GPL-3.0-only OR (CC-BY-4.0 AND MIT)", True, "CC-BY-4.0 AND MIT"),
        ("Apache-2.0 WITH LLVM-exception", True, "Apache-2.0 WITH LLVM-exception"),
        ("GPL-2.0-only WITH Classpath-exception-2.0", None, "GPL-2.0-only WITH Classpath-exception-2.0"),
        ("LicenseRef-scancode-bigscience-open-rail-m", None, "LicenseRef-scancode-bigscience-open-rail-m"),
        ("  MIT  ", True, "MIT"),
        ("((MIT))", True, "MIT"),
    ],
)
def test_expressions(expression, permits, chosen):
    terms = licence_terms(expression)
    assert terms is not None and terms.chosen == chosen
    assert read_licence(expression).permits is permits


@pytest.mark.parametrize(
    "expression",
    ["", "CC-BY", "LicenseRef-Mine", "MIT AND LicenseRef-Mine", "MIT WITH Foo", "MIT OR", "(MIT", "MIT)", "AND",
     "MIT MIT",
     "MIT/CC0-1.0", "MIT XOR CC0-1.0"],
)  # fmt: skip
def test_what_is_not_known_is_not_permitted(expression):
    assert licence_terms(expression) is None and read_licence(expression).permits is None


def test_a_deeply_nested_expression_is_no_crash():
    assert read_licence("MIT AND (CC-BY-NC-4.0 OR (" * 400 + "MIT" + "))" * 400).permits in (None, True)


def test_without_the_parser_an_expression_is_unknown(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "license_expression", None)
    assert read_licence("MIT OR CC0-1.0").permits is None and read_licence("MIT").permits is True


def rows():
    with TABLE.open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_the_table_is_whole():
    found = rows()
    assert len(found) > 80 and len({row["id"].lower() for row in found}) == len(found)
    for row in found:
        assert (row["train"], row["derivatives"]) in itertools.product(TRAIN, DERIVATIVES), row
        assert (
            row["attribution"] in ATTRIBUTION and row["share_alike"] in SHARE_ALIKE and row["public_domain"] in PUBLIC
        )
        assert {row["reproduce"], row["commercial"]} <= {"yes", "no"} and row["source"]


def test_creative_commons_license_no_voice():
    for licence in ("CC-BY-4.0", "CC-BY-SA-3.0", "CC-BY-NC-ND-2.5"):
        terms = licence_terms(licence)
        assert terms is not None and "voice" in terms.excludes


ORDERS = {"train": TRAIN, "derivatives": DERIVATIVES, "attribution": ATTRIBUTION, "share_alike": SHARE_ALIKE}
SOME = ("MIT", "CC0-1.0", "CC-BY-SA-4.0", "CC-BY-NC-4.0", "GPL-3.0-only", "LicenseRef-AllRightsReserved", "ODbL-1.0")


@pytest.mark.parametrize("pair", list(itertools.permutations(SOME, 2)), ids=" ".join)
def test_both_together_are_no_freer_than_either_and_a_choice_no_less(pair):
    one, other = (licence_terms(name) for name in pair)
    both, choice = licence_terms(f"{pair[0]} AND {pair[1]}"), licence_terms(f"{pair[0]} OR {pair[1]}")
    assert isinstance(one, LicenceTerms) and isinstance(other, LicenceTerms) and both and choice
    for name, order in ORDERS.items():
        ranks = [order.index(getattr(terms, name)) for terms in (one, other)]
        assert order.index(getattr(both, name)) == min(ranks)
    assert both.commercial == (one.commercial and other.commercial)
    assert choice.chosen in pair
    swapped = licence_terms(f"{pair[1]} OR {pair[0]}")
    assert swapped is not None and swapped.chosen == choice.chosen
    permitted = {read_licence(name).permits for name in pair}
    wanted = True if True in permitted else read_licence(choice.chosen).permits
    assert read_licence(f"{pair[0]} OR {pair[1]}").permits is wanted
