"""A filing for people: Markdown and one self-contained HTML page; and the domains as CSV."""

import csv
import io
from html import escape
from typing import Any

from byline.disclosure.filings.corpus import Domain
from byline.disclosure.filings.filing import Filing
from byline.disclosure.filings.items import Field, Kind, State, shown

MARKS = {
    State.RECORDS: "from the records",
    State.PERSON: "answered",
    State.OPEN: "OPEN",
    State.WAITING: "not asked yet",
    State.EMPTY: "left blank",
    State.NOT_APPLICABLE: "does not apply",
}
MOST_ROWS = 50  # of a table that are shown to people; all of them stand in the JSON


def title(filing: Filing) -> str:
    return f"{filing.regime.title}: {filing.text(filing.regime.subject) or filing.facts['run']}"


def status(filing: Filing) -> str:
    """One sentence: is it complete?"""
    count = len(filing.open)
    if not count:
        return "Every field is filled in."
    return f"DRAFT, not to be lodged: {count} {'field is' if count == 1 else 'fields are'} open."


def basis(filing: Filing) -> str:
    facts = filing.facts
    return (
        f"Made on {filing.made} from {facts['manifest']} ({facts['works']:,} works, frozen on "
        f"{facts['manifest_frozen']}, Merkle root {facts['manifest_root']}) and {facts['run']}."
    )


def markdown(filing: Filing) -> str:
    lines = [f"# {_md(title(filing))}", "", f"**{status(filing)}** {basis(filing)}", "", filing.regime.source, ""]
    section = None
    for field in filing.fields:
        if field.item.section != section:
            section = field.item.section
            lines += [f"## {section}", ""] if section else []
        lines += [f"**{_md(field.item.asks)}** ({field.item.id})", "", *_md_value(field), ""]
    lines += _open_md(filing)
    return "\n".join(lines).rstrip() + "\n"


def _md_value(field: Field) -> list[str]:
    if field.item.kind is Kind.TABLE and isinstance(field.value, list) and field.value:
        rows = field.value[:MOST_ROWS]
        names = list(rows[0])
        table = [f"| {' | '.join(_md(name) for name in names)} |", f"|{'---|' * len(names)}"]
        table += [f"| {' | '.join(_md(shown(row[name])) for name in names)} |" for row in rows]
        more = len(field.value) - len(rows)
        return [*table, *(["", f"and {more:,} more, in filing.json."] if more else []), "", f"*{_md(field.because)}*"]
    if field.value is not None:
        return [_md(shown_value(field)), "", f"*{MARKS[field.state]}: {_md(field.because)}*"]
    return [f"*{MARKS[field.state]}: {_md(field.because)}*"]


def _open_md(filing: Filing) -> list[str]:
    if not filing.open:
        return []
    listed = [f"- {each.item.id}: {_md(each.item.asks)}" for each in filing.open]
    return ["## Open fields", "", "Only a person can answer these:", "", *listed]


def _md(text: str) -> str:
    """Text of others, so that it can neither end a cell nor become markup."""
    flat = " ".join(text.split())
    for mark in "\\`*_[]<>|#":
        flat = flat.replace(mark, f"\\{mark}")
    return flat


def shown_value(field: Field) -> str:
    """A month as the template writes it (11/2026); everything else as it is."""
    if field.item.kind is Kind.MONTH and isinstance(field.value, str):
        return f"{field.value[5:]}/{field.value[:4]}"
    return shown(field.value)


# --- HTML -------------------------------------------------------------------------------------------------------

STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:54rem;margin:2rem auto;padding:0 1rem;color:#1a1a1a}"
    "dt{font-weight:600;margin-top:1rem}dd{margin:0}.because{color:#555;font-size:.85rem}"
    ".open{background:#fff3cd;padding:.2rem .4rem}table{border-collapse:collapse}td,th{border:1px solid #bbb;"
    "padding:.2rem .5rem;text-align:left}.status{border:2px solid #1a1a1a;padding:.5rem 1rem}"
)


def html(filing: Filing) -> str:
    head = escape(title(filing))
    parts = [
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{head}</title>',
        f"<style>{STYLE}</style></head>",
        f'<body><h1>{head}</h1><p class="status"><strong>{escape(status(filing))}</strong></p>',
        f"<p>{escape(basis(filing))}</p><p>{escape(filing.regime.source)}</p>",
    ]
    section: str | None = None
    for field in filing.fields:
        if field.item.section != section:
            parts.append(("</dl>" if section is not None else "") + _heading(field.item.section) + "<dl>")
            section = field.item.section
        parts.append(_html_field(field))
    return "".join(parts) + "</dl></body></html>\n"


def _heading(section: str) -> str:
    return f"<h2>{escape(section)}</h2>" if section else ""


def _html_field(field: Field) -> str:
    because = f'<p class="because">{escape(MARKS[field.state])}: {escape(field.because)}</p>'
    name = f'<dt id="f-{escape(field.item.id)}">{escape(field.item.asks)} <small>{escape(field.item.id)}</small></dt>'
    if field.value is None:
        said = '<span class="open">OPEN</span>' if field.state is State.OPEN else "—"
    elif field.item.kind is Kind.TABLE and isinstance(field.value, list):
        said = _html_table(field.value)
    else:
        said = escape(shown_value(field))
    return f"{name}<dd>{said}{because}</dd>"


def _html_table(rows: list[dict[str, Any]]) -> str:
    if not rows:
        return "none"
    head = "".join(f"<th>{escape(name)}</th>" for name in rows[0])
    body = "".join(
        f"<tr>{''.join(f'<td>{escape(shown(value))}</td>' for value in row.values())}</tr>" for row in rows[:MOST_ROWS]
    )
    more = len(rows) - MOST_ROWS
    return f"<table><tr>{head}</tr>{body}</table>" + (f"<p>and {more:,} more, in filing.json</p>" if more > 0 else "")


# --- CSV --------------------------------------------------------------------------------------------------------


def domains_csv(rows: list[Domain]) -> str:
    """All domains, largest first, and whether the summary lists each. A cell that a spreadsheet would run is quoted."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(("domain", "works", "bytes", "share_ppm", "listed"))
    for row in rows:
        name = f"'{row.domain}" if row.domain[:1] in "=+-@" else row.domain
        writer.writerow((name, row.works, row.bytes, row.share_ppm, "yes" if row.listed else "no"))
    return out.getvalue()
