"""How many requests a second the server answers, and how long the slowest twentieth waits.

    python benchmarks/load.py [--seconds 5] [--database URL]

The whole server, `byline serve` with pages and API, runs in a process of its own on this machine; this one asks it
over loopback, each client on one connection that stays open, the next question when the last was answered. Asked are
look-ups of 60-word passages (half of them stand in a work), statements of all payees in turn, and outputs with revenue,
each a new one that is on disk when it is answered. The project is the demo's catalogue, registered, frozen and settled
by an equal division: nothing is trained. Server and clients share the machine. Kept in benchmarks/results/load.json.
"""

import argparse
import asyncio
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
from datetime import date
from itertools import count, cycle
from pathlib import Path

import httpx

from byline.app.api import SCOPES, Tokens, engine_of
from byline.app.corpus import write_demo_catalogue
from byline.app.home import Home
from byline.app.money_files import STANDARD_POLICY

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs" / "api.md"
MARKS = ("<!-- load -->", "<!-- /load -->")
RESULTS = ROOT / "benchmarks" / "results" / "load.json"
CLIENTS = (1, 50)
WORDS = 60
BYLINE = [sys.executable, "-c", "from byline.app.cli import main; main()"]


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


def served(home):
    """(port, process), once it answers."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port = one.getsockname()[1]
    command = [*BYLINE, "serve", "--port", str(port), *map(str, home)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    for _ in range(600):
        try:
            if httpx.get(f"http://127.0.0.1:{port}/v1/openapi.json").status_code == 200:
                return port, process
        except httpx.HTTPError:
            time.sleep(0.1)
    process.kill()
    raise SystemExit("the server did not start")


# --- requests, as bytes


def request(method, path, token, body=None):
    content = json.dumps(body).encode() if body is not None else b""
    head = f"{method} {path} HTTP/1.1\r\nHost: load\r\nAuthorization: Bearer {token}\r\n"
    return f"{head}Content-Type: application/json\r\nContent-Length: {len(content)}\r\n\r\n".encode() + content


def searches(place, token):
    """Passages of the works, and the same words in another order, which stand nowhere."""
    draw, found = random.Random(0), []
    texts = [place.registry.text(work).split() for work in sorted(place.works)]
    for text in (text for text in texts if len(text) > 2 * WORDS):
        at = draw.randrange(len(text) - WORDS)
        passage = text[at : at + WORDS]
        found += [passage, draw.sample(passage, WORDS)]
    return cycle([request("POST", "/v1/lookups", token, {"text": " ".join(words)}) for words in found])


def statements(port, token):
    answer = httpx.get(f"http://127.0.0.1:{port}/v1/statements?limit=200", headers={"Authorization": f"Bearer {token}"})
    return cycle([request("GET", f"/v1/statements/{each['party']}", token) for each in answer.json()["items"]])


def outputs(token):
    for number in count():
        body = {"output": f"{os.getpid()} {number}", "received": "2026-11-20", "licensee": "Model Co"}
        yield request("POST", "/v1/outputs", token, body | {"amount": "0.0125", "currency": "EUR"})


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


def measured(port, kinds, seconds):
    found = {}
    for name, (requests, warm) in kinds.items():
        asyncio.run(load(port, requests, 1, warm))
        found[name] = [asyncio.run(load(port, requests, clients, seconds)) for clients in CLIENTS]
        for row in found[name]:
            print(f"{name:<12}{row['clients']:>4} clients", end="")
            print(
                f"{row['per_s']:>8.1f} requests/s   p50 {row['p50_ms']:>7.1f} ms   p95 {row['p95_ms']:>7.1f} ms", end=""
            )
            print(f"   {row['errors']} errors of {row['requests']}", flush=True)
    return found


def main():
    options = argparse.ArgumentParser()
    options.add_argument("--seconds", type=float, default=5.0)
    options.add_argument("--database", help="An empty database; default: SQLite in a temporary folder.")
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
    with tempfile.TemporaryDirectory() as folder:
        place, token, home = project(Path(folder), asked.database)
        port, process = served(home)
        try:
            kinds = {
                "search": (searches(place, token), 2.0),
                "statement": (statements(port, token), asked.seconds),  # the first of each is drawn up
                "POST output": (outputs(token), 0.5),
            }
            told |= {"works": len(place.works), "seconds": asked.seconds, "kinds": measured(port, kinds, asked.seconds)}
        finally:
            process.terminate()
            process.wait()
    asked.out.write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")
    if asked.out == RESULTS:
        text = DOCS.read_text(encoding="utf-8")
        start, end = text.index(MARKS[0]) + len(MARKS[0]), text.index(MARKS[1])
        DOCS.write_text(text[:start] + "\n" + table(told) + text[end:], encoding="utf-8")


def table(told):
    """What docs/api.md shows of it."""
    lines = ["| asked | clients | requests a second | median | p95 |", "|---|---|---|---|---|"]
    for name, rows in told["kinds"].items():
        lines += [
            f"| {name} | {r['clients']} | {r['per_s']:.0f} | {r['p50_ms']:.0f} ms | {r['p95_ms']:.0f} ms |"
            for r in rows
        ]
    where = f"{told['made']}, commit {told['commit']}, {told['hardware']}, {told['database']}, {told['works']} works; "
    busy = f"load of the machine before: {told['load_before']}."
    return "\n".join([*lines, "", where + busy, ""])


def commit():
    asked = ["git", "rev-parse", "--short", "HEAD"]
    return subprocess.run(asked, cwd=ROOT, capture_output=True, text=True).stdout.strip()


if __name__ == "__main__":
    main()
