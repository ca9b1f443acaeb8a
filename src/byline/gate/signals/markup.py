"""XML from strangers: bounded in size and depth, no DTD, no entities, nothing fetched."""

import importlib
from types import ModuleType
from typing import TYPE_CHECKING

from byline.core import GateError

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

LARGEST = 4 * 2**20
DEEPEST = 100


class UnreadableXml(ValueError):
    """Why a document is not read; a reader turns it into a problem."""


def library(name: str) -> ModuleType:
    """A package of the extra `rights`, imported when it is needed.

    Raises: GateError("signals-extra") if it is not installed.
    """
    try:
        return importlib.import_module(name)
    except ImportError as fault:
        missing = f"reading this signal needs the package {name.partition('.')[0]}"
        raise GateError("signals-extra", missing, "pip install 'byline[rights]'") from fault


def parse_xml(body: bytes) -> "Element":
    """The root element.

    Raises: UnreadableXml. GateError("signals-extra").
    """
    if len(body) > LARGEST:
        raise UnreadableXml(f"{len(body):,} bytes of XML; at most {LARGEST:,} are read")
    safe = library("defusedxml.ElementTree")
    common = library("defusedxml.common")
    try:
        root: Element = safe.fromstring(body, forbid_dtd=True)
    except common.DefusedXmlException as fault:
        raise UnreadableXml(f"it declares a document type or entities ({type(fault).__name__})") from fault
    except (safe.ParseError, ValueError, LookupError) as fault:
        raise UnreadableXml(f"it is not well-formed XML: {fault}") from fault
    _shallow(root)
    return root


def _shallow(root: "Element") -> None:
    level = [root]
    for _ in range(DEEPEST):
        level = [child for parent in level for child in parent]
        if not level:
            return
    raise UnreadableXml(f"its elements are nested more than {DEEPEST} deep")


def local(tag: object) -> str:
    """An element's name without its namespace; "" for comments and the like."""
    return tag.rpartition("}")[2] if isinstance(tag, str) else ""
