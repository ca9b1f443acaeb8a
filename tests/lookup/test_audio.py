import wave

import numpy as np
import pytest

from byline.core import LookupFault, WorkId
from byline.lookup import SOUNDS, AudioIndex, AudioMatch, MediaFolder, MediaFormat, audio, prints_of
from byline.lookup.audio import LEAST, NEAR_PPM


def prints(seed, count=300):
    return np.random.default_rng(seed).integers(0, 2**32, count, dtype=np.uint32)


def worn(given, part, seed=5):
    """Fingerprints with that part of their bits turned over."""
    flips = np.random.default_rng(seed).random((len(given), 32)) < part
    return given ^ np.packbits(flips, axis=1, bitorder="little").view(np.uint32).ravel()


def slow_best(query, work):
    """Least part of differing bits over all shifts with enough overlap, by for-loops."""
    best = 1.0
    for shift in range(-len(query), len(work)):
        pairs = [(q, work[shift + i]) for i, q in enumerate(query) if 0 <= shift + i < len(work)]
        if len(pairs) >= max(LEAST, min(len(query), len(work)) // 2):
            best = min(best, sum(int(a ^ b).bit_count() for a, b in pairs) / (32 * len(pairs)))
    return best


@pytest.fixture
def searched(monkeypatch):
    """Search with fingerprints in place of files."""

    def search(query, works):
        monkeypatch.setattr(audio, "fingerprints", lambda path: query)
        return AudioIndex([WorkId(f"work:{i}") for i in range(len(works))], works).search("query")

    return search


@pytest.mark.parametrize(("start", "count", "part"), [(0, 300, 0.0), (100, 70, 0.1), (30, 40, 0.15), (200, 100, 0.05)])
def test_the_best_shift_equals_brute_force(searched, start, count, part):
    works = [prints(seed) for seed in range(3)]
    query = worn(works[1][start : start + count], part)
    (found,) = searched(query, works)
    assert found.work == "work:1" and AudioMatch.from_json(found.to_json()) == found
    if count <= audio.PART:  # a longer query is asked in parts too
        assert found.differing_ppm == round(slow_best(query, works[1]) * 1e6)
        assert found.work_start == round(start / audio.PER_SECOND, 1)


def test_other_songs_and_too_much_wear_are_not_found(searched):
    works = [prints(seed) for seed in range(3)]
    assert searched(prints(9), works) == []
    assert searched(worn(works[0], 0.35), works) == [] and 0.3 > NEAR_PPM / 1e6


def test_kept_and_mapped_again(tmp_path, searched, monkeypatch):
    made = {"00" * 32: prints(0), "11" * 32: prints(1, 50)}
    form = MediaFormat("test/1", lambda content, name: made[name], SOUNDS.lay_out, "bad-audio")
    folder = MediaFolder(tmp_path / "sounds", form)
    folder.add(made, lambda key: b"")
    again = AudioIndex.of(MediaFolder(tmp_path / "sounds", form))
    assert again.works == list(made) and all((a == b).all() for a, b in zip(again.prints, made.values(), strict=True))
    (found,) = again.matches(made["00" * 32][40:120])
    assert found.work == "00" * 32 and found.differing_ppm == 0


def test_without_the_program_it_is_said(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(LookupFault) as fault:
        AudioIndex([], []).search(tmp_path / "song.wav")
    assert fault.value.code == "lookup-missing" and "not found" in fault.value.message


def song(path, seed, seconds):
    draw, at = np.random.default_rng(seed), np.arange(5512) / 11025
    notes = [sum(np.sin(2 * np.pi * f * at) for f in draw.uniform(100, 2000, 4)) for _ in range(2 * seconds)]
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, 11025, 0, "NONE", ""))
        file.writeframes((np.concatenate(notes) * 8000).astype("<i2").tobytes())
    return path


@pytest.mark.skipif(audio.shutil.which("fpcalc") is None, reason="fpcalc is not installed")
def test_real_sound(tmp_path):
    index = AudioIndex.build((WorkId(f"work:{n}"), song(tmp_path / f"{n}.wav", n, 12)) for n in range(3))
    (found,) = index.search(song(tmp_path / "query.wav", 1, 8))
    assert found.work == "work:1" and found.differing_ppm < 20_000 and abs(found.work_start) < 0.3
    assert index.search(song(tmp_path / "other.wav", 7, 8)) == []
    for content in (b"", b"RIFF no sound"):
        (tmp_path / "bad.wav").write_bytes(content)
        with pytest.raises(LookupFault) as fault:
            index.search(tmp_path / "bad.wav")
        assert fault.value.code == "bad-audio"
    with pytest.raises(LookupFault, match="too short"):
        index.search(song(tmp_path / "short.wav", 1, 2))
    with pytest.raises(LookupFault) as fault:
        prints_of(b"ID3\3 no sound", "the sound")
    assert "the sound" in fault.value.message and "/tmp" not in fault.value.message
    assert (prints_of((tmp_path / "query.wav").read_bytes(), "x") == audio.fingerprints(tmp_path / "query.wav")).all()
