"""Puts passages, charts and figures into the template and writes the file."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from byline.app.report.charts import (
    check_chart,
    contributor_chart,
    loss_chart,
    method_chart,
    score_chart,
    shelf_chart,
    work_chart,
)
from byline.app.report.contract import check_report_data
from byline.app.report.flow import flow_chart
from byline.app.report.markup import Chart, percent, signed
from byline.app.report.passage import (
    Source,
    annotated,
    assign_colours,
    letter,
    number_people,
    sources_of,
    weightiest,
)


@dataclass(frozen=True, slots=True)
class _Page:
    """One passage, ready to print."""

    passage: dict[str, Any]
    anchor: str
    text: Markup
    sources: list[Source]
    shares: Chart
    works: Chart
    scores: Chart


def write_report(data: dict[str, Any], path: Path) -> None:
    """Write the report of `data` (see `contract`) to `path`: one HTML file that loads nothing else.

    Raises: AppError("bad-report-data") before anything is written.
    """
    check_report_data(data)
    text = _environment().get_template("report.html").render(**_view(data))
    part = path.with_name(path.name + ".part")
    part.write_text(text, encoding="utf-8")
    part.replace(path)


def _environment() -> Environment:
    loader = PackageLoader("byline.app.report", "")
    environment = Environment(
        loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters.update(percent=percent, signed=signed, letter=letter, path=quote, whole=_whole)
    environment.globals["css"] = Markup(loader.get_source(environment, "report.css")[0])
    return environment


def _view(data: dict[str, Any]) -> dict[str, Any]:
    """The data as it came, and beside it everything that has to be drawn."""
    numbers = number_people(data)
    pairs = data["check"]["pairs"]
    ordered = sorted(data["passages"], key=lambda passage: passage["kind"] != "generated")
    groups = [weightiest(passage) for passage in ordered] + [list(dict.fromkeys(p["contributor"] for p in pairs))]
    colours = assign_colours(groups)
    pages = [
        _page(p, numbers, mine, f"p{i}") for i, (p, mine) in enumerate(zip(ordered, colours, strict=False), start=1)
    ]
    training = data["training"]
    return {
        **{
            key: data[key]
            for key in ("made", "notice", "corpus", "training", "together", "check", "money", "verify", "limits")
        },
        "numbers": numbers,
        "hero": pages[0],
        "generated": [page for page in pages[1:] if page.passage["kind"] == "generated"],
        "heldout": [page for page in pages[1:] if page.passage["kind"] != "generated"],
        "shown": _shown(data["check"]),
        "shelf": shelf_chart(data["corpus"]),
        "loss": loss_chart(training["losses"], training["unigram"], training["heldout"]),
        "scatter": check_chart(pairs, colours[-1]),
        "methods": method_chart(data["check"]["methods"]),
        "flow": flow_chart(data["money"]["flow"], data["money"]["currency"]),
    }


def _page(passage: dict[str, Any], numbers: dict[str, int], colours: dict[str, int], anchor: str) -> _Page:
    sources = sources_of(passage, numbers, colours, anchor)
    return _Page(
        passage,
        anchor,
        annotated(passage, sources, anchor),
        sources,
        contributor_chart(passage, sources, numbers),
        work_chart(passage, sources),
        score_chart(passage, sources, numbers),
    )


def _shown(check: dict[str, Any]) -> dict[str, Any] | None:
    """The row of the method by which passages are coloured and their shares drawn, if it was measured."""
    return next((m for m in check["methods"] if m["method"] == check["shown"]), None)


def _whole(number: float) -> str:
    """With thousands apart."""
    return f"{number:,.0f}"
