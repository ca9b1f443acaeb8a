"""Verdicts: each rule, their order, and how far a no reaches."""

from collections.abc import Callable
from datetime import date

import pytest

from byline.core import Decision, GateError, OptOut, Verdict, Work, party_id
from byline.gate import Clusters, Neighbour, decide, decide_all, find_clusters, read_licence

Make = Callable[..., Work]
DAY = date(2024, 5, 6)
TEXTS = {name: " ".join(f"{name}{n}" for n in range(100)) for name in "xyz"}


def opt_out(name: str, work: Work | None = None, effective: date = DAY) -> OptOut:
    return OptOut(party_id(name), work.id if work else None, effective, DAY, "")


def all_decisions(pairs: list[tuple[Work, str]], *opt_outs: OptOut) -> list[tuple[str, Verdict]]:
    """Rule and verdict of each, in the order given."""
    works = [work for work, _ in pairs]
    clusters = find_clusters(works, {work.id: text for work, text in pairs})
    decided = {decision.work: decision for decision in decide_all(works, clusters, opt_outs, DAY)}
    return [(decided[work.id].rule, decided[work.id].verdict) for work in works]


def test_admitted_with_its_reason(work: Make) -> None:
    one = work("A", licence="CC-BY-SA-4.0")
    because = (
        "The licence CC-BY-SA-4.0 allows training, because it permits any use if the author is named and what is "
        "derived is shared alike."
    )
    assert decide(one, DAY, [], []) == Decision(one.id, Verdict.ADMIT, "admitted", because, ("licence:CC-BY-SA-4.0",))


@pytest.mark.parametrize(
    ("licence", "rule"),
    [
        ("LicenseRef-PublicDomain", "admitted"),
        ("cc0-1.0", "admitted"),
        ("CC-BY-2.5", "admitted"),
        ("CC-BY-SA-3.0-US", "admitted"),
        ("MIT", "admitted"),
        ("CC-BY-NC-4.0", "licence-refuses"),
        ("CC-BY-NC-SA-4.0", "licence-refuses"),
        ("CC-BY-NC-ND-4.0", "licence-refuses"),
        ("CC-BY-ND-4.0", "licence-refuses"),
        ("All rights reserved", "licence-refuses"),
        ("", "licence-unknown"),
        ("CC-BY", "licence-unknown"),
        ("CC-BY-4.0 OR MIT", "admitted"),
        ("CC-BY-4.0 OR", "licence-unknown"),
        ("LicenseRef-Mine", "licence-unknown"),
    ],
)
def test_licences(work: Make, licence: str, rule: str) -> None:
    decision = decide(work("A", licence=licence), DAY, [], [])
    assert decision.rule == rule
    assert decision.verdict is (Verdict.ADMIT if rule == "admitted" else Verdict.REFUSE)
    assert licence in decision.because


def test_a_licence_reading_gives_a_reason() -> None:
    assert read_licence("cc-by-nc-4.0").why == "it forbids commercial use"
    assert read_licence("  CC0-1.0 ").permits


def test_opt_out_of_a_party_of_a_work_and_from_a_day_on(work: Make) -> None:
    one, other = work("A", "Ann", "Bob"), work("B", "Bob")
    later = date(2024, 5, 7)
    assert decide(one, DAY, [opt_out("Ann")], []).evidence == (party_id("Ann"),)
    assert decide(one, DAY, [opt_out("Bob", one)], []).rule == "opt-out"
    assert decide(other, DAY, [opt_out("Bob", one)], []).rule == "admitted"
    assert decide(other, DAY, [opt_out("Ann"), opt_out("Cid")], []).rule == "admitted"
    assert decide(one, DAY, [opt_out("Ann", effective=later)], []).rule == "admitted"
    assert decide(one, later, [opt_out("Ann", effective=later)], []).rule == "opt-out"


def test_someone_without_a_part_in_a_work_cannot_opt_it_out(work: Make) -> None:
    one = work("A", "Ann")
    assert decide(one, DAY, [opt_out("Copycat", one)], []).rule == "admitted"


def test_the_order_of_the_rules(work: Make) -> None:
    original = work("A", "Ann")
    prior = Neighbour(original, 912_345, True)
    copy = work("B", "Copycat", licence="")
    assert decide(copy, DAY, [opt_out("Copycat"), opt_out("Ann")], [prior]).rule == "opt-out"
    assert decide(copy, DAY, [opt_out("Ann")], [prior]).rule == "opt-out-copy"
    assert decide(copy, DAY, [], [prior]).rule == "licence-unknown"
    decision = decide(work("B", "Copycat"), DAY, [], [prior])
    assert (decision.rule, decision.evidence) == ("near-copy", (original.id, "containment-ppm:912345"))
    assert "91 %" in decision.because and "'A'" in decision.because


def test_a_copy_is_refused_and_the_original_admitted(work: Make) -> None:
    pairs = [(work("A", "Ann"), TEXTS["x"]), (work("B", "Copycat"), TEXTS["x"]), (work("C", "Ann"), TEXTS["x"])]
    assert [rule for rule, _ in all_decisions(pairs)] == ["admitted", "near-copy", "admitted"]


def test_a_copy_of_a_work_that_may_not_be_used_is_refused_too(work: Make) -> None:
    pairs = [(work("A", "Ann", licence=""), TEXTS["x"]), (work("B", "Copycat"), TEXTS["x"])]
    assert [rule for rule, _ in all_decisions(pairs)] == ["licence-unknown", "near-copy"]


def test_an_opt_out_reaches_copies_registered_before_and_after(work: Make) -> None:
    fast, own, slow, far = work("A", "Fast"), work("B", "Ann"), work("C", "Slow"), work("D", "Ann")
    pairs = [(fast, TEXTS["x"]), (own, TEXTS["x"]), (slow, TEXTS["x"] + " " + TEXTS["y"]), (far, TEXTS["z"])]
    rules = [rule for rule, _ in all_decisions(pairs, opt_out("Ann", own))]
    assert rules == ["opt-out-copy", "opt-out", "opt-out-copy", "admitted"]
    assert [rule for rule, _ in all_decisions(pairs, opt_out("Ann"))][3] == "opt-out"


def test_decisions_stand_by_work_id_and_need_every_work(work: Make) -> None:
    works = [work(name) for name in "CAB"]
    clusters = find_clusters(works, {one.id: one.title for one in works})
    decided = decide_all(works, clusters, [], DAY)
    assert [decision.work for decision in decided] == sorted(one.id for one in works)
    assert decided == decide_all(works[::-1], clusters, [], DAY)
    with pytest.raises(GateError) as caught:
        decide_all(works[:2], clusters, [], DAY)
    assert caught.value.code == "clusters-differ"
    assert decide_all([], Clusters((), ()), [], DAY) == ()


def test_law_stands_in_the_place_of_the_licence_and_behind_a_no(work: Make) -> None:
    one = work("A", licence="LicenseRef-AllRightsReserved")
    allowed = Decision(one.id, Verdict.ADMIT, "law-allow", "EU: mined.", ("rule:eu-art4-tdm",))
    held = Decision(one.id, Verdict.REFUSE, "law-review", "EU: open.", ())
    copy = Neighbour(work("B"), 900_000, True)
    assert decide(one, DAY, [], [], allowed) == allowed and decide(one, DAY, [], [], held) == held
    assert decide(one, DAY, [opt_out("Ann")], [], allowed).rule == "opt-out"
    assert decide(one, DAY, [], [copy], allowed).rule == "near-copy"


def test_law_about_other_works_is_refused(work: Make) -> None:
    one = work("A")
    clusters = find_clusters([one], {one.id: TEXTS["x"]})
    with pytest.raises(GateError) as caught:
        decide_all([one], clusters, [], DAY, {})
    assert caught.value.code == "law-differs"
