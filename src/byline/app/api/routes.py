"""The API under /v1 as one router, to be mounted by any application."""

from collections.abc import Sequence
from typing import Any

from fastapi import APIRouter, FastAPI, Request
from fastapi.openapi.utils import get_openapi
from fastapi.responses import JSONResponse
from starlette.routing import Match
from starlette.types import Receive, Scope, Send

from byline.app.api.asking import Door
from byline.app.api.counts import open_counts
from byline.app.api.current import Place
from byline.app.api.faults import ApiRoute, error_body
from byline.app.api.guarding import add_guard
from byline.app.api.limits import Buckets
from byline.app.api.making_routes import add_making
from byline.app.api.reading_routes import add_reading
from byline.app.home import Home

VERSION = "1.0"


class _Nothing:
    """What answers where nothing is, by whatever method, also one that was invented since."""

    def __init__(self, described: Sequence[Any]) -> None:
        self._described = described

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope)
        allowed = sorted({method for route in self._described for method in _methods(route, request)})
        body = error_body("no-such-page", "there is no such address", "see /v1/openapi.json")
        if allowed:
            body = error_body("wrong-method", f"{request.method} is not for this address", f"use {', '.join(allowed)}")
        answer = JSONResponse(body, 405 if allowed else 404, {"Allow": ", ".join(allowed)} if allowed else None)
        await answer(scope, receive, send)


def router(home: Home) -> APIRouter:
    """Everything under /v1. `home`: the project folder; the router keeps its database connections open."""
    place = Place(home)
    api = APIRouter(prefix="/v1", route_class=ApiRoute, tags=["byline"])
    door = Door(place, Buckets(open_counts(home)))
    add_reading(api, place, door)
    add_making(api, place, door)
    add_guard(api, place, door)
    described = list(api.routes)

    @api.get("/openapi.json", include_in_schema=False)
    def openapi() -> dict[str, Any]:
        return get_openapi(title="Byline", version=VERSION, routes=described)

    nothing: Any = _Nothing(described)  # a function would be asked by GET alone
    api.add_route("/v1/{rest:path}", nothing, include_in_schema=False)
    return api


def api_app(home: Home) -> FastAPI:
    """The API alone, without the portal's pages."""
    app = FastAPI(title="Byline", version=VERSION, docs_url=None, redoc_url=None, openapi_url=None,
                  redirect_slashes=False)  # fmt: skip
    app.include_router(router(home))
    return app


def _methods(route: Any, request: Request) -> set[str]:
    match, _ = route.matches(request.scope)
    return set(route.methods) if match is Match.PARTIAL else set()
