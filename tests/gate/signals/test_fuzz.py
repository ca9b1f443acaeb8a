"""Whatever is thrown at a reader: no exception, no yes that was not there, and a stated problem for what is torn."""

import io
import json
import re
import struct
import zipfile
import zlib
from datetime import UTC, datetime

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from byline.gate.signals import Observation, Options, Target, read_as, read_headers, read_place
from byline.gate.signals.conformance import fixtures
from byline.gate.signals.kinds import READERS

FEW = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
# Of each kind of file the whole ones of the corpus, with what they say.
WHOLE = {
    kind: [
        part.body()
        for fixture in fixtures()
        for part in fixture.parts
        if part.reader == kind and not fixture.problems and len(part.body()) < 5_000
    ]
    for kind in READERS
}
WHOLE["headers"] = [b"HTTP/1.1 200 OK\r\nContent-Usage: train-ai=n\r\nX-Robots-Tag: noai\r\ntdm-reservation: 1\r\n\r\n"]
# Cutting these anywhere is seen; cutting a text file between two lines is not, whoever fetched it must say so.
GRANTS = re.compile(rb"=y|^allow|yes|\"0\"|permits", re.IGNORECASE | re.MULTILINE)
STRUCTURED = ("tdmrep.json", "rsl", "xmp", "pdf", "epub", "manifest-store", "tdm-ai")

pytestmark = pytest.mark.timeout(120)  # what asks for the square of its length, or for all memory, does not end in that


def read(kind, body, at, path="/x"):
    return read_as(kind, body, at(path, source="there.png"), Options(isccs=("ISCC:X",)))


@pytest.mark.parametrize("kind", READERS)
@given(body=st.binary(max_size=400))
@example(body=b"")
@example(body=b"\xff\xfe")
@example(body=b"\xef\xbb\xbf")
@FEW
def test_any_bytes_end_without_an_exception_and_without_a_yes(kind, body, at, reading):
    assert "allow" not in reading(read(kind, body, at)).values()


@pytest.mark.parametrize("kind", READERS)
@given(data=st.data())
@FEW
def test_a_byte_changed_or_a_piece_moved_ends_without_an_exception(kind, data, at):
    body = bytearray(data.draw(st.sampled_from(WHOLE[kind])))
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, max(0, len(body) - 1)))
        body[place : place + data.draw(st.integers(0, 9))] = data.draw(st.binary(max_size=9))
    read(kind, bytes(body), at)


@pytest.mark.parametrize("kind", STRUCTURED)
@given(data=st.data())
@FEW
def test_what_is_cut_is_a_problem_and_no_yes(kind, data, at, reading):
    body = data.draw(st.sampled_from(WHOLE[kind])).rstrip()
    found = read(kind, body[: data.draw(st.integers(0, len(body) - 1))], at)
    assert found.problems and "allow" not in reading(found).values()


@pytest.mark.parametrize("kind", ["robots.txt", "ai.txt", "page", "headers"])
@given(data=st.data())
@FEW
def test_cutting_what_says_only_no_never_makes_a_yes(kind, data, at, reading):
    saying_no = [body for body in WHOLE[kind] if not GRANTS.search(body)]
    body = data.draw(st.sampled_from(saying_no))
    found = read(kind, body[: data.draw(st.integers(0, len(body)))], at)
    assert "allow" not in reading(found).values()


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32"])
@pytest.mark.parametrize("kind", ["robots.txt", "ai.txt", "tdmrep.json", "page", "tdm-ai", "manifest-store"])
def test_another_encoding_is_read_rightly_or_a_problem(kind, encoding, at, reading):
    for body in WHOLE[kind]:
        found = read(kind, body.decode("utf-8").encode(encoding), at)
        assert found.problems or reading(found) == reading(read(kind, body, at)), body


BOMB = '<!DOCTYPE r [<!ENTITY a "aaaaaaaaaa">{}]>'.format(
    "".join(f'<!ENTITY {chr(98 + n)} "{f"&{chr(97 + n)};" * 10}">' for n in range(9))
)
OUTSIDE = '<!DOCTYPE r [<!ENTITY x SYSTEM "file:///etc/passwd">]>'
HOSTILE_XML = {
    "entities": BOMB + "<rsl>&j;</rsl>",
    "a file": OUTSIDE + "<rsl>&x;</rsl>",
    "depth": "<rsl>" + "<content>" * 100_000 + "</content>" * 100_000 + "</rsl>",
    "length": "<rsl>" + "<content/>" * 500_000 + "</rsl>",
    "a name": "<rsl xmlns='https://rslstandard.org/rsl'><content url='/'>" + "x" * 5_000_000,
}


@pytest.mark.parametrize("name", HOSTILE_XML)
@pytest.mark.parametrize("kind", ["rsl", "xmp"])
def test_hostile_xml_is_a_problem_and_no_more(kind, name, at, reading):
    found = read(kind, HOSTILE_XML[name].encode(), at)
    assert found.problems and "allow" not in reading(found).values()


@pytest.mark.parametrize("member", ["META-INF/container.xml", "a.opf"])
@pytest.mark.parametrize("inside", [BOMB + "<r>&j;</r>", " " * (8 * 2**20)])
def test_a_book_that_unpacks_without_end_is_a_problem(member, inside, at, reading):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as book:
        container = '<container><rootfiles><rootfile full-path="a.opf"/></rootfiles></container>'
        book.writestr("META-INF/container.xml", inside if member.startswith("META") else container)
        book.writestr("a.opf", inside)
    found = read("epub", out.getvalue(), at)
    assert [fault.code for fault in found.problems] == ["bad-epub"] and reading(found) == {}


@pytest.mark.parametrize("fault", [EOFError, OSError, KeyError, NotImplementedError, RuntimeError, ValueError])
def test_whatever_damage_makes_zipfile_raise_is_a_problem(monkeypatch, fault, at):
    def raising(*_):
        raise fault("damaged")

    monkeypatch.setattr(zipfile.ZipExtFile, "read", raising)
    assert [each.code for each in read("epub", WHOLE["epub"][0], at).problems] == ["bad-epub"]


@pytest.mark.parametrize("kind", ["tdmrep.json", "tdm-ai", "manifest-store"])
def test_json_nested_without_end_is_a_problem(kind, at, reading):
    for body in (b"[" * 200_000, b'{"a":' * 200_000, b"[" + b"1," * 3_000_000, b"1" * 10_000):
        found = read(kind, body, at)
        assert found.problems and reading(found) == {}


@given(headers=st.lists(st.tuples(st.text(max_size=20), st.text(max_size=200)), max_size=5))
@example(headers=[("Content-Usage", "train-ai=" + "(" * 5000)])
@example(headers=[("Content-Usage", "," * 16_000)])
@example(headers=[("Content-Usage", "a=" * 8_000)])
@example(headers=[("Link", "<" * 16_000)])
@example(headers=[("Link", "<a>;" * 4_000)])
@example(headers=[("X-Robots-Tag", ":" * 4_000)])
@example(headers=[("tdm-reservation", "\ud800")])
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_headers_end_without_an_exception(headers, at):
    found = read_headers(headers, at())
    json.dumps([seen.to_json() for seen in found.observations])


NAMES = st.sampled_from(["Content-Usage", "Content-Signal", "tdm-reservation", "X-Robots-Tag", "Link"])


@given(headers=st.lists(st.tuples(NAMES, st.text("trainsech-y=0no,;:()\"' ", max_size=30)), min_size=1, max_size=4))
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_no_beside_any_header_stays_a_no(headers, at, reading):
    found = read_headers([*headers, ("X-Robots-Tag", "noai")], at())
    assert reading(found)["train.gen"] == "deny" == reading(found)["train.other"]


def test_every_problem_can_be_written_as_json(at):
    for kind in READERS:
        for body in (b"\xff\x00<", b"\xed\xa0\x80", b"{" * 99):
            for fault in read(kind, body, at).problems:
                json.dumps(fault.to_json(), ensure_ascii=False).encode("utf-8")


@pytest.mark.parametrize("kind", READERS)
@given(data=st.data())
@FEW
def test_whatever_is_observed_can_be_stored_and_hashed(kind, data, at):
    body = bytearray(data.draw(st.sampled_from(WHOLE[kind])))
    for piece in data.draw(
        st.lists(st.sampled_from([b"\xf0", b"\xed\xa0\x80", b"\\ud800", b"\x01", b"&#1;", b"\x85"]))
    ):
        place = data.draw(st.integers(0, len(body)))
        body[place:place] = piece
    target = Target("folder/\udcff.png", at().observed_at, "/\udcff", "\udcff")
    found = read_as(kind, bytes(body), target, Options())
    for seen in found.observations:
        assert Observation.from_json(json.loads(json.dumps(seen.to_json()))) == seen and len(seen.digest()) == 64
    for fault in found.problems:
        assert len(fault.digest()) == 64


# --- small files that ask for much work -------------------------------------------------------------------------


def png_chunk(kind, content):
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def png_of_many_long_packets():
    packet = b"XML:com.adobe.xmp\0\1\0\0\0" + zlib.compress(b" " * (4 * 2**20 - 10), 9)
    return b"\x89PNG\r\n\x1a\n" + png_chunk(b"iTXt", packet) * 200 + png_chunk(b"IEND", b"")


def tiff(entries, after=b"", following=0):
    packed = b"".join(struct.pack("<HHII", *entry) for entry in entries)
    return b"II*\0" + struct.pack("<IH", 8, len(entries)) + packed + struct.pack("<I", following) + after


def tiff_of_many_strips():
    return tiff([(273, 4, 1_000_000, 0)] * 60_000, b"\0" * 4_000_000)


def tiff_that_shows_one_packet_often():
    return tiff([(700, 1, 1_000_000, 12 * 60_000 + 14)] * 60_000, b" " * 1_000_000)


def tiff_of_a_thousand_directories_and_one():
    """The last one holds the no."""
    steps = b"".join(struct.pack("<HI", 0, 8 + 6 * (n + 1)) for n in range(1_000))
    packet = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"/>'
    at = 8 + len(steps)
    last = struct.pack("<HHHIII", 1, 700, 1, len(packet), at + 18, 0) + packet
    return b"II*\0" + struct.pack("<I", 8) + steps + last


def pdf_of_a_long_packet():
    stream = zlib.compress(zlib.compress(b" " * 200_000_000, 9), 9)
    objects = [
        b"1 0 obj<</Type/Catalog/Pages 2 0 R/Metadata 3 0 R>>endobj\n",
        b"2 0 obj<</Type/Pages/Kids[]/Count 0>>endobj\n",
        b"3 0 obj<</Filter[/FlateDecode/FlateDecode]/Length %d>>stream\n%b\nendstream endobj\n" % (len(stream), stream),
    ]
    body, places = b"%PDF-1.5\n", []
    for each in objects:
        places.append(len(body))
        body += each
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    end = b"trailer<</Size 4/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF" % len(body)
    return body + b"xref\n0 4\n0000000000 65535 f \n" + table + end


GREEDY = {
    "media": (
        png_of_many_long_packets,
        tiff_of_many_strips,
        tiff_that_shows_one_packet_often,
        tiff_of_a_thousand_directories_and_one,
    ),
    "pdf": (pdf_of_a_long_packet, lambda: b"%PDF-1.4\n1 0 obj 1 0 R endobj\ntrailer<</Root 1 0 R>>\n%%EOF"),
}


@pytest.mark.parametrize(("kind", "make"), [(kind, make) for kind, makes in GREEDY.items() for make in makes])
def test_a_small_file_that_asks_for_much_work_is_a_problem_and_no_more(kind, make, at, reading):
    body = make()
    found = read(kind, body, at)
    assert found.problems and reading(found) == {}


def archive(*records):
    lines = []
    for url, body in records:
        http = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n\r\n" % len(body) + body
        head = f"WARC/1.0\r\nWARC-Type: response\r\nWARC-Target-URI: {url}\r\nWARC-Date: 2026-11-22T00:00:00Z\r\n"
        lines.append(f"{head}Content-Type: application/http;msgtype=response\r\nContent-Length: {len(http)}\r\n\r\n"
                     .encode() + http + b"\r\n\r\n")  # fmt: skip
    return b"".join(lines)


@given(data=st.data())
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_damaged_archive_ends_without_an_exception_and_its_no_makes_no_yes(data, tmp_path):
    whole = archive(("https://a.example/robots.txt", b"User-agent: *\nContent-Usage: train-ai=n\n"),
                    ("https://a.example/page", b"words"))  # fmt: skip
    body = bytearray(whole)
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(body) - 1))
        body[place : place + data.draw(st.integers(0, 40))] = data.draw(st.binary(max_size=9))
    file = tmp_path / "x.warc"
    file.write_bytes(bytes(body))
    for answer in read_place(file, datetime(2026, 11, 22, tzinfo=UTC), options=Options()):
        assert "allow" not in {each.reading.value for each in answer.resolved}
