"""Name a shard so that its files lie outside the run folder."""

import _forge

REFUSED = "bad-name"


def attack(run):
    manifest = _forge.read(run)
    manifest["shards"][0]["name"] = "../../etc/00000"
    _forge.write(run, manifest)


if __name__ == "__main__":
    _forge.main(attack)
