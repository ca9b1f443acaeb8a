"""Put a text where a number belongs."""

import _forge

REFUSED = "bad-manifest"


def attack(run):
    manifest = _forge.read(run)
    manifest["shards"][0]["rows"] = "3"
    _forge.write(run, manifest)


if __name__ == "__main__":
    _forge.main(attack)
