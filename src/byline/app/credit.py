"""Whose work a training example is credited to: its own, or the earlier one that its passage was taken from."""

from collections.abc import Iterable, Mapping
from dataclasses import replace

from byline.app.home import Home, cluster_of, in_order_of_registration, looked_at, read_json, write_json
from byline.core import ClusterId, Example, Manifest, ShareTable, WorkId, cluster_id
from byline.gate import Excerpt, credited_works, find_excerpts, own_lengths
from byline.ledger import Policy, Probation, Stake, canonical_stakes

NOBODY = ClusterId("")  # of a passage that was taken from a work which was not trained on


def excerpts_of(home: Home, manifest: Manifest) -> tuple[Excerpt, ...]:
    """Passages that the manifest's works took from earlier works of others. Found once, for what counts is the order
    of registration: works that come later can have been taken from nobody before them."""
    path = home.path / "excerpts" / f"{manifest.id.removeprefix('manifest:')}.json"
    if not path.is_file():
        works = in_order_of_registration(home)
        texts = home.texts(works)
        found = find_excerpts([work for work in works if work.id in texts], texts)
        write_json(path, {"excerpts": [each.to_json() for each in found]})
    kept = read_json(path, "byline settle EVENTS", ("excerpts",))["excerpts"]
    admitted = {entry.work for entry in manifest.entries}
    return tuple(each for each in map(Excerpt.from_json, kept) if each.work in admitted)


def credited_clusters(home: Home, manifest: Manifest, examples: Iterable[Example]) -> list[ClusterId]:
    """The cluster that each example's influence is paid to; NOBODY if what it was taken from was not trained on."""
    return paid_clusters(credited_works(examples, excerpts_of(home, manifest)), cluster_of(manifest))


def paid_clusters(works: Iterable[WorkId], clusters: Mapping[WorkId, ClusterId]) -> list[ClusterId]:
    """The cluster of each work if the work is the one that the cluster is named after, else NOBODY: a second edition,
    handed in by the same people, was trained on as well, and would else double what the first one earns."""
    return [own if (own := clusters.get(work, NOBODY)) == cluster_id(work) else NOBODY for work in works]


def without_nobody(shares: ShareTable) -> ShareTable:
    """The shares with that of NOBODY among the unattributed."""
    lost = sum(line.ppb for line in shares.lines if line.id == NOBODY)
    lines = tuple(line for line in shares.lines if line.id != NOBODY)
    return replace(shares, lines=lines, unattributed_ppb=shares.unattributed_ppb + lost)


def own_stakes(home: Home, manifest: Manifest, policy: Policy) -> tuple[Stake, ...]:
    """One stake per cluster, as long as what its work has from nobody else."""
    lengths = {entry.work: len(home.registry.text(entry.work)) for entry in manifest.entries}
    new = set() if policy.probation is Probation.NONE else newcomers(home, manifest)
    return canonical_stakes(manifest, own_lengths(lengths, excerpts_of(home, manifest)), new)


def newcomers(home: Home, manifest: Manifest) -> set[WorkId]:
    """Works that came after money had been divided for the first time, and that no person has looked at."""
    first = home.journal.first_settlement()
    if first is None:
        return set()
    founding = {work for stake in first.stakes for work, _ in stake.works}
    return {entry.work for entry in manifest.entries} - founding - looked_at(home)
