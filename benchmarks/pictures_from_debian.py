"""Fetch real pictures and sounds for benchmarks/lookup.py from Debian packages: about a gigabyte, a minute or two.

    python benchmarks/pictures_from_debian.py FOLDER
    python benchmarks/lookup.py --only pictures --pictures FOLDER/photographs --drawings FOLDER/drawings
    python benchmarks/lookup.py --only sounds --sounds FOLDER/sounds

It needs `apt-get download` (no root) and `dpkg-deb`, so a Debian or an Ubuntu. FOLDER/packages.json says which versions
were taken, and FOLDER/licences has each package's copyright file. Nothing of it is kept in this repository. Drawings go
onto white; those with a side under LEAST pixels are left out.
"""

import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image
from rich.progress import track

PHOTOGRAPHS = {  # package: licence, as its copyright file has it
    "gnome-backgrounds": "CC BY-SA 3.0",
    "lomiri-wallpapers-16.04": "CC BY 4.0, CC BY-SA, CC0, by file",
    "lomiri-wallpapers-20.04": "CC BY 4.0, CC BY-SA, CC0, by file",
    "mate-backgrounds": "GPL-2+, CC BY-SA 4.0, by file",
    "plasma-workspace-wallpapers": "LGPL-3, CC BY-SA 4.0, by file",
    "ukui-wallpapers": "CC BY-SA 3.0",
}
DRAWINGS = {"openclipart-png": "public domain", "tuxpaint-stamps-default": "GPL-2"}
SOUNDS = {"asc-music": "GPL-2+", "warzone2100-music": "GPL-2+, CC0, CC BY-SA 3.0", "wesnoth-1.16-music": "GPL-2+"}
PICTURE, SOUND = (".jpg", ".jpeg", ".png", ".webp"), (".flac", ".mp3", ".ogg", ".opus", ".wav")
LEAST = 128  # pixels of the shorter side


def main():
    target = Path(sys.argv[1])
    (target / "licences").mkdir(parents=True, exist_ok=True)
    told = []
    for package in track([*PHOTOGRAPHS, *DRAWINGS, *SOUNDS], "fetching packages"):
        with tempfile.TemporaryDirectory(dir=target) as place:
            told.append(fetched(package, Path(place), target))
    Image.MAX_IMAGE_PIXELS = None  # of packages named above, not of strangers
    kept = sum(flattened(path) for path in track(sorted((target / "drawings").iterdir()), "drawings onto white"))
    (target / "packages.json").write_text(json.dumps(told, indent=1) + "\n")
    for each in told:
        print(f"{each['package']:28s} {each['version']:22s} {each['files']:6,d} files  {each['licence']}")
    print(f"{kept:,} drawings have {LEAST} pixels a side and more")


def fetched(package, place, target):
    """Download and unpack one package, and move what is asked for out of it."""
    done = subprocess.run(["apt-get", "download", "-q", package], cwd=place, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"apt-get download {package}: {done.stderr.strip()}\nrun it where Debian's packages can be reached")
    archive = next(place.glob("*.deb"))
    unpacked = place / "unpacked"
    subprocess.run(["dpkg-deb", "-x", archive, unpacked], check=True)
    kind = next(name for name, of in KINDS.items() if package in of)
    shutil.copy(next(unpacked.rglob(f"usr/share/doc/{package}/copyright")), target / "licences" / f"{package}.txt")
    endings = SOUND if kind == "sounds" else PICTURE
    files = [f for f in sorted(unpacked.rglob("*")) if f.suffix in endings and f.is_file() and not f.is_symlink()]
    for file in files:
        below = file.relative_to(unpacked / "usr" / "share")  # where a wallpaper lies says what it is a variant of
        name = below if kind == "photographs" else f"{package}--{'-'.join(below.parts[1:])}"
        kept = target / kind / name
        kept.parent.mkdir(parents=True, exist_ok=True)
        shutil.move(file, kept)
    version = subprocess.run(["dpkg-deb", "-f", archive, "Version"], check=True, capture_output=True, text=True)
    licence = KINDS[kind][package]
    return {"package": package, "version": version.stdout.strip(), "files": len(files), "licence": licence}


KINDS = {"photographs": PHOTOGRAPHS, "drawings": DRAWINGS, "sounds": SOUNDS}


def flattened(path):
    """True if the drawing is large enough and is kept, as PNG on white."""
    try:
        image = Image.open(path)
        image = image.convert("RGBA") if min(image.size) >= LEAST else None
    except (OSError, ValueError):
        image = None
    if image is None:
        path.unlink()
        return False
    image.thumbnail((1024, 1024))
    ground = Image.new("RGBA", image.size, "white")
    Image.alpha_composite(ground, image).convert("RGB").save(path.with_suffix(".png.part"), "PNG", compress_level=1)
    path.with_suffix(".png.part").replace(path.with_suffix(".png"))
    return True


if __name__ == "__main__":
    main()
