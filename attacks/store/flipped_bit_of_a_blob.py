"""Flip one bit of the final weights."""

import _forge

REFUSED = "wrong-digest"


def attack(run):
    file = next((run / "blobs").iterdir())
    data = bytearray(file.read_bytes())
    data[0] ^= 1
    file.write_bytes(data)


if __name__ == "__main__":
    _forge.main(attack)
