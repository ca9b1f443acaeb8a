"""Tear the manifest in half."""

import _forge

REFUSED = "bad-manifest"


def attack(run):
    data = (run / "manifest.json").read_bytes()
    (run / "manifest.json").write_bytes(data[: len(data) // 2])


if __name__ == "__main__":
    _forge.main(attack)
