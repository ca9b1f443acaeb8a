"""List a shard twice, so that its examples count twice."""

import _forge

REFUSED = "bad-name"


def attack(run):
    manifest = _forge.read(run)
    last = manifest["shards"][-1]
    manifest["shards"].append(dict(last, first_step=last["first_step"] + last["steps"]))
    _forge.write(run, manifest)


if __name__ == "__main__":
    _forge.main(attack)
