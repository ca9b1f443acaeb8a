"""Let a row point at an example that has no id."""

import _forge

REFUSED = "bad-rows"


def attack(run):
    data = _forge.file(run, "rows").read_bytes()
    _forge.replace(run, "rows", b"\xff\xff\xff\xff" + data[4:])


if __name__ == "__main__":
    _forge.main(attack)
