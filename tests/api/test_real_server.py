"""The proxy between other people's programs: the official client of OpenAI's protocol, and `transformers serve` with a
model of ours. docs/api.md says with which versions this was watched."""

import contextlib
import json
import os
import socket
import subprocess
import sys
import time

import pydantic
import pytest
from transformers import PreTrainedTokenizerFast

from byline.app.home import Home
from byline.app.model import Training
from byline.disclosure import verify_document
from byline.lookup import STANDARD

pytestmark = pytest.mark.slow
openai = pytest.importorskip("openai", reason="needs OpenAI's client: pip install openai")
pytest.importorskip("accelerate", reason="`transformers serve` needs it: pip install accelerate")

SERVE = "import sys; sys.argv[:1] = ['transformers', 'serve']; import transformers.cli.transformers as t; t.main()"
PROXY = "import sys; sys.argv = ['byline', 'proxy', *sys.argv[1:]]; from byline.app.cli import main; main()"
ASK = [{"role": "user", "content": "the river and the boat"}]


class Told(pydantic.BaseModel):
    says: str


@contextlib.contextmanager
def running(program, *words, log):
    """A server of its own process, once it listens; ended by its number."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
    with log.open("w") as out:
        command = [sys.executable, "-c", program, *map(str, words), "--port", str(port), "--host", "127.0.0.1"]
        process = subprocess.Popen(command, stdout=out, stderr=out, env=environment)
        try:
            until = time.monotonic() + 120
            while process.poll() is None and time.monotonic() < until:
                with contextlib.suppress(OSError):
                    socket.create_connection(("127.0.0.1", port), 1).close()
                    break
                time.sleep(0.2)
            else:
                pytest.fail(log.read_text()[-2000:])
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
            process.wait(20)


@pytest.fixture(scope="module")
def model(settled, tmp_path_factory):
    """The tiny project's model, as a folder that `transformers` opens."""
    folder = tmp_path_factory.mktemp("model")
    training = Training.open(Home.open(settled.home), "main")
    made = training.model()
    made.config.use_cache = True
    made.save_pretrained(folder)
    words = PreTrainedTokenizerFast(tokenizer_object=training.corpus.tokenizer)
    words.chat_template = "{% for each in messages %}{{ each['content'] }} {% endfor %}"
    words.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def served(model, tmp_path_factory):
    with running(SERVE, model, log=tmp_path_factory.mktemp("logs") / "serve.log") as address:
        yield address


@pytest.fixture(scope="module")
def client(api, served, tmp_path_factory):
    """The official client, by the proxy; its own tries again are off, so that an error is seen."""
    log = tmp_path_factory.mktemp("logs") / "proxy.log"
    with running(PROXY, "--to", served, "--home", api.home.path, log=log) as address:
        yield openai.OpenAI(base_url=f"{address}/v1", api_key="of no use", max_retries=0, timeout=120)


@pytest.fixture(scope="module")
def terms(model):
    return {"model": str(model), "max_tokens": 24, "temperature": 0}


def kept(api, receipt):
    document = api.all.get(f"/v1/completions/{receipt}").json()
    assert verify_document(document, api.home.public_key).ok
    return document["statement"]


def straight(served, model):
    return openai.OpenAI(base_url=f"{served}/v1", api_key="of no use", max_retries=0, timeout=120)


def test_the_same_words_come_through_whole_and_streamed(api, client, served, terms):
    direct = straight(served, terms["model"])
    for ask, words in (
        (lambda via, **more: via.chat.completions.create(messages=ASK, **terms, **more), chat_words),
        (lambda via, **more: via.completions.create(prompt=ASK[0]["content"], **terms, **more), plain_words),
    ):
        meant, whole = ask(direct), ask(client)
        assert words(whole) == words(meant) and words(whole).strip()
        assert whole.choices[0].finish_reason == meant.choices[0].finish_reason == "length"
        assert whole.usage == meant.usage and whole.model == meant.model
        receipt = whole.byline["receipt"]
        assert kept(api, receipt)["choices"][0]["action"] in ("pass", "flag")
        parts = list(ask(client, stream=True))
        assert "".join(map(streamed_words, parts)) == words(meant)
        ends = [each.finish_reason for part in parts for each in part.choices if each.finish_reason]
        assert ends == ["length"] and {part.byline["receipt"] for part in parts} == {parts[0].byline["receipt"]}
        assert [part.usage for part in parts if part.usage][-1].total_tokens == meant.usage.total_tokens


def chat_words(answer):
    return answer.choices[0].message.content


def plain_words(answer):
    return answer.choices[0].text


def streamed_words(part):
    (choice,) = part.choices or [None]
    if choice is None:
        return ""
    return (choice.delta.content if hasattr(choice, "delta") else choice.text) or ""


def test_the_client_s_own_way_to_read_a_stream_gathers_it(client, terms):
    with client.chat.completions.stream(messages=ASK, **terms) as stream:
        kinds = {event.type for event in stream}
        (choice,) = stream.current_completion_snapshot.choices
    assert "content.delta" in kinds and choice.finish_reason == "length" and choice.message.content


def test_an_answer_that_is_blocked_ends_as_the_client_knows_it(api, served, terms, tmp_path):
    limits = STANDARD.to_json() | {"name": "two words", "least_run": 1}
    limits["opted_out"] = limits["opted_out"] | {"run_words": 1}
    (tmp_path / "guard.json").write_text(json.dumps(limits))
    words = ["--to", served, "--home", api.home.path, "--policy", tmp_path / "guard.json"]
    with running(PROXY, *words, log=tmp_path / "log") as address:
        strict = openai.OpenAI(base_url=f"{address}/v1", api_key="of no use", max_retries=0, timeout=120)
        whole = strict.chat.completions.create(messages=ASK, **terms)
        assert whole.choices[0].finish_reason == "content_filter" and whole.choices[0].byline["action"] == "block"
        assert kept(api, whole.byline["receipt"])["choices"][0]["action"] == "block"
        parts = list(strict.completions.create(prompt="the river and", stream=True, **terms))
        assert parts[-1].choices[0].finish_reason == "content_filter" and parts[-1].choices[0].byline["says"]
        with pytest.raises(openai.ContentFilterFinishReasonError):
            strict.chat.completions.parse(messages=ASK, response_format=Told, **terms)


def test_errors_are_the_client_s_own_errors(client, terms):
    with pytest.raises(openai.UnprocessableEntityError) as refused:
        client.chat.completions.create(messages=ASK, logprobs=True, **terms)
    assert refused.value.code == "not-guarded" and "logprobs" in str(refused.value)
    with pytest.raises(openai.UnprocessableEntityError, match="tools: the answer would hold words"):
        client.chat.completions.create(
            messages=ASK, tools=[{"type": "function", "function": {"name": "look", "parameters": {}}}], **terms
        )
    with pytest.raises(openai.APIStatusError) as theirs:
        client.chat.completions.create(messages=ASK, **(terms | {"max_tokens": "many"}))
    assert theirs.value.status_code >= 400
    with pytest.raises(openai.NotFoundError):
        client.embeddings.create(input="x", model="x")


def test_a_server_that_is_gone_is_an_error_and_the_client_tries_again(api, tmp_path):
    with running(PROXY, "--to", "http://127.0.0.1:9", "--home", api.home.path, log=tmp_path / "log") as address:
        gone = openai.OpenAI(base_url=f"{address}/v1", api_key="of no use", max_retries=1, timeout=60)
        with pytest.raises(openai.InternalServerError) as fault:
            gone.chat.completions.create(messages=ASK, model="x")
        assert fault.value.status_code == 502 and fault.value.code == "upstream-unreachable"
        with pytest.raises(openai.InternalServerError):
            list(gone.completions.create(prompt="x", model="x", stream=True))


def test_who_leaves_in_the_middle_leaves_a_receipt_and_a_server_that_answers(api, client, terms):
    more = terms | {"max_tokens": 60}
    stream = client.chat.completions.create(messages=ASK, stream=True, **more)
    receipt = next(iter(stream)).byline["receipt"]
    stream.close()
    assert client.chat.completions.create(messages=ASK, **terms).choices[0].message.content
    until = time.monotonic() + 30
    while api.all.get(f"/v1/completions/{receipt}").status_code != 200 and time.monotonic() < until:
        time.sleep(0.2)
    assert kept(api, receipt)["id"] == receipt
