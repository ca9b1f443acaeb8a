"""Write a key twice, so that two readers see two runs."""

import _forge

REFUSED = "bad-manifest"


def attack(run):
    data = (run / "manifest.json").read_bytes()
    (run / "manifest.json").write_bytes(data.replace(b"{", b'{"blobs":[],', 1))


if __name__ == "__main__":
    _forge.main(attack)
