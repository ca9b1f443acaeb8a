"""What a robots.txt says of one path: may an agent fetch it, and which uses does it refuse or offer?

    RFC 9309                   Allow, Disallow        access; from training crawlers that are shut out, a no to training
    AIPREF (attach-05)         Content-Usage
    Content Signals            Content-Signal
    canel (Microsoft, expired) DisallowAITraining, AllowAITraining
    RSL 1.0                    License                the address of terms: a condition until they are read

Being let in is not consent: from `Allow` nothing follows but access.
"""

from enum import StrEnum

from byline.gate.signals.agents import AgentList, known_agents
from byline.gate.signals.aipref import read_preference
from byline.gate.signals.content_signal import SPEC as SIGNALS_SPEC
from byline.gate.signals.content_signal import read_signals
from byline.gate.signals.markup import library
from byline.gate.signals.observation import TRAIN, Canonical, Findings, Notebook, Reading, Target, merged, same
from byline.gate.signals.patterns import normal, path_of
from byline.gate.signals.robots_file import Line, RobotsFile, longest, parse_robots, pattern_of
from byline.gate.signals.rsl_link import saw_licence_link

CARRIER = "robots.txt"
RFC = "RFC 9309"
CANEL = "draft-canel-robots-ai-control"


class Inference(StrEnum):
    """Which shut-out crawlers count as a no to training."""

    ANY_TRAINING_AGENT = "any-training-agent"
    OWN_AGENT = "own-agent"
    OFF = "off"


def read_robots(
    body: bytes,
    target: Target,
    *,
    inference: Inference = Inference.ANY_TRAINING_AGENT,
    agents: AgentList | None = None,
) -> Findings:
    """Everything that a robots.txt says of `target.path` to `target.agent`.

    Access is Protego's answer and our own; where they differ (Protego also lets `User-agent: Claude` speak to
    ClaudeBot), no wins. Raises: GateError("signals-extra") if Protego or http-sf is needed and not installed.
    """
    notes = Notebook(target, body, CARRIER)
    robots, path = parse_robots(body), normal(path_of(target.path))
    for code, says, number in robots.faults:
        notes.fault(code, says, number)
    if robots.by_agent:
        _access(robots, path, notes)
        _inferred(robots, path, notes, inference, agents or known_agents())
    _content_usage(robots, path, notes)
    _content_signal(robots, path, notes)
    _ai_training(robots, path, notes)
    for line in robots.licences:
        saw_licence_link(line.value, "License directive", str(line), line.number, notes)
    return notes.findings()


def robots_unavailable(target: Target, status: int) -> Findings:
    """A robots.txt that did not come. 4xx: no rules, so access, and nothing about uses. All else: no access.

    status: HTTP status; 0 if there was no answer. Source: RFC 9309, section 2.3.1.
    """
    notes = Notebook(target, b"", CARRIER)
    missing = 400 <= status < 500 and status != 429
    access = Reading.ALLOW if missing else Reading.DENY
    rule = "2.3.1.3 unavailable" if missing else "2.3.1.4 unreachable"
    notes.saw("robots", RFC, f"status {status}", rule, {}, access=access)
    if not missing:
        notes.fault("fetch-failed", f"robots.txt could not be fetched (status {status})")
    return notes.findings()


def _access(robots: RobotsFile, path: str, notes: Notebook) -> None:
    ours, line = robots.access(notes.target.agent, path)
    theirs = library("protego").Protego.parse(_for_protego(robots, notes.target.agent))
    # A path that begins with two slashes would be taken for a host.
    fetch = theirs.can_fetch(f"https://site{path}", notes.target.agent or "byline-unnamed")
    access = ours if fetch else Reading.DENY
    rule = f"2.2.2 longest match, agent {notes.target.agent or '*'}"
    remarks = () if access is ours else ("Protego reads a group for a related agent as speaking to this one",)
    raw, number = (str(line), line.number) if line else ("", 0)
    notes.saw("robots", RFC, raw, rule, {}, line=number, access=access, notes=remarks)


def _for_protego(robots: RobotsFile, agent: str) -> str:
    """The groups that can speak to the agent; all others are left out, for a hostile file can hold thousands."""
    kept = {name: robots.lines_for(name) for name in robots.by_agent if name == "*" or name in agent.lower()}
    rules = (f"User-agent: {name}\n" + "\n".join(map(str, kept[name])) for name in kept)
    return "\n".join(rules).encode("utf-8", "replace").decode("utf-8")


def _inferred(robots: RobotsFile, path: str, notes: Notebook, inference: Inference, agents: AgentList) -> None:
    asked = {Inference.ANY_TRAINING_AGENT: agents.training(), Inference.OWN_AGENT: (notes.target.agent,)}
    shut_out: dict[Line, list[str]] = {}
    verdicts: dict[int, tuple[Reading, Line | None]] = {}
    for agent in asked.get(inference, ()):
        group = robots.lines_for(agent)
        if id(group) not in verdicts:
            verdicts[id(group)] = robots.access(agent, path)
        access, line = verdicts[id(group)]
        if access is Reading.DENY and line is not None:
            shut_out.setdefault(line, []).append(agent)
    for line, names in shut_out.items():
        told = f"{', '.join(names[:5])}{f' and {len(names) - 5} more' if len(names) > 5 else ''}"
        rule = f"inferred ({inference}): shut out {told}"
        listed = (f"list of agents: {agents.source}",)
        denied = same(Reading.DENY, TRAIN)
        notes.saw("robots", RFC, str(line), rule, denied, line=line.number, notes=listed)


def _content_usage(robots: RobotsFile, path: str, notes: Notebook) -> None:
    found = longest(robots.lines_for(notes.target.agent), ("content-usage",), path)
    barred = robots.access(notes.target.agent, path)[0] is Reading.DENY
    for line in found:
        said = read_preference(_preference(line).encode("utf-8", "replace"))
        if said.fault:
            notes.fault("bad-content-usage", said.fault, line.number)
        remarks = said.notes + (("a path that may not be crawled has no preference",) if barred else ())
        canonical = {} if barred else said.canonical
        rule = f"attach 3.1 longest match {pattern_of(line)}"
        notes.saw("aipref", said.spec, str(line), rule, canonical, line=line.number, notes=remarks)
    for line in _stray(robots, "content-usage", path):
        said = read_preference(_preference(line).encode("utf-8", "replace"))
        if said.fault:
            notes.fault("bad-content-usage", said.fault, line.number)
        _saw_stray("aipref", said.spec, line, said.canonical, notes)


def _preference(line: Line) -> str:
    """What stands behind the path, or the whole value if it has none."""
    return "".join(line.value.split(maxsplit=1)[1:]) if line.value.startswith("/") else line.value


def _content_signal(robots: RobotsFile, path: str, notes: Notebook) -> None:
    for line in longest(robots.lines_for(notes.target.agent), ("content-signal",), path):
        canonical, remarks = read_signals(_preference(line))
        rule = f"content-signal in group, {pattern_of(line)}"
        notes.saw("content-signals", SIGNALS_SPEC, str(line), rule, canonical, line=line.number, notes=remarks)
    for line in _stray(robots, "content-signal", path):
        _saw_stray("content-signals", SIGNALS_SPEC, line, read_signals(_preference(line))[0], notes)


def _ai_training(robots: RobotsFile, path: str, notes: Notebook) -> None:
    """Longest match; at equal length the no wins, for the draft that says otherwise has expired."""
    keys = ("disallowaitraining", "allowaitraining")
    found = longest(robots.lines_for(notes.target.agent), keys, path)
    if found:
        line = min(found, key=lambda each: each.key != "disallowaitraining")
        reading = Reading.DENY if line.key == "disallowaitraining" else Reading.ALLOW
        rule = f"longest match {pattern_of(line)}"
        notes.saw("canel", CANEL, str(line), rule, same(reading, TRAIN), line=line.number)
    for line in _stray(robots, "disallowaitraining", path):
        _saw_stray("canel", CANEL, line, same(Reading.DENY, TRAIN), notes)


def _stray(robots: RobotsFile, key: str, path: str) -> list[Line]:
    return longest(robots.stray, (key,), path)


def _saw_stray(family: str, spec: str, line: Line, canonical: Canonical, notes: Notebook) -> None:
    """A rule above the first group speaks to nobody. Of such a rule only the no is kept."""
    denied = {each: word for each, word in merged([canonical]).items() if word in (Reading.DENY, Reading.CONDITIONAL)}
    remark = ("it stands before any User-agent line; a yes there would not count",)
    notes.saw(family, spec, str(line), "outside any group", denied, line=line.number, notes=remark)
