"""Spawning's ai.txt: groups as in robots.txt, whose patterns name kinds of files (`Disallow: *.jpg`).

It is asked of the host that serves the file, when the file is loaded. There is no specification; this follows what
Spawning's generator writes: a listed pattern refuses or grants training on what matches it.
"""

from byline.gate.signals.observation import TRAIN, Findings, Notebook, Reading, Target, same
from byline.gate.signals.patterns import normal, path_of
from byline.gate.signals.robots_file import Line, longest, parse_robots

SPEC = "Spawning ai.txt 2023-05"


def read_ai_txt(body: bytes, target: Target) -> Findings:
    """What an ai.txt says of training on the file at the target's path."""
    notes = Notebook(target, body, "ai.txt")
    parsed = parse_robots(body)
    for code, says, number in parsed.faults:
        notes.fault(code, says, number)
    if body.strip() and not parsed.by_agent and not parsed.faults:
        notes.fault("not-ai-txt", "it has no User-Agent line: another format of the same name")
    path = normal(path_of(target.path)).partition("?")[0]
    found = longest(_whole(parsed.lines_for(target.agent)), ("allow", "disallow"), path)
    if found:
        line = min(found, key=lambda each: each.key != "disallow")
        reading = Reading.DENY if line.key == "disallow" else Reading.ALLOW
        notes.saw("ai.txt", SPEC, str(line), f"longest match {line.value}", same(reading, TRAIN), line=line.number)
    return notes.findings()


def _whole(lines: tuple[Line, ...]) -> tuple[Line, ...]:
    """`*.jp` must not match photo.jpg: a pattern of a file's kind ends where the name ends."""
    return tuple(
        Line(each.number, each.key, each.value + "$") if each.value.startswith("*.") and "$" not in each.value else each
        for each in lines
    )
