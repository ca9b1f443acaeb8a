"""TDMRep and PLUS in the XMP metadata of a PDF, as the document's catalog holds it."""

import io
import logging

from byline.gate.signals.markup import library
from byline.gate.signals.observation import Findings, Target
from byline.gate.signals.tdmrep import Policies
from byline.gate.signals.xmp import read_xmp

LARGEST = 256 * 2**20


def read_pdf(body: bytes, target: Target, *, policies: Policies | None = None) -> Findings:
    """What the metadata of a PDF says. Raises: GateError("signals-extra") if pypdf is not installed."""
    pypdf = library("pypdf")
    logging.getLogger("pypdf").setLevel(logging.CRITICAL)  # what it warns of comes back as a problem
    try:
        if len(body) > LARGEST:
            raise ValueError(f"{len(body):,} bytes; at most {LARGEST:,} are read")
        if b"%%EOF" not in body[-2048:]:
            raise ValueError("it breaks off before its end mark")
        catalog = pypdf.PdfReader(io.BytesIO(body)).trailer["/Root"]
        stream = catalog.get("/Metadata")
        packet = stream.get_object().get_data() if stream is not None else b""
    except Exception as fault:  # pypdf answers damaged files with every kind of exception; none may end the reading
        says = f"not a readable PDF: {type(fault).__name__}: {fault}"
        return Findings((), (target.problem("bad-pdf", says),))
    return read_xmp(bytes(packet), target, carrier="pdf", policies=policies) if packet else Findings()
