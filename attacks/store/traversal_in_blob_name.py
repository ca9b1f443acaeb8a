"""Name a blob so that its file lies outside the run folder."""

import _forge

REFUSED = "bad-name"


def attack(run):
    manifest = _forge.read(run)
    manifest["blobs"][0]["name"] = "../../etc/passwd"
    _forge.write(run, manifest)


if __name__ == "__main__":
    _forge.main(attack)
