"""Commands for people who say no or yes: optout, claim, notice, prove. A no is as short to write as a yes."""

from collections.abc import Callable
from dataclasses import replace
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape

from byline.app.home import Home
from byline.app.terminal import (
    HOME,
    DatabaseOption,
    HomeOption,
    JsonOption,
    out,
    refuse_problems,
    say,
)
from byline.core import AppError, sha256_hex
from byline.registry import (
    Defaults,
    Dossier,
    Level,
    NoticeKind,
    What,
    Wish,
    check_laws,
    laws,
    next_due,
    ordered_uses,
    read_target,
    read_wishes,
)

if TYPE_CHECKING:
    from byline.app.notice_steps import Step
    from byline.app.notices import Given

_TARGET = "A title, a file, work:ID, sha256:, ISCC:, domain:, account:, collection: or contributor:; none: list."
Target = Annotated[str | None, typer.Argument(help=_TARGET)]
By = Annotated[str, typer.Option("--by", help="Who says it.")]
Uses = Annotated[
    str, typer.Option("--uses", help="Of tdm,train.gen,train.other,ground,index,search; default: the first four.")
]
From = Annotated[datetime | None, typer.Option("--from", formats=["%Y-%m-%d"], help="First day (today).")]
Until = Annotated[datetime | None, typer.Option("--until", formats=["%Y-%m-%d"], help="Last day, if there is one.")]
Reason = Annotated[str, typer.Option("--reason", help="Why, if anybody wants to say.")]
Contact = Annotated[str, typer.Option("--contact", help="Where answers go; kept apart, never logged.")]
EvidenceFile = Annotated[
    Path | None, typer.Option("--evidence", help="A document that shows it; only its digest is kept.")
]
Law = Annotated[str, typer.Option("--law", help=f"Whose clocks run too, with commas: {', '.join(laws())}.")]
Unless = Annotated[bool, typer.Option("--unless-licensed", help="A no that a licence on record lifts.")]
Bulk = Annotated[Path | None, typer.Option("--bulk", help="Many targets at once, CSV or JSONL.")]
To = Annotated[Path | None, typer.Option("--to", help="Folder for copies of the receipts.")]


def optout_command(
    target: Target = None,
    by: By = "",
    uses: Uses = "",
    from_: From = None,
    until: Until = None,
    reason: Reason = "",
    contact: Contact = "",
    evidence: EvidenceFile = None,
    law: Law = "",
    unless_licensed: Unless = False,
    bulk: Bulk = None,
    to: To = None,
    home: HomeOption = HOME,
    database: DatabaseOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say no for a work, file, ISCC, domain, account or collection: it holds at once, with a signed receipt."""
    given = _defaults(by, uses, from_, until, reason, contact, evidence, law)
    given = replace(given, unless_licensed=unless_licensed)
    _say(NoticeKind.OPT_OUT, target, given, bulk, to, Home.open(home, database), as_json)


def claim_command(
    work: Target = None,
    by: By = "",
    uses: Uses = "",
    from_: From = None,
    until: Until = None,
    reason: Reason = "",
    contact: Contact = "",
    evidence: EvidenceFile = None,
    law: Law = "",
    unless_licensed: Unless = False,
    bulk: Bulk = None,
    to: To = None,
    home: HomeOption = HOME,
    database: DatabaseOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say that a work is yours and what you allow: it counts once it was checked, with a signed receipt at once."""
    given = _defaults(by, uses, from_, until, reason, contact, evidence, law)
    given = replace(given, unless_licensed=unless_licensed)
    _say(NoticeKind.CLAIM, work, given, bulk, to, Home.open(home, database), as_json)


def notice_command(
    notice: Annotated[str | None, typer.Argument(help="Id of an opt-out or claim; none: list all.")] = None,
    check: Annotated[
        str, typer.Option("--check", help="Who gave it was checked: contact, domain, registry, identity.")
    ] = "",
    shown: Annotated[
        Path | None, typer.Option(help="What stood in the TXT record, the well-known file or the mail.")
    ] = None,
    decide: Annotated[str, typer.Option(help="upheld, rejected, disputed or extended.")] = "",
    withdraw: Annotated[bool, typer.Option("--withdraw", help="Whoever gave it takes it back.")] = False,
    forget: Annotated[bool, typer.Option("--forget", help="Erase name and receipt here; the notice goes on.")] = False,
    by: Annotated[str, typer.Option("--by", help="Who withdraws it.")] = "",
    decided_by: Annotated[str, typer.Option(help="Who decided or checked.")] = "",
    because: Annotated[str, typer.Option(help="Why.")] = "",
    evidence: EvidenceFile = None,
    home: HomeOption = HOME,
    database: DatabaseOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show an opt-out or claim: history, clocks, each trained model and what is owed; check, decide or withdraw it."""
    from byline.app.notice_steps import change
    from byline.app.notice_steps import forget as erase
    from byline.app.notices import moment

    place = Home.open(home, database)
    if notice is None:
        _list(place, tuple(NoticeKind), as_json)
        return
    step = _step(check, shown, decide, withdraw, by, decided_by, because, evidence)
    if step is not None and forget:
        raise AppError("two-steps", "a notice is changed in one way at a time", "run the command twice")
    if step is not None:
        change(place, notice, step, moment())
    if forget:
        erase(place, notice, moment())
    _show(place, notice, as_json)


def prove_command(
    work: Annotated[str, typer.Argument(help="Title, id or file of a work, or the id of an opt-out.")],
    run: Annotated[str, typer.Option("--run", help="Name of the training.")] = "main",
    to: Annotated[Path, typer.Option("--to", help="File for the proof.")] = Path("proof.json"),
    home: HomeOption = HOME,
    database: DatabaseOption = None,
    as_json: JsonOption = False,
) -> None:
    """Prove that an opt-out was in force for a training and that the work is not in it, for `byline verify`."""
    from byline.app.exclusion import prove_exclusion, write_proof
    from byline.disclosure import verify_file

    place = Home.open(home, database)
    proof = prove_exclusion(place, work, run)
    sha256 = write_proof(proof, to)
    found = verify_file(to, place.key.public)
    body = proof["run"]["statement"]
    told = {"proof": str(to), "sha256": sha256, "run": body["run"], "leaf": proof["in_log"]["index"],
            "opt_out": proof["opt_out"]["statement"]["id"], "verified": found.ok}  # fmt: skip
    say(
        as_json,
        told,
        f"Opt-out {told['opt_out']} (leaf {told['leaf']}) was in force when {body['run']} began, and the work is not "
        f"among its {body['works']} works: {to}. Anybody checks it with: byline verify {to} --key byline.pub",
    )


COMMANDS: tuple[Callable[..., None], ...] = (optout_command, claim_command, notice_command, prove_command)


# --- what was asked -----------------------------------------------------------------------------------------------


def _defaults(
    by: str,
    uses: str,
    from_: datetime | None,
    until: datetime | None,
    reason: str,
    contact: str,
    evidence: Path | None,
    law: str,
) -> Defaults:
    names = tuple(name.strip() for name in law.split(",") if name.strip())
    check_laws(names)
    asked = Defaults(by, from_.date() if from_ else date.today())
    return Defaults(
        by=by,
        effective=asked.effective,
        uses=ordered_uses(uses.split(",")) or asked.uses,
        until=until.date() if until else None,
        contact=contact,
        reason=reason,
        evidence_sha256=sha256_hex(_bytes(evidence)) if evidence else "",
        laws=names,
    )


def _say(
    kind: NoticeKind, target: str | None, given: Defaults, bulk: Path | None, to: Path | None, home: Home, as_json: bool
) -> None:
    from byline.app.notices import give, moment, names

    if target is None and bulk is None:
        _list(home, (kind,), as_json)
        return
    wishes: list[Wish] = []
    if bulk is not None:
        wishes, problems = read_wishes(bulk, names(home), given)
        refuse_problems(problems, as_json)
    if target is not None:
        wishes.append(given.wish(read_target(target, names(home))))
    taken = give(home, kind, wishes, moment())
    for each in taken if to else []:
        _copy(each.receipt, to or Path())
    _tell(home, taken, as_json)


def _step(
    check: str,
    shown: Path | None,
    decide: str,
    withdraw: bool,
    by: str,
    decided_by: str,
    because: str,
    evidence: Path | None,
) -> "Step | None":
    from byline.app.notice_steps import Step, level_of

    asked = [what for what in (check, decide, withdraw) if what]
    if len(asked) > 1:
        raise AppError("two-steps", "a notice is changed in one way at a time", "run the command twice")
    if not asked:
        return None
    what = What.VERIFIED if check else What.WITHDRAWN if withdraw else _decision(decide)
    text = _bytes(shown).decode("utf-8", "replace") if shown else ""
    level = level_of(check) if check else Level.NONE
    return Step(what, level, text, by, decided_by, because, _bytes(evidence) if evidence else b"")


def _decision(text: str) -> What:
    known = (What.UPHELD, What.REJECTED, What.DISPUTED, What.EXTENDED)
    if text not in known:
        raise AppError("bad-decision", f"{text!r} is no decision on a notice", f"use {', '.join(known)}")
    return What(text)


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as fault:
        raise AppError("no-file", f"{path}: {fault.strerror}", "check the path") from fault


def _copy(path: Path, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    part = folder / f"{path.name}.part"
    part.write_bytes(path.read_bytes())
    part.replace(folder / path.name)


# --- showing ------------------------------------------------------------------------------------------------------


def _tell(home: Home, taken: "list[Given]", as_json: bool) -> None:
    from byline.app.notices import about, models, sentence, trainings

    trained, papers = trainings(home), home.notices.all_papers()
    lines = []
    for each in taken[:20] if not as_json else []:
        notice = each.dossier.notice
        works, of = each.reach.works, about(home, notice.target)
        lines.append(sentence(notice, papers[notice.id].by, of, len(works), models(trained, works)))
        lines += _similar_lines(home, each)
    for line in lines:
        out.print(escape(line), highlight=False, soft_wrap=True)
    new = sum(each.new for each in taken)
    told = {"notices": [_given(home, each, trained) for each in taken], "new": new}
    receipts = str(taken[0].receipt) if len(taken) == 1 else str(taken[0].receipt.parent) if taken else ""
    had = f" {len(taken) - new} had been said before." if new < len(taken) else ""
    say(as_json, told, f"{new} recorded.{had} Receipt: {receipts}")


def _similar_lines(home: Home, each: "Given") -> list[str]:
    return [
        f"  {home.works[near.work].title!r} resembles it ({near.bits} of 64 bits differ): not blocked, look at it"
        for near in each.reach.similar[:10]
    ]


def _given(home: Home, each: "Given", trained: Any) -> dict[str, Any]:
    from byline.app.notices import models

    return {
        "id": each.dossier.notice.id,
        "target": str(each.dossier.notice.target),
        "new": each.new,
        "works": list(each.reach.works),
        "similar": [{"work": near.work, "bits": near.bits} for near in each.reach.similar],
        "models": [model for model in models(trained, each.reach.works) if model["works"]],
        "receipt": str(each.receipt),
    }


def _list(home: Home, kinds: tuple[NoticeKind, ...], as_json: bool) -> None:
    from byline.app.notices import models, trainings

    today, reached, trained = date.today(), home.reached(), trainings(home)
    found = [dossier for dossier in home.notices.all() if dossier.notice.kind in kinds]
    lines = []
    for dossier in found:
        works = reached.by(dossier.notice.target).works
        inside = sum(bool(model["works"]) for model in models(trained, works))
        lines.append(_line(dossier, today, len(works), inside))
    for line in [] if as_json else lines:
        out.print(escape(_row(line)), highlight=False, soft_wrap=True)
    say(as_json, {"notices": lines}, f"{len(lines)} notices." if lines else "Nobody has said no or yes yet.")


def _row(line: dict[str, Any]) -> str:
    owed = f"; {line['models']} trained models owe removal" if line["models"] else ""
    due = f"; due {line['next_due']}" if line["next_due"] else ""
    return (
        f"{line['id']} {line['status']} (checked: {line['level']}): {line['uses']} of {line['target']}, "
        f"{line['works']} works{owed}{due}"
    )


def _line(dossier: Dossier, today: date, works: int, inside: int) -> dict[str, Any]:
    due = next_due(dossier) if dossier.in_force(today) else None
    owes = inside if dossier.notice.kind is NoticeKind.OPT_OUT else 0
    return {
        "id": dossier.notice.id,
        "target": str(dossier.notice.target),
        "uses": ",".join(dossier.notice.uses),
        "status": dossier.state(today),
        "level": str(dossier.level()),
        "works": works,
        "models": owes,
        "next_due": f"{due.due:%Y-%m-%d}: {due.what}" if due else "",
    }


def _show(home: Home, notice: str, as_json: bool) -> None:
    from byline.app.notice_view import told

    dossier = home.notices.one(notice)
    found = told(home, dossier, date.today(), home.reached().by(dossier.notice.target))
    for line in [] if as_json else _lines(home, found):
        out.print(escape(line), highlight=False, soft_wrap=True)
    force = "in force" if found["in_force"] else "not in force"
    say(as_json, found, f"{found['id']} is {found['status']}, {force}; checked: {found['level']}.")


def _lines(home: Home, found: dict[str, Any]) -> list[str]:
    by = found["by"] or "erased"
    lines = [f"{found['kind']} for {found['target']['value']} by {by}: {', '.join(found['uses'])}"]
    lines += [f"  {each['at']}: {each['what']} {each.get('because', '')}".rstrip() for each in found["history"]]
    lines += [f"  reaches {home.works[work].title!r}" for work in found["works"][:20]]
    for near in found["similar"][:20]:
        lines.append(f"  resembles {home.works[near['work']].title!r}: {near['bits']} of 64 bits differ; not blocked")
    for model in found["models"]:
        owed = f"; owed: {model['owed']} of {len(model['works'])} works, none removed yet" if model["owed"] else ""
        lines.append(f"  model {model['name']} ({model['run']}): {model['state']}{owed}")
    for clock in found["clocks"]:
        done = f"done {clock['done'][:10]}" if clock["done"] else "owed"
        lines.append(f"  by {clock['due'][:16]}: {clock['what']} ({clock['cite']}): {done}")
    lines += [f"  to show {way}: {words}" for way, words in found["challenges"].items()]
    lines += [f"  contested by {other}" for other in found["conflicts"]]
    return lines
