"""Flip one bit of one feature."""

import _forge

REFUSED = "wrong-digest"


def attack(run):
    file = _forge.file(run, "features")
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(data)


if __name__ == "__main__":
    _forge.main(attack)
