"""Hide a payload behind the last scale of a shard."""

import _forge

REFUSED = "wrong-size"


def attack(run):
    with open(_forge.file(run, "scales"), "ab") as file:
        file.write(b"payload")


if __name__ == "__main__":
    _forge.main(attack)
