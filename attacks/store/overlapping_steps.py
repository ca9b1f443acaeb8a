"""Count the steps of the first shard twice."""

import _forge

REFUSED = "bad-steps"


def attack(run):
    manifest = _forge.read(run)
    manifest["shards"][1]["first_step"] -= 1
    manifest["shards"][1]["steps"] += 1
    _forge.write(run, manifest)


if __name__ == "__main__":
    _forge.main(attack)
