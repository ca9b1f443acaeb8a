"""Pages for everybody."""

from byline.app.portal.doors import Doors
from byline.app.portal.visit import Answer, Page, Visit


def add(doors: Doors) -> None:
    doors.page("GET", "/")(front)


def front(visit: Visit) -> Answer:
    return Page("front.html", "Was my work used?")
