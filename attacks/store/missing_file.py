"""Delete the scales of a shard."""

import _forge

REFUSED = "missing-file"


def attack(run):
    _forge.file(run, "scales", 1).unlink()


if __name__ == "__main__":
    _forge.main(attack)
