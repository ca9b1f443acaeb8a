"""The portal as one web application: pages, the layout's style sheet, and what every answer carries."""

import logging
import time
from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager, nullcontext
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote

from fastapi import FastAPI, Request, Response
from starlette.exceptions import HTTPException

from byline.app.api import router
from byline.app.home import Home
from byline.app.portal import (
    assembly,
    audit,
    bank,
    booking,
    choices,
    dividing,
    earnings,
    income,
    mine,
    offering,
    office,
    operate,
    organisation_pages,
    papers,
    passkey_pages,
    payouts,
    playground,
    proposing,
    public,
    records,
    signing,
    tasks,
    voting,
)
from byline.app.portal.accounts import open_accounts
from byline.app.portal.doors import Doors
from byline.app.portal.intents import Intents
from byline.app.portal.mail import Postman, Sent
from byline.app.portal.pages import error_page, render
from byline.app.portal.policy import HEADERS
from byline.app.portal.settings import read_settings
from byline.app.portal.trail import Trail
from byline.app.portal.visit import Portal, Visit, inside, portal_secret

PAGES = (
    public,
    records,
    papers,
    signing,
    passkey_pages,
    organisation_pages,
    choices,
    mine,
    earnings,
    audit,
    office,
    operate,
    income,
    dividing,
    booking,
    tasks,
    payouts,
    bank,
    assembly,
    offering,
    proposing,
    voting,
    playground,
)
LOG = logging.getLogger("byline.portal")
_CSS = b"".join((Path(__file__).parent / name).read_bytes() for name in ("portal.css", "playground.css"))
_SCRIPT = (Path(__file__).parent / "passkeys.js").read_bytes()


def _now() -> datetime:
    return datetime.now(UTC).replace(microsecond=0)


def create_app(home: Home, site: str = "http://127.0.0.1:8000", clock: Callable[[], datetime] = _now) -> FastAPI:
    """The portal of a project folder. `site`: its address as people type it. `app.state.portal` and `app.state.doors`
    hold what the pages share and who may open which."""
    accounts = open_accounts(home.journal.engine)
    for shared in ("registry", "notices", "key", "log"):  # made once, before requests come side by side
        getattr(home, shared)
    trail = Trail(accounts.engine, home.log, Intents(accounts.engine, home.path / "alive"))
    trail.finish(clock())
    portal = Portal(home, accounts, trail, site.rstrip("/"),
                    portal_secret(home.path / "keys"), clock, read_settings(home.path))  # fmt: skip
    app = FastAPI(title="Byline", docs_url=None, redoc_url=None, openapi_url=None,
                  redirect_slashes=False)  # it would send people to whatever host a request named  # fmt: skip
    doors = Doors(app, portal)
    for pages in PAGES:
        pages.add(doors)
    app.state.portal, app.state.doors = portal, doors.all
    app.include_router(router(home))
    app.add_api_route("/portal.css", _style, methods=["GET"], include_in_schema=False)
    app.add_api_route("/passkeys.js", _script, methods=["GET"], include_in_schema=False)
    app.middleware("http")(_guarded)
    app.add_exception_handler(HTTPException, _no_page)
    app.add_exception_handler(Exception, _broken)
    return app


def warm(app: FastAPI) -> None:
    """Make ready what the first visitor would else wait for: the indexes of texts, pictures and sounds.

    Raises: LookupFault("index-busy") while another process builds one.
    """
    portal: Portal = app.state.portal
    public.indexed(portal, portal.fresh())
    public.media_ready(portal, portal.fresh())


def mailing(app: FastAPI, told: Callable[[Sent], None]) -> AbstractContextManager[object]:
    """While it is entered, mails are sent as they come, if portal.toml names a server."""
    portal: Portal = app.state.portal
    server = portal.settings.mail
    return Postman(portal.home.path / "outbox", server, told) if server else nullcontext()


async def _style(request: Request) -> Response:
    return Response(_CSS, media_type="text/css", headers={"cache-control": "public, max-age=300"})


async def _script(request: Request) -> Response:
    return Response(_SCRIPT, media_type="text/javascript", headers={"cache-control": "public, max-age=300"})


async def _guarded(request: Request, call: Callable[[Request], Awaitable[Response]]) -> Response:
    """Headers on every answer; a line of log without addresses, queries or forms, for these can be secret."""
    began = time.monotonic()
    response = await call(request)
    for name, value in HEADERS.items():
        response.headers.setdefault(name, value)
    response.headers.setdefault("cache-control", "no-store")
    if request.url.scheme == "https":
        response.headers.setdefault("strict-transport-security", "max-age=31536000")
    route = getattr(request.scope.get("route"), "path", "-")
    LOG.info("%s %s %d %.0f ms", request.method, route, response.status_code, 1e3 * (time.monotonic() - began))
    return response


async def _broken(request: Request, fault: Exception) -> Response:
    """A fault of ours: nothing of it is shown."""
    portal: Portal = request.app.state.portal
    visit = Visit(portal, request.url.path, {}, {}, {}, None, None, "", portal.clock(), "")
    return Response(render(error_page("broken", 500), visit), 500, media_type="text/html", headers=HEADERS)


async def _no_page(request: Request, fault: Exception) -> Response:
    status = fault.status_code if isinstance(fault, HTTPException) else 500
    if request.url.path.startswith("/v1/"):
        told = '{"error":{"code":"no-such-page","what":"there is no such address","fix":"/v1/openapi.json lists them"}}'
        return Response(told, status, media_type="application/json")
    if status == 404 and (plain := _without_slash(request)):
        return Response(status_code=308, headers={"location": quote(plain)})
    portal: Portal = request.app.state.portal
    visit = Visit(portal, request.url.path, {}, {}, {}, None, None, "", portal.clock(), "")
    headers = dict(getattr(fault, "headers", None) or {})  # Allow, where only the method is wrong
    return Response(render(error_page("not-found", status), visit), status, headers, media_type="text/html")


def _without_slash(request: Request) -> str:
    """The page that somebody meant who wrote a slash behind it; of this portal alone."""
    path = request.url.path
    return inside(path.rstrip("/")) if request.method == "GET" and path.endswith("/") else ""
