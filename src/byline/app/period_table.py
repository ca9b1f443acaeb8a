"""The period in words for a terminal: both numbers of each work, and what its interval is made of."""

from collections.abc import Mapping
from typing import Any

from rich.markup import escape
from rich.table import Table

from byline.app.carried import BODY, HEAD
from byline.app.game import blend_words
from byline.core import PPB, WorkId, cluster_id

SHOWN = 8  # works, the largest shares first
CHANNELS = {
    HEAD: "influence through the last layer of the model",
    BODY: "influence through all layers before it",
    "ekfac": "influence as the end of the training alone shows it",
    "words": "likeness of words",
}
SOURCES = {"examples": "single examples", "streams": "the sampling of batches", "seed": "another seed"}


def period_table(told: Mapping[str, Any], titles: Mapping[str, str], of: str = "work") -> Table:
    """`told`: attribution.json; `titles` of works, if the shares are `of` those."""
    named = {str(cluster_id(WorkId(work))): title for work, title in titles.items()}
    table = Table(of, "share", "90 % interval", "uniqueness", box=None)
    rows = sorted(told["period_numbers"], key=lambda row: (-row["ppb"], row["id"]))
    for row in rows[:SHOWN]:
        interval = f"{row['low_ppb'] / PPB:.2%} - {row['high_ppb'] / PPB:.2%}"
        title = escape(named.get(row["id"], row["id"]))
        table.add_row(title, f"{row['ppb'] / PPB:.2%}", interval, f"{row['unique_ppb'] / PPB:.2%}")
    table.add_row("[dim]unattributed[/]", f"{told['period']['unattributed_ppb'] / PPB:.2%}", "", "")
    return table


def period_words(told: Mapping[str, Any]) -> list[str]:
    """What the two numbers are, what was joined, and what the intervals are made of."""
    intervals = f"Intervals: {told['period_intervals']}. {error_words(told)}"
    return [_game_words(told["period_effects"]), *_joined_words(told), intervals]


def interval_words(told: Mapping[str, Any]) -> list[str]:
    """For a page: what was joined for the period's shares, and what their intervals come from; nothing if the
    attribution did not keep it."""
    if "period_errors" not in told:
        return []
    intervals = f"The intervals of the period's shares come from {told['period_intervals']}. {error_words(told)}"
    return [*_joined_for_a_page(told), intervals]


def _joined_words(told: Mapping[str, Any]) -> list[str]:
    """The weights by which channels were joined; nothing if none were."""
    kept = told["period_effects"].get("blend")
    return [] if kept is None else [f"The shares join channels by fitted weights: {blend_words(kept)}."]


def _joined_for_a_page(told: Mapping[str, Any]) -> list[str]:
    """The same without names of methods."""
    kept = told["period_effects"].get("blend")
    if kept is None:
        return []
    rows = zip(kept["channels"], kept["factors"], strict=True)
    parts = "; ".join(f"{CHANNELS.get(name, name)}, times {factor:.3g}" for name, factor in rows)
    return [
        f"The period's shares join several ways of reckoning, by weights that retraining chose: {parts}. Joined, they "
        f"agree with retrainings that had no say in the weights by a rank correlation of {kept['held_out']:.2f}, and "
        f"unjoined by {kept['added']:.2f}; the difference lies between {kept['low']:+.2f} and {kept['high']:+.2f}, "
        "nine times in ten."
    ]


def _game_words(effects: Mapping[str, Any]) -> str:
    if effects["game"]["game"] == "linear":
        return (
            "Share: what is divided. Uniqueness: what would be missing without this work alone. In the linear game "
            "both are the same estimate, so works that teach the same are paid little: --game redundancy divides what "
            "they taught together."
        )
    return (
        "Share: what is divided; works that teach the same share what they taught together. Uniqueness: what would be "
        f"missing without this work alone; it does not add up. The shares are {effects['stretch']:.2f} times what "
        "all works would be missed for one by one."
    )


def error_words(told: Mapping[str, Any]) -> str:
    """The parts of the variance, and what is not known of it."""
    parts = told["period_errors"]
    known = [f"{parts[name]:.0%} from {says}" for name, says in SOURCES.items() if parts[name] is not None]
    unknown = [says for name, says in SOURCES.items() if parts[name] is None]
    sentence = "Of the variance that was measured, " + ", ".join(known) + "."
    return sentence + (f" Not measured, and so unknown: what comes from {' and '.join(unknown)}." if unknown else "")
