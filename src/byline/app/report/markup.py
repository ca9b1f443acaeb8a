"""Elements of HTML and SVG as escaped text, and the chart record: a picture that always has its table beside it."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup, escape

HUES = 6  # colours of the style sheet, c1 to c6; c0 is the neutral one
SHAPES = 6
_CONTROLS = dict.fromkeys([*range(9), 11, 12, *range(14, 32)])  # neither HTML nor XML may hold them


@dataclass(frozen=True, slots=True)
class Chart:
    """`pictures`: one SVG, or one for wide and one for narrow pages; `rows`: the same figures as text under `head`."""

    label: str
    pictures: tuple[Markup, ...]
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    legend: tuple[tuple[Markup, str], ...] = ()


def node(tag: str, *children: Any, **attributes: Any) -> Markup:
    """Element with escaped children and attributes; `stroke_width` becomes stroke-width, `class_` class."""
    pairs = "".join(
        f' {name.rstrip("_").replace("_", "-")}="{escape(_plain(value))}"'
        for name, value in attributes.items()
        if value is not None
    )
    inside = "".join(escape(child) for child in children)
    return Markup(f"<{tag}{pairs}>{inside}</{tag}>".translate(_CONTROLS))


def picture(label: str, width: float, height: float, *children: Markup, class_: str = "") -> Markup:
    """An <svg> that scales with its column; `label` is what a screen reader says."""
    box = f"0 0 {_plain(width)} {_plain(height)}"
    return node("svg", *children, role="img", aria_label=label, viewBox=box, class_=f"chart {class_}".strip())


def line(x1: float, y1: float, x2: float, y2: float, class_: str) -> Markup:
    return node("line", x1=x1, y1=y1, x2=x2, y2=y2, class_=class_)


def label(x: float, y: float, text: str, class_: str = "", anchor: str | None = None) -> Markup:
    return node("text", text, x=x, y=y, class_=class_ or None, text_anchor=anchor)


def points_path(points: Sequence[tuple[float, float]]) -> str:
    """SVG path data through `points`."""
    return "M" + "L".join(f"{_plain(x)},{_plain(y)}" for x, y in points)


def shape(kind: int, x: float, y: float, size: float, **attributes: Any) -> Markup:
    """A mark centred on (x, y): disc, square, triangle, diamond, triangle on its point, cross."""
    s = size * 0.9
    outlines = {
        1: [(-s, -s), (s, -s), (s, s), (-s, s)],
        2: [(0, -1.2 * s), (1.15 * s, s), (-1.15 * s, s)],
        3: [(0, -1.4 * s), (1.4 * s, 0), (0, 1.4 * s), (-1.4 * s, 0)],
        4: [(0, 1.2 * s), (1.15 * s, -s), (-1.15 * s, -s)],
    }
    title = attributes.pop("title", None)
    inside = [node("title", title)] if title else []
    if kind in outlines:
        path = points_path([(x + dx, y + dy) for dx, dy in outlines[kind]]) + "Z"
        return node("path", *inside, d=path, **attributes)
    if kind == 5:
        t = s / 2.4
        corners = [(-t, -s), (t, -s), (t, -t), (s, -t), (s, t), (t, t), (t, s), (-t, s), (-t, t), (-s, t), (-s, -t)]
        corners.append((-t, -t))
        return node("path", *inside, d=points_path([(x + dx, y + dy) for dx, dy in corners]) + "Z", **attributes)
    return node("circle", *inside, cx=x, cy=y, r=size, **attributes)


def ticks(low: float, high: float, about: int = 5) -> list[float]:
    """Round numbers inside [low, high], about `about` of them: steps of 1, 2 or 5 times a power of ten."""
    span = high - low
    if span <= 0 or not math.isfinite(span):
        return [low]
    rough = span / about
    power = 10.0 ** math.floor(math.log10(rough))
    step = min((power * factor for factor in (1, 2, 5, 10)), key=lambda step: abs(math.log(step / rough)))
    first = math.ceil(low / step - 1e-9)
    return [index * step for index in range(first, math.floor(high / step + 1e-9) + 1)]


def percent(share: float) -> str:
    if not math.isfinite(share):
        return "not defined"
    value = 100 * share
    return f"{value:.0f}%" if abs(value) >= 9.95 or value == 0 else f"{value:.1f}%"


def signed(value: float | None, digits: int = 3) -> str:
    """With its sign in front, and a real minus; "not defined" for None and what is not finite."""
    if value is None or not math.isfinite(value):
        return "not defined"
    text = f"{value:+.{digits}f}"
    return f"−{text[1:]}" if text[0] == "-" else text


def _plain(value: Any) -> Any:
    if isinstance(value, float):
        return f"{value:.2f}".rstrip("0").rstrip(".") if value else "0"
    return value
