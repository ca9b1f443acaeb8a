"""Poison every score with one scale that is not a number."""

import _forge

REFUSED = "bad-scales"


def attack(run):
    data = _forge.file(run, "scales").read_bytes()
    _forge.replace(run, "scales", b"\x00\x00\xc0\x7f" + data[4:])


if __name__ == "__main__":
    _forge.main(attack)
