"""Claim a format that this reader does not know."""

import _forge

REFUSED = "format-version"


def attack(run):
    manifest = _forge.read(run)
    manifest["format"] = "byline-store/2"
    _forge.write(run, manifest)


if __name__ == "__main__":
    _forge.main(attack)
