"""What the report shows, gathered from what the commands kept: the data contract of `app/report`."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import date
from importlib.metadata import version
from typing import Any

import numpy as np

from byline.app.corpus import CITATION
from byline.app.home import Home, cluster_of, read_kept
from byline.app.model import Training
from byline.app.money import verify, verify_altered
from byline.app.period_table import interval_words
from byline.app.uniqueness import both_numbers
from byline.core import PPB, PPM, PartyId, Verdict, WorkId, cluster_id
from byline.gate import prove_absence, verify_absence
from byline.ledger import COMMISSION, COMMONS, RESERVE, Basis, Line, Settlement, amount_text, payable

NOTICE = "All these works are in the public domain: the amounts show how pay would be computed, and nothing is due."
TOGETHER = 20  # works of the period that are shown
LIMITS = (
    "Scores are first-order estimates from the recorded run. How far they can be trusted is what lambda says, and it "
    "was measured on a few contributors with much data; for others it may be lower.",
    "Leave-one-out retraining asks about this one run (same seed and order). Another seed would give other numbers.",
    "Intervals of shares are 90 % intervals for the spread of single examples; they do not contain the error of the "
    "method. The intervals whose hits are counted above are others: of effects, as wide as the misses for other "
    "people.",
    "A high score says that training on a work made an output likelier. It does not say that anything was copied; "
    "verbatim overlaps are listed apart.",
    "The tokenizer was learned on all admitted works, held-out spans included, also in retrainings that leave a "
    "contributor out.",
    "The sketches behind the passages do not hold the norm layers; the shares that money goes by hold all parameters.",
    "The contributor is the president who gave or signed the speech; speech writers are not recorded, but for one "
    "made-up agreement that shows how a split works.",
)


def report_data(training: Training, made: dict[str, Any]) -> dict[str, Any]:
    """Everything the report shows. Raises: AppError("not-made-yet") naming the command that is still to be run."""
    home = training.home
    kept = {what: read_kept(home, training.name, what) for what in ("training", "attribution", "evaluation")}
    settled = read_kept(home, training.name, "settlement")
    settlement = home.journal.settlement(settled["settlement"])
    slopes = {method["method"]: method["slope"] for method in kept["evaluation"]["methods"]}
    slope = next(iter(slopes.values()))  # of the method that pays
    evidence = slopes.get(kept["attribution"]["method"], 1.0)
    return {
        "made": {"version": version("byline"), "hardware": kept["training"]["hardware"], **made},
        "notice": NOTICE,
        "corpus": _corpus(training),
        "training": _training(kept["training"]),
        "passages": [passage_data(training, passage, evidence) for passage in kept["attribution"]["passages"]],
        "together": together(training, kept["attribution"]),
        "check": _check(kept["evaluation"], slope, kept["attribution"]["method"]),
        "money": _money(training, settlement, settled["statements"]),
        "verify": _verify(home, settled["statements"]),
        "limits": [*LIMITS, *interval_words(kept["attribution"])],
    }


def _corpus(training: Training) -> dict[str, Any]:
    home, manifest = training.home, training.manifest
    words = sum(len(text.split()) for text in home.texts(home.works.values()).values())
    accounts = home.registry.accounts()
    refused = [
        {
            "title": home.works[decision.work].title,
            "contributor": home.contributors(decision.work),
            "account": accounts[home.works[decision.work].account],
            "rule": decision.rule,
            "because": decision.because,
        }
        for decision in manifest.refused
    ]
    return {
        "works": len(home.works),
        "contributors": len({part.party for work in home.works.values() for part in work.contributions}),
        "admitted": len(manifest.entries),
        "words": words,
        "manifest": manifest.id,
        "root": manifest.root,
        "citation": CITATION,
        "refused": sorted(refused, key=lambda row: (row["rule"], row["title"])),
    }


def _training(told: dict[str, Any]) -> dict[str, Any]:
    shown = ("parameters", "losses", "unigram", "heldout", "bytes_per_example", "captured", "uncaptured")
    return {
        **{name: told[name] for name in shown},
        "steps": len(told["losses"]),
        "perplexity": float(np.exp(told["heldout"])),
        "unigram_perplexity": float(np.exp(told["unigram"])),
        "overhead_ratio": told.get("overhead_ratio"),
        "identical_weights": told.get("identical_weights"),
    }


def passage_data(training: Training, told: dict[str, Any], slope: float) -> dict[str, Any]:
    """Scores become nats per token by the slope that retraining gave."""
    contributor, work = told["contributor"], told["work"]
    lines = {line["id"]: line for line in contributor["shares"]["lines"]}
    works = {line["id"]: line for line in work["shares"]["lines"]}
    best = sorted(contributor["scores"], key=lambda name: -contributor["scores"][name])
    best_works = sorted(work["scores"], key=lambda name: -work["scores"][name])[:6]
    shown = {name: told[name] for name in ("id", "kind", "title", "author", "text", "segments")}
    return {
        **shown,
        "prompt": told["title"] if told["kind"] == "generated" else "",
        "contributors": [
            {"name": name, "score": contributor["scores"][name] * slope, **_interval(lines[name])}
            for name in _largest(lines, contributor["scores"])[:8]
            if contributor["scores"].get(name, 0) > 0
        ],
        "works": [
            {**_work(training, WorkId(name)), "score": work["scores"][name] * slope, **_interval(works[name])}
            for name in best_works
            if name in works
        ],
        "unattributed": contributor["shares"]["unattributed_ppb"] / PPB,
        "opposed": [
            {"name": name, "score": contributor["scores"][name] * slope}
            for name in best[::-1][:3]
            if contributor["scores"][name] < 0
        ],
        "overlaps": told["overlaps"],
    }


def _largest(lines: dict[str, dict[str, Any]], scores: dict[str, float]) -> list[str]:
    """By share; those without one by score."""
    return sorted(lines, key=lambda name: (-lines[name]["ppb"], -scores.get(name, 0.0), name))


def _interval(line: dict[str, Any]) -> dict[str, float]:
    return {"share": line["ppb"] / PPB, "low": line["low_ppb"] / PPB, "high": line["high_ppb"] / PPB}


def _work(training: Training, work: WorkId) -> dict[str, Any]:
    found = training.home.works[work]
    return {"title": found.title, "contributor": training.credit(work), "year": found.created.year}


def together(training: Training, attribution: dict[str, Any]) -> list[dict[str, Any]]:
    """Works of all passages as one period, the largest shares first, each with what would be missing without it; none
    where the two are the same estimate."""
    named = {str(cluster): work for work, cluster in cluster_of(training.manifest).items()
             if str(cluster) == str(cluster_id(work))}  # fmt: skip
    ranked = sorted(both_numbers(attribution).items(), key=lambda each: (-each[1].share_ppb, each[0]))
    return [
        {**_work(training, named[cluster]), "share": both.share_ppb / PPB, "low": both.low_ppb / PPB,
         "high": both.high_ppb / PPB, "unique": both.unique_ppb / PPB}
        for cluster, both in ranked[:TOGETHER]
        if cluster in named and (both.share_ppb or both.unique_ppb)
    ]  # fmt: skip


def _check(told: dict[str, Any], slope: float, shown: str) -> dict[str, Any]:
    """`shown`: the method by which passages are coloured, which is not the one that money goes by."""
    names = [
        f"{'passage' if query['kind'] == 'held-out' else 'prompt'}: {query['title']}"
        + (f" ({query['author']})" if query["author"] else "")
        for query in told["queries"]
    ]
    pairs = [
        {"contributor": name, "query": query, "predicted": predicted * slope, "actual": actual}
        for name, row, truth in zip(told["contributors"], told["predicted"], told["actual"], strict=True)
        for query, predicted, actual in zip(names, row, truth, strict=True)
    ]
    byline, sketch, bm25, chance = told["methods"]
    measured = told["reliability"]
    better = byline["spearman"] > bm25["spearman"]
    sentence = (
        f"Over {len(pairs)} pairs of contributor and passage, Byline's prediction has rank correlation "
        f"{byline['spearman']:.2f} with what retraining showed; the sketches behind the passages above have "
        f"{sketch['spearman']:.2f}, lexical similarity (BM25) {bm25['spearman']:.2f}, random scores "
        f"{chance['spearman']:.2f}. "
        + ("Byline is ahead of BM25 here." if better else "Byline does not beat BM25 here.")
    )
    return {
        "pairs": pairs,
        "methods": told["methods"],
        "lambda": measured["lambda_ppm"] / PPM,
        "lambda_low": measured["low_ppm"] / PPM,
        "lambda_high": measured["high_ppm"] / PPM,
        "retrainings": len(told["contributors"]),
        "shown": shown,
        "beats_bm25": better,
        "sentence": sentence,
        "coverage": told["coverage"],
    }


# --- money ------------------------------------------------------------------------------------------------------


def _money(training: Training, settlement: Settlement, statements: Sequence[dict[str, str]]) -> dict[str, Any]:
    home, currency = training.home, settlement.currency
    totals = settlement.totals()
    files = {PartyId(row["party"]): row["file"] for row in statements}
    owed = owed_by_basis(settlement.lines)
    payees = [
        {
            "name": home.names[party],
            "amount": amount_text(sum(parts.values()), currency),
            "nano": str(sum(parts.values())),
            **{basis.value: amount_text(parts[basis], currency) for basis in _PAID},
            "statement": files[party],
        }
        for party, parts in sorted(owed.items(), key=lambda item: -sum(item[1].values()))
    ]
    return {
        "currency": currency,
        **{name: amount_text(totals[name], currency) for name in ("received", "commission", "held", "allocated")},
        "events": [
            {"date": str(e.received), "licensee": e.licensee, "amount": amount_text(e.nano, currency)}
            for e in settlement.events
        ],
        "formula": _formula(settlement),
        "flow": list(flow_edges(home, settlement, owed)),
        "payees": payees,
        **people(training, settlement),
    }


_PAID = (Basis.ATTRIBUTION, Basis.TRAINING, Basis.PRIOR)
_ACCOUNTS = {COMMISSION: "commission", RESERVE: "reserve", COMMONS: "commons (unattributed)"}
_POTS = {
    Basis.ATTRIBUTION: "by measured influence",
    Basis.TRAINING: "for training as such",
    Basis.PRIOR: "by the agreed prior",
}


def owed_by_basis(lines: Iterable[Line]) -> dict[PartyId, dict[Basis, int]]:
    owed: defaultdict[PartyId, dict[Basis, int]] = defaultdict(lambda: dict.fromkeys(_PAID, 0))
    for line in lines:
        if line.account.startswith("payable:"):
            owed[PartyId(line.account.removeprefix("payable:"))][line.basis] += line.nano
    return dict(owed)


def flow_edges(
    home: Home, settlement: Settlement, owed: dict[PartyId, dict[Basis, int]], shown: int = 10
) -> Iterable[dict[str, str]]:
    """Received -> deductions, commons and pots -> the best paid contributors and the others together."""
    currency = settlement.currency

    def edge(source: str, target: str, nano: int) -> dict[str, str]:
        return {"from": source, "to": target, "nano": str(nano), "text": amount_text(nano, currency)}

    for account, label in _ACCOUNTS.items():
        nano = sum(line.nano for line in settlement.lines if line.account == account)
        if nano:
            yield edge("received", label, nano)
    for basis, pot in _POTS.items():
        nano = sum(line.nano for line in settlement.lines if line.basis is basis)
        if nano:
            yield edge("received", pot, nano)
    ranked = sorted(owed, key=lambda party: -sum(owed[party].values()))
    for basis, pot in _POTS.items():
        for party in ranked[:shown]:
            if owed[party][basis]:
                yield edge(pot, home.names[party], owed[party][basis])
        rest = sum(owed[party][basis] for party in ranked[shown:])
        if rest:
            yield edge(pot, f"{len(ranked) - shown} others", rest)
        waiting = sum(
            line.nano for line in settlement.lines if line.basis is basis and line.account.startswith("held:unclaimed")
        )
        if waiting:
            yield edge(pot, "unclaimed", waiting)


def _formula(settlement: Settlement) -> str:
    policy, lam = settlement.terms.policy, settlement.terms.reliability.lambda_ppm / PPM
    tau = policy.train_share_ppm / PPM
    net = 1 - (policy.commission_ppm + policy.reserve_ppm) / PPM
    return (
        f"R = {net:.2f} x received;  due(w) = {tau:.2f} R prior(w) + {1 - tau:.2f} R "
        f"[ {lam:.6f} attribution(w) + {1 - lam:.6f} prior(w) ]"
    )


def people(training: Training, settlement: Settlement) -> dict[str, Any]:
    """The split that changed, what copies earned, and the contributor who said no."""
    home = training.home
    splits = [split for split in settlement.splits if split.agreed]
    split_title = home.works[splits[0].work].title if splits else ""
    rows = [
        {"date": str(split.effective), "party": home.names[party], "percent": ppm / 10_000}
        for split in sorted(splits, key=lambda split: split.effective)
        for party, ppm in split.lines
    ]
    copies = {
        part.party
        for decision in training.manifest.refused
        if decision.rule == "near-copy"
        for part in home.works[decision.work].contributions
    }
    gain = sum(line.nano for line in settlement.lines if line.account in {payable(party) for party in copies})
    return {
        "split": rows,
        "split_title": split_title,
        "copycat_gain": amount_text(gain, settlement.currency),
        "copycat_gain_nano": str(gain),
        "optout": opted_out(training, settlement),
    }


def opted_out(training: Training, settlement: Settlement) -> dict[str, Any]:
    """Of those whose works were refused because they said no: none is in the manifest, by proof, and none is paid."""
    home = training.home
    refused = [d.work for d in training.manifest.refused if d.rule == "opt-out" and d.verdict is Verdict.REFUSE]
    parties = {part.party for work in refused for part in home.works[work].contributions}
    proved = [verify_absence(prove_absence(training.manifest, work), training.manifest.root) for work in refused]
    nano = sum(line.nano for line in settlement.lines if line.account in {payable(party) for party in parties})
    return {
        "name": ", ".join(sorted(home.names[party] for party in parties)),
        "in_manifest": not all(proved),
        "paid": amount_text(nano, settlement.currency),
        "paid_nano": str(nano),
        "proof": f"{sum(proved)} proofs of absence hold against the manifest's root {training.manifest.root[:16]}…",
    }


def _verify(home: Home, statements: Sequence[dict[str, str]]) -> dict[str, Any]:
    accepted = sum(verify(home.path / row["file"], home.public_key).ok for row in statements)
    altered = verify_altered(home.path / statements[0]["file"], home.public_key)
    return {
        "statements": len(statements),
        "accepted": accepted,
        "tampered_refused": not altered.ok,
        "tampered_field": altered.changed or "",
    }


def made_now(today: date, seconds: float | None = None) -> dict[str, Any]:
    """When and where a report was made."""
    return {"date": today.isoformat(), "seconds": seconds}
