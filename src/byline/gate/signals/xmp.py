"""Statements in an XMP packet: PLUS Data Mining (IPTC Photo Metadata 2023.1) and TDMRep."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from byline.gate.signals.markup import UnreadableXml, local, parse_xml
from byline.gate.signals.observation import TRAIN, Canonical, Category, Findings, Notebook, Reading, Target, same
from byline.gate.signals.tdmrep import Policies, saw_reservation

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

SPEC = "PLUS LDF 2.0.1 / IPTC 2023.1"
PLUS = "http://ns.useplus.org/ldf/xmp/1.0/"
VOCABULARY = "http://ns.useplus.org/ldf/vocab/"
TDM = ("http://www.w3.org/ns/tdmrep/", "http://www.w3.org/ns/tdmrep#")  # PDF writes the first, EPUB the second
RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"

_MINED = (Category.TDM, *TRAIN, Category.INDEX)
CODES: dict[str, Canonical] = {
    "DMI-UNSPECIFIED": {},
    "DMI-ALLOWED": same(Reading.ALLOW, _MINED),
    "DMI-PROHIBITED-AIMLTRAINING": same(Reading.DENY, TRAIN),
    "DMI-PROHIBITED-GENAIMLTRAINING": {Category.TRAIN_GEN: Reading.DENY},
    "DMI-PROHIBITED-EXCEPTSEARCHENGINEINDEXING": same(Reading.DENY, (Category.TDM, *TRAIN))
    | {Category.INDEX: Reading.ALLOW},
    "DMI-PROHIBITED": same(Reading.DENY, _MINED),
    "DMI-PROHIBITED-SEECONSTRAINT": same(Reading.DENY, _MINED),
    "DMI-PROHIBITED-SEEEMBEDDEDRIGHTSEXPR": same(Reading.DENY, _MINED),
    "DMI-PROHIBITED-SEELINKEDRIGHTSEXPR": same(Reading.DENY, _MINED),
}
SEE = {
    "DMI-PROHIBITED-SEECONSTRAINT": "read plus:OtherConstraints",
    "DMI-PROHIBITED-SEEEMBEDDEDRIGHTSEXPR": "read the embedded rights expression",
    "DMI-PROHIBITED-SEELINKEDRIGHTSEXPR": "read the linked rights expression",
}


def read_xmp(packet: bytes, target: Target, *, carrier: str = "xmp", policies: Policies | None = None) -> Findings:
    """PLUS and TDMRep statements of one packet. Raises: GateError("signals-extra")."""
    notes = Notebook(target, packet, carrier)
    try:
        root = parse_xml(packet.strip(b" \t\r\n\0"))
    except UnreadableXml as fault:
        notes.fault("bad-xmp", str(fault))
        return notes.findings()
    for value in _values(root, f"{{{PLUS}}}DataMining"):
        _saw_plus(value, list(_values(root, f"{{{PLUS}}}OtherConstraints")), notes)
    for space in TDM:
        policy = next(_values(root, f"{{{space}}}policy"), "")
        for value in _values(root, f"{{{space}}}reservation"):
            saw_reservation(notes, value, policy, "XMP tdm:reservation", policies)
    return notes.findings()


def _saw_plus(value: str, constraints: list[str], notes: Notebook) -> None:
    """A code counts by its full address. A prohibition also without, or under https, or in lower case."""
    code = value.removeprefix(VOCABULARY)
    meant = value.rpartition("/")[2].upper()
    if code == value or code not in CODES:
        code = meant if meant.startswith("DMI-PROHIBITED") else ""
    remarks: tuple[str, ...] = ()
    if code and code not in CODES:
        code, remarks = "DMI-PROHIBITED", (f"an unknown prohibition, read as the widest: {value}",)
    if not code:
        notes.fault("bad-plus", f"not a code of the PLUS vocabulary: {value}")
    duties = (SEE[code], *constraints) if code in SEE else ()
    rule = f"plus:DataMining {code or 'unknown'}"
    notes.saw("plus", SPEC, value, rule, CODES.get(code, {}), duties=duties, notes=remarks)


def _values(root: "Element", name: str) -> Iterator[str]:
    """A property's values, written as an attribute, an element, a resource or a list of them."""
    for element in root.iter():
        if name in element.attrib:
            yield element.attrib[name].strip()
        if element.tag == name:
            yield from _texts(element)


def _texts(element: "Element") -> Iterator[str]:
    resource = element.get(f"{{{RDF}}}resource")
    if resource is not None:
        yield resource.strip()
    items = [item for item in element.iter() if local(item.tag) == "li"]
    for each in items or [element]:
        text = each.get(f"{{{RDF}}}resource") or each.text or ""
        if text.strip():
            yield text.strip()
