"""Words in no order are held; what a person wrote is not; what is too short or too lonely to tell is not judged."""

import random
from dataclasses import replace
from datetime import date

import pytest

from byline.core import Contribution, Decision, Role, Verdict, Work, account_id, party_id, sha256_hex, work_id
from byline.gate import find_disorder, hold_for_review
from byline.gate.order import MIN_CATALOGUE, MIN_WORDS

NOUNS = [f"noun{number}" for number in range(600)]
VERBS = [f"verb{number}" for number in range(200)]


def sentence(draw):
    return (
        f"the {draw.choice(NOUNS)} of the {draw.choice(NOUNS)} {draw.choice(VERBS)} a {draw.choice(NOUNS)} and then it"
    )


def written(seed, words):
    draw, text = random.Random(seed), []
    while len(text) < words:
        text += sentence(draw).split()
    return " ".join(text[:words])


def shuffled(text, seed):
    words = text.split()
    random.Random(seed).shuffle(words)
    return " ".join(words)


def catalogue(texts):
    made = {}
    for number, text in enumerate(texts):
        sha256 = sha256_hex(text.encode())
        account, title = account_id(f"A{number}"), f"Work {number}"
        part = (Contribution(party_id(f"A{number}"), Role.AUTHOR),)
        work = Work(
            work_id(account, title, sha256), title, "text", account, part, date(2026, 1, 1), "", "CC0-1.0", sha256
        )
        made[work] = text
    return list(made), {work.id: text for work, text in made.items()}


def held(texts):
    works, by_id = catalogue(texts)
    found = {one.work for one in find_disorder(works, by_id)}
    return [number for number, work in enumerate(works) if work.id in found]


HONEST = [written(seed, 2000) for seed in range(12)]


def test_words_in_no_order_are_held_and_written_ones_are_not():
    junk = [shuffled(HONEST[n], n)[:4000] for n in range(4)]
    assert held([*HONEST, *junk]) == [12, 13, 14, 15]
    assert held(HONEST) == []


def test_copies_of_the_same_junk_do_not_vouch_for_the_share_that_is_shuffled():
    """Two uploads of one junk text know each other's pairs: that is a near-copy, and the other rule's business."""
    junk = shuffled(HONEST[0], 1)
    assert held([*HONEST, junk, junk]) == []


def test_short_texts_and_small_catalogues_are_not_judged():
    short = " ".join(shuffled(HONEST[0], 1).split()[: MIN_WORDS - 1])
    enough = " ".join(shuffled(HONEST[0], 1).split()[:MIN_WORDS])
    assert held([*HONEST, short]) == [] and held([*HONEST, enough]) == [12]
    assert 2 * 2000 + MIN_WORDS < MIN_CATALOGUE and held([*HONEST[:2], enough]) == []
    assert held([]) == held([""]) == []


def test_the_order_of_works_and_a_second_look_change_nothing():
    texts = [*HONEST, shuffled(HONEST[3], 5)]
    works, by_id = catalogue(texts)
    assert find_disorder(works, by_id) == find_disorder(list(reversed(works)), by_id) == find_disorder(works, by_id)


@pytest.mark.parametrize("rule", ["admitted", "law-allow"])
def test_only_what_was_admitted_is_held(rule):
    works, by_id = catalogue([*HONEST, shuffled(HONEST[0], 1)])
    found = find_disorder(works, by_id)
    admitted = [Decision(work.id, Verdict.ADMIT, rule, "", ()) for work in works]
    after = hold_for_review(admitted, found)
    assert [one.rule for one in after] == [rule] * 12 + ["no-order"]
    assert after[12].verdict is Verdict.REFUSE and after[12].evidence[0].startswith("order:")
    refused = [replace(one, verdict=Verdict.REFUSE, rule="opt-out") for one in admitted]
    assert list(hold_for_review(refused, found)) == refused
