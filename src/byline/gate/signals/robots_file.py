"""The lines and groups of a robots.txt (RFC 9309, section 2), with line numbers, in time linear in its length."""

import re
from dataclasses import dataclass, field
from functools import lru_cache

from byline.gate.signals.observation import Reading
from byline.gate.signals.patterns import matches, normal

LARGEST = 500 * 1024  # RFC 9309, section 2.5: parsers must read at least 500 KiB
RULES = ("allow", "disallow", "content-usage", "content-signal", "disallowaitraining", "allowaitraining")
MISSPELT = {
    "useragent": "user-agent",
    "user agent": "user-agent",
    "dissallow": "disallow",
    "dissalow": "disallow",
    "disalow": "disallow",
    "diasllow": "disallow",
    "disallaw": "disallow",
}
_WITHOUT_COLON = re.compile(r"\s*(user-agent|disallow)[ \t]+(\S.*)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Line:
    """number: 1 = first. key: lower case. value: without comment and surrounding blanks."""

    number: int
    key: str
    value: str

    def __str__(self) -> str:
        return f"{self.key}: {self.value}"


@dataclass(frozen=True)
class RobotsFile:
    """by_agent: product token, lower case ("*" for all others) -> its groups, whose lists agents share. stray: rules
    before any group. licences: `License:` lines, which belong to no group. faults: (code, what, line)."""

    by_agent: dict[str, list[list[Line]]]
    stray: tuple[Line, ...]
    licences: tuple[Line, ...]
    faults: tuple[tuple[str, str, int], ...]
    _flat: dict[str, tuple[Line, ...]] = field(default_factory=dict)

    def lines_for(self, agent: str) -> tuple[Line, ...]:
        """The rules of the product token's groups taken together, else those of `*`, else none."""
        key = agent.lower() if agent and agent.lower() in self.by_agent else "*"
        if key not in self._flat:
            self._flat[key] = tuple(line for group in self.by_agent.get(key, ()) for line in group)
        return self._flat[key]

    def access(self, agent: str, path: str) -> tuple[Reading, Line | None]:
        """May the agent fetch the path? The longest matching rule decides, Allow at equal length."""
        if path == "/robots.txt":
            return Reading.ALLOW, None
        found = longest(self.lines_for(agent), ("allow", "disallow"), path)
        deciding = min(found, key=lambda line: line.key != "allow", default=None)
        denied = deciding is not None and deciding.key == "disallow"
        return (Reading.DENY if denied else Reading.ALLOW), deciding


def longest(lines: tuple[Line, ...], keys: tuple[str, ...], path: str) -> list[Line]:
    """Of the rules with one of these keys that match the path, those with the longest pattern."""
    best: list[Line] = []
    length = -1
    for line in lines:
        if line.key not in keys:
            continue
        pattern = pattern_of(line)
        if pattern and len(pattern) >= length and matches(pattern, path):
            if len(pattern) > length:
                best, length = [], len(pattern)
            best.append(line)
    return best


def pattern_of(line: Line) -> str:
    """The path pattern of a rule; "" if it has none. A rule on usage without a path is about the whole site."""
    if line.key in ("content-usage", "content-signal"):
        return normal(line.value.split(maxsplit=1)[0]) if line.value.startswith("/") else "/"
    return _rule_pattern(line.key, line.value)


def _rule_pattern(key: str, value: str) -> str:
    if not value or value.startswith(("/", "*")):
        return normal(value)
    # A crawler would match nothing with it. Who wrote it wanted to refuse something.
    return "/" + normal(value) if key.startswith("disallow") else ""


@lru_cache(maxsize=32)
def parse_robots(body: bytes) -> RobotsFile:
    """Every line that says something. Bytes that cannot be read are faults of the file, not exceptions."""
    scan = _Scan()
    if not _plausible(body, scan):
        return scan.file()
    if len(body) > LARGEST:
        scan.faults.append(("robots-too-long", f"{len(body):,} bytes; the first {LARGEST:,} are read", 0))
        body = body[: body.rfind(b"\n", 0, LARGEST) + 1 or LARGEST]
    for number, line in enumerate(body.removeprefix(b"\xef\xbb\xbf").splitlines(), start=1):
        scan.take(number, line)
    return scan.file()


def _plausible(body: bytes, scan: "_Scan") -> bool:
    if body[:2] in (b"\xff\xfe", b"\xfe\xff") or b"\0" in body:
        scan.faults.append(("bad-encoding", "it is not UTF-8 but UTF-16 or binary", 0))
    elif body.lstrip()[:1] == b"<":
        scan.faults.append(("not-robots", "it is a page of HTML or XML", 1))
    return not scan.faults


@dataclass
class _Scan:
    by_agent: dict[str, list[list[Line]]] = field(default_factory=dict)
    stray: list[Line] = field(default_factory=list)
    licences: list[Line] = field(default_factory=list)
    faults: list[tuple[str, str, int]] = field(default_factory=list)
    group: list[Line] | None = None
    members: set[str] = field(default_factory=set)
    naming: bool = False

    def take(self, number: int, octets: bytes) -> None:
        line = self.read(number, octets.partition(b"#")[0])
        if line is None:
            return
        if line.key == "user-agent":
            self.name(line.value)
        elif line.key in ("license", "licence"):
            self.licences.append(line)
        elif line.key in RULES:
            self.naming = False
            (self.stray if self.group is None else self.group).append(line)

    def read(self, number: int, octets: bytes) -> Line | None:
        text = octets.decode("utf-8", "surrogateescape")
        key, colon, value = text.partition(":")
        if not colon:
            bare = _WITHOUT_COLON.match(text)
            if bare is None:
                return None
            key, value = bare[1], bare[2]
        key = " ".join(key.lower().split())
        line = Line(number, MISSPELT.get(key, key), value.strip(" \t\ufeff"))
        if any("\udc80" <= c <= "\udcff" for c in text) and line.key in (*RULES, "user-agent", "license"):
            self.faults.append(("bad-encoding", f"line {number} is not UTF-8", number))
        return line

    def name(self, value: str) -> None:
        """A User-agent line: next to another one it joins that group, after a rule it begins one."""
        if not self.naming or self.group is None:
            self.group, self.members = [], set()
        self.naming = True
        agent = value.partition("/")[0].strip().lower()
        if agent and agent not in self.members:
            self.members.add(agent)
            self.by_agent.setdefault(agent, []).append(self.group)

    def file(self) -> RobotsFile:
        return RobotsFile(self.by_agent, tuple(self.stray), tuple(self.licences), tuple(self.faults))
