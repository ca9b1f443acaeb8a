"""What is done to a passage, a picture or a song before it is looked up. All by rule and seed."""

import io
import random
import wave

import numpy as np
from PIL import Image, ImageEnhance, ImageOps

RATE = 11_025


# --- texts


def passages(works, count, length):
    """`count` passages of `length` words, spread over the works."""
    draw, works = random.Random(0), list(works)
    for number in range(count):
        work, text = works[number * len(works) // count]
        own = text.split()
        start = draw.randrange(max(1, len(own) - length))
        yield work, " ".join(own[start : start + length])


def replaced(every):
    """One word in `every` by a word of the passage, at random places."""

    def change(text):
        own, draw = text.split(), random.Random(text)
        for place in draw.sample(range(len(own)), len(own) // every):
            own[place] = draw.choice(own)
        return " ".join(own)

    return change


def restyled(text):
    plain = "".join(c for c in text if c.isalnum() or c.isspace()).upper().split()
    return "\n".join(" -- ".join(plain[at : at + 7]) for at in range(0, len(plain), 7))


def mistyped(text):
    """One letter of every fifth word is another."""
    own, draw = text.split(), random.Random(text)
    for place in range(2, len(own), 5):
        at = draw.randrange(len(own[place]))
        own[place] = own[place][:at] + draw.choice("aeiou") + own[place][at + 1 :]
    return " ".join(own)


def shuffled(text):
    """Pieces of twenty words in another order."""
    own = text.split()
    parts = [own[at : at + 20] for at in range(0, len(own), 20)]
    random.Random(text).shuffle(parts)
    return " ".join(word for part in parts for word in part)


def surrounded(text):
    """In the middle of 400 made-up words."""
    draw = random.Random(text)
    fill = ["".join(draw.choices("abcdefghijklmnop", k=6)) for _ in range(400)]
    return " ".join([*fill[:200], text, *fill[200:]])


def rewritten(text):
    """Every second word is another, and words change places by pairs: what a paraphrase leaves, at best."""
    own, draw = text.split(), random.Random(text)
    own[::2] = [draw.choice(own) for _ in own[::2]]
    for at in range(0, len(own) - 1, 4):
        own[at], own[at + 1] = own[at + 1], own[at]
    return " ".join(own)


def same(text):
    return text


TEXT_CHANGES = {
    "excerpt of 10 words": (10, same),
    "excerpt of 30 words": (30, same),
    "excerpt of 100 words": (100, same),
    "30 words inside 400 made-up ones": (30, surrounded),
    "100 words, other case, punctuation and line ends": (100, restyled),
    "100 words, one in ten replaced": (100, replaced(10)),
    "100 words, one in five replaced": (100, replaced(5)),
    "100 words, one in three replaced": (100, replaced(3)),
    "100 words, a letter wrong in every fifth": (100, mistyped),
    "100 words, pieces of 20 in another order": (100, shuffled),
    "100 words paraphrased (every second another, order changed)": (100, rewritten),
}


# --- pictures


def pictures(folder, most=None):
    """Name -> PNG of at most 1024 pixels; of variants of one picture (dark, light, other sizes) the first, and
    none that is transparent or of one colour."""
    found = {}
    for path in sorted(p for p in folder.rglob("*") if p.suffix.lower() in (".jpg", ".jpeg", ".png", ".webp")):
        name = picture_name(path)
        if not name or name in found:
            continue
        try:
            image = Image.open(path)
            if image.has_transparency_data:
                continue
            image = image.convert("RGB")
        except (OSError, ValueError):
            continue
        image.thumbnail((1024, 1024))
        if min(image.size) >= 300 and not_blank(image):
            found[name] = stored(image, "PNG")
        if len(found) == most:
            break
    return found


def not_blank(image):
    """A picture of one colour is nobody's: no search can tell it from another."""
    return max(band.std() for band in np.moveaxis(np.asarray(image.resize((16, 16)), float), 2, 0)) > 2


def picture_name(path):
    """Empty for what is a variant by its name. Plasma's wallpapers stand in NAME/contents/images/WIDTHxHEIGHT.png."""
    if path.stem == "screenshot" or path.parent.name == "images_dark":
        return ""
    if "contents" in path.parts:
        return path.parts[path.parts.index("contents") - 1].lower()
    return (
        path.stem.split("_")[0].removesuffix("-d").removesuffix("-l").lower()
        if "backgrounds" in path.parts
        else path.stem
    )


def stored(image, kind="JPEG", quality=85):
    kept = io.BytesIO()
    image.save(kept, kind, quality=quality)
    return kept.getvalue()


def changed(change, quality=85):
    return lambda content: stored(change(Image.open(io.BytesIO(content)).convert("RGB")), quality=quality)


def cropped(part):
    def change(image):
        width, height = (round(side * part**0.5) for side in image.size)
        left, top = round((image.width - width) * 0.6), round((image.height - height) * 0.4)
        return image.crop((left, top, left + width, top + height))

    return change


def pasted(image):
    """A quarter of another picture's area: noise around it."""
    draw = np.random.default_rng(0).integers(0, 255, (image.height * 2, image.width * 2, 3), np.uint8)
    canvas = Image.fromarray(draw)
    canvas.paste(image, (image.width // 3, image.height // 2))
    return canvas


def paler(image):
    return ImageEnhance.Color(ImageEnhance.Brightness(image).enhance(1.25)).enhance(0.6)


PICTURE_CHANGES = {
    "re-encoded, JPEG quality 40": changed(lambda image: image, quality=40),
    "half the size": changed(lambda image: image.resize((image.width // 2, image.height // 2))),
    "brighter and paler": changed(paler),
    "crop to 70 % of the area": changed(cropped(0.7)),
    "crop to 50 % of the area": changed(cropped(0.5)),
    "crop to 25 % of the area": changed(cropped(0.25)),
    "mirrored": changed(ImageOps.mirror),
    "turned by 5 degrees": changed(lambda image: image.rotate(5)),
    "turned by 25 degrees": changed(lambda image: image.rotate(25)),
    "mirrored and cropped to 50 %": changed(lambda image: cropped(0.5)(ImageOps.mirror(image))),
    "a quarter of a larger picture": changed(pasted),
}


# --- sounds


def song(seed):
    """40 seconds of chords with a melody and a beat, each seed another."""
    draw = np.random.default_rng(seed)
    at = np.arange(RATE // 2) / RATE
    notes = []
    for _ in range(80):
        root = 110 * 2 ** (draw.integers(0, 24) / 12)
        chord = sum(np.sin(2 * np.pi * root * 2 ** (step / 12) * at) / (1 + n) for n, step in enumerate((0, 4, 7, 12)))
        lead = np.sin(2 * np.pi * root * 2 ** (draw.integers(12, 30) / 12) * at) * draw.uniform(0.3, 1)
        beat = draw.standard_normal(len(at)) * np.exp(-at * 40) * draw.uniform(0, 1)
        notes.append((chord + lead + beat) * np.exp(-at * draw.uniform(0.5, 4)))
    return np.concatenate(notes) / 5


def recordings(folder, most):
    """Name -> 40 seconds out of the middle of a recording, of those that are long enough; spread over the folder."""
    import soundfile

    files = [path for path in sorted(folder.iterdir()) if soundfile.info(path).duration > 60]
    found = {}
    for path in files[:: max(1, len(files) // most)][:most]:
        with soundfile.SoundFile(path) as file:
            file.seek(int(file.frames / 2 - 20 * file.samplerate))
            samples = file.read(40 * file.samplerate, always_2d=True).mean(axis=1)
        found[path] = np.fft.irfft(np.fft.rfft(samples)[: 20 * RATE + 1], 40 * RATE) * 40 * RATE / len(samples)
    return found


def write_wave(path, samples):
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes((np.clip(samples, -1, 1) * 32767).astype("<i2").tobytes())
    return path


def noisy(samples):
    return samples + np.random.default_rng(9).standard_normal(len(samples)) * samples.std() * 0.2


def muffled(samples):
    spectrum = np.fft.rfft(samples)
    spectrum[round(2500 / (RATE / 2) * len(spectrum)) :] = 0
    return np.fft.irfft(spectrum, len(samples))


def coarse(samples):
    """Six bits a sample: as harsh as a poor encoding."""
    return np.round(samples * 32) / 32


def faster(part):
    def change(samples):
        return np.interp(np.arange(0, len(samples), part), np.arange(len(samples)), samples)

    return change


SOUND_CHANGES = {
    "a clip of 10 seconds": lambda samples: samples[13 * RATE : 23 * RATE],
    "half as loud": lambda samples: samples / 2,
    "white noise, a fifth of the signal": noisy,
    "nothing above 2.5 kHz": muffled,
    "6 bits a sample": coarse,
    "a noisy clip of 10 seconds": lambda samples: noisy(samples[7 * RATE : 17 * RATE]),
    "speed and pitch 1 % up": faster(1.01),
    "speed and pitch 5 % up": faster(1.05),
}
