"""Files in which people answer what the records cannot: YAML or JSON, every fault with its line, and a template.

filing: eu
answered_by: Jane Officer
answered_on: 2026-11-22
answers:
  1.1.provider: Example Models Ltd., contact@example.com
  2.3.crawlers: [ExampleBot]
  3.2: {answer: A list of blocked domains., by: Sam Counsel, on: 2026-11-20}
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

from byline.core import DisclosureError, Problem, Source
from byline.disclosure.filings.corpus import Corpus
from byline.disclosure.filings.filing import Regime, make_filing
from byline.disclosure.filings.items import SHAPES, Answer, Item, Kind, State, parse_answer

LARGEST = 4 * 2**20  # bytes of an answers file
_HEAD = ("filing", "answered_by", "answered_on", "answers")


@dataclass
class _Reading:
    path: Path
    regime: Regime
    problems: list[Problem] = field(default_factory=list)

    def fault(self, code: str, line: int, says: str) -> None:
        self.problems.append(Problem(code, Source(str(self.path), line), says))


@dataclass(frozen=True)
class _Node:
    """A value with the line it stands on; a mapping holds (key, line of the key, node)."""

    value: Any
    line: int


def read_answers(path: Path, regime: Regime) -> tuple[dict[str, Answer], list[Problem]]:
    """Answers by the id of their item, and all that is wrong with the file.

    Raises: DisclosureError("answers-extra") if a YAML file is given without PyYAML.
    """
    reading = _Reading(path, regime)
    try:
        body = path.read_bytes()
    except OSError as fault:
        reading.fault("missing-file", 0, f"cannot be read: {fault.strerror}")
        return {}, reading.problems
    root = _parse(body, path, reading)
    if root is None:
        return {}, reading.problems
    head = _mapping(root, reading, "the file") or {}
    for name, node in head.items():
        if name not in _HEAD:
            reading.fault("unknown-key", node.line, f"{name!r} is unknown; the keys are {', '.join(_HEAD)}")
    return _answers(head, reading), reading.problems


def _answers(head: Mapping[str, _Node], reading: _Reading) -> dict[str, Answer]:
    for name in ("filing", "answers"):
        if name not in head:
            reading.fault("missing-key", 0, f"{name} is missing")
    if "filing" in head and head["filing"].value != reading.regime.name:
        says = f"these are answers for {head['filing'].value!r}, not for {reading.regime.name}"
        reading.fault("other-filing", head["filing"].line, says)
    by, on = _text(head.get("answered_by")), _text(head.get("answered_on"))
    listed = _mapping(head["answers"], reading, "answers") if "answers" in head else None
    found: dict[str, Answer] = {}
    for name, node in (listed or {}).items():
        item = reading.regime.item(name)
        if item is None:
            reading.fault("unknown-key", node.line, f"{name!r} is no field of the {reading.regime.name} filing")
        elif node.value not in (None, ""):
            answer = _answer(item, node, by, on, reading)
            if answer is not None:
                found[name] = answer
    return found


def _answer(item: Item, node: _Node, by: str, on: str, reading: _Reading) -> Answer | None:
    """One answer: a value, or a mapping of answer, by and on."""
    value = node
    if isinstance(node.value, dict):
        part = _mapping(node, reading, item.id) or {}
        for name, inner in part.items():
            if name not in ("answer", "by", "on"):
                reading.fault("unknown-key", inner.line, f"{name!r} is unknown; {item.id} takes answer, by and on")
        by, on = _text(part.get("by")) or by, _text(part.get("on")) or on
        value = part.get("answer", _Node(None, node.line))
        if value.value in (None, ""):
            return None
    return _signed(item, value, by, on, reading)


def _signed(item: Item, node: _Node, by: str, on: str, reading: _Reading) -> Answer | None:
    before = len(reading.problems)
    parsed, wanted = parse_answer(item, _plain(node))
    if parsed is None:
        reading.fault("bad-answer", node.line, f"{item.id} is {_plain(node)!r}; it must be {wanted}")
    if not by:
        reading.fault("unsigned-answer", node.line, f"nobody answered {item.id}: fill in answered_by")
    try:
        day = date.fromisoformat(on)
    except ValueError:
        reading.fault("bad-date", node.line, f"{item.id} was answered on {on!r}; write answered_on as 2026-11-22")
        return None
    return Answer(parsed, by, day, node.line) if len(reading.problems) == before else None


def _text(node: _Node | None) -> str:
    return node.value.strip() if node is not None and isinstance(node.value, str) else ""


def _plain(node: _Node) -> Any:
    if isinstance(node.value, list):
        return [_plain(each) for each in node.value]
    return node.value


def _mapping(node: _Node, reading: _Reading, what: str) -> dict[str, _Node] | None:
    if isinstance(node.value, dict):
        return node.value
    if node.value is not None:
        reading.fault("bad-shape", node.line, f"{what} must hold keys and values")
    return None


# --- YAML and JSON, with lines ------------------------------------------------------------------------------------


def _parse(body: bytes, path: Path, reading: _Reading) -> _Node | None:
    if len(body) > LARGEST:
        reading.fault("too-long", 0, f"{len(body):,} bytes; at most {LARGEST:,} are read")
        return None
    try:
        text = body.decode("utf-8-sig")
        return _json(text, reading) if path.suffix == ".json" else _yaml(text, reading)
    except UnicodeDecodeError as fault:
        line = body[: fault.start].count(b"\n") + 1
        reading.fault("encoding", line, f"not UTF-8: byte 0x{body[fault.start]:02x}; save the file as UTF-8")
    except RecursionError:
        reading.fault("bad-shape", 0, "nested deeper than anybody writes")
    return None


def _json(text: str, reading: _Reading) -> _Node | None:
    """JSON has no lines for values, so a key's line is where it first stands in quotes."""

    def pairs(found: list[tuple[str, Any]]) -> dict[str, _Node]:
        for name in sorted({name for name, _ in found if [n for n, _ in found].count(name) > 1}):
            reading.fault("key-twice", line_of(name), f"{name!r} stands twice")
        return {name: _Node(value, line_of(name)) for name, value in found}

    def line_of(name: str) -> int:
        at = text.find(json.dumps(name, ensure_ascii=False))
        return text.count("\n", 0, at) + 1 if at >= 0 else 0

    try:
        return _nodes(json.loads(text, object_pairs_hook=pairs), 1)
    except ValueError as fault:
        reading.fault("bad-json", getattr(fault, "lineno", 0), f"not JSON: {fault}")
        return None


def _nodes(value: Any, line: int) -> _Node:
    if isinstance(value, _Node):
        return _nodes(value.value, value.line)
    if isinstance(value, dict):
        return _Node({name: _nodes(node, line) for name, node in value.items()}, line)
    return _Node([_nodes(each, line) for each in value], line) if isinstance(value, list) else _Node(value, line)


def _yaml(text: str, reading: _Reading) -> _Node | None:
    try:
        import yaml
    except ImportError as fault:
        fix = "pip install 'byline[rights]', or write the answers as .json"
        raise DisclosureError("answers-extra", "answers in YAML need PyYAML", fix) from fault
    try:
        for token in yaml.scan(text, Loader=yaml.SafeLoader):
            if isinstance(token, yaml.AliasToken):  # an alias can unfold to gigabytes
                reading.fault("bad-yaml", token.start_mark.line + 1, "references (*name) are not read here")
                return None
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.YAMLError as fault:
        mark = getattr(fault, "problem_mark", None)
        line = mark.line + 1 if mark is not None else 0
        reading.fault("bad-yaml", line, f"not YAML: {getattr(fault, 'problem', None) or fault}")
        return None
    return _from_yaml(root, reading) if root is not None else _Node({}, 0)


def _from_yaml(node: Any, reading: _Reading) -> _Node:
    """Every scalar stays the text that was written: `no`, a date and a version number are not reinterpreted."""
    line = node.start_mark.line + 1
    if node.id == "sequence":
        return _Node([_from_yaml(each, reading) for each in node.value], line)
    if node.id == "scalar":
        return _Node(None if node.tag.endswith(":null") else node.value, line)
    found: dict[str, _Node] = {}
    for key, value in node.value:
        name = key.value if key.id == "scalar" else ""
        if name in found or not name:
            says = f"{name!r} stands twice" if name else "a key must be a word"
            reading.fault("key-twice" if name else "bad-shape", key.start_mark.line + 1, says)
        found[name] = _from_yaml(value, reading)
    return _Node(found, line)


# --- the template -------------------------------------------------------------------------------------------------


def template(regime: Regime, corpus: Corpus, today: date) -> str:
    """An answers file (YAML) with every field that is open or may be left blank; what the records say is not asked."""
    fields = make_filing(regime, corpus, {}, today).fields
    wanted = (State.OPEN, State.WAITING, State.EMPTY)
    asked = [each.item for each in fields if each.state in wanted and each.item.kind is not Kind.TABLE]
    head = (
        f"# Answers for the filing: {regime.title}",
        f"# {len(fields) - len(asked)} of {len(fields)} fields are known from the records, or come from them alone.",
        "# Fill in what you know; leave empty what you do not: it then stays open, and the filing a draft.",
        f"filing: {regime.name}",
        "answered_by:",
        f"answered_on: {today.isoformat()}",
        "answers:",
    )
    return "\n".join([*head, *_asked(asked)]) + "\n"


def _asked(items: Iterable[Item]) -> Iterable[str]:
    section = ""
    for item in items:
        if item.section != section:
            section = item.section
            yield f"\n  # --- {section}" if section else ""
        wanted = SHAPES[item.kind].format(options=" or ".join(item.options))
        notes = [wanted] if item.kind is not Kind.TEXT else []
        notes += ["may stay empty"] if item.optional else []
        notes += [f"only if {item.only_if} is yes"] if item.only_if else []
        yield f"  # {item.asks}" + (f" [{'; '.join(notes)}]" if notes else "")
        yield f"  {json.dumps(item.id) if ':' in item.id else item.id}:"
