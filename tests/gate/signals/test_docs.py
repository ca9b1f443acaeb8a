"""docs/signals.md says what the source does."""

import re
from pathlib import Path

import byline.gate.signals as signals
from byline.gate.signals.conformance import fixtures

PAGE = (Path(__file__).parents[3] / "docs" / "signals.md").read_text(encoding="utf-8")
SOURCE = Path(signals.__file__).parent


def raised():
    """Codes of all problems: the first text in what makes one."""
    text = "\n".join(file.read_text(encoding="utf-8") for file in SOURCE.glob("*.py"))
    calls = re.findall(r"\b(?:fault|problem|Problem|append)\(\s*\(?\"([a-z0-9]+(?:-[a-z0-9]+)+)\"", text)
    return {*calls, *re.findall(r"return \"([a-z0-9-]+)\", f\"", text)}


def test_every_problem_is_documented_and_every_documented_one_is_raised():
    section = PAGE.partition("## Problems")[2].partition("## The corpus")[0]
    documented = re.findall(r"^\| `([a-z0-9-]+)` \|", section, re.MULTILINE)
    assert documented == sorted(set(documented)) and set(documented) == raised()


def test_every_reader_is_named():
    readers = {name for name in signals.__all__ if name.startswith("read_")} - {"read_as", "read_place"}
    assert {name for name in readers if f"`{name}`" not in PAGE} == set()


def test_every_field_of_an_observation_is_named():
    assert {name for name in signals.Observation.__dataclass_fields__ if f"`{name}`" not in PAGE} == set()


def test_the_figure_for_the_corpus_is_that_of_the_corpus():
    assert f"\n{len(fixtures())} fixtures" in PAGE and f"| Byline | {len(fixtures())} | {len(fixtures())} |" in PAGE


def test_the_example_runs():
    (block,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    space: dict[str, object] = {}
    exec(compile(block, "docs/signals.md", "exec"), space)
    assert space["answer"]["train.gen"] == "deny"
