"""Take the manifest away."""

import _forge

REFUSED = "not-a-run"


def attack(run):
    (run / "manifest.json").unlink()


if __name__ == "__main__":
    _forge.main(attack)
