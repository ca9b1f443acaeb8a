"""What licences permit, from a table (licences.csv), over SPDX expressions. What does not stand in it is not permitted.

What the licences of Creative Commons with NC or ND mean for training is argued over; a gate that pays people does not
settle the argument in its own favour. The table was written from the licences' texts as remembered and is unreviewed.

Expressions with AND, OR and WITH need the package license-expression (the extra `byline[rights]`); without it they read
as unknown. Only our own table's symbols are given to it: its data base rewrites some LicenseRefs.
"""

import csv
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cache, reduce
from importlib.resources import files
from typing import Any

from byline.core import Record

PUBLIC_DOMAIN = "it is in the public domain"
FREE = "it permits any use"
LIMITED = "it permits training, with restrictions of use"

# From the least free to the freest; what two licences together ask is the least free of both.
TRAIN = ("refuses", "silent", "conditional", "permits")
DERIVATIVES = ("no", "share-alike", "yes")
ATTRIBUTION = ("per-output", "reasonable", "notice", "none")
SHARE_ALIKE = ("model", "model-if-adaptation", "dataset", "none")
PUBLIC = ("claimed", "none", "dedicated")  # a mere claim spoils what stands beside it

_EXCEPTIONS = frozenset(
    "Autoconf-exception-3.0 Bison-exception-2.2 Classpath-exception-2.0 Font-exception-2.0 GCC-exception-2.0 "
    "GCC-exception-3.1 LLVM-exception Libtool-exception Linux-syscall-note Qt-LGPL-exception-1.1 "
    "x11vnc-openssl-exception".lower().split()
)
"""Exceptions that add permissions about linking and say nothing of training: the licence stands as it is."""

_RESERVED = {"all-rights-reserved", "all rights reserved"}
_FAMILY = re.compile(r"(cc-by(?:-nc)?(?:-sa|-nd)?)-\d\.\d(-[a-z]{2,3})?")
_COMPOUND = re.compile(r"[()]|\s(and|or|with)\s", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class LicenceTerms(Record):
    """The facts of a licence expression. `chosen`: the part of it that is relied on, in the words of the expression.

    `train`: permits | conditional | silent | refuses. `attribution`: none | notice | reasonable | per-output.
    `share_alike`, how far it reaches: none | dataset | model-if-adaptation | model. `restrictions` of use are to be
    passed on. `excludes`: rights that are not licensed, such as voice. `public_domain`: dedicated (by the author, for
    the world), claimed (said to be), or none.
    """

    chosen: str
    train: str
    reproduce: bool
    commercial: bool
    derivatives: str
    attribution: str
    share_alike: str
    restrictions: tuple[str, ...]
    excludes: tuple[str, ...]
    public_domain: str
    source: str


@dataclass(frozen=True, slots=True)
class LicenceReading:
    """Whether a licence permits training for any purpose (None: that is not known), and why, to follow "because"."""

    permits: bool | None
    why: str


def read_licence(licence: str) -> LicenceReading:
    """What a licence expression (in any case) says about training, for any purpose, commercial too."""
    terms = licence_terms(licence)
    if terms is None:
        return LicenceReading(None, "it is not a licence that Byline knows")
    reading = _reading(terms)
    if terms.chosen.lower() == " ".join(licence.split()).lower():
        return reading
    return LicenceReading(reading.permits, f"{terms.chosen} may be chosen: {reading.why}")


def _reading(terms: LicenceTerms) -> LicenceReading:
    if terms.train == "refuses" or not terms.reproduce:
        return LicenceReading(False, "all rights are reserved")
    if not terms.commercial:
        return LicenceReading(False, "it forbids commercial use")
    if terms.derivatives == "no" and terms.train != "permits":
        return LicenceReading(False, "it forbids derived works")
    if terms.train != "permits":
        return LicenceReading(None, "it leaves open whether it permits training")
    if terms.public_domain != "none":
        return LicenceReading(True, PUBLIC_DOMAIN)
    free = LIMITED if terms.restrictions else FREE
    duty = {"none": free, "notice": f"{free} if the notice is kept"}.get(
        terms.attribution, f"{free} if the author is named"
    )
    shared = terms.share_alike in ("model", "model-if-adaptation")
    return LicenceReading(True, duty + (" and what is derived is shared alike" if shared else ""))


def licence_terms(licence: str) -> LicenceTerms | None:
    """The terms of an SPDX expression, or None if it is not known what they are.

    AND: both apply, so the least free of each. OR: the option that permits most. WITH: the licence as it stands, for
    exceptions that only add permissions; None for others.
    """
    text = " ".join(licence.split())
    if not _COMPOUND.search(f" {text} "):
        return _single(text)
    parsed = _parsed(text)
    try:
        return None if parsed is None else _evaluated(parsed)
    except RecursionError:  # nested deeper than anybody writes
        return None


def _single(name: str) -> LicenceTerms | None:
    key = name.lower()
    if key in _RESERVED:
        key = "licenseref-allrightsreserved"
    family = _FAMILY.fullmatch(key)
    terms = _table().get(f"{family[1]}-*" if family else key)
    return None if terms is None else replace(terms, chosen=name)


def _parsed(text: str) -> Any:
    """The tree of license-expression, or None for what is no expression, or without the package."""
    try:
        from license_expression import ExpressionError, Licensing
    except ImportError:
        return None
    try:
        return Licensing().parse(text)
    except (ExpressionError, RecursionError):  # its parse errors are ExpressionErrors
        return None


def _evaluated(part: Any) -> LicenceTerms | None:
    """Source: SPDX specification 2.3, annex D (licence expressions)."""
    from license_expression import LicenseWithExceptionSymbol

    if isinstance(part, LicenseWithExceptionSymbol):
        known = str(part.exception_symbol.key).lower() in _EXCEPTIONS
        terms = _single(str(part.license_symbol.key)) if known else None
        return None if terms is None else replace(terms, chosen=part.render())
    operator = getattr(part, "operator", "").strip()
    if not operator:
        return _single(str(part.key))
    options = [_evaluated(each) for each in part.args]
    if operator == "OR":
        known_options = [option for option in options if option is not None]
        return max(known_options, key=_freedom, default=None)
    every = [option for option in options if option is not None]
    return reduce(_both, every) if len(every) == len(options) else None


def _freedom(terms: LicenceTerms) -> tuple[Any, ...]:
    """What is permitted comes first, then what is owed for it; ties by name, so that order does not matter."""
    permitted = (terms.reproduce, terms.commercial, TRAIN.index(terms.train), DERIVATIVES.index(terms.derivatives))
    shown = PUBLIC.index(terms.public_domain)
    owed = (not terms.restrictions, SHARE_ALIKE.index(terms.share_alike), ATTRIBUTION.index(terms.attribution))
    return (*permitted, shown, *owed, -len(terms.excludes), terms.chosen)


def _both(one: LicenceTerms, other: LicenceTerms) -> LicenceTerms:
    def least(name: str, order: Iterable[str]) -> str:
        return min((str(getattr(terms, name)) for terms in (one, other)), key=list(order).index)

    return LicenceTerms(
        chosen=f"{one.chosen} AND {other.chosen}",
        train=least("train", TRAIN),
        reproduce=one.reproduce and other.reproduce,
        commercial=one.commercial and other.commercial,
        derivatives=least("derivatives", DERIVATIVES),
        attribution=least("attribution", ATTRIBUTION),
        share_alike=least("share_alike", SHARE_ALIKE),
        restrictions=tuple(sorted({*one.restrictions, *other.restrictions})),
        excludes=tuple(sorted({*one.excludes, *other.excludes})),
        public_domain=least("public_domain", PUBLIC),
        source=f"{one.source}; {other.source}",
    )


@cache
def _table() -> dict[str, LicenceTerms]:
    """Terms by id in lower case."""
    text = files("byline.gate").joinpath("licences.csv").read_text("utf-8")
    return {row["id"].lower(): _terms(row) for row in csv.DictReader(text.splitlines())}


def _terms(row: dict[str, str]) -> LicenceTerms:
    return LicenceTerms(
        chosen=row["id"],
        train=row["train"],
        reproduce=row["reproduce"] == "yes",
        commercial=row["commercial"] == "yes",
        derivatives=row["derivatives"],
        attribution=row["attribution"],
        share_alike=row["share_alike"],
        restrictions=tuple(part.strip() for part in row["restrictions"].split(";") if part.strip()),
        excludes=tuple(sorted(row["excludes"].split())),
        public_domain=row["public_domain"],
        source=row["source"],
    )
