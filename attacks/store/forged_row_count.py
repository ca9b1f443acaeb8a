"""Claim one row more than there is, to read past the end of the files."""

import _forge

REFUSED = "wrong-size"


def attack(run):
    manifest = _forge.read(run)
    manifest["shards"][0]["rows"] += 1
    _forge.write(run, manifest)


if __name__ == "__main__":
    _forge.main(attack)
