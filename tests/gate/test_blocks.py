"""A no that somebody gave by any kind of target: the gate refuses the work, and its copies, in both directions."""

from collections.abc import Callable
from datetime import date

from byline.core import Verdict, Work
from byline.gate import Neighbour, decide, decide_all, find_clusters
from byline.registry import Block

Make = Callable[..., Work]
DAY = date(2024, 5, 6)


def block(work: Work) -> dict[str, Block]:
    return {work.id: Block(work.id, ("optout:1", "optout:2"), "domain:a.org", DAY, "Opted out: because.")}


def test_a_block_refuses_and_names_every_notice(work: Make) -> None:
    one, two = work("A"), work("B")
    decision = decide(one, DAY, [], [], blocks=block(one))
    assert (decision.verdict, decision.rule) == (Verdict.REFUSE, "opt-out")
    assert decision.evidence == ("domain:a.org", "optout:1", "optout:2") and decision.because == "Opted out: because."
    assert decide(two, DAY, [], [], blocks=block(one)).verdict is Verdict.ADMIT


def test_a_block_reaches_copies_whichever_came_first(work: Make) -> None:
    one, two = work("A"), work("B")
    for prior in (True, False):
        decision = decide(one, DAY, [], [Neighbour(two, 900_000, prior)], blocks=block(two))
        assert (decision.verdict, decision.rule) == (Verdict.REFUSE, "opt-out-copy")


def test_no_law_and_no_licence_lifts_a_block(work: Make) -> None:
    one = work("A")
    allowed = decide(one, DAY, [], [])
    assert allowed.verdict is Verdict.ADMIT
    assert decide(one, DAY, [], [], allowed, block(one)).rule == "opt-out"


def test_all_works_are_decided_with_their_blocks(work: Make) -> None:
    works = [work("A"), work("B"), work("C")]
    texts = {each.id: " ".join(f"{each.title}{n}" for n in range(100)) for each in works}
    decided = decide_all(works, find_clusters(works, texts), [], DAY, blocks=block(works[1]))
    assert {d.work for d in decided if d.verdict is Verdict.REFUSE} == {works[1].id}
