"""What law packs said when a data set was frozen, kept; and the same question put again when a run starts.

Beside a manifest stands `MANIFEST.law.json`: the jurisdictions, the reading, rules of one's own, and the facts of
every admitted work, each distinct vector once. When a run starts the facts are taken from there, what the registry has
learned since stands over them, and the packs are asked with `phase = run`: each run copies the works again.
"""

import tempfile
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from pathlib import Path
from typing import Any

from byline.app.home import Home, read_json, write_json
from byline.app.law import Asked, Corpus
from byline.app.law_records import Found, Recorded, recorded_facts
from byline.app.looks import looks
from byline.core import Manifest, Work, WorkId
from byline.gate.law import (
    FactTable,
    Judgement,
    Pack,
    Ruling,
    facts_digest,
    judge_all,
    load_packs,
    run_facts,
    vocabulary,
)
from byline.gate.law import Reading as LawReading
from byline.registry import LegalDecision, Use

FORMAT = "byline-law/1"
_HOLDING = ("deny", "review")


# --- decisions in the registry ----------------------------------------------------------------------------------


def keep_rulings(home: Home, corpus: Corpus, judgement: Judgement) -> int:
    """Record every ruling per work and jurisdiction; one that says what the last one said is passed over. The number of
    those that are new."""
    last = {
        (entry.record.about, entry.record.jurisdiction): entry
        for entry in home.registry.evidence.history(LegalDecision)
        if not entry.superseded_by
    }
    new = []
    for index, work in enumerate(corpus.works):
        facts = facts_digest(corpus.table.row(index))
        for judged in judgement.by_pack:
            before = last.get((work.id, judged.pack.jurisdiction))
            record = _decided(work.id, judged.of(index), judged.pack, facts, before.id if before else "")
            if before is None or _content(before.record) != _content(record):
                new.append(record)
    return len(home.registry.evidence.add(new, date.today()))


def _decided(work: WorkId, ruling: Ruling, pack: Pack, facts: str, supersedes: str) -> LegalDecision:
    applying = [reason.because for reason in ruling.reasons if reason.applies]
    return LegalDecision(
        about=work,
        jurisdiction=ruling.jurisdiction,
        use=Use.TRAIN_GEN,
        outcome=str(ruling.outcome),
        effective=ruling.on,
        rules=tuple(reason.rule for reason in ruling.reasons),
        because=" ".join(applying) or "Not everything that the rules ask is established.",
        pack=pack.version,
        pack_sha256=ruling.pack,
        facts_sha256=facts,
        reading=str(ruling.reading),
        duties=ruling.duties,
        missing=tuple(sorted({name for reason in ruling.reasons for name in reason.open})),
        supersedes=supersedes,
    )


def _content(record: LegalDecision) -> dict[str, Any]:
    """What it says, whenever it was said."""
    return {name: value for name, value in record.to_json().items() if name not in ("supersedes", "effective")}


# --- beside the manifest ----------------------------------------------------------------------------------------


def keep_facts(home: Home, manifest: Manifest, corpus: Corpus, asked: Asked) -> Path:
    """What the packs were asked about the admitted works."""
    admitted = {entry.work for entry in manifest.entries}
    recorded = recorded_facts(home, corpus.works, asked.on).facts
    vectors: dict[str, int] = {}
    listed: list[dict[str, str]] = []
    works: dict[str, list[int]] = {}

    def number(facts: Mapping[str, Any]) -> int:
        written = {name: vocabulary().write(value) for name, value in sorted(facts.items())}
        key = repr(written)
        if key not in vectors:
            vectors[key] = len(listed)
            listed.append(written)
        return vectors[key]

    for index, work in enumerate(corpus.works):
        if work.id in admitted:
            works[work.id] = [number(corpus.table.row(index)), number(_known(recorded.get(work.id, {})))]
    path = law_path(home, manifest)
    write_json(
        path,
        {
            "format": FORMAT,
            "manifest": manifest.id,
            "on": asked.on.isoformat(),
            "reading": str(asked.reading),
            "jurisdictions": list(asked.jurisdictions),
            "overlays": [file.read_text("utf-8") for file in asked.overlays],
            "vectors": listed,
            "works": works,
        },
    )
    return path


def law_path(home: Home, manifest: Manifest) -> Path:
    return home.path / "manifests" / f"{manifest.id.removeprefix('manifest:')}.law.json"


def _known(facts: Found) -> Found:
    return {name: value for name, value in facts.items() if value != ""}


# --- at the start of a run --------------------------------------------------------------------------------------


def refused_at_start(home: Home, manifest: Manifest, works: Sequence[Work], starts: datetime) -> dict[WorkId, str]:
    """Works of a manifest frozen under law packs that these no longer permit at the start of a run, and why; nothing
    for a manifest frozen without any. Raises: AppError("unreadable"), and those of the packs."""
    path = law_path(home, manifest)
    if not path.is_file():
        return {}
    kept = read_json(path, "byline freeze --jurisdiction ...", ("on", "reading", "jurisdictions", "vectors", "works"))
    present = [work for work in works if work.id in kept["works"]]
    judgement = _judge_again(kept, _facts_now(home, kept, present, starts), starts.date())
    return {
        work.id: _sentence(judgement, index)
        for index, work in enumerate(present)
        if not judgement.outcome(index).permits
    }


def _facts_now(home: Home, kept: Mapping[str, Any], works: Sequence[Work], starts: datetime) -> list[Found]:
    vectors = [_parsed(vector) for vector in kept["vectors"]]
    recorded = recorded_facts(home, works, starts.date())
    seen = looks(home, works, starts.date())
    rows = []
    for work in works:
        frozen, known_then = (vectors[number] for number in kept["works"][work.id])
        look = seen.get(work.id)
        asked_again = run_facts(look.complete if look else None, starts)
        rows.append(_changed(frozen, known_then, _known(recorded.facts.get(work.id, {})), recorded, work) | asked_again)
    return rows


def _changed(frozen: Found, then: Found, now: Found, recorded: Recorded, work: Work) -> Found:
    """The facts as they were frozen, with what the registry says otherwise than it did then."""
    new = {name: now.get(name) for name in then.keys() | now.keys() if then.get(name) != now.get(name)}
    merged: dict[str, Any] = frozen | new
    known = {name: value for name, value in merged.items() if value is not None}
    return known | ({"reserved": True} if work.id in recorded.reserved else {})


def _parsed(vector: Mapping[str, str]) -> Found:
    return {name: value for name, text in vector.items() if (value := vocabulary().parse(name, text)) is not None}


def _judge_again(kept: Mapping[str, Any], rows: Sequence[Found], on: date) -> Judgement:
    with tempfile.TemporaryDirectory() as folder:
        overlays = []
        for number, text in enumerate(kept.get("overlays", ())):
            overlays.append(Path(folder) / f"{number}.yaml")
            overlays[-1].write_text(text, "utf-8")
        packs = load_packs(kept["jurisdictions"], overlays)
    return judge_all(FactTable.of(rows), packs, on, LawReading(kept["reading"]))


def _sentence(judgement: Judgement, index: int) -> str:
    """The first rule that holds the work back: one that applies, else a prohibition that cannot be excluded."""
    worst = judgement.outcome(index)
    bearing = [
        (not reason.applies, _HOLDING.index(reason.effect), f"{ruling.jurisdiction}: {reason.because} ({reason.rule})")
        for ruling in judgement.of(index)
        if ruling.outcome is worst
        for reason in ruling.reasons
        if reason.effect in _HOLDING
    ]
    return min(bearing, default=(True, 0, "nothing that is established permits the use."))[2]
