"""Filings of a project: what the records say of a training, gathered; written for people and machines; logged."""

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from byline.app.home import Home, read_kept
from byline.app.pii import kept_audits
from byline.core import AppError, Manifest, ManifestId, Work, WorkId
from byline.disclosure import sign_statement, write_statement, write_text
from byline.disclosure.filings import (
    CN,
    CROISSANT,
    EU,
    REGIMES,
    WORKS,
    Answer,
    Corpus,
    Filing,
    Material,
    Regime,
    domains,
    domains_csv,
    html,
    make_filing,
    markdown,
    read_filing,
    registered_domain,
    shortfalls,
    works_csv,
)
from byline.gate.law import SampleReport, read_form
from byline.registry import Acquisition, Grant, Licence, Signal, TrainingRun, scopes_of

FILING = "filing.json"
SAMPLE_FIELDS = (
    "source_sampled", "source_illegal", "manual_inspected", "manual_passed", "auto_inspected", "auto_passed",
)  # fmt: skip


def regime_named(name: str) -> Regime:
    """Raises: AppError("no-such-filing")."""
    if name not in REGIMES:
        says = f"{name!r} is no filing"
        raise AppError("no-such-filing", says, f"one of {', '.join(REGIMES)}; or diff, or check")
    return REGIMES[name]


# --- gathering ----------------------------------------------------------------------------------------------------


def gather(home: Home, name: str) -> Corpus:
    """What the records say of the training `name`. Raises: AppError("not-made-yet"), RegistryError, and
    DisclosureError("no-suffix-list")."""
    told = read_kept(home, name, "training")
    manifest = home.registry.manifest(ManifestId(told["manifest"]))
    works = [home.works[entry.work] for entry in manifest.entries]
    runs = [run for run in home.registry.evidence.in_force(TrainingRun, date.max) if run.run == told["run"]]
    personal, by = _personal(home, works)
    shapes = _token_shapes(home.training(name) / "tokens.safetensors")
    return Corpus(
        name=name,
        run=told["run"],
        manifest=manifest.id,
        root=manifest.root,
        frozen=manifest.frozen,
        works=_materials(home, works, manifest.frozen),
        refused=_refused(manifest),
        examples=int(told.get("examples", 0)),
        tokens=shapes.get("examples", 0),
        base_tokens=shapes.get("base", 0),
        parameters=int(told.get("parameters", 0)),
        trained=runs[-1].effective if runs else None,
        personal=personal,
        personal_by=by,
        signals=_signals(home, works, manifest.frozen),
    )


def _refused(manifest: Manifest) -> tuple[tuple[str, int], ...]:
    counts = Counter(decision.rule for decision in manifest.refused)
    return tuple(sorted(counts.items(), key=lambda pair: (-pair[1], pair[0])))


def _materials(home: Home, works: list[Work], on: date) -> tuple[Material, ...]:
    """Of each work the acquisition that stood when the manifest was frozen, the closest one; and its permissions."""
    evidence = home.registry.evidence
    acquired = evidence.of_works(Acquisition, works, on)
    granted = evidence.of_works(Grant, works, on)
    licences = _licences(home, works, on)
    return tuple(
        _material(home, work, licences[work.id], acquired.get(work.id, ()), granted.get(work.id, ())) for work in works
    )


def _licences(home: Home, works: list[Work], on: date) -> dict[WorkId, str]:
    """As the gate takes them: those recorded in the closest scope, together; none where one was recorded and has ended;
    else the catalogue's."""
    evidence = home.registry.evidence
    standing = evidence.of_works(Licence, works, on)
    once = {entry.record.about for entry in evidence.history(Licence) if entry.record.effective <= on}
    found = {}
    for work in works:
        stated = standing.get(work.id, ())
        closest = list(dict.fromkeys(each.expression for each in stated if each.about == stated[0].about))
        ended = not stated and once.intersection(scopes_of(work))
        together = closest[0] if len(closest) == 1 else " AND ".join(f"({each})" for each in closest)
        found[work.id] = together or ("" if ended else work.licence)
    return found


def _material(
    home: Home, work: Work, licence: str, acquired: tuple[Acquisition, ...], granted: tuple[Grant, ...]
) -> Material:
    how = acquired[0] if acquired else None
    source = work.source if "://" in work.source or how is None or "://" not in how.source else how.source
    papers = [each for each in (how.contract if how else "", *(grant.contract for grant in granted)) if each]
    unnamed = [f"grant of {grant.effective}" for grant in granted if not grant.contract]
    return Material(
        work=work.id,
        title=work.title,
        modality=work.kind,
        bytes=_size(home, work.id),
        licence=licence,
        source=source,
        domain=registered_domain(source),
        created=work.created,
        sha256=work.sha256,
        method=how.method.value if how else "unknown",
        acquired=(how.collected_until or how.effective) if how else None,
        authorisation=tuple(dict.fromkeys([*papers, *unnamed])),
        dataset=how.upstream if how and how.method.value == "public_dataset" else "",
        collector=how.collector if how else "",
        robots=how.robots.value if how and how.method.value == "crawl" else "",
    )


def _size(home: Home, work: WorkId) -> int:
    """Bytes of the content, proved by its digest."""
    return len(home.registry.content(work))


def _signals(home: Home, works: list[Work], on: date) -> tuple[tuple[str, int], ...]:
    """Observations by family."""
    seen = home.registry.evidence.of_works(Signal, works, on)
    counts = Counter(each.family or each.carrier for found in seen.values() for each in found)
    return tuple(sorted(counts.items(), key=lambda pair: (-pair[1], pair[0])))


def _personal(home: Home, works: list[Work]) -> tuple[tuple[tuple[str, int], ...] | None, str]:
    """Finds by kind over the works that were audited, and what looked; None if none was."""
    kept = kept_audits(home)
    audits = [kept[work.id] for work in works if work.id in kept]
    counts: Counter[str] = Counter()
    for audit in audits:
        counts.update(dict(audit.counts))
    detectors = ", ".join(sorted({name for audit in audits for name in audit.detectors}))
    by = f"an audit of {len(audits)} of {len(works)} works ({detectors})"
    return (tuple(sorted(counts.items())), by) if audits else (None, "")


def _token_shapes(path: Path) -> dict[str, int]:
    """Tokens per part of a training, from the header of its safetensors file (8 bytes of length, then JSON)."""
    if not path.is_file():
        return {}
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        try:
            header = json.loads(file.read(min(length, 2**20)))
        except ValueError as fault:
            raise AppError("unreadable", f"{path} has no header: {fault}", "train again") from fault
    parts = {name: part["shape"] for name, part in header.items() if name != "__metadata__"}
    return {name: shape[0] * shape[1] if len(shape) == 2 else shape[0] for name, shape in parts.items()}


# --- answers from a form of the gate ---------------------------------------------------------------------------


def sample_answers(path: Path, today: date) -> dict[str, Answer]:
    """The numbers of a sample, from the form that `byline check --form` reads.

    Raises: AppError("bad-form-file"), GateError("bad-form").
    """
    try:
        form = read_form(json.loads(path.read_text("utf-8")))
    except (OSError, ValueError, RecursionError) as fault:
        raise AppError("bad-form-file", f"{path}: {fault}", "docs/rights.md shows each form whole") from fault
    if not isinstance(form, SampleReport) or form.unanswered():
        missing = ", ".join(form.unanswered()) if isinstance(form, SampleReport) else "it is another form"
        raise AppError("bad-form-file", f"{path}: {missing}", "the China annex takes the form `sample`, complete")
    by = " and ".join(form.raters)
    told = {f"5.{name}": Answer(getattr(form, name), by, today) for name in SAMPLE_FIELDS}
    told["5.raters"] = Answer(list(form.raters), by, today)
    return told | {"5.sample_ids": Answer(form.sample_ids, by, today)}


# --- making and keeping ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Filed:
    """A filing, the signed document of it, the files that were written, and whether it is new."""

    filing: Filing
    document: dict[str, Any]
    files: tuple[Path, ...]
    new: bool
    remarks: tuple[str, ...]

    @property
    def leaf(self) -> int:
        return int(self.document["log"]["index"])

    def to_json(self) -> dict[str, Any]:
        return {
            "filing": self.filing.regime.name,
            "version": self.filing.version,
            "draft": self.filing.draft,
            "open": [field.item.id for field in self.filing.open],
            "remarks": list(self.remarks),
            "digest": self.document["digest"],
            "leaf": self.leaf,
            "new": self.new,
            "files": [str(file) for file in self.files],
        }


def disclose(home: Home, regime: Regime, corpus: Corpus, answers: Mapping[str, Answer], to: Path, today: date) -> Filed:
    """Make the filing, sign it, put its digest into the log, keep it in the project, and write it to the folder `to`.

    Saying the same again makes nothing new. Raises: DisclosureError("filing-disagrees").
    """
    before, document = newest(home, regime, corpus.name)
    filing = make_filing(regime, corpus, answers, today, before)
    new = filing is not before
    if new:
        kind = "filing-draft" if filing.draft else "filing"
        document = sign_statement(filing.to_json(), home.log, home.key, kind)
        write_statement(_kept(home, regime, corpus.name, filing.version), document)
    remarks = tuple(shortfalls(filing.values, corpus.examples)) if regime is CN else ()
    return Filed(filing, document, tuple(write_filing(filing, document, corpus, to)), new, remarks)


def _kept(home: Home, regime: Regime, name: str, version: int) -> Path:
    return home.path / "filings" / f"{regime.name}-{name}-{version}.json"


def newest(home: Home, regime: Regime, name: str) -> tuple[Filing | None, dict[str, Any]]:
    """The newest kept filing of a training, and its signed document. Raises: DisclosureError("not-a-filing")."""
    version = 1
    while _kept(home, regime, name, version).is_file():
        version += 1
    if version == 1:
        return None, {}
    path = _kept(home, regime, name, version - 1)
    return read_filing(path, REGIMES), json.loads(path.read_text("utf-8"))


def write_filing(filing: Filing, document: Mapping[str, Any], corpus: Corpus, to: Path) -> list[Path]:
    """All forms of a filing: filing.json, signed, and what people and machines read. A draft is named so."""
    stem = f"{filing.regime.name}{'.draft' if filing.draft else ''}"
    texts = {f"{stem}.md": markdown(filing), f"{stem}.html": html(filing)}
    if filing.regime.document is not None:
        name, _, ending = filing.regime.file.partition(".")
        file = f"{name}{'.draft' if filing.draft else ''}.{ending}"
        texts[file] = _text(filing.regime.document(filing, corpus))
    if filing.regime is CROISSANT:
        texts[WORKS] = works_csv(corpus).decode()
    if filing.regime is EU and any(work.method == "crawl" for work in corpus.works):
        small = filing.values.get("2.3.sme") is True
        texts["filing_domains.csv"] = domains_csv(domains(corpus.by_method("crawl"), small))
    for stale in {_other(name, filing) for name in texts} - set(texts):  # of the same filing when it was a draft
        (to / stale).unlink(missing_ok=True)
    write_statement(to / FILING, document)
    for name, text in texts.items():
        write_text(to / name, text)
    return [to / FILING, *(to / name for name in texts)]


def _other(name: str, filing: Filing) -> str:
    """The name that the file would have if the filing were a draft, or were none."""
    head, _, ending = name.partition(".draft." if filing.draft else ".")
    return f"{head}.{ending}" if filing.draft else f"{head}.draft.{ending}"


def _text(value: Any) -> str:
    return json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def filing_at(path: Path) -> Filing:
    """A filing from its file, or from the folder it was written to."""
    return read_filing(path / FILING if path.is_dir() else path, REGIMES)
