"""Give a step the record of another one."""

import _forge

REFUSED = "bad-steps"


def attack(run):
    lines = _forge.file(run, "steps", 1).read_bytes().splitlines(keepends=True)
    _forge.replace(run, "steps", b"".join(reversed(lines)), 1)


if __name__ == "__main__":
    _forge.main(attack)
