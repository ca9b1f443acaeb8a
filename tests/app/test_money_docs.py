"""The pages about money and people name the files' columns and kinds as the program reads them."""

import csv
import re
from dataclasses import fields
from pathlib import Path

from byline.app.bookings import BOOKINGS
from byline.app.money_files import CONTRACTS, EVENTS, OUTPUTS, USES
from byline.app.payouts import PAYEES, WITHHOLDING
from byline.ledger import Policy
from byline.registry import read_people
from byline.registry.people import KINDS, Ground
from byline.registry.people_files import PARTY, PEOPLE

DOCS = Path(__file__).parents[2] / "docs"
PAGES = {name: (DOCS / f"{name}.md").read_text(encoding="utf-8") for name in ("money", "people", "payouts")}


def rows(page, columns):
    return re.findall(r"^\| " + r" \| ".join(["(.*?)"] * columns) + r" \|$", PAGES[page], re.MULTILINE)


def block(page):
    return re.search(r"^```csv\n(.*?)^```$", PAGES[page], re.MULTILINE | re.DOTALL)[1]


def words(text):
    return set(re.findall(r"`([a-z_]+)`", text))


def test_facts_about_people_have_the_documented_kinds_and_columns():
    told = {kind.strip("`"): words(columns) for kind, columns, _ in rows("people", 3) if kind.startswith("`")}
    assert set(told) == {PARTY, *KINDS}
    known = {*PEOPLE.required, *PEOPLE.optional}
    assert set().union(*told.values()) | {"kind", "effective", "account"} == known
    assert all(ground in PAGES["people"] for ground in Ground)


def test_the_example_of_facts_is_read(tmp_path):
    """Its works are not registered here; nothing else is wrong with it."""
    (tmp_path / "people.csv").write_text(block("people"))
    for name in ("gift.pdf", "letter.pdf"):
        (tmp_path / name).write_bytes(b"paper")
    found, problems = read_people(tmp_path / "people.csv", [])
    assert len(found.parties) == len(found.records) == 1
    assert [problem.says for problem in problems] == ["the work 'The Inheritors' is not registered"]


def test_files_of_money_have_the_documented_columns():
    payees = next(csv.reader(block("payouts").splitlines()))
    assert payees == [*PAYEES.required, *PAYEES.optional]
    assert ", ".join(WITHHOLDING.required) in PAGES["payouts"]
    booked = [*BOOKINGS.required, *BOOKINGS.optional]
    assert f"columns: {', '.join(booked)}." in re.sub(r"\s+", " ", PAGES["payouts"])
    kinds = {kind.strip("`") for kind, _, _ in rows("payouts", 3) if kind.startswith("`")}
    assert kinds == {"advance", "hold", "release", "exchange", "reserve"}
    contracts = set().union(*(words(name) for name, _ in rows("money", 2)))
    assert contracts >= {*CONTRACTS.required, *CONTRACTS.optional}
    for columns in (OUTPUTS, USES):
        assert ", ".join([*columns.required, *columns.optional]) in PAGES["money"]
    assert ", ".join(EVENTS.required) in re.sub(r"\s+", " ", PAGES["money"])


def test_every_field_of_a_policy_is_documented():
    assert all(f"`{field.name}`" in PAGES["money"] or f'"{field.name}"' in PAGES["money"] for field in fields(Policy))
