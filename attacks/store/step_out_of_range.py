"""Let a row claim a step that its shard does not cover."""

import _forge

REFUSED = "bad-rows"


def attack(run):
    data = _forge.file(run, "rows").read_bytes()
    _forge.replace(run, "rows", data[:-4] + b"\xff\xff\xff\x7f")


if __name__ == "__main__":
    _forge.main(attack)
