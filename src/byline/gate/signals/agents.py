"""Which crawlers collect for training: a list pinned by date, kept beside this module (`agents.json`).

The tokens and their purposes come from the AI Crawler Index, as its package `ai-crawler-robots` publishes them (CC0).
`train` takes the index's category "ai-training", `archive` its "dataset" and "archive". Only these two feed the
inference from robots.txt, because the others fetch for searching, for a waiting user, or for the site's own tools.
"""

import json
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

FEEDS_TRAINING = ("train", "archive")


@dataclass(frozen=True, slots=True)
class AgentList:
    """source, retrieved: where and when the list was taken. purposes: product token, lower case -> purpose."""

    source: str
    retrieved: str
    purposes: dict[str, str]

    def training(self) -> tuple[str, ...]:
        return tuple(sorted(token for token, purpose in self.purposes.items() if purpose in FEEDS_TRAINING))


@cache
def known_agents() -> AgentList:
    told = json.loads((files(__package__) / "agents.json").read_text(encoding="utf-8"))
    purposes = {token.lower(): purpose for purpose, tokens in told["agents"].items() for token in tokens}
    return AgentList(told["source"], told["retrieved"], purposes)
