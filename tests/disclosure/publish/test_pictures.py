"""A choice in a copy of a picture: our reader and Pillow's find it, the picture and its other metadata stay."""

import io
import struct
import zlib
from datetime import UTC, date, datetime

import pytest
from PIL import Image, PngImagePlugin

from byline.core import DisclosureError
from byline.disclosure.publish import (
    Choice,
    code_of,
    credential,
    embed,
    new_packet,
    parse_choice,
    publish,
    sign_file,
    site_at,
    xmp_packet,
)
from byline.gate.signals import Category, Options, Reading, Target, read_as, read_image, resolve

AT = Target("a.jpg", datetime(2026, 11, 22, tzinfo=UTC))
OTHER = (
    b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    b'<rdf:Description rdf:about="" xmlns:dc="http://purl.org/dc/elements/1.1/" dc:creator="Ada Moore"%s/>'
    b"</rdf:RDF></x:xmpmeta>"
)
PERMITS = (
    b' xmlns:plus="http://ns.useplus.org/ldf/xmp/1.0/" plus:DataMining="http://ns.useplus.org/ldf/vocab/DMI-ALLOWED"'
)
NO = parse_choice("no")
CODE = code_of(NO)[0]


def picture(kind, xmp=b"", **more):
    body = io.BytesIO()
    image = Image.radial_gradient("L").resize((40, 30)).convert("RGB")
    if kind == "PNG" and xmp:
        more["pnginfo"] = PngImagePlugin.PngInfo()
        more["pnginfo"].add_itxt("XML:com.adobe.xmp", xmp.decode(), zip=more.pop("zip", False))
    elif xmp:
        more["xmp"] = xmp
    image.save(body, kind, **more)
    return body.getvalue()


def pixels(body):
    return Image.open(io.BytesIO(body)).tobytes()


def read(body):
    found = read_image(body, AT)
    assert found.problems == ()
    return {each.category: each.reading for each in resolve(found.observations)}


kinds = pytest.mark.parametrize("kind", ["JPEG", "PNG"])


@kinds
@pytest.mark.parametrize("name", ["no", "no-ai", "no-training", "no-generative", "yes"])
def test_the_choice_is_in_the_copy_and_the_picture_is_the_same(kind, name):
    choice = parse_choice(name)
    body = picture(kind)
    copy = embed(body, code_of(choice)[0])
    assert pixels(copy) == pixels(body)
    says = xmp_packet(choice).says
    assert read(copy) == {category: says.get(category, Reading.UNKNOWN) for category in Category}
    assert code_of(choice)[0] in str(Image.open(io.BytesIO(copy)).getxmp())


@kinds
def test_every_byte_but_the_packet_is_copied(kind):
    body = picture(kind)
    copy = embed(body, CODE)
    before = 20 if kind == "JPEG" else 33  # start of image and JFIF; signature and header
    assert copy.startswith(body[:before]) and copy.endswith(body[before:])


@kinds
def test_what_else_the_metadata_says_stays_and_an_older_choice_goes(kind):
    body = picture(kind, OTHER % PERMITS)
    assert read(body)[Category.TRAIN_GEN] is Reading.ALLOW
    copy = embed(body, CODE)
    assert read(copy)[Category.TRAIN_GEN] is Reading.DENY
    told = str(Image.open(io.BytesIO(copy)).getxmp())
    assert "Ada Moore" in told and "DMI-ALLOWED" not in told
    assert len(embed(copy, CODE)) == len(copy)  # doing it again adds nothing


def test_a_compressed_packet_is_read_and_replaced():
    copy = embed(picture("PNG", OTHER % PERMITS, zip=True), CODE)
    assert read(copy)[Category.TDM] is Reading.DENY and b"Ada Moore" in copy


BOMB = b'<!DOCTYPE x [<!ENTITY a "aaaaa"><!ENTITY b "&a;&a;&a;">]><x:xmpmeta xmlns:x="adobe:ns:meta/">&b;</x:xmpmeta>'


@kinds
@pytest.mark.parametrize("xmp", [BOMB, b"<x:xmpmeta", b"<a/>", b"\xff\xfe<", b"<a>" * 5000], ids=range(5))
def test_metadata_that_cannot_be_read_is_not_overwritten(kind, xmp):
    if kind == "PNG":
        chunk = b"iTXtXML:com.adobe.xmp\0\0\0\0\0" + xmp
        body = picture("PNG")
        body = body[:33] + struct.pack(">I", len(chunk) - 4) + chunk + struct.pack(">I", zlib.crc32(chunk)) + body[33:]
    else:
        body = picture("JPEG", xmp)
    with pytest.raises(DisclosureError) as refused:
        embed(body, CODE)
    assert refused.value.code == "unreadable-metadata"


def test_an_unpacking_bomb_is_refused():
    chunk = b"iTXtXML:com.adobe.xmp\0\1\0\0\0" + zlib.compress(b" " * (8 * 2**20))
    body = picture("PNG")
    body = body[:33] + struct.pack(">I", len(chunk) - 4) + chunk + struct.pack(">I", zlib.crc32(chunk)) + body[33:]
    with pytest.raises(DisclosureError, match="unpacks"):
        embed(body, CODE)


@kinds
def test_a_torn_file_is_refused_wherever_it_breaks_off(kind):
    body = picture(kind, OTHER % b"")
    for end in range(0, len(body), 13):
        with pytest.raises(DisclosureError):
            embed(body[:end], CODE)


@pytest.mark.parametrize(
    "body", [b"", b"GIF89a", b"%PDF-1.7", b"\xff\xd8", b"\x89PNG\r\n\x1a\n", b"RIFF....WEBP"], ids=range(6)
)
def test_what_is_no_jpeg_or_png_is_refused(body):
    with pytest.raises(DisclosureError):
        embed(body, CODE)


def test_metadata_too_long_for_a_segment_is_refused():
    long = OTHER % (b' dc:title="' + b"x" * 65_080 + b'"')
    body = picture("JPEG", long)
    with pytest.raises(DisclosureError, match="too long"):
        embed(body, CODE)


@pytest.mark.parametrize("code", ["DMI-PROHIBITED", "DMI-ALLOWED"])
def test_a_packet_is_small_and_well_formed(code):
    assert code in new_packet(code) and len(new_packet(code)) < 600


# --- signed ---------------------------------------------------------------------------------------------------------


def signed(choice, tmp_path):
    everything = {each.carrier: each for each in publish(choice, site_at("", "/", "Ada"))}
    chain, key = credential(tmp_path / "keys", "an operator", date(2026, 11, 20))
    body = sign_file(picture("PNG"), "image/png", "a.png", everything["c2pa"].text, chain, key)
    found = read_as("media", body, Target("a.png", AT.observed_at), Options())
    return found, {each.category: each.reading for each in resolve(found.observations, found.problems)}


def test_a_no_in_a_signed_manifest_counts_whoever_signed(tmp_path):
    found, says = signed(parse_choice("no-ai"), tmp_path)
    (seen,) = found.observations
    assert seen.signer == "an operator" and seen.signature == "Valid" and found.problems == ()
    assert {c for c in Category if says[c] is Reading.DENY} == {*Category} - {Category.INDEX, Category.SEARCH}


def test_a_yes_in_it_does_not_unless_the_signer_is_trusted(tmp_path):
    _, says = signed(parse_choice("yes"), tmp_path)
    assert set(says.values()) == {Reading.UNKNOWN}


def test_a_yes_on_terms_keeps_its_terms(tmp_path):
    choice = Choice({Category.TRAIN_GEN: Reading.CONDITIONAL}, "https://ada.example/terms")
    found, says = signed(choice, tmp_path)
    assert says[Category.TRAIN_GEN] is Reading.CONDITIONAL
    assert any("https://ada.example/terms" in duty for duty in found.observations[0].duties)


def test_the_key_is_for_its_owners_eyes_and_is_kept(tmp_path):
    first = credential(tmp_path, "an operator", date(2026, 11, 20))
    assert credential(tmp_path, "an operator", date(2030, 1, 1)) == first
    assert (tmp_path / "c2pa-key.pem").stat().st_mode & 0o077 == 0


def test_what_cannot_be_signed_is_said(tmp_path):
    chain, key = credential(tmp_path, "an operator", date(2026, 11, 20))
    with pytest.raises(DisclosureError, match="could not be signed"):
        sign_file(b"no picture", "image/png", "a.png", '{"label": "cawg.training-mining", "data": {}}', chain, key)
