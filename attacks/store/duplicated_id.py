"""Give a second index to an id that has one, to split its credit."""

import _forge

REFUSED = "bad-ids"


def attack(run):
    lines = _forge.file(run, "ids").read_bytes().splitlines(keepends=True)
    _forge.replace(run, "ids", b"".join([*lines[:-1], lines[0]]))


if __name__ == "__main__":
    _forge.main(attack)
