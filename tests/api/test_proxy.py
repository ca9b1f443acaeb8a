"""The proxy in front of a server that says what it is told to: what goes through, what is held back, what is kept."""

import contextlib
import json
import socket
import subprocess
import sys
import threading
import time
from datetime import date

import httpx
import pytest
import uvicorn
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, Response, StreamingResponse
from fastapi.testclient import TestClient
from tiny_project import byline

from byline.app.api import proxy_app
from byline.app.lookup import Library
from byline.disclosure import verify_document

OWN = (
    "Nobody wrote this before: seventeen violet tractors argued politely about umbrellas, and then they all went home."
)
PROXY = "import sys; sys.argv = ['byline', 'proxy', *sys.argv[1:]]; from byline.app.cli import main; main()"


class Upstream:
    """A model's server that can lie, break and remember."""

    def __init__(self):
        self.says, self.asked, self.sent, self.breaks = [OWN], [], 0, ""
        self.app = FastAPI()
        self.app.add_api_route("/v1/chat/completions", self.chat, methods=["POST"])
        self.app.add_api_route("/v1/completions", self.complete, methods=["POST"])
        self.app.add_api_route("/v1/models", lambda: {"data": [{"id": "fake"}]}, methods=["GET"])

    async def chat(self, request: Request):
        return self.answer(await request.json(), request, True)

    async def complete(self, request: Request):
        return self.answer(await request.json(), request, False)

    def answer(self, asked, request, chat):
        self.asked.append((asked, dict(request.headers)))
        if self.breaks == "status":
            return JSONResponse({"error": {"message": "overloaded"}}, 529)
        if self.breaks == "html":
            return Response("<html>", media_type="text/html")
        if asked.get("stream"):
            return StreamingResponse(self.events(chat), media_type="text/event-stream")
        choices = [
            {"index": n, "finish_reason": "stop", "logprobs": {"content": [text]}} for n, text in enumerate(self.says)
        ]
        for choice, text in zip(choices, self.says, strict=True):
            if chat:
                choice["message"] = {"role": "assistant", "content": text, "reasoning_content": text}
            else:
                choice["text"] = text
        return {
            "id": "x",
            "object": "o",
            "created": 1,
            "model": "fake",
            "choices": choices,
            "usage": {"total_tokens": 9},
        }

    async def events(self, chat):
        shell = {"id": "x", "object": "chunk", "created": 1, "model": "fake"}
        for n, text in enumerate(self.says):
            for at in range(0, len(text), 5):
                part = text[at : at + 5]
                told = {"delta": {"content": part, "reasoning": part}} if chat else {"text": part, "logprobs": [part]}
                self.sent += 1
                yield f"data: {json.dumps(shell | {'choices': [{'index': n, 'finish_reason': None} | told]})}\n\n"
                if self.breaks == "middle" and at > len(text) // 2:
                    yield "data: {broken\n\n"
                    return
            end = {"delta": {}} if chat else {"text": ""}
            yield f"data: {json.dumps(shell | {'choices': [{'index': n, 'finish_reason': 'length'} | end]})}\n\n"
        yield "data: [DONE]\n\n"


@pytest.fixture
def upstream():
    return Upstream()


@pytest.fixture
def proxy(api, upstream):
    client = httpx.AsyncClient(transport=httpx.ASGITransport(upstream.app))
    with TestClient(proxy_app(api.home, "http://model", client=client)) as asking:
        yield asking


def dov(api):
    """Text of a work whose contributor said no."""
    (work,) = (work for work in api.home.works.values() if work.title == "Dov 1")
    return api.home.registry.text(work.id)


def stream(proxy, path, **body):
    """(text of each choice, why each ended, all chunks, the answer)."""
    answer = proxy.post(path, json={"model": "fake", "stream": True} | body)
    lines = [line.removeprefix("data: ") for line in answer.text.splitlines() if line]
    assert lines[-1] == "[DONE]"
    texts, ends, chunks = {}, {}, [json.loads(line) for line in lines[:-1]]
    for chunk in chunks:
        for choice in chunk.get("choices", []):
            index = choice["index"]
            texts[index] = texts.get(index, "") + (choice.get("text") or choice.get("delta", {}).get("content") or "")
            if choice["finish_reason"]:
                ends[index] = choice["finish_reason"]
    return texts, ends, chunks, answer


def kept(api, answer):
    """What the receipt says, which holds."""
    document = api.all.get(f"/v1/completions/{answer.headers['byline-receipt']}").json()
    assert verify_document(document, api.home.public_key).ok
    return document["statement"]


CHAT, PLAIN = "/v1/chat/completions", "/v1/completions"
BOTH = pytest.mark.parametrize("path", [CHAT, PLAIN])


@BOTH
def test_an_answer_of_its_own_goes_through_with_a_receipt(api, proxy, upstream, path):
    answer = proxy.post(path, json={"model": "fake"}, headers={"Authorization": "Bearer theirs", "Cookie": "mine=1"})
    (choice,) = answer.json()["choices"]
    assert (choice["message"]["content"] if path == CHAT else choice["text"]) == OWN
    assert choice["finish_reason"] == "stop" and choice["byline"]["action"] == "pass"
    assert choice["byline"]["receipt"] == answer.json()["byline"]["receipt"] == answer.headers["byline-receipt"]
    record = kept(api, answer)
    assert (
        record["model"] == "fake" and record["choices"][0]["action"] == "pass" and "tractors" not in json.dumps(record)
    )
    _, headers = upstream.asked[0]
    assert headers["authorization"] == "Bearer theirs" and "cookie" not in headers


@BOTH
def test_a_stream_of_its_own_is_the_same_text(api, proxy, path):
    texts, ends, chunks, answer = stream(proxy, path)
    assert texts == {0: OWN} and ends == {0: "length"}
    assert all(chunk["byline"]["receipt"] == answer.headers["byline-receipt"] for chunk in chunks)
    assert kept(api, answer)["choices"][0]["action"] == "pass"


@BOTH
def test_a_work_that_was_said_no_for_is_held_back(api, proxy, upstream, path):
    text = dov(api)[:900]
    upstream.says = ["As somebody wrote: " + text]
    told = proxy.post(path, json={"model": "fake"})
    (choice,) = told.json()["choices"]
    words = choice["message"]["content"] if path == CHAT else choice["text"]
    assert choice["finish_reason"] == "content_filter" and choice["byline"]["action"] == "block"
    assert "said no" in choice["byline"]["says"] and choice["byline"]["reasons"]
    assert text[:40] not in told.text and len(words) < 40
    texts, ends, chunks, answer = stream(proxy, path)
    assert texts[0] == words and ends == {0: "content_filter"}
    assert chunks[-1]["choices"][0]["byline"]["says"] and text[60:100] not in answer.text
    assert kept(api, answer)["choices"][0]["action"] == "block"


def test_a_block_ends_one_choice_and_not_the_other(api, proxy, upstream):
    upstream.says = [dov(api)[:600], OWN]
    choices = proxy.post(CHAT, json={"n": 2}).json()["choices"]
    assert [choice["finish_reason"] for choice in choices] == ["content_filter", "stop"]
    texts, ends, _, answer = stream(proxy, CHAT, n=2)
    assert ends == {0: "content_filter", 1: "length"} and texts[1] == OWN
    assert [choice["action"] for choice in kept(api, answer)["choices"]] == ["block", "pass"]


@BOTH
def test_words_in_other_forms_are_left_out(api, proxy, upstream, path):
    """Log-probabilities and reasoning repeat the words: what was not checked does not go on."""
    upstream.says = [dov(api)[:600]]
    assert not {"logprobs", "reasoning_content", "reasoning"} & set(
        json.dumps(proxy.post(path, json={}).json()).split('"')
    )
    assert "reasoning" not in stream(proxy, path)[3].text


@pytest.mark.parametrize("wanted", [{"tools": [{}]}, {"logprobs": True}, {"audio": {"voice": "a"}}], ids=str)
def test_what_cannot_be_checked_is_not_asked_for(proxy, upstream, wanted):
    answer = proxy.post(CHAT, json=wanted)
    assert answer.status_code == 422 and answer.json()["error"]["code"] == "not-guarded" and not upstream.asked


def test_a_no_holds_from_the_next_answer_on(api, proxy, upstream):
    (work,) = (work for work in api.home.works.values() if work.title == "Cleo 2")
    upstream.says = [api.home.registry.text(work.id)[:600]]
    before = proxy.post(CHAT, json={}).json()["choices"][0]
    assert before["byline"]["action"] == "flag" and before["finish_reason"] == "stop"
    said = api.all.post("/v1/optouts", json={"target": {"kind": "work", "value": work.id}, "by": "Cleo Marsh"})
    assert said.status_code == 201 and work.id in Library(api.home, date.today()).wanted()[1]
    assert proxy.post(CHAT, json={}).json()["choices"][0]["finish_reason"] == "content_filter"


def test_a_server_that_fails_is_told_as_such(api, proxy, upstream):
    upstream.breaks = "status"
    answer = proxy.post(CHAT, json={})
    assert answer.status_code == 529 and answer.json()["error"]["message"] == "overloaded"
    upstream.breaks = "html"
    answer = proxy.post(CHAT, json={})
    assert answer.status_code == 502 and answer.json()["error"]["code"] == "upstream-unreachable"
    upstream.breaks = "middle"
    texts, _, chunks, answer = stream(proxy, CHAT)
    assert OWN.startswith(texts[0]) and chunks[-1]["error"]["code"] == "upstream-unreachable"
    assert kept(api, answer)["broken"]
    assert proxy.get("/v1/models").json() == {"data": [{"id": "fake"}]}
    for body in (b"{", b"[]", b"\xff"):
        answer = proxy.post(CHAT, content=body)
        assert answer.status_code == 422 and answer.json()["error"]["code"] == "bad-request"


def test_a_server_that_is_not_there(api):
    with TestClient(proxy_app(api.home, "http://127.0.0.1:9")) as asking:
        answer = asking.post(CHAT, json={})
    assert answer.status_code == 502 and answer.json()["error"]["code"] == "upstream-unreachable"


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


@contextlib.contextmanager
def served(app):
    server = uvicorn.Server(uvicorn.Config(app, port=(port := free_port()), log_level="error"))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join()


def test_the_command_stands_in_front_of_a_server(api, upstream):
    """Over real sockets: words come while the model still writes, and a block ends the model's stream too."""
    assert byline("index", "--home", api.home.path).code == 0
    port = free_port()
    with served(upstream.app) as to:
        command = [sys.executable, "-c", PROXY, "--to", to, "--port", str(port), "--home", api.home.path]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            address = f"http://127.0.0.1:{port}"
            until = time.monotonic() + 60
            while time.monotonic() < until:
                with contextlib.suppress(httpx.HTTPError):
                    if httpx.get(f"{address}/v1/models").status_code == 200:
                        break
                time.sleep(0.1)
            upstream.says = [OWN * 3]
            with httpx.stream("POST", f"{address}{CHAT}", json={"stream": True}) as answer:
                chunks = [line for line in answer.iter_lines() if line]
            assert len(chunks) > 20 and chunks[-1] == "data: [DONE]"
            upstream.says, upstream.sent = [dov(api) * 40], 0
            with httpx.stream("POST", f"{address}{PLAIN}", json={"stream": True}) as answer:
                text = answer.read().decode()
            assert "content_filter" in text and upstream.sent < len(dov(api)) * 8
            assert kept(api, answer)["choices"][0]["action"] == "block"
        finally:
            process.terminate()
            process.wait()
