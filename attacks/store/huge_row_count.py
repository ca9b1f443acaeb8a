"""Claim more rows than memory holds."""

import _forge

REFUSED = "wrong-size"


def attack(run):
    manifest = _forge.read(run)
    manifest["shards"][0]["rows"] = 2**53 - 1
    _forge.write(run, manifest)


if __name__ == "__main__":
    _forge.main(attack)
