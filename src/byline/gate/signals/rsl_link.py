"""Links to an RSL licence, from robots.txt, an HTTP header or a page. Until the licence is read, it is a condition."""

from byline.gate.signals.observation import EVERY, Notebook, Observation, Reading, same

SPEC = "RSL 1.0"
READ_IT = "read the licence at "


def saw_licence_link(url: str, rule: str, raw: str, line: int, notes: Notebook) -> None:
    """RSL: clients must fetch the licence and comply with it before they use the asset."""
    duties = (READ_IT + url,)
    notes.saw("rsl", SPEC, raw, rule, same(Reading.CONDITIONAL, EVERY), line=line, duties=duties)


def linked(observation: Observation) -> str:
    """The address of the licence that an observation points at; "" if it is no link."""
    duty = next((duty for duty in observation.duties if duty.startswith(READ_IT)), "")
    return duty.removeprefix(READ_IT)
