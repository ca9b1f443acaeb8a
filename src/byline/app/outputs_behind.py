"""Which outputs stand behind a payee's money, and which passages of theirs stand behind the outputs.

Read from what `byline attribute` kept, and only if it is the very attribution that the money was divided by. An output
is told by its id: what somebody asked a model, and what it answered, is not the payee's to read. The passages are the
payee's own words.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any

from byline.app.home import Home
from byline.app.uniqueness import Both, both_numbers
from byline.core import CoreError, PartyId, ShareTable
from byline.ledger import Basis, Movement, PayeeAccounts, payable

_OUTPUTS, _PASSAGES = 5, 3  # of each work, the largest first


class Behind:
    """The attributions of a project folder, by the digest of the shares that they gave."""

    def __init__(self, home: Home) -> None:
        self.home = home
        self.numbers: dict[str, dict[str, Both]] = {}  # digest -> cluster -> share and uniqueness, if they differ

    @cached_property
    def attributions(self) -> dict[str, list[dict[str, Any]]]:
        """Digest of the period's shares -> the passages that they were summed over."""
        found = {}
        for path in sorted((self.home.path / "trainings").glob("*/attribution.json")):
            try:
                told = json.loads(path.read_text(encoding="utf-8"))
                shares = ShareTable.from_json(told["period"])  # a settlement keeps its shares in order
                digest = replace(shares, lines=tuple(sorted(shares.lines, key=lambda line: line.id))).digest()
                generated = [each for each in told["passages"] if each["kind"] == "generated"]
                self.numbers[digest] = both_numbers(told)
            except (OSError, ValueError, LookupError, TypeError, CoreError):
                continue  # damaged or of an older form: then there is no evidence to show, and the statement says so
            found[digest] = generated or told["passages"]
        return found

    def told(self, party: PartyId, accounts: PayeeAccounts, movements: Sequence[Movement]) -> dict[str, Any]:
        """Of the payee's works with a measured share: the outputs they helped with, the passages behind them.

        Empty if nothing was measured, or the attribution is not in the folder any more."""
        works: dict[str, tuple[str, str]] = {}  # work -> (cluster, digest of the shares)
        for each in movements:
            if each.kind == "settlement":
                digest = accounts.settlement(each.run).shares.digest()
                for line in accounts.lines(each.run, each.event, payable(party)):
                    if line.basis is Basis.ATTRIBUTION and line.work and line.cluster:
                        works[line.work] = (line.cluster, digest)
        known = {work: at for work, at in works.items() if at[1] in self.attributions}
        if not known:
            return {}
        digests = sorted({digest for _, digest in known.values()})
        outputs = [output for digest in digests for output in self.attributions[digest]]
        clusters = {cluster for cluster, _ in known.values()}
        helped = sum(any(share["ppb"] for _, share in _shares(output, clusters)) for output in outputs)
        return {
            "outputs": len(outputs),
            "helped": helped,
            "attribution_sha256": digests,
            "works": [self._work(work, *known[work]) for work in sorted(known)],
        }

    def _work(self, work: str, cluster: str, digest: str) -> dict[str, Any]:
        outputs = self.attributions[digest]
        shares = [(output["id"], share) for output in outputs for _, share in _shares(output, {cluster})]
        shares.sort(key=lambda each: (-each[1]["ppb"], each[0]))
        found: dict[str, dict[str, str]] = {}
        for output in outputs:
            for passage in output.get("evidence", []):
                if passage["work"] == work:
                    one = {"passage": passage["example"], "text": passage["text"][:400], "output": output["id"]}
                    found.setdefault(passage["example"], one)
        both = self.numbers.get(digest, {}).get(cluster)
        return ({"share_ppb": both.share_ppb, "unique_ppb": both.unique_ppb} if both else {}) | {
            "work": work,
            "helped": sum(bool(share["ppb"]) for _, share in shares),
            "outputs": [
                {"output": name, "share_ppb": share["ppb"], "interval_ppb": [share["low_ppb"], share["high_ppb"]]}
                for name, share in shares[:_OUTPUTS]
                if share["ppb"]
            ],
            "passages": list(found.values())[:_PASSAGES],
        }


def _shares(output: dict[str, Any], clusters: set[str]) -> Iterator[tuple[str, dict[str, Any]]]:
    for share in output["cluster"]["shares"]["lines"]:
        if share["id"] in clusters:
            yield share["id"], share
