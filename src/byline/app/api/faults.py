"""Errors as answers: {"error": {"code", "what", "fix"}} with the codes of docs/errors.md, and no path of the server."""

import logging
from collections.abc import Awaitable, Callable, Coroutine, MutableMapping
from typing import Any

from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException

from byline.app.api.limits import RETRY_SECONDS
from byline.core import AppError, BylineError

LOG = logging.getLogger("byline.api")
MOST_BYTES = 2_000_000
STATUS = {
    "no-token": 401,
    "out-of-scope": 403,
    "no-payee": 404,
    "unknown-target": 404,
    "key-used": 409,
    "output-exists": 409,
    "not-made-yet": 409,
    "nothing-frozen": 409,
    "index-busy": 409,
    "period-passed": 409,
    "too-large": 413,
    "queue-full": 429,
    "too-many-requests": 429,
    "upstream-unreachable": 502,
}
# The operator's to mend: the caller is told the code and nothing of the inside.
OURS = frozenset(
    "database-unreachable index-damaged index-differs journal-faults log-corrupt log-rewritten lookup-missing "
    "no-driver schema-unknown statement-damaged unreadable work-missing file-system".split()
)


def status_of(code: str) -> int:
    if code in OURS:
        return 503
    return STATUS.get(code, 404 if code.startswith("no-such-") else 422)


def error_body(code: str, what: str, fix: str) -> dict[str, Any]:
    return {"error": {"code": code, "what": what, "fix": fix}}


def answer(error: BylineError) -> JSONResponse:
    """What a caller is told."""
    status = status_of(error.code)
    headers = {"Retry-After": str(RETRY_SECONDS)} if status == 429 else {}
    headers |= {"WWW-Authenticate": "Bearer"} if status == 401 else {}
    if status == 503:
        LOG.error("%s: %s", error.code, error)
        return JSONResponse(error_body(error.code, "the service cannot answer now", "tell the operator"), 503, headers)
    return JSONResponse(error_body(error.code, error.message, error.fix), status, headers)


class ApiRoute(APIRoute):
    """A route whose errors are ours, and whose body ends at MOST_BYTES."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def handler(request: Request) -> Response:
            try:
                return await handle(Request(request.scope, _capped(request.receive)))
            except BylineError as error:
                return answer(error)
            except RequestValidationError as fault:
                return answer(_invalid(fault))
            except HTTPException as fault:
                if isinstance(fault.__cause__, BylineError):
                    return answer(fault.__cause__)
                status = 422 if fault.status_code == 400 else fault.status_code
                return JSONResponse(error_body("bad-request", str(fault.detail), "send JSON"), status)
            except Exception:
                LOG.exception("%s %s", request.method, self.path)
                return JSONResponse(error_body("internal", "a fault of the program", "tell the operator"), 500)

        return handler


def _invalid(fault: RequestValidationError) -> AppError:
    """All that is wrong with a request, at once."""
    said = [f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in fault.errors()[:20]]
    return AppError("bad-request", "; ".join(said)[:2000], "/v1/openapi.json says what each field is")


def _capped(receive: Callable[[], Awaitable[MutableMapping[str, Any]]]) -> Callable[[], Awaitable[Any]]:
    read = 0

    async def capped() -> MutableMapping[str, Any]:
        nonlocal read
        message = await receive()
        read += len(message.get("body", b""))
        if read > MOST_BYTES:
            raise AppError("too-large", f"the request has more than {MOST_BYTES:,} bytes", "send less at once")
        return message

    return capped
