"""The project folder: where the database, the texts, the runs and the statements of one operator live."""

import fcntl
import json
import os
import shutil
import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import Any

from byline.app.codes import Codes
from byline.app.exclusion import keep_snapshot
from byline.app.looks import reserved_works
from byline.app.notices import adopt_catalogue, moment, standing
from byline.core import (
    AppError,
    ClusterId,
    Decision,
    Manifest,
    OptOut,
    PartyId,
    Problem,
    Work,
    WorkId,
)
from byline.disclosure import Log, SigningKey, create_key, load_key
from byline.gate import (
    Clusters,
    Finding,
    KeptHeld,
    decide_all,
    find_clusters,
    find_disorder,
    freeze,
    hold_for_review,
    write_manifest,
)
from byline.ledger import Journal, open_journal
from byline.registry import (
    MEDIA,
    Asked,
    Block,
    Counts,
    Grant,
    Looked,
    Notices,
    PartyNames,
    Reached,
    Reaches,
    Registry,
    Shelf,
    Use,
    Works,
    blocks,
    open_database,
    read_catalogue,
)

Progress = Callable[[str, int, int], None]  # what is done, how many are, of how many
ORIGIN = "byline.local/operator"  # the name under which this folder's key signs


@dataclass(frozen=True)
class Home:
    """Raises: AppError("no-home") when a command other than register meets a folder that is not a project."""

    path: Path
    database: str | None = None  # URL; default: byline.db in the folder

    @classmethod
    def open(cls, path: Path, database: str | None = None) -> "Home":
        if not (path / "home.json").is_file():
            raise AppError(
                "no-home", f"{path} is not a Byline project folder", f"byline register CATALOGUE --home {path}"
            )
        return cls(path, database)

    def mark(self) -> None:
        """From now on `open` finds the folder."""
        if not (self.path / "home.json").is_file():
            write_json(self.path / "home.json", {"format": "byline-home/1"})

    @cached_property
    def _engine(self) -> Any:
        engine = open_database(self.database or self.path / "byline.db")
        weakref.finalize(self, engine.dispose)  # connections end with the command
        return engine

    @cached_property
    def registry(self) -> Registry:
        return Registry(self._engine, self.path / "assets")

    @cached_property
    def notices(self) -> Notices:
        return Notices(self._engine, self.registry)

    def reached(self, among: Sequence[Work] | None = None) -> Reaches:
        """To be asked which of the registered works, or of some of them, a target reaches."""
        codes = Codes(self.registry, self.path / "iscc.json")
        return Asked(self._engine, self.registry, self.shelf, codes) if among is None else Reached(among, codes)

    def blocks(self, on: date, among: Sequence[Work] | None = None) -> dict[WorkId, Block]:
        """The notices in force on a day that refuse training on a work; `among`: of these works alone."""
        given = self.notices.all()
        asked = any(each.notice.unless_licensed for each in given)
        licensed = self.licensed(Use.TRAIN_GEN, on, among) if asked else set[WorkId]()
        return blocks(given, self.reached(among), on, licensed=licensed) if given else {}

    def licensed(self, use: Use, on: date, among: Sequence[Work] | None = None) -> set[WorkId]:
        """Works for which a grant that stands on a day covers a use."""
        works = self.registry.works() if among is None else among
        granted = self.registry.evidence.of_works(Grant, works, on)
        return {work for work, grants in granted.items() if any(use in each.uses for each in grants)}

    def opt_outs(self, on: date) -> tuple[OptOut, ...]:
        """Those that came with a catalogue and stand on a day: each is a notice too, and ends with it."""
        return standing(self.registry.opt_outs(on), self.notices.all(), on)

    def opted_out(self, on: date, among: Sequence[Work] | None = None) -> set[WorkId]:
        """Works that somebody has said no to training on for a day, in whatever way; `among`: of these alone."""
        said_no = {(each.party, each.work) for each in self.opt_outs(on)}
        named = {
            work.id
            for work in (self.registry.works() if among is None else among)
            for part in work.contributions
            if (part.party, None) in said_no or (part.party, work.id) in said_no
        }
        return named | set(self.blocks(on, among))

    @cached_property
    def journal(self) -> Journal:
        return open_journal(self._engine)

    @cached_property
    def key(self) -> SigningKey:
        folder = self.path / "keys"
        return load_key(folder) if (folder / "byline.key").is_file() else create_key(folder, ORIGIN)

    @cached_property
    def log(self) -> Log:
        return Log(self.path / "log")

    @property
    def public_key(self) -> Path:
        return self.path / "keys" / "byline.pub"

    def run(self, name: str) -> Path:
        return self.path / "runs" / _plain(name)

    def training(self, name: str) -> Path:
        return self.path / "trainings" / _plain(name)

    # --- names for people ---------------------------------------------------------------------------------------

    @cached_property
    def shelf(self) -> Shelf:
        return Shelf(self._engine, self.registry)

    @cached_property
    def names(self) -> Mapping[PartyId, str]:
        """As of the first time that one is asked for."""
        return PartyNames(self.registry, self.shelf)

    @cached_property
    def works(self) -> Mapping[WorkId, Work]:
        """As of the first time that one is asked for."""
        return Works(self.registry, self.shelf)

    def texts(self, works: Iterable[Work]) -> dict[WorkId, str]:
        """The texts of those works that are texts."""
        return {work.id: self.registry.text(work.id) for work in works if work.kind not in MEDIA}

    def at_hand(self, works: Iterable[Work]) -> None:
        """Read at once who made these works, which are to be shown."""
        works = list(works)
        if isinstance(self.works, Works) and isinstance(self.names, PartyNames):
            self.works.keep(works)
            self.names.want(part.party for work in works for part in work.contributions)

    def contributors(self, work: WorkId) -> str:
        return " and ".join(self.names[part.party] for part in self.works[work].contributions)


# --- register, check, freeze ------------------------------------------------------------------------------------


def register(
    home: Home, works: Path, splits: Path | None, opt_outs: Path | None, today: date
) -> tuple[Counts | None, list[Problem]]:
    """Add a catalogue, and make the project folder if there is none; with problems, nothing is added or made and all
    of them are returned."""
    catalogue, problems = read_catalogue(works, splits, opt_outs)
    if not problems:
        problems = home.registry.problems(catalogue)
    if problems:
        return None, problems
    counts = home.registry.add(catalogue, today)
    home.mark()
    if catalogue.opt_outs:
        adopt_catalogue(home, moment())
    return counts, []


def _unshown(what: str, done: int, of: int) -> None:
    pass


def check(
    home: Home, on: date, law: Mapping[WorkId, Decision] | None = None, progress: Progress = _unshown
) -> tuple[tuple[Decision, ...], Clusters]:
    """The gate's verdict on every registered work, recorded. `law` is what law packs decided of each, if they were
    asked. Raises: AppError("nothing-registered"), LookupFault("lookup-missing") if there are pictures or sounds and
    what looks for their copies is not installed."""
    from byline.app.echo import echoes  # it asks a model, where there is one
    from byline.app.media_copies import shared_files  # it reads pictures and sounds, where there are some

    works = in_order_of_registration(home)
    if not works:
        raise AppError("nothing-registered", f"{home.path} holds no works", "byline register CATALOGUE")
    texts = home.texts(works)
    worded_all = {work.id: texts.get(work.id, _digest_words(work)) for work in works}
    clusters = find_clusters(works, worded_all, shared_files(home, works, on, progress))
    reserved = reserved_works(home, works, on)
    decisions = decide_all(works, clusters, home.opt_outs(on), on, law, home.blocks(on), reserved)
    seen = looked_at(home)
    worded = [work for work in works if work.id in texts]
    found: list[Finding] = [*find_disorder(worded, texts), *echoes(home, [work.id for work in worded])]
    doubts = [*kept_held(home), *(one for one in found if one.work not in seen)]
    decisions = hold_for_review(decisions, doubts)
    home.registry.save_decisions(decisions, on)
    return decisions, clusters


def looked_at(home: Home) -> set[str]:
    """Works that a person has looked at and that are not to be held for how they read: those that were released (see
    `reviews`), and ids in reviewed.txt of the project folder, one a line; what follows a # says who and why."""
    path = home.path / "reviewed.txt"
    lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
    listed = {line.partition("#")[0].strip() for line in lines} - {""}
    return listed | {each.work for each in home.registry.verdicts.last_reviews() if each.looked is Looked.RELEASED}


def kept_held(home: Home) -> list[KeptHeld]:
    """Works that a person has looked at and keeps held: also where a later model would no longer doubt them."""
    kept = [each for each in home.registry.verdicts.last_reviews() if each.looked is Looked.KEPT]
    return [KeptHeld(each.work, each.rule, (f"review:{each.digest()}",)) for each in kept]


def freeze_manifest(
    home: Home,
    on: date,
    law: Mapping[WorkId, Decision] | None = None,
    kind: str | None = None,
    progress: Progress = _unshown,
) -> Manifest:
    """Check again and freeze what is admitted; the manifest's root goes into the transparency log, and the decisions
    are kept beside it with the head of the log. `kind`: works of this kind alone, for a model that reads no others."""
    adopt_catalogue(home, moment())
    decisions, clusters = check(home, on, law, progress)
    works = [work for work in in_order_of_registration(home) if kind in (None, work.kind)]
    named = {work.id for work in works}
    decisions = tuple(decision for decision in decisions if decision.work in named)
    manifest = freeze(works, decisions, clusters, on)
    home.registry.save_manifest(manifest)
    path = home.path / "manifests" / f"{manifest.id.removeprefix('manifest:')}.json"
    if not path.is_file():
        write_manifest(manifest, path)
        home.log.append("manifest", manifest.root)
    keep_snapshot(home, manifest, decisions)
    return manifest


def _digest_words(work: Work) -> str:
    """What a picture or a sound is to the search for copies of texts: its digest as sixteen words, so that the same
    file under two names is a copy as the same text would be. Of changed ones `media_copies` tells."""
    return " ".join(work.sha256[at : at + 4] for at in range(0, 64, 4))


def in_order_of_registration(home: Home) -> list[Work]:
    order = home.registry.registration_order()
    return sorted(home.registry.works(), key=lambda work: order[work.id])


@contextmanager
def new_training(home: Home, name: str) -> Iterator[Path]:
    """The folder for a new training, held by this process. What a killed one left there is removed first, and after an
    error so is this one, with its run.

    Raises: AppError("run-exists") if there is a finished training or a run made by other means, AppError("train-busy").
    """
    folder, run = home.training(name), home.run(name)
    foreign = run.exists() and not folder.exists()
    folder.mkdir(parents=True, exist_ok=True)
    with _held(folder):
        if foreign or (folder / "training.json").is_file():
            if foreign:
                folder.rmdir()
            fix = f"choose another --name, or delete {run} and {folder}"
            raise AppError("run-exists", f"{run} already holds a run", fix)
        for left in (run, *folder.iterdir()):
            _remove(left)
        try:
            yield folder
        except BaseException:
            _remove(run)
            _remove(folder)
            raise


@contextmanager
def _held(folder: Path) -> Iterator[None]:
    handle = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as fault:
            fix = "wait for it, or choose another --name"
            raise AppError("train-busy", f"another process trains in {folder}", fix) from fault
        yield
    finally:
        os.close(handle)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    elif os.path.lexists(path):
        path.unlink()


def cluster_of(manifest: Manifest) -> dict[WorkId, ClusterId]:
    return {entry.work: entry.cluster for entry in manifest.entries}


# --- files ------------------------------------------------------------------------------------------------------


def write_json(path: Path, value: Any) -> None:
    """Whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")
    part.write_text(json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False) + "\n", encoding="utf-8")
    part.replace(path)


def read_json(path: Path, fix: str, fields: Sequence[str] = ()) -> Any:
    """An object with at least these fields.

    Raises: AppError("not-made-yet") with the command that makes the file, AppError("unreadable").
    """
    if not path.is_file():
        raise AppError("not-made-yet", f"{path} does not exist yet", fix)
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as fault:
        raise AppError("unreadable", f"{path} is not JSON: {fault}", f"make it again: {fix}") from fault
    missing = [name for name in fields if name not in value] if isinstance(value, dict) else ["fields"]
    if missing:
        raise AppError("unreadable", f"{path} has no {', '.join(missing)}", f"make it again: {fix}")
    return value


_KEPT = {
    "training": ("train", ("run", "manifest", "losses", "heldout", "unigram", "hardware")),
    "attribution": ("attribute", ("passages", "period")),
    "evaluation": ("evaluate", ("measured", "reliability", "methods", "contributors", "predicted", "actual")),
    "settlement": ("settle EVENTS", ("settlement", "statements")),
}


def read_kept(home: Home, name: str, what: str) -> Any:
    """What a command kept of a training. Raises: AppError("not-made-yet"), AppError("unreadable")."""
    command, fields = _KEPT[what]
    return read_json(home.training(name) / f"{what}.json", f"byline {command} --name {name} --home {home.path}", fields)


def _plain(name: str) -> str:
    if not name or name.startswith(".") or not all(c.isalnum() or c in "._-" for c in name):
        raise AppError("bad-name", f"{name!r} cannot name a training", "letters, digits, dot, dash and underscore")
    return name
