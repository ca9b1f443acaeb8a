"""Pictures with enough in them to be told apart, songs, and a catalogue of both."""

import io
import random
import wave

import numpy as np
from PIL import Image, ImageDraw

HEAD = ["path", "title", "contributor", "role", "created", "source", "licence"]


def picture(seed, size=(400, 300)):
    draw, image = random.Random(seed), Image.new("RGB", size, "white")
    pen = ImageDraw.Draw(image)
    for _ in range(120):
        x, y = draw.randrange(size[0] - 20), draw.randrange(size[1] - 20)
        pen.rectangle([x, y, x + draw.randrange(5, 60), y + draw.randrange(5, 60)], fill=draw.randrange(2**24))
    return image


def stored(image, kind="PNG", **more):
    kept = io.BytesIO()
    image.save(kept, kind, **more)
    return kept.getvalue()


def song(seed, seconds=12, start=0):
    """WAV."""
    draw, at = np.random.default_rng(seed), np.arange(5512) / 11025
    notes = [sum(np.sin(2 * np.pi * f * at) for f in draw.uniform(100, 2000, 4)) for _ in range(2 * seconds)]
    kept = io.BytesIO()
    with wave.open(kept, "wb") as file:
        file.setparams((1, 2, 11025, 0, "NONE", ""))
        file.writeframes((np.concatenate(notes[2 * start :]) * 8000).astype("<i2").tobytes())
    return kept.getvalue()


def rows(folder):
    """Writes the files. Three pictures (Cleo's is not free to be shown), a song, and a picture of a single colour."""
    contents = {
        "Harbour": ("Ada Moore", "CC-BY-4.0", stored(picture(1))),
        "Market": ("Ben Okoro", "CC-BY-4.0", stored(picture(2))),
        "Orchard": ("Cleo Marsh", "LicenseRef-AllRightsReserved", stored(picture(3))),
        "Blue": ("Ada Moore", "CC0-1.0", stored(Image.new("RGB", (80, 80), "navy"))),
        "Evening song": ("Ada Moore", "CC0-1.0", song(1)),
    }
    found = []
    for title, (by, licence, content) in contents.items():
        name = f"{title.lower().replace(' ', '-')}.bin"
        (folder / name).write_bytes(content)
        found.append([name, title, by, "author", "2020-01-01", "", licence])
    return found
