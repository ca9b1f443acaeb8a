"""Cut the last byte off the features of a shard."""

import _forge

REFUSED = "wrong-size"


def attack(run):
    file = _forge.file(run, "features")
    file.write_bytes(file.read_bytes()[:-1])


if __name__ == "__main__":
    _forge.main(attack)
