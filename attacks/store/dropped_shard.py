"""Drop a shard in the middle, so that its examples were never there."""

import _forge

REFUSED = "bad-steps"


def attack(run):
    manifest = _forge.read(run)
    del manifest["shards"][1]
    _forge.write(run, manifest)


if __name__ == "__main__":
    _forge.main(attack)
