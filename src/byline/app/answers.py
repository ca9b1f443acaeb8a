"""Ask a training where passages came from, and measure the answers against retraining."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import date
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from byline.app.attacked import refuse_unless_attacked
from byline.app.blend import kept_weights, source_of
from byline.app.carried import METHOD, aligned, left_out_effects, period_scores
from byline.app.credit import NOBODY, credited_clusters, without_nobody
from byline.app.game import How
from byline.app.home import write_json
from byline.app.model import Progress, Training, silent, trained_texts
from byline.app.passages import Passage
from byline.app.period import Carried, Hurdle, joined_effects, period_effects, period_told
from byline.app.shortlist import Channels, evidence_lists, fitted_blend
from byline.attribution import (
    GaussNewtonTransport,
    GroupScores,
    contributor_table,
    group_scores,
    share_table,
)
from byline.core import ExampleId, PartyId, ScoreTable, ShareTable, WorkId
from byline.evaluation import Channelled, Conformal, LeaveOut, agreement, reliability, slope
from byline.lookup import Overlap, TextIndex, words
from byline.training import (
    Job,
    Retraining,
    measure_query,
    token_log_likelihood,
    unigram,
)

# Suffixes: Q queries, N training examples, C contributors

Floats = npt.NDArray[np.float64]
SEGMENT = 12  # tokens of a passage that are asked about together, so that its text can be coloured


# --- attribute --------------------------------------------------------------------------------------------------


def score_segments(
    training: Training, passages: Sequence[Passage], progress: Progress = silent
) -> tuple[ScoreTable, list[ScoreTable]]:
    """Scores of every example on every passage, and the same taken apart into segments of SEGMENT tokens.

    A passage is measured by its mean log-likelihood per token; its segments' measurements add up to that, and scores
    are linear in the measurement, so the segments' scores add up to the passage's.
    """
    segments = {f"{p.id}#{n}": segment for p in passages for n, segment in enumerate(_segments(training, p))}
    done = 0

    def measure(model: nn.Module, segment: tuple[Passage, int, int]) -> Tensor:
        nonlocal done
        done += 1
        progress("asking where passages come from", done, len(segments))
        passage, start, stop = segment
        values_T = token_log_likelihood(model, torch.tensor([passage.tokens]))[0]
        return values_T[start - 1 : stop - 1].sum() / (len(passage.tokens) - passage.start)

    table = training.run.score(training.model(), segments, measure, training.sketch)
    parts, at = [], 0
    for passage in passages:
        stop = at + len(_segments(training, passage))
        parts.append(ScoreTable(table.scores_QN[at:stop], table.query_ids[at:stop], table.example_ids, table.method))
        at = stop
    whole = np.stack([part.scores_QN.sum(0) for part in parts])
    return ScoreTable(whole, tuple(p.id for p in passages), table.example_ids, table.method), parts


def _segments(training: Training, passage: Passage) -> list[tuple[Passage, int, int]]:
    """About SEGMENT tokens each; a segment begins where a word begins."""
    starts = [passage.start]
    for at in range(passage.start + 1, len(passage.tokens)):
        if at - starts[-1] >= SEGMENT and training.corpus.begins_word(passage.tokens[at]):
            starts.append(at)
    return [(passage, start, stop) for start, stop in pairwise([*starts, len(passage.tokens)])]


def outside_parts(training: Training, passages: Sequence[Passage]) -> list[float]:
    """For each passage, the part of what the trained model knows of it that the base model knew already.

    Knowing is log-likelihood above that of single-token frequencies; 0 where the base model knew no more than those.
    """
    final, base, unigram_V = training.model(), training.model("base"), unigram(training.corpus, training.recipe)
    parts = []
    for passage in passages:
        common = float(unigram_V[list(passage.tokens[passage.start :])].mean())
        knew, knows = (float(measure_query(model, passage.query)) - common for model in (base, final))
        parts.append(min(max(knew / knows, 0.0), 1.0) if knows > 0 else 1.0)
    return parts


def attribute(
    training: Training,
    passages: Sequence[Passage],
    progress: Progress = silent,
    hurdle: Hurdle | None = None,
    how: How | None = None,
) -> dict[str, Any]:
    """For each passage and for all of them as one period: scores, shares with intervals, the rest, verbatim overlaps.

    Shares are per cluster (for money, a passage that was taken to the work it was taken from) and per credit line (for
    people): a line's share is what its clusters add up to. `hurdle`: what the period's sums must clear; `how` they
    are made and divided. Kept as attribution.json of the training.
    """
    told, clusters, outside = attribute_passages(training, passages, progress)
    told |= _period(training, passages, clusters, outside, hurdle or Hurdle(), how or How(), progress)
    write_json(training.home.training(training.name) / "attribution.json", told)
    return told


def attribute_passages(
    training: Training, passages: Sequence[Passage], progress: Progress = silent
) -> tuple[dict[str, Any], Sequence[str], list[float]]:
    """The same for each passage alone; nothing is kept, so no money follows from it. With it the cluster of each
    example and the part of each passage that came from outside."""
    whole, parts = score_segments(training, passages, progress)
    works = training.works()
    by: dict[str, Sequence[str]] = {
        "cluster": credited_clusters(training.home, training.manifest, training.examples()),
        "contributor": [training.credit(w) for w in works],
        "work": [*works],
    }
    outside = outside_parts(training, passages)
    index = TextIndex.build(trained_texts(training))
    lists, blend = evidence_lists(training, passages)
    told = {
        "training": training.name,
        "run": training.run.id,
        "method": whole.method,
        "blend": asdict(blend),
        "passages": [
            _passage(training, passage, _row(whole, q), parts[q], by, outside[q], index) | {"evidence": lists[q]}
            for q, passage in enumerate(passages)
        ],
    }
    return told, by["cluster"], outside


def _row(table: ScoreTable, q: int) -> ScoreTable:
    return ScoreTable(table.scores_QN[q : q + 1], table.query_ids[q : q + 1], table.example_ids, table.method)


def _passage(
    training: Training,
    passage: Passage,
    scores: ScoreTable,
    segments: ScoreTable,
    by: Mapping[str, Sequence[str]],
    outside: float,
    index: TextIndex,
) -> dict[str, Any]:
    decode = training.corpus.tokenizer.decode
    text = decode(list(passage.tokens[passage.start :] if passage.kind == "generated" else passage.tokens))
    overlaps = index.overlaps(text) if words(text) else []  # a window of a table may be all dashes
    told: dict[str, Any] = {
        "id": passage.id,
        "kind": passage.kind,
        "title": passage.title,
        "author": passage.author,
        "text": text,
        "tokens": list(passage.tokens),
        "start": passage.start,
        "outside": outside,
        "segments": _coloured(training, passage, segments, by["contributor"]),
        "overlaps": _overlaps(training, overlaps),
    }
    for unit, groups in by.items():
        found = group_scores(scores, groups)
        if unit == "contributor":
            table = _by_line(training, passage, scores, by["cluster"], outside)
        else:
            table = share_table(found, passage.id, unit, scores.method, training.run.id, outside=outside)
        table = without_nobody(table) if unit == "cluster" else table
        told[unit] = {"shares": table.to_json(), "scores": _signed(found)}
    return told


def _by_line(
    training: Training, passage: Passage, scores: ScoreTable, clusters: Sequence[str], outside: float
) -> ShareTable:
    """Shares of lines of credit: each is the sum of its clusters' shares, so names gain nothing by being many."""
    owners = training.owners() | {NOBODY: {NOBODY: 1.0}}
    found = group_scores(scores, clusters)
    table = contributor_table(found, owners, passage.id, scores.method, training.run.id, outside=outside)
    return without_nobody(table)


def _signed(found: GroupScores) -> dict[str, float]:
    return {name: float(score) for name, score in zip(found.names, found.sums_G, strict=True)}


def _coloured(
    training: Training, passage: Passage, segments: ScoreTable, credits: Sequence[str]
) -> list[dict[str, Any]]:
    """The passage's text cut at its segments, and who stands out in each: the largest score and its part of the
    positive ones. A lead that is not measured stands out for nobody."""
    names, sums_QG = segments.sum_by(credits)
    first = passage.start if passage.kind == "generated" else 0
    tokens, decode = list(passage.tokens), training.corpus.tokenizer.decode
    text, bounds = decode(tokens[first:]), _segments(training, passage)
    ends = [len(decode(tokens[first:stop])) for _, _, stop in bounds]
    told, at = [], len(decode(tokens[first : passage.start]))
    if at:
        told.append({"text": text[:at], "contributor": "", "share": 0.0})
    for row, end in zip(sums_QG, [*ends[:-1], len(text)], strict=True):
        best, positive = int(row.argmax()), float(np.maximum(row, 0).sum())
        share = float(row[best]) / positive if positive > 0 else 0.0
        told.append({"text": text[at:end], "contributor": names[best] if row[best] > 0 else "", "share": share})
        at = end
    return told


def _overlaps(training: Training, runs: Sequence[Overlap]) -> list[dict[str, Any]]:
    """Verbatim runs that stand in the trained text of one single work, longest first."""
    work_of = {example.id: example.work for example in training.corpus.examples}
    found: dict[tuple[int, int, int], set[WorkId]] = {}
    for run in runs:
        found.setdefault((run.words, run.query_start, run.query_end), set()).add(work_of[ExampleId(run.work)])
    return [
        {
            "start": start,
            "end": end,
            "words": words,
            "work": work,
            "title": training.home.works[work].title,
            "contributor": training.credit(work),
            "in_works": 1,
        }
        for (words, start, end), works in sorted(found.items(), reverse=True)
        if len(works) == 1
        for work in works
    ]


def _period(
    training: Training,
    passages: Sequence[Passage],
    clusters: Sequence[str],
    outside: list[float],
    hurdle: Hurdle,
    how: How,
    progress: Progress,
) -> dict[str, Any]:
    """One share table over all generated passages, each weighing the same, by the transport: what money goes by.

    Scores are summed over the passages before anything is clipped; a period costs one query whatever its size."""
    chosen = [q for q, passage in enumerate(passages) if passage.kind == "generated"] or list(range(len(passages)))
    asked = [passages[q] for q in chosen]
    weights = _weights(training, how) if how.joins else None
    found, channels = _carried(training, asked, weights, how.streams, progress)
    choice = how.choice(weights)
    part = float(np.mean([outside[q] for q in chosen]))
    effects = period_effects(
        training, Carried(found[0], found[1:], part, len(chosen)), clusters, hurdle, choice, progress
    )
    effects |= joined_effects(weights, channels, clusters)
    return period_told(effects, training.home.training(training.name))


def _carried(
    training: Training, asked: Sequence[Passage], weights: Channelled | None, streams: int, progress: Progress
) -> tuple[list[ScoreTable], dict[str, ScoreTable]]:
    """The period's scores, then the same from resampled batches; and the channels of the first, if some are joined."""
    resamples = (None, *range(streams))
    if weights is None:
        walks = (GaussNewtonTransport(resample=resample) for resample in resamples)
        return [period_scores(training, asked, progress, walk).total for walk in walks], {}
    source, queries = source_of(training), {"period": [passage.query for passage in asked]}
    ids = training.run.store.example_ids
    mixed = [source.mixed(weights, queries, progress, resample) for resample in resamples]
    return [aligned(table, ids) for table, _ in mixed], {n: aligned(t, ids) for n, t in mixed[0][1].items()}


def _weights(training: Training, how: How) -> Channelled:
    """Raises: AppError("no-blend"), and with the words AppError("words-not-attacked", "words-pay-attackers")."""
    found = kept_weights(training, how.words)
    if how.words:
        refuse_unless_attacked(training.home.training(training.name), training.run.id, found)
    return found


# --- evaluate ---------------------------------------------------------------------------------------------------


def evaluate(
    training: Training,
    passages: Sequence[Passage],
    parties: Sequence[PartyId],
    today: date,
    progress: Progress = silent,
) -> dict[str, Any]:
    """Leave each of `parties` out, retrain, and compare what every passage lost with what was predicted.

    The transport, which money goes by, predicts from the recorded run alone; so do the sketches. BM25 and random
    scores are summed over the same examples. Kept as evaluation.json. Raises: EvaluationError("too-few-pairs").
    """
    examples = {party: examples_of(training, party) for party in parties}
    jobs = [
        Job(training.home.training(training.name), frozenset(examples[party]), tuple(p.query for p in passages))
        for party in parties
    ]
    sketched, _ = score_segments(training, passages)
    channels = Channels(training)
    lexical_QN = channels.lexical(passages).astype(np.float32)
    lexical = ScoreTable(lexical_QN, tuple(p.id for p in passages), channels.ids, "bm25")
    tables = [sketched, lexical, random_scores(training, passages)]
    carried_CQ = left_out_effects(training, passages, examples, progress)  # before all cores are busy
    retraining = Retraining(jobs)
    model = training.model()
    full_Q = np.array([float(measure_query(model, p.query)) for p in passages])
    steps = len(training.told["losses"])
    outcomes = retraining.wait(lambda done: progress("retraining without a contributor", sum(done), steps * len(jobs)))
    names = tuple(training.home.names[party] for party in parties)
    without_CQ = np.array([outcome.log_likelihoods for outcome in outcomes])
    truth = LeaveOut(names, tuple(p.id for p in passages), full_Q, without_CQ)
    predicted = {METHOD: carried_CQ}
    predicted |= {table.method: _sums(table, [examples[party] for party in parties]) for table in tables}
    measured = [agreement(method, each, truth) for method, each in predicted.items()]
    told = {
        "training": training.name,
        "run": training.run.id,
        "measured": today.isoformat(),
        "contributors": list(names),
        "queries": [{"id": p.id, "kind": p.kind, "title": p.title, "author": p.author} for p in passages],
        "predicted": carried_CQ.tolist(),
        "actual": truth.actual_CQ.tolist(),
        "methods": [each.to_json() for each in measured],
        "reliability": reliability(training.run.id, measured[0], truth).to_json(),
        "coverage": coverage(carried_CQ, truth.actual_CQ),
        "blend": asdict(fitted_blend(channels, passages, list(examples.values()), truth.actual_CQ)),
    }
    write_json(training.home.training(training.name) / "evaluation.json", told)
    return told


def coverage(predicted_CQ: Floats, actual_CQ: Floats) -> float:
    """Part of the retrained changes inside their 90 % interval, when each contributor's interval comes from the misses
    of the others: slope and width are fitted without the one that is tested."""
    held = []
    for c in range(len(predicted_CQ)):
        others = np.arange(len(predicted_CQ)) != c
        known, seen = predicted_CQ[others].ravel(), actual_CQ[others].ravel()
        ratio = slope(known, seen)
        interval = Conformal(0.9).fit(ratio * known, seen, np.ones(len(known)))
        low_Q, high_Q = interval.interval(ratio * predicted_CQ[c], np.ones(predicted_CQ.shape[1]))
        held.append((low_Q <= actual_CQ[c]) & (actual_CQ[c] <= high_Q))
    return float(np.mean(held))


def random_scores(training: Training, passages: Sequence[Passage]) -> ScoreTable:
    ids = training.run.store.example_ids
    rows = np.random.default_rng(training.recipe.seed).standard_normal((len(passages), len(ids)))
    return ScoreTable(rows.astype(np.float32), tuple(p.id for p in passages), ids, "random")


def examples_of(training: Training, party: PartyId) -> set[str]:
    """Ids of the training examples of every work that a contributor has a part in."""
    mine = {work.id for work in training.home.works.values() if any(part.party == party for part in work.contributions)}
    return {example.id for example in training.corpus.examples if example.work in mine}


def _sums(table: ScoreTable, groups: Sequence[set[str]]) -> Floats:
    """predicted_CQ: scores summed over each contributor's examples."""
    member_CN = np.array([[float(example in group) for example in table.example_ids] for group in groups])
    return np.asarray(member_CN @ table.scores_QN.astype(np.float64).T)
