"""Move a row to another step: another learning rate, another share."""

import _forge

REFUSED = "wrong-digest"


def attack(run):
    file = _forge.file(run, "rows")
    data = bytearray(file.read_bytes())
    data[4:8] = data[-4:]
    file.write_bytes(data)


if __name__ == "__main__":
    _forge.main(attack)
