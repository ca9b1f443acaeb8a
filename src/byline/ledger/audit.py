"""The journal computed again from its inputs, and every difference to what stands in it."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from byline.core import BylineError, Problem, Source, merkle_root
from byline.ledger.adjustment import ADJUSTMENT_RULE, adjustment_again, event_of
from byline.ledger.booking import BOOKING_RULE, booking_again
from byline.ledger.entry import Checkpoint, Entry, Posting, add_up, flat, postings_of
from byline.ledger.settlement import settle_again


def problems_of(entries: Sequence[Entry], runs: Mapping[str, str], checkpoints: Sequence[Checkpoint]) -> list[Problem]:
    """`runs`: id -> JSON of the inputs. See `Journal.check` for the codes."""
    problems = [problem for seq, entry in enumerate(entries, 1) for problem in _entry_problems(seq, entry)]
    problems += _run_problems(entries, runs)
    problems += [problem for checkpoint in checkpoints for problem in _checkpoint_problems(entries, checkpoint)]
    return problems


def _entry_problems(seq: int, entry: Entry) -> Iterator[Problem]:
    name = f"entry {entry.seq}"
    if entry.seq != seq:
        yield _problem("entry-missing", name, f"stands where entry {seq} should be")
    if entry.hash().hex() != entry.leaf:
        yield _problem("entry-altered", name, f"does not have the hash it was written with ({entry.leaf[:12]})")
    total = sum(int(nano) for _, nano in entry.legs)
    if total:
        yield _problem("entry-unbalanced", name, f"legs add up to {total} nano, not to zero")


def _run_problems(entries: Sequence[Entry], runs: Mapping[str, str]) -> Iterator[Problem]:
    """Runs in the order in which they were written: what an adjustment posts depends on those before it."""
    of_run: dict[str, list[Entry]] = {run: [] for run in runs}
    for entry in entries:
        of_run.setdefault(entry.settlement, []).append(entry)
    posted: dict[str, Counter[str]] = {}
    for run, written in sorted(of_run.items(), key=lambda item: item[1][0].seq if item[1] else 0):
        try:
            found, due = postings_again(json.loads(runs[run]), posted)
        except (BylineError, ValueError, KeyError, TypeError, AttributeError) as fault:
            yield _problem("settlement-altered", run, f"cannot be computed again: {fault}")
            continue
        if found != run:
            yield _problem("settlement-altered", run, f"has inputs that now hash to {found}")
            continue
        yield from _posting_problems(run, due, written)
        for entry in written:
            posted.setdefault(event_of(entry.reference, run), Counter()).update(entry.posting().moves())


def postings_again(inputs: Mapping[str, Any], posted: Mapping[str, Mapping[str, int]]) -> tuple[str, list[Posting]]:
    """Id and postings of a run; `posted`: event -> account -> nano-units, from the runs before it."""
    if inputs.get("rule") == BOOKING_RULE:
        booking = booking_again(inputs)
        booking.refuse_if_wrong()
        return booking.id, list(booking.postings)
    if inputs.get("rule") == ADJUSTMENT_RULE:
        adjustment = adjustment_again(inputs)
        return adjustment.id, list(adjustment.postings(posted))
    settlement = settle_again(dict(inputs))
    return settlement.id, list(postings_of(settlement))


def _posting_problems(run: str, due: Sequence[Posting], written: Sequence[Entry]) -> Iterator[Problem]:
    found = {entry.reference: entry for entry in written}
    if len(found) != len(written):
        yield _problem("posting-differs", run, "has two entries of one reference")
    for each in due:
        entry = found.pop(each.reference, None)
        if entry is None:
            yield _problem("entry-missing", run, f"{each.reference} has no entry")
        elif entry.posting() != each:
            yield _problem("posting-differs", f"entry {entry.seq}", f"is not what {run} posts")
    for entry in found.values():
        yield _problem("posting-differs", f"entry {entry.seq}", f"is not posted by {run}")


def _checkpoint_problems(entries: Sequence[Entry], checkpoint: Checkpoint) -> Iterator[Problem]:
    name = f"checkpoint at {checkpoint.size}"
    first = list(entries[: checkpoint.size])
    if len(first) < checkpoint.size:
        yield _problem("entry-missing", name, f"counts {checkpoint.size} entries, there are {len(first)}")
    elif merkle_root([bytes.fromhex(entry.leaf) for entry in first]).hex() != checkpoint.root:
        yield _problem("checkpoint-differs", name, "has another root than the entries up to it")
    elif flat(add_up(first)) != checkpoint.balances:
        yield _problem("checkpoint-differs", name, "has other balances than the entries up to it add up to")


def _problem(code: str, where: str, says: str) -> Problem:
    return Problem(code, Source("journal"), f"{where} {says}")
