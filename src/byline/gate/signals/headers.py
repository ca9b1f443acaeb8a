"""What the headers of an HTTP response say of the content that they came with."""

import re
from collections.abc import Iterable

from byline.gate.signals.aipref import read_preference
from byline.gate.signals.content_signal import SPEC as SIGNALS_SPEC
from byline.gate.signals.content_signal import read_signals
from byline.gate.signals.observation import Findings, Notebook, Target
from byline.gate.signals.robots_tokens import saw_tokens
from byline.gate.signals.rsl_link import saw_licence_link
from byline.gate.signals.tdmrep import Policies, saw_reservation

CARRIER = "http-header"
_LINK = re.compile(r"<([^<>]{1,2000})>((?:\s*;\s*[^,;<]{1,200}){0,20})")


def read_headers(
    headers: Iterable[tuple[str, str]], target: Target, *, status: int = 200, policies: Policies | None = None
) -> Findings:
    """Content-Usage, Content-Signal, tdm-reservation, X-Robots-Tag and Link; names in any case, repeated ones in order.

    status: of the response; a failed one has headers of an error page, which say nothing of the work.
    Raises: GateError("signals-extra") if http-sf is needed and not installed.
    """
    listed = [(name.strip().lower(), value.strip()) for name, value in headers]
    body = "\n".join(f"{name}: {value}" for name, value in listed).encode("utf-8", "replace")
    notes = Notebook(target, body, CARRIER)
    if not 200 <= status < 300:
        notes.saw("http", "RFC 9110", f"status {status}", "no content was fetched", {})
        notes.fault("fetch-failed", f"the response has status {status}")
        return notes.findings()
    values = {name: [v for n, v in listed if n == name] for name in {n for n, _ in listed}}
    _content_usage(values.get("content-usage", []), notes)
    for value in values.get("content-signal", []):
        canonical, remarks = read_signals(value)
        notes.saw("content-signals", SIGNALS_SPEC, value, "Content-Signal header", canonical, notes=remarks)
    _tdm(values.get("tdm-reservation", []), values.get("tdm-policy", []), notes, policies)
    for value in values.get("x-robots-tag", []):
        saw_tokens(value, notes, raw=f"X-Robots-Tag: {value}")
    for value in values.get("link", []):
        _links(value, notes)
    return notes.findings()


def _content_usage(values: list[str], notes: Notebook) -> None:
    """Fields of the same name are one field with commas between (RFC 9110, section 5.3)."""
    if not values:
        return
    joined = ", ".join(values)
    said = read_preference(joined.encode("utf-8", "replace"))
    if said.fault:
        notes.fault("bad-content-usage", said.fault)
    notes.saw("aipref", said.spec, joined, "attach 2 Content-Usage header", said.canonical, notes=said.notes)


def _tdm(values: list[str], policies_at: list[str], notes: Notebook, policies: Policies | None) -> None:
    """Several values that differ are no valid value, but a 1 among them is a no."""
    parts = {part.strip() for value in values for part in value.split(",")}
    if parts:
        value = "1" if "1" in parts else parts.pop() if len(parts) == 1 else ", ".join(sorted(parts))
        saw_reservation(notes, value, policies_at[0] if policies_at else "", "header tdm-reservation", policies)


def _links(value: str, notes: Notebook) -> None:
    for found in _LINK.finditer(value[:16_384]):
        url, parameters = found[1], found[2].lower()
        rel = re.search(r"rel\s*=\s*\"?([a-z \-]+)", parameters)
        if rel and "license" in rel[1].split() and "rsl+xml" in parameters:
            saw_licence_link(url, "Link header, rel=license", found[0], 0, notes)
