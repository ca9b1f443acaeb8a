"""Containers against Pillow, pages against Python's parser, licences that link, declarations, and a base install."""

import io
import subprocess
import sys
from html.parser import HTMLParser

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from byline.core import GateError
from byline.gate.signals import (
    Reading,
    read_c2pa,
    read_headers,
    read_image,
    read_linked_rsl,
    read_page,
    read_rsl,
    read_tdmai,
    read_xmp,
)
from byline.gate.signals.images import TornImage, packets_of
from byline.gate.signals.observation import Notebook
from byline.gate.signals.page import _tags

PACKET = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><a>%s</a></x:xmpmeta>'


def saved(kind, packet, **more):
    out, picture = io.BytesIO(), Image.new("RGB", (9, 5), (200, 30, 90))
    if kind == "PNG":
        info = PngInfo()
        info.add_text("Author", "somebody")
        info.add_itxt("XML:com.adobe.xmp", packet.decode(), zip=more.get("zip", False))
        picture.save(out, "PNG", pnginfo=info)
    elif kind == "TIFF":
        picture.save(out, "TIFF", tiffinfo={700: packet}, **more)
    else:
        picture.save(out, kind, xmp=packet, **more)
    return out.getvalue()


@pytest.mark.parametrize(
    ("kind", "more"),
    [
        ("JPEG", {}), ("JPEG", {"progressive": True, "exif": b"Exif\0\0" + b"x" * 99}), ("PNG", {}),
        ("PNG", {"zip": True}), ("WEBP", {}), ("WEBP", {"lossless": True}), ("TIFF", {}),
        ("TIFF", {"compression": "tiff_deflate"}),
    ],
)  # fmt: skip
@given(text=st.text("abcdef ", max_size=60))
@settings(max_examples=8, deadline=None)
def test_the_packet_is_the_one_that_pillow_wrote(kind, more, text):
    packet = PACKET % text.encode()
    body = saved(kind, packet, **more)
    assert packets_of(body) == [packet]
    with Image.open(io.BytesIO(body)) as picture:
        assert picture.size == (9, 5)  # a whole picture, as others read it


def test_a_picture_without_a_packet_has_none(files):
    for name in ("plain.jpg", "plain.png", "plain.webp", "plain.tif"):
        assert packets_of((files / name).read_bytes()) == []


def test_the_packet_of_a_picture_inside_the_picture_is_not_its_own():
    inner = saved("JPEG", PACKET % b"inner")
    out = io.BytesIO()
    Image.new("RGB", (9, 5)).save(out, "JPEG", comment=inner[:60_000])
    assert packets_of(out.getvalue()) == []


@pytest.mark.parametrize("name", ["plus-allowed.jpg", "plus-allowed.png", "plus-allowed.webp", "plus-allowed.tif"])
def test_a_picture_cut_anywhere_is_a_problem_and_no_yes(name, files, at, reading):
    body = (files / name).read_bytes()
    assert reading(read_image(body, at()))["train.gen"] == "allow"
    for end in range(len(body)):
        found = read_image(body[:end], at())
        assert found.problems, end
        assert "allow" not in reading(found).values()


def with_segments(*segments):
    body = saved("JPEG", PACKET % b"main")
    return body[:2] + b"".join(b"\xff\xe1" + (len(s) + 2).to_bytes(2, "big") + s for s in segments) + body[2:]


def extension(length, place, part, name=b"A" * 32):
    head = b"http://ns.adobe.com/xmp/extension/\0" + name
    return head + length.to_bytes(4, "big") + place.to_bytes(4, "big") + part


def test_a_packet_in_parts_is_put_together():
    long = PACKET % (b"x" * 90_000)
    parts = [extension(len(long), at, long[at : at + 60_000]) for at in (60_000, 0)]
    assert packets_of(with_segments(*parts)) == [PACKET % b"main", long]
    for torn in (parts[:1], parts[1:], [*parts, parts[0]], [extension(5, 0, b"123456")], [b"x".join(parts)[:60]]):
        with pytest.raises(TornImage):
            packets_of(with_segments(*torn))


def test_a_circle_of_directories_ends():
    body = b"II*\0" + (8).to_bytes(4, "little") + b"\0\0" + (8).to_bytes(4, "little")
    with pytest.raises(TornImage, match="circle"):
        packets_of(body)


def test_a_packet_that_unpacks_without_end_is_refused():
    body = saved("PNG", PACKET % (b" " * (5 * 2**20)), zip=True)
    with pytest.raises(TornImage, match="unpacks"):
        packets_of(body)


class Slow(HTMLParser):
    """Python's parser: the tags that matter, outside comments and scripts."""

    def __init__(self):
        super().__init__()
        self.found = []

    def handle_starttag(self, tag, attrs):
        if tag in ("meta", "link"):
            first = {}
            for name, value in attrs:
                first.setdefault(name, value or "")
            self.found.append((tag, first))

    handle_startendtag = handle_starttag


VALUES = st.sampled_from(["1", "0", "noai", "a b", "x>y", "it's", "&quot;1&quot;", ""])
TAGS = st.builds(
    lambda tag, name, value, end: f'<{tag} name="{name}" content="{value}"{end}>',
    st.sampled_from(["meta", "META", "link", "p", "metal"]),
    st.sampled_from(["robots", "tdm-reservation", "x"]),
    VALUES,
    st.sampled_from(["", "/", " /", " checked"]),
)
SHIELDED = st.builds(
    lambda shield, inner: shield % inner,
    st.sampled_from(["<!--%s-->", "<script>%s</script>", "<style>\n%s</style >", "<p title='%s'>"]),
    TAGS.filter(lambda tag: "'" not in tag),
)


@given(st.lists(st.one_of(TAGS, SHIELDED, st.sampled_from(["text", "\n", " < ", "</p>", "<br>"])), max_size=8))
@settings(max_examples=300, deadline=None)
def test_tags_are_those_that_pythons_parser_finds(parts):
    text = "".join(parts)
    slow = Slow()
    slow.feed(text)
    slow.close()
    ours = [(tag.name, tag.attributes) for tag in _tags(text) if tag.name in ("meta", "link")]
    assert ours == slow.found


def test_a_page_names_the_line(at):
    found = read_page(b'<html>\n<head>\n\n<meta name="robots"\n content="noai"></head>', at())
    assert [seen.line for seen in found.observations] == [4]


@pytest.mark.timeout(60)
@pytest.mark.parametrize("piece", ["<!--", "<a ", "</a", "<script>", "<a b='", "<meta x=", "<", "<![CDATA["])
def test_reading_a_megabyte_of_broken_tags_ends(piece, at):
    body = (piece * (2**20 // len(piece))).encode()
    read_page(body, at())


def rsl(inner):
    return f'<rsl xmlns="https://rslstandard.org/rsl"><content url="/">{inner}</content></rsl>'.encode()


def linking(*urls):
    links = "".join(f"<standard>{url}</standard>" for url in urls)
    return rsl(f'<license><permits type="usage">all</permits><payment type="free">{links}</payment></license>')


def test_licences_that_link_in_a_circle_end_and_allow_nothing(at, reading):
    documents = {"https://h/a": linking("https://h/b"), "https://h/b": linking("https://h/c", "https://h/a")}
    found = read_linked_rsl(documents, "https://h/a", at())
    assert {fault.code for fault in found.problems} == {"rsl-cycle", "rsl-unfetched"} and reading(found) == {}


def test_licences_in_a_chain_are_read_to_its_end(at, reading):
    no = rsl('<license><prohibits type="usage">ai-train</prohibits></license>')
    found = read_linked_rsl({"https://h/a": linking("https://h/b"), "https://h/b": no}, "https://h/a", at())
    assert found.problems == () and reading(found)["train.gen"] == "deny" and reading(found)["search"] == "allow"


def test_a_web_of_licences_does_not_grow_without_end(at):
    urls = [f"https://h/{n}" for n in range(9)]
    found = read_linked_rsl(dict.fromkeys(urls, linking(*urls)), urls[0], at())
    assert {fault.code for fault in found.problems} <= {"rsl-cycle", "rsl-too-many"}
    assert len(found.observations) < 200


def test_a_licence_tells_its_duties(at):
    body = rsl(
        '<license><permits type="usage">ai-train</permits><payment type="training"><amount currency="EUR">0.02</amount>'
        '</payment><reporting type="audit" endpoint="https://h/r"/></license>'
    )
    assert read_rsl(body, at()).observations[0].duties == ("payment: training 0.02 EUR", "report audit to https://h/r")


def test_an_unknown_agent_or_token_in_a_header_is_kept_in_the_record(at):
    found = read_headers([("X-Robots-Tag", "gptbot: noai"), ("Content-Usage", "train-ai=n;x=1")], at())
    assert [seen.rule for seen in found.observations] == ["attach 2 Content-Usage header", "noai to gptbot"]
    assert any("parameters" in note for note in found.observations[0].notes)


def test_a_declaration_without_the_works_code_keeps_its_no(at, reading):
    body = b'{"version": "1.0", "iscc": "ISCC:KAAA", "intent": "update", "all": "true", "search": "false"}'
    assert reading(read_tdmai(body, at())) == {"search": "deny"}
    assert reading(read_tdmai(body, at(), isccs=["kaaa"]))["train.gen"] == "allow"


def test_without_c2pa_python_the_answer_is_unknown_and_says_why(monkeypatch, files, at, reading):
    import importlib

    real = importlib.import_module

    def absent(name, *rest):
        if name == "c2pa":
            raise ImportError(name)
        return real(name, *rest)

    monkeypatch.setattr(importlib, "import_module", absent)
    found = read_c2pa((files / "c2pa-cawg-no.png").read_bytes(), at(), "image/png")
    assert [fault.code for fault in found.problems] == ["c2pa-not-read"] and reading(found) == {}


def test_a_manifest_names_its_signer_and_state(files, at):
    seen = read_c2pa((files / "c2pa-cawg-no.png").read_bytes(), at(), "image/png").observations[0]
    assert (seen.signer, seen.signature) == ("Example", "Valid")


def test_without_the_extra_a_reader_says_what_to_install(monkeypatch, at):
    def absent(name):
        raise ImportError(name)

    monkeypatch.setattr("byline.gate.signals.markup.importlib.import_module", absent)
    with pytest.raises(GateError, match=r"byline\[rights\]") as refused:
        read_xmp(b"<a/>", at())
    assert refused.value.code == "signals-extra" and "defusedxml" in refused.value.message


def test_the_package_loads_no_parser_before_one_is_needed():
    code = "import sys, byline.gate.signals, byline.gate.signals.conformance; sys.stdout.write(' '.join(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=True)
    parsers = {"protego", "http_sf", "defusedxml", "pypdf", "warcio", "c2pa", "PIL", "datadiligence", "torch"}
    assert parsers.isdisjoint(done.stdout.split())


def test_what_cannot_be_shown_is_replaced(at):
    notes = Notebook(at(), b"", "x")
    notes.saw("f", "s", "a\udce4\x07b" + "c" * 999, "r", {})
    raw = notes.observations[0].raw
    assert raw.startswith("a?\ufffdb") and raw.endswith(" …") and len(raw) < 410
    assert notes.observations[0].reading("tdm") is Reading.UNKNOWN
