"""Settlements drawn by Hypothesis. The splits come from a drawn seed: that is quick, and everything else shrinks."""

from datetime import timedelta
from random import Random

from hypothesis import strategies as st
from worlds import DAY, event, share_table, terms

from byline.core import PPB, PPM, Split, quantise
from byline.ledger import Prior, Probation, Stake, Unattributed

rates = st.integers(0, 300_000)
amounts = st.one_of(st.integers(-200, 200), st.integers(-(2**62), 2**62))


def splits_of(works, random):
    """None, one or two splits per work, around the days of the events; a party may stand twice in one."""
    for work in works:
        for back in random.choice(((), (-4,), (3,), (-9, 5))):
            cuts = sorted(random.choice((0, PPM, random.randrange(PPM))) for _ in range(random.randrange(4)))
            lines = tuple((f"party:{random.choice('abcdef')}", b - a) for a, b in zip([0, *cuts], cuts, strict=False))
            yield Split(work, lines, DAY + timedelta(back))


@st.composite
def worlds(draw, new=True):
    """`new`: whether some works may be on probation."""
    count = draw(st.integers(1, 5))
    own = tuple(
        Stake(
            f"cluster:{c}",
            draw(st.integers(1, 10**6)),
            tuple((f"work:{c}.{w}", draw(st.integers(int(w == 0), 3))) for w in range(draw(st.integers(1, 2)))),
            catalogue=f"catalogue:{draw(st.integers(0, 2))}",
            new=new and draw(st.booleans()),
        )
        for c in range(count)
    )
    weights = draw(st.lists(st.integers(0, 9), min_size=count + 1, max_size=count + 1))
    parts = quantise(weights if any(weights) else [0] * count + [1], PPB)
    works = [work for stake in own for work, _ in stake.works]
    splits = tuple(splits_of(works, Random(draw(st.integers(0, 2**32)))))
    events = tuple(
        event(draw(amounts), f"event:{i}", DAY + timedelta(draw(st.integers(0, 9))))
        for i in range(draw(st.integers(1, 3)))
    )
    return dict(
        events=events,
        shares=share_table({stake.cluster: part for stake, part in zip(own, parts, strict=False)}),
        stakes=own,
        splits=splits,
        terms=terms(
            draw(st.integers(0, PPM)),
            commission_ppm=draw(rates),
            reserve_ppm=draw(rates),
            train_share_ppm=draw(st.integers(0, PPM)),
            prior=draw(st.sampled_from(Prior)),
            unattributed=draw(st.sampled_from(Unattributed)),
            probation=draw(st.sampled_from(Probation)) if new else Probation.NONE,
            cap_ppm=draw(st.one_of(st.just(PPM), st.integers(0, PPM))),
        ),
    )
