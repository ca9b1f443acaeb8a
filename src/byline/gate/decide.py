"""May this work teach a model? One verdict per work, by the first rule that applies, with its reason.

    opt-out          a contributor said no, or somebody did by file, ISCC, domain, account or collection
    opt-out-copy     its text stands in a work that somebody said no for
    reserved         a carrier around it (robots.txt, TDMRep ...) reserves training, and no grant covers it
    licence-unknown  no licence is stated, or none that is known: unknown is never consent
    licence-refuses  the licence does not permit training
    near-copy        other contributors registered the text before
    admitted         none of these

Where law packs were asked (`byline.gate.law`), their decision on the work stands in the place of the rules on
reservations and the licence, which are among the facts that the packs weigh: law-deny, law-review or law-allow.

The functions are pure: the day, the opt-outs and the near-copies are arguments.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from types import MappingProxyType

from byline.core import Decision, GateError, OptOut, Verdict, Work, WorkId
from byline.gate.duplicates import Clusters
from byline.gate.licence import read_licence
from byline.registry import Block

NO_BLOCKS: Mapping[WorkId, Block] = MappingProxyType({})
NONE_RESERVED: Mapping[WorkId, Decision] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Neighbour:
    """A work that shares text with the one to decide on. `prior`: it has the better claim to the text."""

    work: Work
    containment_ppm: int
    prior: bool


def decide(
    work: Work,
    on: date,
    opt_outs: Sequence[OptOut],
    neighbours: Sequence[Neighbour],
    law: Decision | None = None,
    blocks: Mapping[WorkId, Block] = NO_BLOCKS,
    reserved: Decision | None = None,
) -> Decision:
    """The verdict on one work on a day. `law` is what law packs decided of it, if they were asked; `blocks` are the
    notices that reach it or its neighbours; `reserved` is the refusal for what its publisher reserved.

    An opt-out reaches copies in both directions, those registered before the work that was opted out as well: an
    author's no must not fail because a copyist was faster. Its price: who registers another's text and says no to it
    keeps the text out until the claim is settled.
    """
    return (
        _opted_out(work, on, opt_outs)
        or _blocked(work, blocks)
        or _copy_of_opted_out(work, on, opt_outs, neighbours, blocks)
        or _by_law_or_licence(work, law, reserved)
        or _near_copy(work, neighbours)
        or law
        or Decision(work.id, Verdict.ADMIT, "admitted", _admitted(work), (f"licence:{work.licence}",))
    )


def decide_all(
    works: Sequence[Work],
    clusters: Clusters,
    opt_outs: Sequence[OptOut],
    on: date,
    law: Mapping[WorkId, Decision] | None = None,
    blocks: Mapping[WorkId, Block] = NO_BLOCKS,
    reserved: Mapping[WorkId, Decision] = NONE_RESERVED,
) -> tuple[Decision, ...]:
    """The verdict on every work, by work id. `clusters` is what `find_clusters` says of the same works, `law` what law
    packs decided of each, if they were asked, `blocks` the notices in force on the day that reach works,
    `reserved` the refusals for works whose publisher reserved training.

    Raises: GateError("clusters-differ"), GateError("law-differs") if they are about other works.
    """
    by_id = {work.id: work for work in works}
    clustered = {work for work, _ in clusters.cluster_of}
    if clustered != set(by_id):
        some = ", ".join(sorted(clustered ^ set(by_id))[:3])
        raise GateError("clusters-differ", f"works and clusters differ in {some}", "run find_clusters on these works")
    if law is not None and set(law) != set(by_id):
        says = f"law packs decided on {len(law)} works, not on these {len(by_id)}"
        raise GateError("law-differs", says, "judge the same works")
    neighbours: defaultdict[WorkId, list[Neighbour]] = defaultdict(list)
    for pair in clusters.near:
        neighbours[pair.work].append(Neighbour(by_id[pair.earlier], pair.containment_ppm, pair.prior))
        neighbours[pair.earlier].append(Neighbour(by_id[pair.work], pair.containment_ppm, False))
    said = law or {}
    return tuple(
        decide(by_id[work], on, opt_outs, neighbours[work], said.get(work), blocks, reserved.get(work))
        for work in sorted(by_id)
    )


def _opted_out(work: Work, on: date, opt_outs: Sequence[OptOut]) -> Decision | None:
    said_no = _opt_out_of(work, on, opt_outs)
    if said_no is None:
        return None
    scope = "this work" if said_no.work else "all works of this contributor"
    because = f"Opted out: training on {scope} is refused from {said_no.effective} on."
    return Decision(work.id, Verdict.REFUSE, "opt-out", because, (said_no.party,))


def _blocked(work: Work, blocks: Mapping[WorkId, Block]) -> Decision | None:
    block = blocks.get(work.id)
    if block is None:
        return None
    return Decision(work.id, Verdict.REFUSE, "opt-out", block.because, (block.target, *block.notices))


def _copy_of_opted_out(
    work: Work,
    on: date,
    opt_outs: Sequence[OptOut],
    neighbours: Sequence[Neighbour],
    blocks: Mapping[WorkId, Block],
) -> Decision | None:
    refused = _nearest(n for n in neighbours if n.work.id in blocks or _opt_out_of(n.work, on, opt_outs))
    if refused is None:
        return None
    because = f"{_shared(work, refused)} {refused.work.title!r}, which is opted out."
    return Decision(work.id, Verdict.REFUSE, "opt-out-copy", because, _evidence(refused))


def _by_law_or_licence(work: Work, law: Decision | None, reserved: Decision | None) -> Decision | None:
    if law is None:
        return reserved or _licence(work)
    return law if law.verdict is Verdict.REFUSE else None


def _licence(work: Work) -> Decision | None:
    if not work.licence:
        because = "No licence is stated, and unknown is never consent."
        return Decision(work.id, Verdict.REFUSE, "licence-unknown", because, ())
    reading = read_licence(work.licence)
    if reading.permits:
        return None
    rule = "licence-unknown" if reading.permits is None else "licence-refuses"
    because = f"The licence {work.licence} does not allow training, because {reading.why}."
    return Decision(work.id, Verdict.REFUSE, rule, because, (f"licence:{work.licence}",))


def _near_copy(work: Work, neighbours: Sequence[Neighbour]) -> Decision | None:
    original = _nearest(n for n in neighbours if n.prior)
    if original is None:
        return None
    because = f"{_shared(work, original)} {original.work.title!r}, which other contributors registered before."
    return Decision(work.id, Verdict.REFUSE, "near-copy", because, _evidence(original))


def _shared(work: Work, neighbour: Neighbour) -> str:
    what = {"image": "picture", "audio": "sound"}.get(work.kind, "text")
    if what != "text" and work.sha256 == neighbour.work.sha256:
        return "It is the same file as"
    return f"It shares {_percent(neighbour)} of its {what} with"


def _admitted(work: Work) -> str:
    return f"The licence {work.licence} allows training, because {read_licence(work.licence).why}."


def _opt_out_of(work: Work, on: date, opt_outs: Sequence[OptOut]) -> OptOut | None:
    """The opt-out that reaches the work, the earliest if there are several."""
    parties = {part.party for part in work.contributions}
    reaching = [o for o in opt_outs if o.effective <= on and o.party in parties and o.work in (None, work.id)]
    return min(reaching, key=lambda o: (o.effective, o.party, o.work or ""), default=None)


def _nearest(neighbours: Iterable[Neighbour]) -> Neighbour | None:
    return min(neighbours, key=lambda n: (-n.containment_ppm, n.work.id), default=None)


def _evidence(neighbour: Neighbour) -> tuple[str, ...]:
    return (neighbour.work.id, f"containment-ppm:{neighbour.containment_ppm}")


def _percent(neighbour: Neighbour) -> str:
    return f"{neighbour.containment_ppm // 10_000} %"
