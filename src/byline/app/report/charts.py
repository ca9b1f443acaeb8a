"""The charts of the report: pure functions from figures to a `Chart`. Lengths are in the units of the SVG's viewBox."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from byline.app.report.markup import (
    HUES,
    SHAPES,
    Chart,
    label,
    line,
    node,
    percent,
    picture,
    points_path,
    shape,
    signed,
    ticks,
)
from byline.app.report.passage import Source

_BAR_WIDTH, _BAR_ROW, _DETAIL = 400.0, 40.0, 16.0
_PLOT_WIDTH, _PLOT_HEIGHT = 520.0, 400.0
_LOSS_POINTS = 240


@dataclass(frozen=True, slots=True)
class Bar:
    """One row: what it is, its figure as text, where it ends, its interval, its fill, and a second line about it."""

    says: str
    figure: str
    value: float
    low: float | None = None
    high: float | None = None
    fill: str = "bar c0"
    detail: str = ""


# --- passages -------------------------------------------------------------------------------------------------


def contributor_chart(passage: dict[str, Any], sources: Sequence[Source], numbers: dict[str, int]) -> Chart:
    """Shares of the contributors, each with its interval, and the rest that is traced to nobody (hatched)."""
    colours = {source.name: source.colour for source in sources}
    people = passage["contributors"]
    bars = [_share_bar(_numbered(p["name"], numbers), p, colours.get(p["name"], 0)) for p in people]
    rest = passage["unattributed"]
    bars.append(Bar("traced to nobody in particular", percent(rest), rest, fill="hatched"))
    rows = [(p["name"], signed(p["score"]), percent(p["share"]), _interval(p)) for p in people]
    rows.append(("traced to nobody in particular", "", percent(rest), ""))
    head = ("contributor", "score, nats per token", "share", "interval")
    return _bar_chart("Shares of the contributors, with intervals", bars, head, rows)


def work_chart(passage: dict[str, Any], sources: Sequence[Source]) -> Chart:
    """Shares of the works, each with its interval."""
    colours = {source.name: source.colour for source in sources}
    works = passage["works"]
    bars = [
        _share_bar(w["title"], w, colours.get(w["contributor"], 0), f"{w['contributor']}, {w['year']}") for w in works
    ]
    rows = [
        (w["title"], w["contributor"], str(w["year"]), signed(w["score"]), percent(w["share"]), _interval(w))
        for w in works
    ]
    head = ("work", "contributor", "year", "score, nats per token", "share", "interval")
    return _bar_chart("Shares of the works, with intervals", bars, head, rows)


def score_chart(passage: dict[str, Any], sources: Sequence[Source], numbers: dict[str, int]) -> Chart:
    """Signed scores: whose works made the passage likelier (right) and whose made it less likely (left)."""
    colours = {source.name: source.colour for source in sources}
    scores = {person["name"]: person["score"] for person in (*passage["opposed"], *passage["contributors"])}
    people = sorted(scores.items(), key=lambda person: -person[1])
    bars = [
        Bar(_numbered(name, numbers), signed(score), score, fill=_signed_fill(score, colours.get(name, 0)))
        for name, score in people
    ]
    rows = [(name, signed(score)) for name, score in people]
    return _bar_chart("Signed scores of the contributors", bars, ("contributor", "score, nats per token"), rows)


def _share_bar(says: str, row: dict[str, Any], colour: int, detail: str = "") -> Bar:
    figure = f"{percent(row['share'])}  ({_interval(row)})"
    return Bar(says, figure, row["share"], row["low"], row["high"], f"bar c{colour}", detail)


def _signed_fill(score: float, colour: int) -> str:
    return f"bar c{colour}" if score >= 0 else "hatched"


def _interval(row: dict[str, Any]) -> str:
    return f"{percent(row['low']).rstrip('%')}–{percent(row['high'])}"


def _numbered(name: str, numbers: dict[str, int]) -> str:
    return f"{numbers[name]}  {name}"


# --- is it right? ---------------------------------------------------------------------------------------------


def method_chart(methods: Sequence[dict[str, Any]]) -> Chart:
    """Rank correlation of each method with the retrained truth, with its interval."""
    bars = [
        Bar(m["method"], _correlation(m), m["spearman"] or 0.0, m["low"], m["high"], "bar c2" if i == 0 else "bar c0")
        for i, m in enumerate(methods)
    ]
    rows = [
        (m["method"], *(signed(m[key], 2) for key in ("spearman", "low", "high", "pearson", "slope")), _top1(m))
        for m in methods
    ]
    head = ("method", "rank correlation", "low", "high", "Pearson", "slope", "top source right")
    return _bar_chart("Rank correlation with the retrained truth", bars, head, rows, reach=(0.0, 1.0))


def _correlation(method: dict[str, Any]) -> str:
    if method["low"] is None or method["high"] is None:
        return signed(method["spearman"], 2)
    return f"{signed(method['spearman'], 2)}  ({signed(method['low'], 2)} to {signed(method['high'], 2)})"


def _top1(method: dict[str, Any]) -> str:
    return "not defined" if method["top1"] is None else percent(method["top1"])


def check_chart(pairs: Sequence[dict[str, Any]], colours: dict[str, int]) -> Chart:
    """Predicted against retrained change, one mark per (contributor, passage); each person has a colour and a shape."""
    people = {name: index for index, name in enumerate(dict.fromkeys(pair["contributor"] for pair in pairs))}
    marks = {name: _mark(index, colours.get(name, 0)) for name, index in people.items()}
    plot = _Plot(_reach([p["predicted"] for p in pairs]), _reach([p["actual"] for p in pairs]), _PLOT_HEIGHT)
    inside = [*plot.grid("predicted change, nats per token", "retrained change, nats per token")]
    inside += _diagonal(plot)
    for pair in pairs:
        says = f"{pair['contributor']} → {pair['query']}: predicted {signed(pair['predicted'])}, retrained "
        kind, fill = marks[pair["contributor"]]
        x, y = plot.x(pair["predicted"]), plot.y(pair["actual"])
        inside.append(shape(kind, x, y, 5.5, class_=f"mark {fill}", title=says + signed(pair["actual"])))
    legend = tuple((_swatch(*marks[name]), name) for name in people)
    rows = tuple((p["contributor"], p["query"], signed(p["predicted"]), signed(p["actual"])) for p in pairs)
    says = "Predicted against retrained change"
    drawn = picture(says, _PLOT_WIDTH, _PLOT_HEIGHT, *inside, class_="plot")
    return Chart(says, (drawn,), ("contributor left out", "passage", "predicted", "retrained"), rows, legend)


def _mark(index: int, colour: int) -> tuple[int, str]:
    return index % SHAPES, f"c{colour or index % HUES + 1}"


def _swatch(kind: int, fill: str) -> Markup:
    mark = shape(kind, 8, 8, 5.5, class_=f"mark {fill}")
    return node("svg", mark, viewBox="0 0 16 16", class_="swatch", aria_hidden="true")


def _diagonal(plot: "_Plot") -> list[Markup]:
    """Where prediction equals outcome, as far as both axes reach; nothing if they do not meet."""
    low, high = max(plot.across[0], plot.up[0]), min(plot.across[1], plot.up[1])
    if low >= high:
        return []
    return [line(plot.x(low), plot.y(low), plot.x(high), plot.y(high), "diagonal")]


# --- training and corpus --------------------------------------------------------------------------------------


def loss_chart(losses: Sequence[float], unigram: float, heldout: float) -> Chart:
    """Training loss per step (mean and range of neighbouring steps) with two levels to compare it with."""
    blocks = _blocks(losses)
    values = [value for _, *block in blocks for value in block] + [unigram, heldout]
    plot = _Plot((0.0, max(float(len(losses)), 1.0)), _reach(values, zero=False), 300.0)
    inside = [*plot.grid("step", "loss, nats per token")]
    if blocks:
        band = [(plot.x(s), plot.y(top)) for s, _, _, top in blocks]
        band += [(plot.x(s), plot.y(low)) for s, _, low, _ in reversed(blocks)]
        inside.append(node("path", d=points_path(band) + "Z", class_="band"))
        inside.append(node("path", d=points_path([(plot.x(s), plot.y(m)) for s, m, _, _ in blocks]), class_="curve"))
    for value, says, style in (
        (unigram, "by frequency alone (unigram)", "level"),
        (heldout, "unseen text", "level dotted"),
    ):
        inside.append(line(plot.left, plot.y(value), plot.right, plot.y(value), style))
        inside.append(label(plot.right, plot.y(value) - 6, f"{says}: {value:.2f}", "halo", "end"))
    head = ("around step", "mean loss", "lowest", "highest")
    few = blocks[:: max(1, len(blocks) // 12)]
    rows = tuple((f"{s:.0f}", f"{m:.3f}", f"{low:.3f}", f"{high:.3f}") for s, m, low, high in few)
    says = "Training loss by step"
    return Chart(says, (picture(says, _PLOT_WIDTH, 300.0, *inside, class_="plot"),), head, rows)


def _blocks(losses: Sequence[float]) -> list[tuple[float, float, float, float]]:
    """(middle step, mean, lowest, highest) of neighbouring steps, at most 240; what is not finite is left out."""
    size = max(1, math.ceil(len(losses) / _LOSS_POINTS))
    blocks = []
    for start in range(0, len(losses), size):
        some = [loss for loss in losses[start : start + size] if math.isfinite(loss)]
        if some:
            blocks.append((start + (len(some) + 1) / 2, sum(some) / len(some), min(some), max(some)))
    return blocks


def shelf_chart(corpus: dict[str, Any]) -> Chart:
    """A shelf with one spine per work (or per few hundred): the admitted stand, the refused are empty outlines."""
    works, admitted = corpus["works"], corpus["admitted"]
    each = max(1, math.ceil(works / 360))
    standing, outlined = math.ceil(admitted / each), math.ceil((works - admitted) / each)
    pitch = 960.0 / max(standing + outlined, 1)
    wide = min(pitch * 0.62, 12.0)
    inside = [
        node("rect", x=index * pitch, y=4, width=wide, height=48, class_="spine" if index < standing else "outlined")
        for index in range(standing + outlined)
    ]
    inside.append(line(0, 54, 960, 54, "axis"))
    rows = (("admitted", f"{admitted:,}"), ("refused", f"{works - admitted:,}"))
    says = "Works admitted (filled) and refused (outlined)"
    return Chart(says, (picture(says, 960, 56, *inside, class_="shelf"),), ("decision", "works"), rows)


# --- bars and axes --------------------------------------------------------------------------------------------


def _bar_chart(
    says: str,
    bars: Sequence[Bar],
    head: tuple[str, ...],
    rows: Sequence[tuple[str, ...]],
    reach: tuple[float, float] = (0.0, 0.01),
) -> Chart:
    """Rows of label over bar on one scale that holds zero, every bar, every whisker and `reach`."""
    ends = [end for bar in bars for end in (bar.value, bar.low, bar.high) if end is not None and math.isfinite(end)]
    low, high = min([*ends, reach[0]]), max([*ends, reach[1]])
    scale = (_BAR_WIDTH - 4) / (high - low)
    zero = 2 - low * scale
    row = _BAR_ROW + (_DETAIL if any(bar.detail for bar in bars) else 0)
    height = max(len(bars), 1) * row
    inside = [line(zero, 0, zero, height, "axis")]
    for index, bar in enumerate(bars):
        inside.append(_bar_row(bar, index * row, zero, scale))
    return Chart(says, (picture(says, _BAR_WIDTH, height, *inside, class_="bars"),), head, tuple(rows))


def _bar_row(bar: Bar, top: float, zero: float, scale: float) -> Markup:
    edge, bar_top = zero + 6 if zero < 20 else 0, top + 22 + (_DETAIL if bar.detail else 0)
    value = bar.value if math.isfinite(bar.value) else 0.0
    left, width = min(zero, zero + value * scale), abs(value * scale)
    parts = [
        label(edge, top + 15, _short(bar.says, 54 - len(bar.figure)), "halo"),
        label(_BAR_WIDTH, top + 15, bar.figure, "figure halo", "end"),
        *([label(edge, top + 31, bar.detail, "small halo")] if bar.detail else []),
        node("rect", x=left, y=bar_top, width=max(width, 1.0), height=10, class_=bar.fill),
    ]
    if bar.low is not None and bar.high is not None and math.isfinite(bar.low) and math.isfinite(bar.high):
        a, b, middle = zero + bar.low * scale, zero + bar.high * scale, bar_top + 5
        whisker = f"M{a:.1f},{middle - 4}v8M{a:.1f},{middle}H{b:.1f}M{b:.1f},{middle - 4}v8"
        parts.append(node("path", d=whisker, class_="whisker"))
    return node("g", node("title", f"{bar.says}: {bar.figure}"), *parts)


def _short(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1].rstrip(" ,") + "…"


def _reach(values: Sequence[float], zero: bool = True) -> tuple[float, float]:
    """Interval that holds the finite values (and zero) with some air around them."""
    finite = [value for value in values if math.isfinite(value)] + ([0.0] if zero else [])
    low, high = min(finite, default=0.0), max(finite, default=1.0)
    air = (high - low) * 0.06 or 1.0
    return low - air, high + air


class _Plot:
    """A plotting area: two linear axes, with ticks at round numbers."""

    def __init__(self, across: tuple[float, float], up: tuple[float, float], height: float) -> None:
        self.across, self.up = across, up
        self.left, self.right, self.top, self.bottom = 62.0, _PLOT_WIDTH - 8, 26.0, height - 46

    def x(self, value: float) -> float:
        low, high = self.across
        return self.left + (self.right - self.left) * (value - low) / (high - low)

    def y(self, value: float) -> float:
        low, high = self.up
        return self.bottom - (self.bottom - self.top) * (value - low) / (high - low)

    def grid(self, across: str, up: str) -> list[Markup]:
        parts = []
        for value in ticks(*self.across):
            parts.append(line(self.x(value), self.top, self.x(value), self.bottom, "axis" if value == 0 else "grid"))
            parts.append(label(self.x(value), self.bottom + 18, _tick(value), "small", "middle"))
        for value in ticks(*self.up):
            parts.append(line(self.left, self.y(value), self.right, self.y(value), "axis" if value == 0 else "grid"))
            parts.append(label(self.left - 8, self.y(value) + 4, _tick(value), "small", "end"))
        parts.append(label((self.left + self.right) / 2, self.bottom + 40, across, "small", "middle"))
        parts.append(label(0, 12, up, "small"))
        return parts


def _tick(value: float) -> str:
    text = f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.6g}"
    return text.replace("-", "−")
