"""Speech in a recording, by Silero's voice activity network. It says that somebody speaks, not who.

Source: silero-vad 6 (MIT); the network takes 512 samples at 16 kHz with the 64 before them, and a state.
"""

import io
from collections.abc import Iterator
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from byline.core import GateError
from byline.gate.pii.models import named, package, session, shipped
from byline.gate.pii.recognise import Find

Samples = npt.NDArray[np.float32]

RATE, FRAME, BEFORE = 16_000, 512, 64
SURE = 0.5
SHORTEST = 8
"""Frames in a row (a quarter of a second) that make speech; clicks and single tones are shorter."""
LONGEST = 4 * 3600
"""Seconds of one recording that are read."""


class Voice:
    """Raises: GateError("pii-extra") where a package is missing."""

    def __init__(self) -> None:
        self.name = named("silero-vad")
        self._sound = package("soundfile", "voices")
        self._path = shipped("silero_vad", "data/silero_vad.onnx", "voices")
        package("onnxruntime", "voices")

    @cached_property
    def _network(self) -> Any:
        return session(self._path, "voices")

    def find(self, body: bytes) -> list[Find]:
        """Stretches of speech, in milliseconds. Raises: GateError("pii-unread") for what is no recording."""
        return list(self._stretches(self._likelihood(self.samples(body))))

    def samples(self, body: bytes) -> Samples:
        """One channel at 16 kHz. Raises: GateError("pii-unread")."""
        try:
            with self._sound.SoundFile(io.BytesIO(body)) as file:
                rate = int(file.samplerate)
                read = file.read(min(len(file), LONGEST * rate), dtype="float32", always_2d=True)
        except (self._sound.SoundFileError, ValueError, TypeError, RuntimeError) as fault:
            raise GateError(
                "pii-unread", f"no recording that can be read: {fault}", "give WAV, FLAC, OGG or MP3"
            ) from fault
        if not np.isfinite(read).all():
            raise GateError("pii-unread", "the recording holds numbers that are no sound", "export it again")
        channel: Samples = read.mean(axis=1, dtype=np.float32)
        return _at_rate(channel, rate)

    def _likelihood(self, samples: Samples) -> list[float]:
        """Of speech, per frame."""
        frames = np.pad(samples, (BEFORE, -len(samples) % FRAME))
        state, found = np.zeros((2, 1, 128), dtype=np.float32), []
        for at in range(0, len(frames) - BEFORE, FRAME):
            inputs = {"input": frames[None, at : at + BEFORE + FRAME], "state": state, "sr": np.array(RATE)}
            out, state = self._network.run(None, inputs)
            found.append(float(out[0, 0]))
        return found

    def _stretches(self, likelihood: list[float]) -> Iterator[Find]:
        begin = 0
        for n, sure in enumerate([*(each >= SURE for each in likelihood), False]):
            if not sure:
                if n - begin >= SHORTEST:
                    yield Find("speech", begin * FRAME * 1000 // RATE, n * FRAME * 1000 // RATE, self.name)
                begin = n + 1


def _at_rate(samples: Samples, rate: int) -> Samples:
    """Resampled by straight lines between samples, after averaging down where many fall on one: enough to hear that
    somebody speaks."""
    if rate == RATE or not len(samples):
        return samples
    width = max(1, rate // RATE)
    smooth = np.convolve(samples, np.full(width, 1 / width, dtype=np.float32), mode="same")
    places = np.arange(0, len(samples) * RATE // rate) * (rate / RATE)
    resampled: Samples = np.interp(places, np.arange(len(samples)), smooth).astype(np.float32)
    return resampled
