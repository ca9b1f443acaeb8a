"""Reverse the order of the rows, so that resuming would cut the wrong ones."""

import _forge

REFUSED = "bad-rows"


def attack(run):
    data = _forge.file(run, "rows", 1).read_bytes()
    rows = [data[i : i + 8] for i in range(0, len(data), 8)]
    last_step = rows[-1][4:]
    _forge.replace(run, "rows", b"".join([rows[0][:4] + last_step, *rows[1:]]), 1)


if __name__ == "__main__":
    _forge.main(attack)
