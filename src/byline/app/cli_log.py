"""`byline log`: look at the transparency log, publish it, prove that it only grew, audit somebody's copy of it."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from byline.app.home import Home
from byline.app.terminal import HOME, HomeOption, JsonOption, err, out, say
from byline.core import AppError
from byline.disclosure import (
    audit_tiles,
    load_public,
    prove_growth,
    publish_tiles,
    read_checkpoint,
    write_statement,
)


def log_command(
    publish: Annotated[Path | None, typer.Option("--publish", help="Folder: write checkpoint, tiles, entries.")] = None,
    since: Annotated[
        Path | None, typer.Option("--since", help="A checkpoint seen before: what is told must continue it.")
    ] = None,
    until: Annotated[Path | None, typer.Option("--until", help="A later checkpoint; default: one of now.")] = None,
    to: Annotated[Path | None, typer.Option("--to", help="File for the proof that the log only grew.")] = None,
    audit: Annotated[Path | None, typer.Option("--audit", help="Folder: check a published copy.")] = None,
    key: Annotated[Path | None, typer.Option(help="Public key; default: the project folder's.")] = None,
    home: HomeOption = HOME,
    as_json: JsonOption = False,
) -> None:
    """Show the transparency log; publish it as tiles, prove that it only grew, or audit a copy of it."""
    if audit is not None:
        _audit(audit, key or Home(home).public_key, since, as_json)
        return
    place = Home.open(home)
    if publish is not None:
        told = publish_tiles(place.log, place.key, publish)
        left = f" {told.without_entry} old leaves have no entry to publish." if told.without_entry else ""
        shown = {"folder": str(publish), "size": told.checkpoint.size, "files": told.files,
                 "without_entry": told.without_entry}  # fmt: skip
        say(as_json, shown, f"{told.checkpoint.size} leaves in {publish}, {told.files} new files.{left}")
    elif since is not None:
        _grow(place, since, until, to, as_json)
    else:
        _show(place, as_json)


COMMANDS: tuple[Callable[..., None], ...] = (log_command,)


def _show(home: Home, as_json: bool) -> None:
    note = home.log.checkpoint(home.key)
    head = read_checkpoint(note, home.key.public)
    kinds = Counter(leaf.kind for leaf in home.log.entries())
    if not as_json:
        table = Table("kind", "leaves", box=None)
        for kind, count in sorted(kinds.items()):
            table.add_row(kind, str(count))
        out.print(table)
        out.print(note, highlight=False, markup=False, soft_wrap=True)
    size = head.size if head else 0
    told = {"size": size, "root": head.root.hex() if head else "", "checkpoint": note, "kinds": dict(kinds)}
    say(as_json, told, f"{size} leaves, signed by {home.key.name}.")


def _grow(home: Home, since: Path, until: Path | None, to: Path | None, as_json: bool) -> None:
    new = _note(until) if until else home.log.checkpoint(home.key)
    proof = prove_growth(home.log, _note(since), new, home.key.public)
    if to is not None:
        write_statement(to, proof)
    told: dict[str, Any] = {"nodes": len(proof["proof"]), "proof": str(to) if to else None, **proof}
    where = f": {to}" if to else ""
    say(as_json, told, f"The log only grew, shown by {len(proof['proof'])} hashes{where}.")


def _audit(folder: Path, key: Path, since: Path | None, as_json: bool) -> None:
    found = audit_tiles(folder, load_public(key), _note(since) if since else None)
    for fault in found.faults:
        err.print(f"[red]{fault}[/]", highlight=False, soft_wrap=True)
    size = found.checkpoint.size if found.checkpoint else 0
    told = {"ok": not found.faults, "size": size, "entries": found.entries, "faults": list(found.faults)}
    holds = f"{size} leaves and {found.entries} entries follow from the signed head."
    say(as_json, told, holds if not found.faults else f"The copy is refused: {len(found.faults)} faults.")
    if found.faults:
        raise typer.Exit(1)


def _note(path: Path) -> str:
    try:
        return path.read_bytes().decode("utf-8", "replace")
    except OSError as fault:
        raise AppError("no-file", f"{path}: {fault.strerror}", "check the path") from fault
