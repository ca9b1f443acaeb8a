"""Let a shard point at a file elsewhere."""

import _forge

REFUSED = "missing-file"


def attack(run):
    file = _forge.file(run, "ids")
    target = run / "elsewhere"
    file.rename(target)
    file.symlink_to(target)


if __name__ == "__main__":
    _forge.main(attack)
