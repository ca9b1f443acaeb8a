"""Texts that a model could have written are held; what lies among the usual is not; without a yardstick nothing is."""

import random

import pytest

from byline.core import Decision, Verdict, WorkId
from byline.gate import Disorder, Echo, find_echoes, hold_for_review
from byline.gate.echo import MIN_USUAL, SPREADS

USUAL = [random.Random(n).gauss(0.4, 0.3) for n in range(400)]


def test_what_lies_far_above_the_usual_is_held_and_nothing_else():
    asked = {WorkId(f"work:{n}"): value for n, value in enumerate((0.4, -3.0, 1.0, 1.6, 5.0))}
    found = find_echoes(asked, USUAL, "demo")
    assert [one.work for one in found] == ["work:3", "work:4"]
    assert found[0].spreads_ppm == pytest.approx(4e6, rel=0.15) and found[0].model == "demo"


def test_of_a_hundred_honest_spans_about_one_is_held():
    honest = {WorkId(f"work:{n}"): random.Random(1000 + n).gauss(0.4, 0.3) for n in range(5000)}
    assert 0.005 < len(find_echoes(honest, USUAL, "demo")) / len(honest) < 0.02


def test_neither_scale_nor_origin_of_the_excess_matters():
    asked = {WorkId(f"work:{n}"): n / 10 for n in range(30)}
    moved = {work: 7 * value - 2 for work, value in asked.items()}
    before, after = find_echoes(asked, USUAL, "m"), find_echoes(moved, [7 * value - 2 for value in USUAL], "m")
    assert [one.work for one in before] == [one.work for one in after] != []


def test_with_few_spans_of_people_nothing_is_held():
    asked = {WorkId("work:1"): 99.0}
    assert find_echoes(asked, USUAL[: MIN_USUAL - 1], "demo") == () != find_echoes(asked, USUAL[:MIN_USUAL], "demo")


def test_a_held_work_says_why_and_the_first_finding_counts():
    names = [WorkId(f"work:{n}") for n in range(3)]
    admitted = [Decision(name, Verdict.ADMIT, "admitted", "", ()) for name in names]
    echo = Echo(names[1], "demo", int((SPREADS + 1) * 1e6))
    after = hold_for_review(admitted, [Disorder(names[2], 10_000), echo, Echo(names[2], "demo", 9_000_000)])
    assert [one.rule for one in after] == ["admitted", "like-a-model", "no-order"]
    assert "3.3 spreads" in after[1].because and after[1].evidence == ("echo:demo:3330000",)
    assert after[1].verdict is Verdict.REFUSE
