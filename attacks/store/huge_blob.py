"""Claim a blob whose size overflows 64 bits."""

import _forge

REFUSED = "wrong-size"


def attack(run):
    manifest = _forge.read(run)
    manifest["blobs"][0]["shape"] = [2**50, 2**50]
    _forge.write(run, manifest)


if __name__ == "__main__":
    _forge.main(attack)
