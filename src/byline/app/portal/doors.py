"""Who may open which page. Every page is added by `Doors.page`, which names its roles: there is no other way in."""

import logging
import re
import secrets
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import quote

from fastapi import FastAPI, Request, Response
from fastapi.concurrency import run_in_threadpool
from starlette.datastructures import UploadFile

from byline.app.portal.accounts import SESSION_SECONDS, Person, Role
from byline.app.portal.pages import error_page, render, told_faults
from byline.app.portal.policy import WITH_SCRIPT
from byline.app.portal.refill import Sent, Told, refilled
from byline.app.portal.visit import Answer, Download, Onward, Page, Portal, Upload, Visit
from byline.core import BylineError

LOG = logging.getLogger("byline.portal")
COOKIE = "byline_visit"
MOST_BYTES = 12_000_000
_SECRET = re.compile(r"[A-Za-z0-9_-]{20,128}")

Handler = Callable[[Visit], Answer]


@dataclass(frozen=True)
class Door:
    """`roles`: any of them opens it; empty: everybody. `own`: besides, only whose object it is. `back`: the page that
    shows the form which is sent here. `signed`: no browser sends it but a machine, and what it says is signed."""

    method: str
    path: str
    roles: frozenset[Role]
    own: bool
    changes: bool
    back: str = ""
    signed: bool = False


@dataclass
class Doors:
    app: FastAPI
    portal: Portal
    all: list[Door] = field(default_factory=list)
    _forms: dict[str, tuple[Door, Handler]] = field(default_factory=dict)

    def page(
        self,
        method: str,
        path: str,
        *roles: Role,
        own: bool = False,
        reads: bool = False,
        back: str = "",
        signed: bool = False,
    ) -> Callable[[Handler], Handler]:
        """Register a page. GET never changes anything; POST asks for the token of the form. `reads`: a POST that
        changes nothing either, such as a search, whose words shall not stand in an address. `back`: the page whose form
        is sent here, if not the same address; after a fault it comes back filled in (see `visit`). `signed`: what is
        sent here carries no token of a form, but a signature that the handler checks before anything else."""

        def add(handler: Handler) -> Handler:
            door = Door(method, path, frozenset(roles), own, method == "POST" and not reads, back or path, signed)
            self.all.append(door)
            if method == "GET":
                self._forms[path] = (door, handler)

            async def endpoint(request: Request) -> Response:
                return await _open(self, door, handler, request)

            self.app.add_api_route(path, endpoint, methods=[method], include_in_schema=False, response_model=None)
            return handler

        return add

    def again(self, door: Door, visit: Visit, fault: BylineError) -> Page | None:
        """The page with the form, to be mended; None if there is none or it is not for whoever asks."""
        known = any(each is fault for _, each in visit.faults)
        faults = told_faults(visit.faults if known else [*visit.faults, ("", fault)])
        shown, form = self._forms.get(door.back, (None, None))
        if not faults or shown is None or form is None or not _admits(shown, visit):
            return None
        try:
            page = form(replace(visit, path=door.back.format(**visit.named), asked={}, faults=[]))
        except BylineError:
            return None
        return replace(page, status=422, faults=faults) if isinstance(page, Page) else None


async def _open(doors: Doors, door: Door, handler: Handler, request: Request) -> Response:
    portal = doors.portal
    cookie = request.cookies.get(_cookie_of(request), "")
    cookie = cookie if _SECRET.fullmatch(cookie) else ""
    person = await run_in_threadpool(portal.accounts.visitor, cookie, portal.clock()) if cookie else None
    fresh = cookie or secrets.token_urlsafe(32)
    visit, refused = await _visit(portal, door, request, person, fresh)
    answer = refused or _refused(door, visit, request)
    if answer is None:
        answer = await run_in_threadpool(_answer, doors, door, handler, visit)
    response = _response(answer, visit)
    _keep(response, request, answer, "" if cookie else fresh)
    return response


async def _visit(
    portal: Portal, door: Door, request: Request, person: Person | None, cookie: str
) -> tuple[Visit, Answer | None]:
    form: dict[str, list[str]] = {}
    upload, refused = None, None
    token = portal.form_token(cookie)
    if request.method == "POST":
        refused = _too_large(request)
        if refused is None:
            form, upload, refused = await _read_form(request)
        given = (form.pop("token", None) or [""])[0]
        if refused is None and not door.signed and not secrets.compare_digest(given.encode(), token.encode()):
            refused = error_page("stale-form", 403)
    host = request.client.host if request.client else ""
    visit = Visit(portal, request.url.path, request.path_params, dict(request.query_params), form, upload, person,
                  token, portal.clock(), host, cookie if person else "")  # fmt: skip
    return visit, refused


def _too_large(request: Request) -> Answer | None:
    """A form says how long it is before it is read."""
    length = request.headers.get("content-length", "")
    if not (length.isascii() and length.isdigit()):
        return error_page("no-length", 411)
    return error_page("too-large", 413) if int(length) > MOST_BYTES else None


async def _read_form(request: Request) -> tuple[dict[str, list[str]], Upload | None, Answer | None]:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind not in ("application/x-www-form-urlencoded", "multipart/form-data"):
        return {}, None, error_page("no-form", 415)
    form: dict[str, list[str]] = {}
    upload = None
    try:
        async with request.form(max_files=1, max_fields=60, max_part_size=2_000_000) as sent:
            for name, value in sent.multi_items():
                if isinstance(value, UploadFile):
                    upload = Upload(value.filename or "", await value.read()) if value.filename else None
                else:
                    form.setdefault(name, []).append(value)
    except Exception as fault:
        if type(fault).__name__ not in ("MultiPartException", "HTTPException", "UnicodeDecodeError"):
            raise
        return {}, None, error_page("bad-form", 400)
    return form, upload, None


def _admits(door: Door, visit: Visit) -> bool:
    return not door.roles or (visit.person is not None and visit.person.may(*door.roles))


def _refused(door: Door, visit: Visit, request: Request) -> Answer | None:
    if not door.roles:
        return None
    if visit.person is None:
        onward = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        return Onward("/sign-in" + (f"?onward={quote(onward, safe='')}" if request.method == "GET" else ""))
    return None if visit.person.may(*door.roles) else error_page("not-yours", 403)


def _answer(doors: Doors, door: Door, handler: Handler, visit: Visit) -> Answer:
    try:
        if door.changes:
            with visit.portal.writing, _announced(door, visit):  # one change at a time: log and journal have one writer
                return handler(visit)
        return handler(visit)
    except BylineError as fault:
        LOG.info("%s %s: %s", door.method, door.path, fault.code)  # the code alone: the words can be the visitor's
        again = doors.again(door, visit, fault) if door.method == "POST" else None
        return again or error_page(fault.code, fault=fault)


def _announced(door: Door, visit: Visit) -> AbstractContextManager[None]:
    """Whoever is signed in is about to change something, which then has a line of the trail, come what may."""
    if visit.person is None:
        return nullcontext()
    return visit.portal.trail.intending(visit.person.id, f"{door.method} {door.path}", visit.now)


def _response(answer: Answer, visit: Visit) -> Response:
    if isinstance(answer, Onward):
        return Response(status_code=303, headers={"location": answer.path})
    if isinstance(answer, Download):
        plain = re.sub(r"[^A-Za-z0-9._-]", "-", answer.name)
        headers = {"content-disposition": f'attachment; filename="{plain}"'}
        return Response(answer.content, media_type=answer.kind, headers=headers)
    text = render(answer, visit)
    if answer.faults:
        sent = Sent(visit.path, visit.form, visit.upload is not None)
        text = refilled(text, sent, [Told(*each) for each in answer.faults])
    more = ({"refresh": str(answer.refresh)} if answer.refresh else {}) | (WITH_SCRIPT if answer.script else {})
    return Response(text, answer.status, more, media_type="text/html")


def _keep(response: Response, request: Request, answer: Answer, fresh: str) -> None:
    """The one cookie: it names a browser, and after signing in a session. Scripts never see it, other sites never
    send it with a form."""
    session = answer.session if isinstance(answer, Onward) else None
    value = secrets.token_urlsafe(32) if session == "" else session or fresh
    if value:
        response.set_cookie(
            _cookie_of(request),
            value,
            max_age=SESSION_SECONDS,
            httponly=True,
            samesite="lax",
            secure=request.url.scheme == "https",
        )


def _cookie_of(request: Request) -> str:
    """By TLS with a name that browsers take from this very host alone: no neighbour under the same domain, and nobody
    on the way, can set it (RFC 6265bis, 4.1.3.2)."""
    return f"__Host-{COOKIE}" if request.url.scheme == "https" else COOKIE


def listed(doors: Sequence[Door]) -> list[dict[str, Any]]:
    return [{"method": d.method, "path": d.path, "roles": sorted(d.roles), "own": d.own} for d in doors]


__all__ = ["COOKIE", "MOST_BYTES", "Door", "Doors", "Page", "listed"]
