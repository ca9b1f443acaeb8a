"""Where the money went: a flow diagram whose bands are as wide as their amounts, laid out by hand."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from byline.app.report.markup import HUES, Chart, label, node, picture
from byline.core import AppError
from byline.ledger import amount_text

_TOP, _BOTTOM, _THICK, _LINE = 34.0, 10.0, 10.0, 17.0


@dataclass
class _Node:
    """A box: what flows in and out of it, its column, its place, and how much of either side is already taken."""

    name: str
    inward: int = 0
    outward: int = 0
    column: int = 0
    y: float = 0.0
    used_in: float = 0.0
    used_out: float = 0.0
    colour: int = 0

    @property
    def nano(self) -> int:
        return max(self.inward, self.outward)


def flow_chart(flow: Sequence[dict[str, Any]], currency: str) -> Chart:
    """Bands from each account to the next, for wide and for narrow pages.

    Raises: AppError("bad-report-data") if money would flow in a circle.
    """
    edges = [edge for edge in flow if int(edge["nano"]) > 0]
    says = "Where the money went"
    rows = tuple((edge["from"], edge["to"], edge["text"]) for edge in flow)
    if not edges:
        return Chart(says, (), ("from", "to", "amount"), rows)
    wide = _draw(edges, currency, width=960.0, margin=215.0, class_="flow wide")
    narrow = _draw(edges, currency, width=400.0, margin=176.0, class_="flow narrow")
    return Chart(says, (wide, narrow), ("from", "to", "amount"), rows)


def _draw(edges: Sequence[dict[str, Any]], currency: str, width: float, margin: float, class_: str) -> Markup:
    nodes = _nodes(edges)
    columns = _columns(nodes, edges)
    height = 320.0 + _LINE * max(len(column) for column in columns)
    scale = _place(columns, height)
    step = (width - margin - _THICK) / max(len(columns) - 1, 1)
    bands = [_band(edge, nodes, scale, step) for edge in edges]
    boxes = [part for box in nodes.values() for part in _box(box, scale, step, len(columns), currency)]
    return picture("Where the money went", width, height, *bands, *boxes, class_=class_)


def _nodes(edges: Sequence[dict[str, Any]]) -> dict[str, _Node]:
    nodes: dict[str, _Node] = {}
    for edge in edges:
        for name in (edge["from"], edge["to"]):
            nodes.setdefault(name, _Node(name))
        nodes[edge["from"]].outward += int(edge["nano"])
        nodes[edge["to"]].inward += int(edge["nano"])
    return nodes


def _columns(nodes: dict[str, _Node], edges: Sequence[dict[str, Any]]) -> list[list[_Node]]:
    """Boxes by longest way from the start; those that pass money on stand above those that keep it."""
    for _ in nodes:
        late = [e for e in edges if nodes[e["to"]].column <= nodes[e["from"]].column]
        for edge in late:
            nodes[edge["to"]].column = nodes[edge["from"]].column + 1
        if not late:
            break
    else:
        raise AppError("bad-report-data", "report data: money.flow goes in a circle", "draw each account once")
    passing = [box for box in nodes.values() if box.outward and box.inward]
    for index, box in enumerate(passing):
        box.colour = index % HUES + 1
    ordered = sorted(nodes.values(), key=lambda box: not box.outward)
    return [[b for b in ordered if b.column == c] for c in range(max(b.column for b in ordered) + 1)]


def _place(columns: list[list[_Node]], height: float) -> float:
    """Set every box's y; the scale (units per nano) is the largest at which the fullest column fits."""
    gaps = [_gap(column, columns) for column in columns]
    room = height - _TOP - _BOTTOM
    scale = min(
        (room - gap * (len(column) - 1)) / sum(box.nano for box in column)
        for column, gap in zip(columns, gaps, strict=True)
    )
    for column, gap in zip(columns, gaps, strict=True):
        y = _TOP
        for box in column:
            box.y = y
            y += box.nano * scale + gap
    return scale


def _gap(column: list[_Node], columns: list[list[_Node]]) -> float:
    """Room for one line beside a box of the last column, for two lines above a box of the others."""
    return _LINE if column is columns[-1] else 44.0


def _band(edge: dict[str, Any], nodes: dict[str, _Node], scale: float, step: float) -> Markup:
    source, target = nodes[edge["from"]], nodes[edge["to"]]
    wide = max(int(edge["nano"]) * scale, 0.6)
    x0, x1 = source.column * step + _THICK, target.column * step
    y0, y1 = source.y + source.used_out, target.y + target.used_in
    source.used_out += int(edge["nano"]) * scale
    target.used_in += int(edge["nano"]) * scale
    middle = (x0 + x1) / 2
    upper = f"M{x0:.1f},{y0:.1f}C{middle:.1f},{y0:.1f} {middle:.1f},{y1:.1f} {x1:.1f},{y1:.1f}"
    lower = f"V{y1 + wide:.1f}C{middle:.1f},{y1 + wide:.1f} {middle:.1f},{y0 + wide:.1f} {x0:.1f},{y0 + wide:.1f}Z"
    title = node("title", f"{edge['from']} → {edge['to']}: {edge['text']}")
    return node("path", title, d=upper + lower, class_=f"flowing c{source.colour or target.colour}")


def _box(box: _Node, scale: float, step: float, columns: int, currency: str) -> list[Markup]:
    x, tall = box.column * step, max(box.nano * scale, 1.0)
    amount = amount_text(box.nano, currency)
    parts = [node("rect", x=x, y=box.y, width=_THICK, height=tall, class_=f"box c{box.colour}")]
    if box.column == columns - 1:
        amount_part = node("tspan", f"  {amount.removesuffix(currency).strip()}", class_="figure")
        text = node("text", box.name, amount_part, x=x + _THICK + 6, y=box.y + tall / 2 + 4.5, class_="halo")
        return [*parts, text]
    return [
        *parts,
        label(x, box.y - 20, box.name, "halo strong"),
        label(x, box.y - 5, amount, "figure halo"),
    ]
