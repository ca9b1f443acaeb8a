"""The audit for personal data: identity and account numbers, addresses, speech and faces, as facts for the gate.

It can show that something is there, never that nothing is. Numbers are found without any extra; `byline[pii]` adds
Presidio's identity numbers and national telephone numbers, `byline[pii-media]` voices and faces.
"""

from byline.gate.pii.audit import Audit, Auditor, media_of
from byline.gate.pii.kinds import KINDS, Kind, facts_of
from byline.gate.pii.recognise import Find, recognise
from byline.gate.pii.text import find_in_text

__all__ = ["KINDS", "Audit", "Auditor", "Find", "Kind", "facts_of", "find_in_text", "media_of", "recognise"]
