"""Which licences permit training. A short table: what does not stand in it is not permitted.

What the licences of Creative Commons with NC or ND mean for training is argued over; a gate that pays people does not
settle the argument in its own favour.
"""

import re
from dataclasses import dataclass

PUBLIC_DOMAIN = "it is in the public domain"
PERMISSIVE = "it permits any use if the notice is kept"

_FREE = {
    "licenseref-publicdomain": PUBLIC_DOMAIN,
    "cc0-1.0": PUBLIC_DOMAIN,
    "cc-pddc": PUBLIC_DOMAIN,
    "pddl-1.0": PUBLIC_DOMAIN,
    "unlicense": PUBLIC_DOMAIN,
    "mit": PERMISSIVE,
    "mit-0": PERMISSIVE,
    "apache-2.0": PERMISSIVE,
    "bsd-2-clause": PERMISSIVE,
    "bsd-3-clause": PERMISSIVE,
    "odc-by-1.0": PERMISSIVE,
}
_RESERVED = {"licenseref-allrightsreserved", "all-rights-reserved", "all rights reserved"}
_CREATIVE_COMMONS = re.compile(r"cc-by(?P<nc>-nc)?(?P<more>-sa|-nd)?-\d\.\d(-[a-z]{2,3})?")


@dataclass(frozen=True, slots=True)
class LicenceReading:
    """Whether a licence permits training (None: it is not in the table), and why, to follow "because"."""

    permits: bool | None
    why: str


def read_licence(licence: str) -> LicenceReading:
    """What an SPDX id (in any case) says about training."""
    name = licence.strip().lower()
    if name in _FREE:
        return LicenceReading(True, _FREE[name])
    if name in _RESERVED:
        return LicenceReading(False, "all rights are reserved")
    match = _CREATIVE_COMMONS.fullmatch(name)
    if match is None:
        return LicenceReading(None, "it is not a licence that Byline knows")
    if match["nc"]:
        return LicenceReading(False, "it forbids commercial use")
    if match["more"] == "-nd":
        return LicenceReading(False, "it forbids derived works")
    duty = "the author is named" + (" and what is derived is shared alike" if match["more"] else "")
    return LicenceReading(True, f"it permits any use if {duty}")
