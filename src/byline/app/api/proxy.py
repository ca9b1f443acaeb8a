"""A proxy in front of any server that speaks OpenAI's protocol: what it generates is held against the works while it
streams, and each answer gets the id of a signed receipt. Nothing of the engine is touched.
"""

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Any

import httpx
from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import JSONResponse, StreamingResponse

from byline.app.api.completions import Receipts, new_receipt
from byline.app.api.current import Place
from byline.app.api.faults import ApiRoute, error_body
from byline.app.api.guarded import Checked, Told, sse
from byline.app.home import Home
from byline.app.lookup import guard_of
from byline.core import AppError, digest
from byline.lookup import STANDARD, Guard, GuardPolicy

LOG = logging.getLogger("byline.proxy")
RECEIPT = "Byline-Receipt"
# What asks for words in a form that the guard does not read.
NOT_GUARDED = ("tools", "functions", "logprobs", "top_logprobs", "audio", "modalities", "echo", "suffix")
SECONDS = httpx.Timeout(600, connect=10)
ENTER_SECONDS = 60  # how long a receipt waits for the log, at most
DONE = b"data: [DONE]\n\n"
BAD_ANSWER = "the model's server answered with something that is no completion"


def proxy_app(home: Home, to: str, policy: GuardPolicy = STANDARD, client: httpx.AsyncClient | None = None) -> FastAPI:
    """`to`: address of the server, with or without /v1. `client`: for tests.

    Raises: LookupFault("bad-policy").
    """
    place, upstream = Place(home), client or httpx.AsyncClient(timeout=SECONDS)
    guard_of(place.lookup, policy)  # what is wrong with the policy or the index shows now

    proxy = _Proxy(place, to.rstrip("/").removesuffix("/v1") + "/v1", policy, upstream)

    @asynccontextmanager
    async def life(_: FastAPI) -> AsyncIterator[None]:
        entering = asyncio.create_task(_entering(proxy.receipts))
        yield
        entering.cancel()
        with suppress(asyncio.CancelledError):
            await entering
        await run_in_threadpool(_enter, proxy.receipts)
        await upstream.aclose()

    api = APIRouter(prefix="/v1", route_class=_Route)
    api.add_api_route("/chat/completions", proxy.chat, methods=["POST"])
    api.add_api_route("/completions", proxy.complete, methods=["POST"])
    api.add_api_route("/models", proxy.models, methods=["GET"])
    app = FastAPI(title="Byline proxy", docs_url=None, redoc_url=None, openapi_url=None, lifespan=life,
                  redirect_slashes=False)  # fmt: skip
    app.include_router(api)
    return app


class _Route(ApiRoute):
    """Errors in our words, and once more in the field where clients of this protocol look for them."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def handler(request: Request) -> Response:
            answer = await handle(request)
            if not isinstance(answer, JSONResponse) or answer.status_code < 400:
                return answer
            headers = {
                name: value for name, value in answer.headers.items() if name in ("retry-after", RECEIPT.lower())
            }
            return JSONResponse(_worded(json.loads(bytes(answer.body))), answer.status_code, headers)

        return handler


def _worded(told: dict[str, Any]) -> dict[str, Any]:
    error = told["error"]
    return {"error": error | {"message": f"{error['what']}; {error['fix']}", "type": "byline_error", "param": None}}


async def _entering(receipts: Receipts) -> None:
    while True:
        await run_in_threadpool(_enter, receipts)
        await asyncio.sleep(ENTER_SECONDS)


def _enter(receipts: Receipts) -> None:
    """What goes wrong with the log does not stop the proxy: the receipts are signed, and wait."""
    try:
        receipts.enter()
    except Exception:
        LOG.exception("receipts wait for the log")


class _Proxy:
    def __init__(self, place: Place, to: str, policy: GuardPolicy, client: httpx.AsyncClient) -> None:
        self.place, self.to, self.policy, self.client = place, to, policy, client
        self.receipts, self.policy_sha256 = Receipts(place), digest(policy.to_json())

    async def chat(self, request: Request) -> Response:
        return await self._ask(request, "/chat/completions", chat=True)

    async def complete(self, request: Request) -> Response:
        return await self._ask(request, "/completions", chat=False)

    async def models(self, request: Request) -> Response:
        answer = await self._send(self.client.build_request("GET", f"{self.to}/models", headers=_headers(request)))
        return await _as_it_is(answer)

    async def _ask(self, request: Request, path: str, chat: bool) -> Response:
        asked = _asked(await request.body())
        sent = self.client.build_request("POST", f"{self.to}{path}", headers=_headers(request), json=asked)
        guard, against = await run_in_threadpool(self._guard)
        answer = await self._send(sent)
        if answer.status_code != 200:
            return await _as_it_is(answer)
        checked = Checked(guard, new_receipt(), _choices(asked), against)
        headers = {RECEIPT: checked.receipt}
        if answer.headers.get("content-type", "").startswith("text/event-stream"):
            return StreamingResponse(self._stream(answer, checked, chat), 200, headers, "text/event-stream")
        return await self._whole(answer, checked, chat, headers)

    def _guard(self) -> tuple[Guard, Told]:
        library = self.place.lookup
        against = {"works": len(library.corpus.works), "opted_out": len(library.opted_out.works)}
        return guard_of(library, self.policy), against

    async def _send(self, request: httpx.Request) -> httpx.Response:
        """Raises: AppError("upstream-unreachable")."""
        try:
            return await self.client.send(request, stream=True)
        except httpx.HTTPError as fault:
            what = f"the model's server did not answer: {type(fault).__name__}"
            raise AppError("upstream-unreachable", what, "check that it runs, and --to") from fault

    async def _whole(self, answer: httpx.Response, checked: Checked, chat: bool, headers: dict[str, str]) -> Response:
        """Nothing goes out before its record is kept."""
        try:
            body = json.loads(await answer.aread())
            told = await run_in_threadpool(checked.whole, body, chat)
        except (httpx.HTTPError, ValueError, KeyError, TypeError, AttributeError):
            return JSONResponse(error_body("upstream-unreachable", BAD_ANSWER, "look at its logs"), 502)
        await run_in_threadpool(self._keep, checked)
        return JSONResponse(told, 200, headers)

    async def _stream(self, answer: httpx.Response, checked: Checked, chat: bool) -> AsyncIterator[bytes]:
        """Chunks as they may go on. The record is kept at the end, however it comes: also if the caller leaves."""
        try:
            async for told in self._chunks(answer, checked, chat):
                yield sse(told)
            yield DONE
        finally:
            await answer.aclose()
            self._keep(checked)

    def _keep(self, checked: Checked) -> None:
        policy = {"policy": self.policy.name, "policy_sha256": self.policy_sha256}
        self.receipts.keep(checked.receipt, checked.record() | policy | checked.against)

    async def _chunks(self, answer: httpx.Response, checked: Checked, chat: bool) -> AsyncIterator[Told]:
        last: Mapping[str, Any] = {}
        try:
            async for line in answer.aiter_lines():
                data = line.removeprefix("data:").strip() if line.startswith("data:") else ""
                if data == "[DONE]":
                    break
                if not data:
                    continue
                last = json.loads(data)
                for told in checked.event(last, chat):
                    yield told
                if checked.stopped:
                    return
        except (httpx.HTTPError, ValueError, KeyError, TypeError, AttributeError) as fault:
            LOG.warning("%s: the stream broke: %s", checked.receipt, type(fault).__name__)
            checked.broken = BAD_ANSWER
        for told in checked.rest(last, chat):
            yield told
        if checked.broken:
            yield _worded(error_body("upstream-unreachable", BAD_ANSWER, "ask again"))


def _asked(body: bytes) -> dict[str, Any]:
    """Raises: AppError("bad-request"), AppError("not-guarded")."""
    try:
        asked = json.loads(body)
    except (ValueError, RecursionError) as fault:
        raise AppError("bad-request", "the request is not JSON", "send a JSON object") from fault
    if not isinstance(asked, dict):
        raise AppError("bad-request", "the request is no object", "send a JSON object")
    wanted = [name for name in NOT_GUARDED if asked.get(name)]
    if wanted:
        what = f"{', '.join(wanted)}: the answer would hold words that cannot be held against the works"
        raise AppError("not-guarded", what, f"leave out {', '.join(wanted)}")
    return asked


def _choices(asked: Mapping[str, Any]) -> int:
    """How many choices the answer will have."""
    prompt, each = asked.get("prompt"), asked.get("n")
    several = isinstance(prompt, list) and prompt and not isinstance(prompt[0], int)
    return (each if isinstance(each, int) and each > 0 else 1) * (len(prompt) if several and prompt else 1)


def _headers(request: Request) -> dict[str, str]:
    """The caller's key goes on to the server; nothing else does."""
    given = request.headers.get("authorization")
    return {"authorization": given} if given else {}


async def _as_it_is(answer: httpx.Response) -> Response:
    """Errors and lists hold no words of the model."""
    try:
        body = await answer.aread()
    finally:
        await answer.aclose()
    return Response(body, answer.status_code, media_type=answer.headers.get("content-type"))
