"""What the records say of the works that taught a model: the one source of every filing."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from functools import cache
from typing import Any
from urllib.parse import urlsplit

from byline.core import DisclosureError, Record, WorkId

UNKNOWN = "unknown"
METHODS = "crawl sensor annotation purchase crowdsourcing user_upload public_dataset synthetic".split()
"""How a work can have been obtained; `unknown` where no acquisition is recorded."""


@dataclass(frozen=True, slots=True)
class Material(Record):
    """One admitted work. `bytes`: of its content, `sha256` over it. `method`: of `METHODS`, or unknown. `acquired`: the
    day it was obtained, None if that is not recorded. `domain`: registered domain of the address it came from, "" if
    none. `authorisation`: contracts and grants it rests on. `dataset`: name of the public dataset. `collector`: who or
    which crawler took it; `robots`: what robots.txt said to it then, "" where nobody noted it."""

    work: WorkId
    title: str
    modality: str
    bytes: int
    licence: str
    source: str
    domain: str
    created: date
    sha256: str
    method: str = UNKNOWN
    acquired: date | None = None
    authorisation: tuple[str, ...] = ()
    dataset: str = ""
    collector: str = ""
    robots: str = ""


@dataclass(frozen=True, slots=True)
class Corpus(Record):
    """Everything that the records say of one training. `examples`, `tokens`: of the recorded training. `base_tokens`:
    read before recording began, from texts that are not in the register. `refused`: works kept out, by rule. `trained`:
    the day of the training, None if that is not recorded. `personal`: counts by type of personal data found, None if
    nobody has looked."""

    name: str
    run: str
    manifest: str
    root: str
    frozen: date
    works: tuple[Material, ...]
    refused: tuple[tuple[str, int], ...]
    examples: int
    tokens: int
    base_tokens: int
    parameters: int
    trained: date | None = None
    personal: tuple[tuple[str, int], ...] | None = None
    personal_by: str = ""
    signals: tuple[tuple[str, int], ...] = ()

    def counted(self, name: str) -> dict[str, int]:
        """Works by the value of one of their fields, the most frequent first."""
        counts = Counter(str(getattr(work, name)) for work in self.works)
        return dict(sorted(counts.items(), key=lambda pair: (-pair[1], pair[0])))

    def by_method(self, *methods: str) -> list[Material]:
        return [work for work in self.works if work.method in methods]

    @property
    def methods_known(self) -> bool:
        """Only then does the absence of a method in the records mean that it was not used."""
        return all(work.method != UNKNOWN for work in self.works) and not self.base_tokens

    @property
    def modalities(self) -> list[str]:
        return sorted({work.modality for work in self.works})

    def facts(self) -> dict[str, Any]:
        """What every filing repeats, to be held against the records later: counts, dates, modalities, sizes."""
        acquired = sorted(work.acquired for work in self.works if work.acquired)
        created = sorted(work.created for work in self.works)
        return {
            "manifest": self.manifest,
            "manifest_root": self.root,
            "manifest_frozen": self.frozen.isoformat(),
            "run": self.run,
            "works": len(self.works),
            "works_refused": sum(count for _, count in self.refused),
            "examples": self.examples,
            "tokens": self.tokens,
            "base_tokens": self.base_tokens,
            "bytes": sum(work.bytes for work in self.works),
            "modalities": self.modalities,
            "licences": self.counted("licence"),
            "methods": self.counted("method"),
            "domains": len({work.domain for work in self.works if work.domain}),
            "created_first": created[0].isoformat() if created else "",
            "created_last": created[-1].isoformat() if created else "",
            "acquired_first": acquired[0].isoformat() if acquired else "",
            "acquired_last": acquired[-1].isoformat() if acquired else "",
        }


FACTS = (
    "manifest manifest_root manifest_frozen run works works_refused examples tokens base_tokens bytes modalities "
    "licences methods domains created_first created_last acquired_first acquired_last"
).split()
"""Names of what `Corpus.facts` tells."""


# --- domains ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Domain(Record):
    """A registered domain, how many works and bytes came from it, and its part of all bytes. `listed`: it is among
    those that the summary must name."""

    domain: str
    works: int
    bytes: int
    share_ppm: int
    listed: bool


TOP_PERCENT, SMALL_PERCENT, SMALL_MOST = 10, 5, 1000


def domains(works: Iterable[Material], small: bool = False) -> list[Domain]:
    """Domains by size, and which of them the summary must list: the top 10 % of all, or for a small or medium-sized
    enterprise the top 5 % or 1000, whichever is fewer.

    A part of a domain counts as one, and whoever is as large as the last that is listed is listed too. Source:
    template for the summary under art. 53(1)(d), section 2.3; the thresholds are to be confirmed by counsel.
    """
    sizes: Counter[str] = Counter()
    counts: Counter[str] = Counter()
    for work in works:
        if work.domain:
            sizes[work.domain] += work.bytes
            counts[work.domain] += 1
    ordered = sorted(sizes, key=lambda name: (-sizes[name], name))
    percent = SMALL_PERCENT if small else TOP_PERCENT
    wanted = -(-len(ordered) * percent // 100)
    last = min(wanted, SMALL_MOST) if small else wanted
    least = sizes[ordered[last - 1]] if last else 0
    total = sum(sizes.values()) or 1
    return [Domain(n, counts[n], sizes[n], sizes[n] * 1_000_000 // total, sizes[n] >= least) for n in ordered]


def registered_domain(address: str) -> str:
    """`example.co.uk` of `https://art.example.co.uk/1`; "" if the address has no host with a registered domain.

    Source: the Public Suffix List, as bundled with publicsuffixlist. Raises: DisclosureError("no-suffix-list").
    """
    try:
        host = (urlsplit(address).hostname or "").rstrip(".") if "://" in address else ""
    except ValueError:
        return ""
    return (_suffixes().privatesuffix(host.lower()) or "") if host and not host.replace(".", "").isdigit() else ""


@cache
def _suffixes() -> Any:
    try:
        from publicsuffixlist import PublicSuffixList
    except ImportError as fault:
        fix = "pip install 'byline[rights]'"
        raise DisclosureError("no-suffix-list", "domains are told apart by publicsuffixlist", fix) from fault
    return PublicSuffixList()
