"""Smuggle a field into the manifest."""

import _forge

REFUSED = "bad-manifest"


def attack(run):
    manifest = _forge.read(run)
    manifest["shards"][0]["path"] = "/etc/passwd"
    _forge.write(run, manifest)


if __name__ == "__main__":
    _forge.main(attack)
