"""How many requests a second the server answers, and how long the slowest twentieth waits.

    python benchmarks/load.py [--seconds 5] [--database URL] [--works 100000]

The whole server, `byline serve` with pages and API, runs in a process of its own on this machine; this one asks it
over loopback, each client on one connection that stays open, the next question when the last was answered. Asked are
look-ups and guards of 60-word passages (half of them stand in a work), statements of all payees in turn, and outputs
with revenue, each a new one that is on disk when it is answered. The project is the demo's catalogue, registered,
frozen and settled by an equal division: nothing is trained. Server and clients share the machine.

Three comparisons, each a ratio of requests a second, and of the server's processor time for an answer, which other
programs on the machine change little; one server after the other:
- pages and lists over a register of 100,000 works (rows without texts), and over the demo's;
- limits counted by all processes together, and by each for itself: 400 tokens of 600 requests a minute in turn;
- the proxy with signed receipts that enter the log, with records that are not signed, and the model's server alone,
  which answers 60 words at once, as it is.

Kept in benchmarks/results/load.json.
"""

import argparse
import asyncio
import contextlib
import json
import os
import platform
import random
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import UTC, date, datetime
from itertools import count, cycle
from pathlib import Path
from urllib.parse import quote, urlencode

import httpx

from byline.app.api import SCOPES, Tokens, engine_of
from byline.app.api.asking import cursor_of
from byline.app.corpus import write_demo_catalogue
from byline.app.home import Home
from byline.app.money_files import STANDARD_POLICY
from byline.app.portal.accounts import Role as Staff
from byline.app.portal.accounts import open_accounts
from byline.core import Contribution, Role, Work, account_id, party_id, sha256_hex, work_id
from byline.registry import schema, writing
from byline.registry.register_rows import add_works, insert_rows
from byline.registry.terms import add_name_terms

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs" / "api.md"
MARKS = ("<!-- load -->", "<!-- /load -->")
RESULTS = ROOT / "benchmarks" / "results" / "load.json"
CLIENTS = (1, 50)
WORDS = 60
MAIN = "from byline.app.cli import main; main()"
BYLINE = [sys.executable, "-c", MAIN]
TOKENS = 400
PEOPLE = 10_000
# The portal admits thirty searches a minute from one address: here it admits all.
EVERY_SEARCH = "from byline.app.portal.visit import Meter; Meter.admits = lambda *_: True"
NOUNS = (
    "river stone night wool star boat bridge moon loom bank glass field harbour winter letter garden copper silence "
    "orchard engine mirror island thunder ribbon lantern meadow cabin anchor violet hammer candle desert falcon "
    "marble needle ocean pepper saddle tunnel whistle"
).split()
ALONE = """
from byline.app.api.counts import Counts
held = {}
def change(self, key, until, now, by):
    held[key], answer = by(held.get(key, []))
    return answer
Counts.change = change
"""
UNSIGNED = """
import json
import sqlalchemy as sa
from byline.app.api.completions import Receipts
from byline.app.api.tables import COMPLETIONS
from byline.app.api.tokens import now
from byline.registry import writing
def keep(self, receipt, told):
    with writing(self._engine) as connection:
        row = {"id": receipt, "at": now(), "body": json.dumps(told, sort_keys=True)}
        connection.execute(sa.insert(COMPLETIONS), [row])
Receipts.keep = keep
"""


# --- the project and its server


def project(folder, database):
    """The demo's catalogue as a settled project, and a token that opens everything."""
    files = write_demo_catalogue(folder / "catalogue", date(2026, 1, 1), date(2026, 9, 1))
    (folder / "events.csv").write_text("received,licensee,amount,currency\n2026-10-01,Model Co,1000.00,EUR\n")
    policy = STANDARD_POLICY.to_json() | {"id": "policy:equal", "train_share_ppm": 1_000_000}
    (folder / "policy.json").write_text(json.dumps(policy))
    home = ["--home", folder / "home"] + (["--database", database] if database else [])
    run("register", files.works, "--splits", files.splits, "--opt-outs", files.opt_outs, *home)
    run("freeze", *home)
    run("settle", folder / "events.csv", "--policy", folder / "policy.json", *home)
    run("index", *home)
    place = Home.open(folder / "home", database)
    return place, Tokens(engine_of(place)).new("load", SCOPES, per_minute=10_000_000)[1], home


def run(*command):
    subprocess.run([*BYLINE, *map(str, command)], check=True, stdout=subprocess.DEVNULL)


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


@contextlib.contextmanager
def served(home, *command, first="", answers="/v1/openapi.json"):
    """Port and process id of a server, once it answers. `first`: what it does before it begins."""
    port = free_port()
    command = [sys.executable, "-c", f"{first}\n{MAIN}", *command, "--port", str(port), *map(str, home)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait(process, f"http://127.0.0.1:{port}{answers}")
        yield port, process.pid
    finally:
        process.terminate()
        process.wait()


def wait(process, address):
    for _ in range(1200):
        with contextlib.suppress(httpx.HTTPError):
            if httpx.get(address).status_code == 200:
                return
        if process.poll() is not None:
            break
        time.sleep(0.1)
    raise SystemExit("the server did not start")


def large(folder, database, count):
    """A register of so many works, most of them as rows alone, by PEOPLE people."""
    home = ["--home", folder] + (["--database", database] if database else [])
    run("register", folder.parent / "catalogue" / "works.csv", *home)
    place, account = Home.open(folder, database), account_id("load")
    people = [(party_id(f"Person {n}"), f"Person {n} Family{n % 997}") for n in range(PEOPLE)]
    with writing(place.journal.engine) as connection:
        insert_rows(connection, schema.accounts, [{"id": account, "name": "load"}])
        insert_rows(connection, schema.parties, [{"id": party, "name": name} for party, name in people])
        add_name_terms(connection, people)
        for at in range(0, count, 5_000):
            add_works(connection, [_row(n, account) for n in range(at, min(count, at + 5_000))], date(2026, 1, 1))
    return place, Tokens(engine_of(place)).new("load", SCOPES, per_minute=10_000_000)[1], home


def _row(number, account):
    title = f"{NOUNS[number % 40]} and {NOUNS[number // 40 % 40]} number {number}"
    digest, by = sha256_hex(str(number).encode()), Contribution(party_id(f"Person {number % PEOPLE}"), Role.AUTHOR)
    source = f"https://site{number % 5000}.example.org/{number}"
    return Work(work_id(account, title, digest), title, "text", account, (by,), date(2000, 1, 1), source, "", digest)


# --- requests, as bytes


def request(method, path, token, body=None):
    content = json.dumps(body).encode() if body is not None else b""
    head = f"{method} {path} HTTP/1.1\r\nHost: load\r\nAuthorization: Bearer {token}\r\n"
    return f"{head}Content-Type: application/json\r\nContent-Length: {len(content)}\r\n\r\n".encode() + content


def passages(place):
    """Passages of the works, and the same words in another order, which stand nowhere."""
    draw, found = random.Random(0), []
    texts = [place.registry.text(work).split() for work in sorted(place.works)]
    for text in (text for text in texts if len(text) > 2 * WORDS):
        at = draw.randrange(len(text) - WORDS)
        passage = text[at : at + WORDS]
        found += [" ".join(passage), " ".join(draw.sample(passage, WORDS))]
    return found


def about(path, token, texts):
    return cycle([request("POST", path, token, {"text": text}) for text in texts])


def statements(port, token):
    answer = httpx.get(f"http://127.0.0.1:{port}/v1/statements?limit=200", headers={"Authorization": f"Bearer {token}"})
    return cycle([request("GET", f"/v1/statements/{each['party']}", token) for each in answer.json()["items"]])


def outputs(token):
    for number in count():
        body = {"output": f"{os.getpid()} {number}", "received": "2026-11-20", "licensee": "Model Co"}
        yield request("POST", "/v1/outputs", token, body | {"amount": "0.0125", "currency": "EUR"})


def pages(port, place, token):
    """Pages and lists of a register, each of many in turn."""
    draw, works, people = random.Random(0), place.shelf.works(), sorted(place.names)
    ids = [work.id for at in range(20) for work in place.shelf.by_title(draw.randrange(works), 5)]
    titles = [place.works[work].title for work in ids]
    front = httpx.get(f"http://127.0.0.1:{port}/")
    form = front.text.partition('name="token" value="')[2].partition('"')[0]
    cookie = f"byline_visit={front.cookies['byline_visit']}"
    asked = {
        "front page": ["/"],
        "works, a page": [f"/works?page={draw.randrange(1, max(2, works // 50))}" for _ in range(200)],
        "one work": [f"/works/{work}" for work in ids],
        "a contributor": [f"/contributors/{draw.choice(people)}" for _ in range(200)],
        "search by name": [draw.choice([place.names[p] for p in people[:500]]) for _ in range(200)],
        "search by title": [draw.choice(titles) for _ in range(200)],
        "API: a list": [f"/v1/works?limit=50&cursor={cursor_of(work)}" for work in ids],
        "API: by title": [f"/v1/works?limit=50&title={quote(title.split()[0])}" for title in titles],
    }
    found = {
        name: (cycle([looked(each, token, cookie, form if "search" in name else None) for each in some]), 0.5)
        for name, some in asked.items()
    }
    inside, entered = (
        {"the form of a no": [f"/no?of={work}" for work in ids], "the review": ["/office"]},
        entry(port, place),
    )
    return found | {name: (cycle([seen(path, entered) for path in some]), 0.5) for name, some in inside.items()}


def entry(port, place):
    """The cookie of somebody who is signed in, as an officer too."""
    accounts, base = open_accounts(place.journal.engine), f"http://127.0.0.1:{port}"
    accounts.invite("load@example.org", [Staff.OFFICER], None)
    link = accounts.new_link("load@example.org", "", datetime.now(UTC))
    with httpx.Client(base_url=base) as browser:
        form = browser.get("/enter", params={"link": link}).text.partition('name="token" value="')[2].partition('"')[0]
        browser.post("/enter", data={"link": link, "token": form})
        return f"byline_visit={browser.cookies['byline_visit']}"


def seen(path, cookie):
    return f"GET {path} HTTP/1.1\r\nHost: load\r\nCookie: {cookie}\r\nContent-Length: 0\r\n\r\n".encode()


def looked(what, token, cookie, form):
    if form is None:
        return request("GET", what, token)
    content = urlencode({"token": form, "text": what}).encode()
    head = f"POST /search HTTP/1.1\r\nHost: load\r\nCookie: {cookie}\r\n"
    kind = f"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {len(content)}\r\n\r\n"
    return (head + kind).encode() + content


# --- the load


async def client(port, requests, until, took, wrong):
    """Ask until the time is over, and note how long each answer took, in seconds."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    while time.perf_counter() < until:
        began = time.perf_counter()
        writer.write(next(requests))
        head = await reader.readuntil(b"\r\n\r\n")
        lines = dict(line.split(": ", 1) for line in head.decode().lower().split("\r\n")[1:-2])
        await reader.readexactly(int(lines["content-length"]))
        took.append(time.perf_counter() - began)
        status = int(head.split(b" ", 2)[1])
        if status >= 300:
            wrong.append(status)
    writer.close()


async def load(port, requests, clients, seconds):
    took, wrong, began = [], [], time.perf_counter()
    await asyncio.gather(*(client(port, requests, began + seconds, took, wrong) for _ in range(clients)))
    lasted = time.perf_counter() - began
    cuts = statistics.quantiles(took, n=100) if len(took) > 1 else took * 99
    told = {"clients": clients, "requests": len(took), "errors": len(wrong), "per_s": round(len(took) / lasted, 1)}
    return told | {"p50_ms": round(1e3 * cuts[49], 1), "p95_ms": round(1e3 * cuts[94], 1)}


def cpu_seconds(pid):
    """What a process has used so far, of all cores."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def asked_of(server, requests, clients, seconds):
    """As `load`, with the processor time that an answer took the server: other programs change it little."""
    port, pid = server
    before = cpu_seconds(pid)
    told = await load(port, requests, clients, seconds)
    return told | {"cpu_ms": round(1e3 * (cpu_seconds(pid) - before) / max(1, told["requests"]), 2)}


def measured(server, kinds, seconds):
    found = {}
    for name, (requests, warm) in kinds.items():
        asyncio.run(load(server[0], requests, 1, warm))
        found[name] = [asyncio.run(asked_of(server, requests, clients, seconds)) for clients in CLIENTS]
        for row in found[name]:
            print(f"{name:<12}{row['clients']:>4} clients", end="")
            print(
                f"{row['per_s']:>8.1f} requests/s   p50 {row['p50_ms']:>7.1f} ms   p95 {row['p95_ms']:>7.1f} ms", end=""
            )
            print(f"   cpu {row['cpu_ms']:>6.1f} ms   {row['errors']} errors of {row['requests']}", flush=True)
    return found


# --- comparisons


def scale(folder, database, count, demo, seconds):
    """The same pages over the demo's works and over so many."""
    place, token, options = large(folder / "large", database, count)
    found = {}
    for name, (home, opened, of) in {"small": demo, "large": (options, place, token)}.items():
        with served(home, "serve", first=EVERY_SEARCH) as server:
            told = measured(server, pages(server[0], opened, of), seconds)
        found[name] = {"works": len(opened.works), "kinds": told}
    return found


def limits(place, home, seconds):
    """Many tokens, each with the limit that tokens have: counted together, and by the process for itself."""
    tokens = Tokens(engine_of(place))
    secrets = [tokens.new(f"load {n}", ["works:read"])[1] for n in range(TOKENS)]
    asked = [request("GET", "/v1/works?limit=1", secret) for secret in secrets]
    found = {}
    for name, first in (("each process for itself", ALONE), ("all processes together", "")):
        with served(home, "serve", first=first) as server:
            found |= measured(server, {name: (cycle(asked), 0.5)}, seconds)
    return found


def proxied(home, texts, seconds):
    """A model's server that answers at once, by itself and behind the proxy."""
    answered = {"choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant"}}], "model": "load"}
    answered["choices"][0]["message"]["content"] = texts[1]
    upstream = free_port()
    process = subprocess.Popen([sys.executable, "-c", MODEL, str(upstream), json.dumps(answered)])
    found, asked = {}, cycle([request("POST", "/v1/chat/completions", "none", {"messages": []})])
    try:
        wait(process, f"http://127.0.0.1:{upstream}/v1/models")
        found |= measured((upstream, process.pid), {"the model alone": (asked, 0.5)}, seconds)
        to = ("proxy", "--to", f"http://127.0.0.1:{upstream}")
        for name, first in (("records, not signed", UNSIGNED), ("signed receipts", "")):
            with served(home, *to, first=first, answers="/v1/models") as server:
                found |= measured(server, {name: (asked, 0.5)}, seconds)
    finally:
        process.kill()
        process.wait()
    return found


MODEL = """
import sys
import uvicorn
async def app(scope, receive, send):
    if scope["type"] == "http":
        while (await receive()).get("more_body"):
            pass
        body = sys.argv[2].encode()
        head = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": 200, "headers": head})
        await send({"type": "http.response.body", "body": body})
uvicorn.run(app, port=int(sys.argv[1]), log_level="error", lifespan="off")
"""


def main():
    options = argparse.ArgumentParser()
    options.add_argument("--seconds", type=float, default=5.0)
    options.add_argument("--works", type=int, default=100_000, help="How many the large register has.")
    options.add_argument("--database", help="An empty database; default: SQLite in a temporary folder.")
    options.add_argument("--database-large", help="Another, for the large register.")
    options.add_argument("--out", type=Path, default=RESULTS)
    asked = options.parse_args()
    told = {
        "made": date.today().isoformat(),
        "commit": commit(),
        "database": "postgresql" if asked.database else "sqlite",
    }
    system = f"{platform.system()}, Python {platform.python_version()}"
    told |= {
        "hardware": f"{os.cpu_count()} x {platform.machine()}, {system}",
        "load_before": round(os.getloadavg()[0], 1),
    }
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        place, token, home = project(folder, asked.database)
        texts = passages(place)
        with served(home, "serve") as server:
            kinds = {
                "search": (about("/v1/lookups", token, texts), 2.0),
                "guard": (about("/v1/guard", token, texts), 0.5),
                "statement": (statements(server[0], token), asked.seconds),  # the first of each is drawn up
                "POST output": (outputs(token), 0.5),
            }
            told |= {
                "works": len(place.works),
                "seconds": asked.seconds,
                "kinds": measured(server, kinds, asked.seconds),
            }
        told["scale"] = scale(folder, asked.database_large, asked.works, (home, place, token), asked.seconds)
        told["limits"] = limits(place, home, asked.seconds)
        told["proxy"] = proxied(home, texts, asked.seconds)
    asked.out.write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")
    if asked.out == RESULTS:
        text = DOCS.read_text(encoding="utf-8")
        start, end = text.index(MARKS[0]) + len(MARKS[0]), text.index(MARKS[1])
        DOCS.write_text(text[:start] + "\n" + table(told) + text[end:], encoding="utf-8")


def table(told):
    """What docs/api.md shows of it."""
    lines = ["| asked | clients | requests a second | median | p95 | processor |", "|---|---|---|---|---|---|"]
    for name, rows in told["kinds"].items():
        lines += [
            f"| {name} | {r['clients']} | {r['per_s']:.0f} | {r['p50_ms']:.0f} ms | {r['p95_ms']:.0f} ms | "
            f"{r['cpu_ms']:.1f} ms |"
            for r in rows
        ]
    return "\n".join([*lines, "", *scale_table(told["scale"]), "", *ratio_lines(told), "", where(told), ""])


def scale_table(told):
    """Requests a second and processor time over the large register, over those over the small one."""
    small, big = told["small"], told["large"]
    of = [f"{each['works']:,} works: a second | p95 | processor" for each in (small, big)]
    lines = [f"| asked | clients | {' | '.join(of)} | a second, ratio | processor, ratio |", "|---" * 10 + "|"]
    for name, rows in small["kinds"].items():
        for few, many in zip(rows, big["kinds"][name], strict=True):
            cells = [f"{e['per_s']:.0f} | {e['p95_ms']:.0f} ms | {e['cpu_ms']:.1f} ms" for e in (few, many)]
            lines.append(f"| {name} | {few['clients']} | {' | '.join(cells)} | {ratios(few, many)} |")
    return lines


def ratio_lines(told):
    """The same of each, over the first of its group."""
    head = "| compared | clients | a second | p95 | processor | a second, ratio | processor, ratio |"
    lines = [head, "|---" * 7 + "|"]
    for group, base in (("limits", "each process for itself"), ("proxy", "records, not signed")):
        for name, rows in told[group].items():
            for row, first in zip(rows, told[group][base], strict=True):
                cells = f"{row['clients']} | {row['per_s']:.0f} | {row['p95_ms']:.0f} ms | {row['cpu_ms']:.1f} ms"
                lines.append(f"| {group}: {name} | {cells} | {ratios(first, row)} |")
    return lines


def ratios(one, other):
    return f"{other['per_s'] / one['per_s']:.2f} | {other['cpu_ms'] / max(0.01, one['cpu_ms']):.2f}"


def where(told):
    at = f"{told['made']}, commit {told['commit']}, {told['hardware']}, {told['database']}, {told['works']} works; "
    return at + f"load of the machine before: {told['load_before']}."


def commit():
    asked = ["git", "rev-parse", "--short", "HEAD"]
    return subprocess.run(asked, cwd=ROOT, capture_output=True, text=True).stdout.strip()


if __name__ == "__main__":
    main()
