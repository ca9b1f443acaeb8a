"""A page with a form that had a fault, shown again: with what was filled in, and each fault beside its field.

It works on the finished page, so that no template has to know of it: of the forms on the page the one is taken that
was sent, its fields get the values that were sent, and a field with a fault gets the words, `aria-invalid`,
`aria-describedby` and the focus; what is folded away around it is opened. What is wrong with the form as a whole
stands at the head of the page, where all faults are listed with a link to their field.

A file cannot be filled in again, which the head of the page says. The token of the form is left as the page has it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from html import escape, unescape
from html.parser import HTMLParser
from urllib.parse import unquote

TICKED = ("checkbox", "radio")
KEPT = ("file", "submit", "button", "image", "reset", "password")  # of inputs: never filled in


@dataclass(frozen=True)
class Told:
    """A fault in words. `field`: the name of its field; empty: of the form as a whole."""

    field: str
    says: str


@dataclass(frozen=True)
class Sent:
    """A form as it was sent: to which address, with which values. `file`: whether a file came with it."""

    action: str
    values: Mapping[str, Sequence[str]]
    file: bool


def refilled(page: str, sent: Sent, faults: Sequence[Told]) -> str:
    """The page with the form filled in and the faults told. A page without such a form tells them at its head."""
    forms = _Forms()
    forms.feed(page)
    writer = _Writer(forms.sent(sent), sent, faults)
    writer.feed(page)
    writer.close()
    return writer.text()


class _Forms(HTMLParser):
    """The address and the names of the fields of each form."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, set[str]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        known = dict(attrs)
        if tag == "form":
            self.found.append((unquote(known.get("action") or ""), set()))
        elif self.found and known.get("name"):
            self.found[-1][1].add(str(known["name"]))

    def sent(self, sent: Sent) -> int:
        """Which form it was: of those with its address the one that has most of its fields; -1: none."""
        named = set(sent.values)
        fit = [(len(named & names), -at) for at, (action, names) in enumerate(self.found) if action == sent.action]
        return -max(fit)[1] if fit else -1


@dataclass
class _Places:
    """Where in the text written so far the things stand to which a fault of a group of boxes is added."""

    fieldset: int = -1
    legend: int = -1
    choice: int = -1
    told: set[str] = field(default_factory=set)


class _Writer(HTMLParser):
    """Writes the page again, tag by tag."""

    def __init__(self, form: int, sent: Sent, faults: Sequence[Told]) -> None:
        super().__init__(convert_charrefs=False)
        self._form, self._sent, self._faults = form, sent, faults
        self._says: dict[str, list[str]] = {}
        for each in faults:
            self._says.setdefault(each.field, []).append(each.says)
        self._out: list[str] = []
        self._seen, self._main, self._within = -1, -1, False
        self._places = _Places()
        self._options: list[str] | None = None  # values of the select that is open
        self._option = -1  # where an option stands that has no value but its text
        self._hiding = False  # the old content of a textarea
        self._ids: dict[str, str] = {}  # of fields with a fault
        self._folded: list[int] = []  # where the details stand that are around

    def text(self) -> str:
        if self._main >= 0:
            self._out[self._main] += self._head()
        return "".join(self._out)

    def _head(self) -> str:
        lines = []
        for each in self._faults:
            place = self._ids.get(each.field, "")
            says = escape(each.says)
            lines.append(f'<li><a href="#{place}">{says}</a></li>' if place else f"<li>{says}</li>")
        file = "<p>Choose the file once more: it cannot be filled in again.</p>" if self._sent.file else ""
        focus = "" if self._ids else " autofocus"
        return (
            f'\n<div class="faults" role="alert" tabindex="-1"{focus}>\n<p><strong>This was not taken yet. What you '
            f"wrote is still there.</strong></p>\n<ul>{''.join(lines)}</ul>{file}</div>"
        )

    # --- tags -------------------------------------------------------------------------------------------------

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        raw, known = self.get_starttag_text() or "", dict(attrs)
        if tag == "form":
            self._seen += 1
            self._within = self._seen == self._form
            if self._within:
                self._unfold()
        elif tag == "details":
            self._folded.append(len(self._out))
        elif tag == "main":
            self._main = len(self._out)
        elif tag == "title":
            raw += "Please mend: "
        elif self._within:
            raw = self._in_form(tag, known, raw)
        self._out.append(raw)

    handle_startendtag = handle_starttag

    def _in_form(self, tag: str, known: dict[str, str | None], raw: str) -> str:
        name = known.get("name") or ""
        if tag == "fieldset":
            self._places.fieldset, self._places.legend = len(self._out), -1
        elif tag == "div" and "choice" in (known.get("class") or "").split():
            self._places.choice = len(self._out)
        elif tag == "input" and name != "token":
            return self._input(name, known, raw)
        elif tag == "textarea":
            self._hiding = name in self._sent.values
            return self._told(name, known, raw) + (f"\n{escape(self._sent.values[name][0])}" if self._hiding else "")
        elif tag == "select":
            self._options = list(self._sent.values[name]) if name in self._sent.values else None
            return self._told(name, known, raw)
        elif tag == "option" and self._options is not None:
            raw = _without(raw, "selected")
            if "value" not in known:
                self._option = len(self._out)
            elif (known["value"] or "") in self._options:
                return _with(raw, "selected")
        return raw

    def _input(self, name: str, known: dict[str, str | None], raw: str) -> str:
        kind, values = (known.get("type") or "text").lower(), self._sent.values.get(name)
        if kind in TICKED:
            raw = _without(raw, "checked")
            if values and (known.get("value") or "on") in values:
                raw = _with(raw, "checked")
            return self._ticked(name, known, raw)
        if values and kind not in KEPT:
            raw = _with(_without(raw, "value"), f'value="{escape(values[0])}"')
        return raw if kind == "hidden" else self._told(name, known, raw)

    def handle_endtag(self, tag: str) -> None:
        if tag == "legend" and self._within:
            self._places.legend = len(self._out)
        elif tag == "fieldset":
            self._places = _Places(told=self._places.told)
        elif tag == "textarea":
            self._hiding = False
        elif tag in ("option", "select"):
            self._close_option()
            self._options = self._options if tag == "option" else None
        elif tag == "form":
            self._within = False
        elif tag == "details" and self._folded:
            self._folded.pop()
        self._out.append(f"</{tag}>")

    def _close_option(self) -> None:
        """An option without a value stands for its text."""
        if self._option >= 0 and self._options is not None:
            text = " ".join(unescape("".join(self._out[self._option + 1 :])).split())
            if text in self._options:
                self._out[self._option] = _with(self._out[self._option], "selected")
        self._option = -1

    # --- faults -----------------------------------------------------------------------------------------------

    def _told(self, name: str, known: dict[str, str | None], raw: str) -> str:
        """The field with its fault before it."""
        if name not in self._says:
            return raw
        place = known.get("id") or f"field-{name}"
        described = " ".join(filter(None, (f"{place}-fault", known.get("aria-describedby"))))
        raw = _without(raw, "aria-describedby")
        raw = _with(raw, f'aria-invalid="true" aria-describedby="{escape(described)}"{self._focus(name, place)}')
        return self._words(name, place) + (raw if known.get("id") else _with(raw, f'id="{place}"'))

    def _ticked(self, name: str, known: dict[str, str | None], raw: str) -> str:
        """Boxes of a group: the fault stands under the legend, or before the one box."""
        if name not in self._says or name in self._places.told:
            return raw
        self._places.told.add(name)
        place = known.get("id") or f"field-{name}"
        group, legend = self._places.fieldset, self._places.legend
        words, described = self._words(name, place), f'aria-describedby="{escape(place)}-fault"'
        if group >= 0 and legend >= 0:
            self._out[legend] += words
            self._out[group] = _with(self._out[group], described)
            focus = self._focus(name, place).strip()
            return _with(raw, focus) if focus else raw
        if self._places.choice >= 0:
            self._out[self._places.choice] = words + self._out[self._places.choice]
        else:
            raw = words + raw
        return _with(raw, f'aria-invalid="true" {described}{self._focus(name, place)}')

    def _unfold(self) -> None:
        for at in self._folded:
            self._out[at] = _with(_without(self._out[at], "open"), "open")

    def _words(self, name: str, place: str) -> str:
        self._unfold()
        return f'<p class="fault" id="{escape(place)}-fault">{escape(" ".join(self._says[name]))}</p>'

    def _focus(self, name: str, place: str) -> str:
        """The first field with a fault gets the focus."""
        first = not self._ids
        self._ids.setdefault(name, place)
        return " autofocus" if first else ""

    # --- everything else as it is -----------------------------------------------------------------------------

    def handle_data(self, data: str) -> None:
        if not self._hiding:
            self._out.append(data)

    def handle_entityref(self, name: str) -> None:
        self.handle_data(f"&{name};")

    def handle_charref(self, name: str) -> None:
        self.handle_data(f"&#{name};")

    def handle_decl(self, decl: str) -> None:
        self._out.append(f"<!{decl}>")

    def handle_comment(self, data: str) -> None:
        self._out.append(f"<!--{data}-->")


def _with(tag: str, attribute: str) -> str:
    """A start tag with an attribute more."""
    end = "/>" if tag.endswith("/>") else ">"
    return f"{tag.removesuffix(end).rstrip()} {attribute}{end}"


def _without(tag: str, attribute: str) -> str:
    """A start tag without an attribute, whose value, if it has one, stands in double quotes."""
    head, found, rest = tag.partition(f' {attribute}="')
    if found:
        return head + rest.partition('"')[2]
    for end in (" ", ">", "/>"):
        if f" {attribute}{end}" in tag:
            return tag.replace(f" {attribute}{end}", end, 1)
    return tag
