"""Routes that make something: outputs, questions of origin, look-ups, opt-outs."""

import asyncio
import json
import tempfile
import time
from collections.abc import AsyncIterator
from datetime import date
from pathlib import Path as Folder
from typing import Annotated

from fastapi import APIRouter, Depends, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import JSONResponse, StreamingResponse

from byline.app.api.asking import ERRORS, Cursor, Door, IdempotencyKey, Limit, after_cursor, cursor_of
from byline.app.api.attributing import ATTRIBUTION
from byline.app.api.current import Place
from byline.app.api.forms import (
    AttributionForm,
    JobAnswer,
    LookupForm,
    OptOutForm,
    OutputAnswer,
    OutputForm,
    Page,
    TargetForm,
    Told,
)
from byline.app.api.jobs import Job
from byline.app.api.once import Once
from byline.app.api.outputs import Asked, Outputs
from byline.app.api.reading_routes import Id
from byline.app.api.tokens import Token
from byline.app.home import Home
from byline.app.lookup import look_up_text
from byline.app.media_words import SINGULAR
from byline.app.notice_view import told as notice_told
from byline.app.notices import give, moment, names, receipt_path
from byline.core import AppError, RegistryError
from byline.disclosure import read_document
from byline.registry import (
    MEDIA,
    Defaults,
    NoticeKind,
    Target,
    check_laws,
    content_kind,
    ordered_uses,
    read_target,
    writing,
)

POLL_SECONDS = 0.5
EVENTS_SECONDS = 600  # then the caller asks again
_PRIVATE = ("by", "contact", "reason", "challenges", "receipt", "conflicts")


def add_making(api: APIRouter, place: Place, door: Door) -> None:
    """The routes, with the token that each needs."""
    _add_outputs(api, place, door)
    _add_attributions(api, place, door)
    _add_lookups(api, place, door)
    _add_optouts(api, place, door)


# --- outputs ----------------------------------------------------------------------------------------------------


def _add_outputs(api: APIRouter, place: Place, door: Door) -> None:
    mine = Annotated[Token, Depends(door.scope("outputs:make"))]

    @api.post("/outputs", status_code=201, response_model=OutputAnswer, responses=ERRORS)
    def register_output(form: OutputForm, token: mine, key: IdempotencyKey = None) -> Told:
        """Register an output that money was received for: a payment of its own when `byline settle` divides."""
        shares = tuple((each.work, each.share) for each in form.shares)
        asked = Asked(form.output, form.received, form.licensee, form.amount, form.currency, shares)
        once = Once(token.id, key, "POST /v1/outputs", form.model_dump(mode="json"))
        outputs = Outputs(place.home, place.engine)
        with place.turn:
            return outputs.add(token.id, asked, once)

    @api.get("/outputs", response_model=Page, responses=ERRORS)
    def list_outputs(token: mine, limit: Limit = 50, cursor: Cursor = None) -> Told:
        """The outputs that this token registered, oldest first."""
        after = after_cursor(cursor) or "0"
        if not (after.isascii() and after.isdigit() and len(after) < 18):
            raise AppError("bad-cursor", f"{cursor!r} is no cursor", "give `next` of the page before")
        items, following = Outputs(place.home, place.engine).page(token.id, int(after), limit)
        return {"items": items, "next": cursor_of(str(following)) if following is not None else None}

    @api.get("/outputs/{output}", response_model=OutputAnswer, responses=ERRORS)
    def one_output(output: Id, token: mine) -> Told:
        """An output that this token registered."""
        return Outputs(place.home, place.engine).one(token.id, output)


# --- attributions -----------------------------------------------------------------------------------------------


def _add_attributions(api: APIRouter, place: Place, door: Door) -> None:
    mine = Annotated[Token, Depends(door.scope("attributions:make"))]

    @api.post("/attributions", status_code=202, response_model=JobAnswer, responses=ERRORS)
    def ask_attribution(form: AttributionForm, token: mine, response: Response, key: IdempotencyKey = None) -> Told:
        """Ask where texts came from. The answer takes a while: a `byline worker` works it out; see `status`."""
        _refuse_untrained(place.home, form.training)
        body = form.model_dump(mode="json")
        once = Once(token.id, key, "POST /v1/attributions", body)
        with writing(place.engine) as connection:
            job = once.made(connection)
            if job is None:
                job = place.queue.add(connection, token.id, ATTRIBUTION, body, len(form.texts))
                once.keep(connection, job)
        told = _job_told(place.queue.one(job), place.folder)
        response.headers["Location"] = told["status"]
        return told

    @api.get("/attributions/{job}", response_model=JobAnswer, responses=ERRORS)
    def one_attribution(job: Id, token: mine) -> Told:
        """How far it is, and the answer once it is done."""
        return _job_told(_own_job(place, job, token), place.folder)

    @api.get("/attributions/{job}/events", response_class=StreamingResponse, responses=ERRORS)
    def attribution_events(job: Id, token: mine) -> StreamingResponse:
        """How far it is, as server-sent events, until it is done or failed or ten minutes are over; the answer
        itself is at `status`."""
        _own_job(place, job, token)
        return StreamingResponse(_events(place, job), media_type="text/event-stream")


def _own_job(place: Place, job: str, token: Token) -> Job:
    """Somebody else's job is none. Raises: AppError("no-such-job")."""
    found = place.queue.one(job)
    if found.owner != token.id:
        raise AppError("no-such-job", f"there is no job {job}", "use the id that the request was answered with")
    return found


def _refuse_untrained(home: Home, training: str) -> None:
    """Raises: AppError("no-such-training")."""
    if not (home.training(training) / "training.json").is_file():
        raise AppError("no-such-training", f"no training is called {training!r}", "ask the operator for its name")


def _job_told(job: Job, folder: str) -> Told:
    """`folder` is not told to anybody outside."""
    told = {name: getattr(job, name) for name in ("id", "state", "doing", "done", "of", "created", "result", "error")}
    error = {name: says.replace(folder, "the project") for name, says in (job.error or {}).items()}
    return told | {"status": f"/v1/attributions/{job.id}", "error": error or None}


async def _events(place: Place, job: str) -> AsyncIterator[str]:
    said, until = "", time.monotonic() + EVENTS_SECONDS
    while time.monotonic() < until:
        found = await run_in_threadpool(place.queue.one, job)
        told = {name: getattr(found, name) for name in ("state", "doing", "done", "of")}
        if (line := json.dumps(told)) != said:
            said = line
            yield f"data: {line}\n\n"
        if found.state in ("done", "failed"):
            return
        await asyncio.sleep(POLL_SECONDS)


# --- look-ups ---------------------------------------------------------------------------------------------------


def _add_lookups(api: APIRouter, place: Place, door: Door) -> None:
    @api.post("/lookups", response_model=Told, responses=ERRORS, dependencies=[Depends(door.scope("lookups:make"))])
    def look_up(form: LookupForm) -> Response:
        """Whether a text, a picture or a sound stands in the registered works, where, and how sure a “no” is. Nothing
        is kept of it."""
        kind = content_kind(form.file) if form.file else "text"
        if kind in MEDIA:
            return JSONResponse(place.media(kind).look_up(kind, form.file, f"the {SINGULAR[kind]}"))
        if not kind:
            raise AppError("not-text", "the file is no picture, sound or plain text", "send PNG, WAV or UTF-8 text")
        return JSONResponse(look_up_text(place.lookup, form.text or form.file.decode("utf-8-sig"), form.all))


# --- opt-outs ---------------------------------------------------------------------------------------------------


def _add_optouts(api: APIRouter, place: Place, door: Door) -> None:
    mine = Annotated[Token, Depends(door.scope("optouts:make"))]

    @api.post("/optouts", status_code=201, responses=ERRORS)
    def opt_out(form: OptOutForm, token: mine, response: Response, key: IdempotencyKey = None) -> Told:
        """Say no for a work, a file, a domain and more. It holds at once; the answer has the signed receipt, and what
        shows who said it."""
        once = Once(token.id, key, "POST /v1/optouts", form.model_dump(mode="json", by_alias=True))
        with place.turn:  # two equal ones at the same moment are one
            notice = _given(place, form, once)
        response.headers["Location"] = f"/v1/optouts/{notice}"
        return _notice(place, notice) | _papers(place.home, notice)

    @api.get("/optouts/{notice}", responses=ERRORS, dependencies=[Depends(door.scope("optouts:make"))])
    def one_optout(notice: Id) -> Told:
        """How an opt-out stands: history, clocks, each trained model and what is owed. Not who gave it."""
        return _notice(place, notice)


def _given(place: Place, form: OptOutForm, once: Once) -> str:
    """The id of the notice. Raises: those of `read_target` and `check_laws`."""
    with place.engine.connect() as connection:
        made = once.made(connection)
    if made is not None:
        return made
    home = place.home
    wish = _asked(form).wish(target_of(home, form.target))
    (given,) = give(home, NoticeKind.OPT_OUT, [wish], moment())
    notice = given.dossier.notice.id
    with writing(place.engine) as connection:
        if once.made(connection) is None:
            once.keep(connection, notice)
    return notice


def _asked(form: OptOutForm) -> Defaults:
    check_laws(tuple(form.laws))
    given = Defaults(form.by, form.from_ or date.today())
    return Defaults(
        by=form.by,
        effective=given.effective,
        uses=ordered_uses(form.uses) or given.uses,
        until=form.until,
        contact=form.contact,
        reason=form.reason,
        laws=tuple(form.laws),
    )


def target_of(home: Home, form: TargetForm) -> Target:
    """What somebody from outside names; never a file of this machine. Raises: RegistryError("unknown-target") and the
    others of `read_target`."""
    known, value = names(home, few=True), form.value
    if form.kind == "work" and value not in known.ids and value not in known.titles:
        raise RegistryError("unknown-target", f"no work has the id or title {value!r}", "GET /v1/works lists them")
    text = value if form.kind == "work" else f"{form.kind}:{value.removeprefix('ISCC:')}"
    with tempfile.TemporaryDirectory() as empty:
        return read_target(text, known, Folder(empty))


def _notice(place: Place, notice: str) -> Told:
    home = place.home
    dossier = home.notices.one(notice)
    told = notice_told(home, dossier, date.today(), home.reached().by(dossier.notice.target))
    history = [{name: each.get(name) for name in ("what", "at", "level")} for each in told["history"]]
    return {name: value for name, value in told.items() if name not in _PRIVATE} | {"history": history}


def _papers(home: Home, notice: str) -> Told:
    """For whoever gave it: the receipt, and what they show to prove that it was them; none if they were erased."""
    dossier, path = home.notices.one(notice), receipt_path(home, notice)
    told = notice_told(home, dossier, date.today(), home.reached().by(dossier.notice.target))
    return {"challenges": told["challenges"], "receipt": read_document(path) if path.is_file() else None}
