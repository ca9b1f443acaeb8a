"""Slip a second id into a line."""

import _forge

REFUSED = "bad-ids"


def attack(run):
    data = _forge.file(run, "ids").read_bytes()
    _forge.replace(run, "ids", data.replace(b"\n", b',"ex:extra"\n', 1))


if __name__ == "__main__":
    _forge.main(attack)
