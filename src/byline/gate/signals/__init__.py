"""Opt-out signals: what publishers say of the use of their works, in every form the web carries it, read into one
vocabulary.

Pure functions over bytes and headers; no network and no clock. Unknown is never consent, and neither is a signal that
could not be read. The parsers are the extra `byline[rights]`.
"""

from byline.gate.signals.agents import AgentList, known_agents
from byline.gate.signals.ai_txt import read_ai_txt
from byline.gate.signals.c2pa import read_c2pa, read_manifest_store
from byline.gate.signals.epub import read_epub
from byline.gate.signals.headers import read_headers
from byline.gate.signals.images import read_image
from byline.gate.signals.kinds import Options, kind_of, read_as
from byline.gate.signals.observation import Category, Findings, Observation, Reading, Target
from byline.gate.signals.page import read_page
from byline.gate.signals.pdf import read_pdf
from byline.gate.signals.places import Answer, read_place
from byline.gate.signals.resolve import Grant, Resolved, access, canonical, overall, resolve
from byline.gate.signals.robots import Inference, read_robots, robots_unavailable
from byline.gate.signals.rsl import read_linked_rsl, read_rsl
from byline.gate.signals.tdmai import read_tdmai
from byline.gate.signals.tdmrep import read_tdmrep_json
from byline.gate.signals.xmp import read_xmp

__all__ = [
    "AgentList",
    "Answer",
    "Category",
    "Findings",
    "Grant",
    "Inference",
    "Observation",
    "Options",
    "Reading",
    "Resolved",
    "Target",
    "access",
    "canonical",
    "kind_of",
    "known_agents",
    "overall",
    "read_ai_txt",
    "read_as",
    "read_c2pa",
    "read_epub",
    "read_headers",
    "read_image",
    "read_linked_rsl",
    "read_manifest_store",
    "read_page",
    "read_pdf",
    "read_place",
    "read_robots",
    "read_rsl",
    "read_tdmai",
    "read_tdmrep_json",
    "read_xmp",
    "resolve",
    "robots_unavailable",
]
