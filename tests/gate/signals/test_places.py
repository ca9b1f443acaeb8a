"""Files, folders that mirror a site, and web archives; the command over them."""

import gzip
import json
from datetime import UTC, datetime

import pytest
from typer.testing import CliRunner

from byline.app.cli import app
from byline.core import GateError
from byline.gate.signals import Options, Reading, access, canonical, kind_of, read_place
from byline.gate.signals.conformance import fixtures, run

AT = datetime(2026, 11, 22, tzinfo=UTC)
NO_AI = b'<html><head><meta name="robots" content="noai"></head><body>text</body></html>'
ROBOTS = (
    b"User-agent: *\nContent-Usage: train-ai=n\nContent-Usage: /open/ train-ai=y\nLicense: https://h.example/l.rsl\n"
)
RSL = b'<rsl xmlns="https://rslstandard.org/rsl"><content url="/"><license><permits type="usage">search</permits></license></content></rsl>'  # noqa: E501


def answers_by_path(place, **more):
    return {answer.path: answer for answer in read_place(place, AT, options=Options(), **more)}


@pytest.fixture
def site(tmp_path, files):
    for name, body in {
        "robots.txt": ROBOTS,
        "l.rsl": RSL,
        ".well-known/tdmrep.json": b'[{"location": "/img/", "tdm-reservation": 1}]',
        "index.html": NO_AI,
        "open/page.html": b"<html><head></head><body>text</body></html>",
        "open/words.txt": b"words",
        "img/a.jpg": (files / "plain.jpg").read_bytes(),
    }.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(body)
    return tmp_path


def test_a_folder_is_a_site_whose_files_at_the_top_speak_of_all_others(site):
    found = answers_by_path(site)
    assert set(found) == {"/index.html", "/open/page.html", "/open/words.txt", "/img/a.jpg"}
    gen = {path: canonical(answer.resolved)["train.gen"] for path, answer in found.items()}
    assert gen == {"/index.html": "deny", "/open/page.html": "allow", "/open/words.txt": "allow", "/img/a.jpg": "deny"}
    assert canonical(found["/open/words.txt"].resolved)["search"] == "allow"  # the licence was read: no condition
    assert [found[path].kind for path in sorted(found)] == ["media", "page", "page", ""]


def test_a_licence_that_is_not_in_the_folder_stays_a_condition(site):
    (site / "l.rsl").unlink()
    assert set(canonical(answers_by_path(site)["/open/words.txt"].resolved).values()) == {"conditional"}


def test_a_torn_file_at_the_top_takes_every_yes_away(site):
    (site / ".well-known" / "tdmrep.json").write_bytes(b"[{")
    for answer in answers_by_path(site).values():
        assert "allow" not in canonical(answer.resolved).values()


def test_a_single_file_is_asked_about_one_path(tmp_path):
    (tmp_path / "robots.txt").write_bytes(b"User-agent: *\nContent-Usage: /a/ train-ai=n\n")
    words = [
        canonical(read_place(tmp_path / "robots.txt", AT, path=path, options=Options())[0].resolved)["train.gen"]
        for path in ("/a/b", "/c")
    ]
    assert words == ["deny", "unknown"]


def test_where_there_is_nothing_is_an_error(tmp_path):
    with pytest.raises(GateError) as refused:
        read_place(tmp_path / "none", AT, options=Options())
    assert refused.value.code == "no-signal-file"


@pytest.mark.parametrize(
    ("name", "body", "kind"),
    [
        ("robots.txt", b"", "robots.txt"), ("AI.TXT", b"", "ai.txt"), ("x.warc.gz", b"", "warc"),
        ("x", b"\xff\xd8\xff\xe0", "media"), ("x.mp4", b"", "media"), ("x.pdf", b"", "pdf"), ("x", b"%PDF-1.7", "pdf"),
        ("x.epub", b"", "epub"), ("x.html", b"", "page"), ("x", b"\n<!DOCTYPE HTML>", "page"),
        ("l.xml", RSL, "rsl"), ("other.xml", b"<a/>", ""), ("x.xmp", b"", "xmp"), ("x", b"HTTP/1.1 200 OK", "headers"),
        ("d.json", b'{"iscc": "ISCC:A"}', "tdm-ai"),
        ("t.json", b'[{"location": "/", "tdm-reservation": 1}]', "tdmrep.json"),
        ("m.json", b'{"active_manifest": "a"}', "manifest-store"), ("o.json", b"{}", ""), ("o.json", b"{", ""),
        ("x.txt", b"robots", ""), ("x", b"", ""),
    ],
)  # fmt: skip
def test_the_kind_of_a_file_is_told_by_name_and_first_bytes(name, body, kind):
    assert kind_of(name, body) == kind


def record(kind, url, block):
    head = (
        f"WARC/1.0\r\nWARC-Type: {kind}\r\nWARC-Record-ID: <urn:uuid:{hash((kind, url)):x}>\r\n"
        f"WARC-Date: 2026-03-04T05:06:07Z\r\nWARC-Target-URI: {url}\r\n"
        f"Content-Type: application/http; msgtype={kind}\r\nContent-Length: {len(block)}\r\n\r\n"
    )
    return head.encode() + block + b"\r\n\r\n"


def archive(path, *captured):
    """(url, status, headers, body) of each response, and a request beside it, as a crawler writes them."""
    records = []
    for url, status, headers, body in captured:
        lines = [f"HTTP/1.1 {status} X", *(f"{name}: {value}" for name, value in headers.items()), "", ""]
        records.append(record("request", url, b"GET / HTTP/1.1\r\nHost: h\r\n\r\n"))
        records.append(record("response", url, "\r\n".join(lines).encode() + body))
    packed = [gzip.compress(each) for each in records] if path.suffix == ".gz" else records
    path.write_bytes(b"".join(packed))


HTML = {"Content-Type": "text/html"}
CAPTURES = [
    ("https://h.example/a", 200, HTML | {"tdm-reservation": "0"}, b"<html><head></head><body>a</body></html>"),
    ("https://h.example/b", 200, HTML, NO_AI),
    ("https://h.example/robots.txt", 200, {}, b"User-agent: *\nContent-Signal: ai-train=yes\n"),
    ("https://h.example/moved", 301, {"Location": "/a"}, b""),
    ("https://broken.example/robots.txt", 503, {}, b"later"),
    ("https://broken.example/c", 200, HTML | {"tdm-reservation": "0"}, b"<p>c"),
    ("https://none.example/robots.txt", 404, {}, b"no"),
    ("https://none.example/.well-known/tdmrep.json", 404, HTML, b"no"),
    ("https://none.example/d", 200, HTML | {"tdm-reservation": "0"}, b"<p>d"),
    ("https://h.example/gone", 404, HTML | {"tdm-reservation": "0"}, b"gone"),
]


@pytest.mark.parametrize("name", ["x.warc", "x.warc.gz"])
def test_an_archive_is_read_host_by_host(tmp_path, name):
    archive(tmp_path / name, *CAPTURES)
    found = answers_by_path(tmp_path / name)
    gen = {path: canonical(answer.resolved)["train.gen"] for path, answer in found.items()}
    assert gen == {"/a": "allow", "/b": "deny", "/c": "unknown", "/d": "allow", "/gone": "unknown"}
    assert access(found["/c"].findings.observations) is Reading.DENY
    assert access(found["/d"].findings.observations) is Reading.ALLOW
    assert {seen.observed_at.isoformat() for seen in found["/b"].findings.observations} == {"2026-03-04T05:06:07+00:00"}


@pytest.mark.parametrize("name", ["x.warc", "x.warc.gz"])
def test_an_archive_torn_inside_a_record_is_a_problem_and_no_yes(tmp_path, name):
    file = tmp_path / name
    archive(file, CAPTURES[0])
    request = file.read_bytes().index(b"\x1f\x8b", 2) if name.endswith("gz") else file.read_bytes().rindex(b"WARC/1.0")
    whole = file.read_bytes()
    assert canonical(read_place(file, AT, options=Options())[0].resolved)["train.gen"] == "allow"
    seen = 0
    for end in range(request + 1, len(whole) - 20, 7):
        file.write_bytes(whole[:end])
        for answer in read_place(file, AT, options=Options()):
            assert answer.findings.problems and "allow" not in canonical(answer.resolved).values()
            seen += 1
    assert seen > 20


def test_what_is_no_archive_is_a_problem(tmp_path):
    for body in (b"\x1f\x8b\x08garbage", b"garbage" * 99):
        (tmp_path / "x.warc").write_bytes(body)
        (answer,) = read_place(tmp_path / "x.warc", AT, options=Options())
        assert {fault.code for fault in answer.findings.problems} == {"bad-warc"}


def command(*words):
    ran = CliRunner().invoke(app, ["signals", *map(str, words)])
    return ran, json.loads(ran.output.splitlines()[-1]) if "--json" in words and ran.exit_code == 0 else None


def test_the_command_reports_observations_problems_and_readings(site):
    ran, told = command(site, "--json")
    assert ran.exit_code == 0 and set(told) == {"observations", "problems", "works"} and told["problems"] == []
    assert {"carrier", "raw", "rule", "line", "canonical", "spec", "observed_at"} <= set(told["observations"][0])
    work = next(work for work in told["works"] if work["path"] == "/index.html")
    assert work["canonical"]["train.gen"] == "deny" and any("noai" in why for why in work["because"]["train.gen"])


def test_the_command_prints_for_people_and_keeps_markup_out(tmp_path):
    (tmp_path / "robots.txt").write_bytes(b"User-agent: [bold]x\nDisallow: /[red]\nContent-Usage: [\n")
    ran, _ = command(tmp_path / "robots.txt", "--agent", "[bold]x")
    assert (
        ran.exit_code == 0 and "bad-content-usage" in ran.output and "Beside a problem nothing is allowed" in ran.output
    )


def test_the_command_runs_the_corpus(monkeypatch):
    few = run(fixtures()[:3])
    monkeypatch.setattr("byline.gate.signals.conformance.run", lambda: few)
    ran, told = command("conformance", "--json")
    assert ran.exit_code == 0 and told["fixtures"] == 3 and told["correct"]["byline"] == 3
    assert set(told["correct"]) == {"byline", "robotparser", "datadiligence"}
    assert "3 of 3" in command("conformance", "--detail")[0].output


def test_an_unknown_inference_is_refused(site):
    ran, _ = command(site, "--inference", "guess")
    assert ran.exit_code != 0 and ran.exception.code == "bad-inference"
