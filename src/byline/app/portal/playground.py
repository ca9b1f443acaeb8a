"""The playground: a visitor gives a few words, the model goes on, and the page shows who taught it, and their pay."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from byline.app.home import Home, read_json, write_json
from byline.app.money_files import nano_of
from byline.app.portal.doors import Doors
from byline.app.portal.pages import error_page
from byline.app.portal.play_made import TOKENS, make_passage, trainings
from byline.app.portal.play_room import Asked, Playroom
from byline.app.portal.visit import Answer, Onward, Page, Visit
from byline.core import AppError

MOST = 400  # characters of a beginning
WAIT = 20.0  # seconds that one request waits for a passage
PRICE = "10.00"
MOST_NANO = 1_000_000 * 10**9
EXAMPLES = ("The state of the Union is", "It is the duty of", "Peace with all nations")


class OpenTo(StrEnum):
    """Who may ask the model: the operator's switch."""

    EVERYBODY = "everybody"
    SIGNED_IN = "signed-in"
    NOBODY = "nobody"


def open_to(home: Home) -> OpenTo:
    """Raises: AppError("unreadable") for a damaged file, which opens the playground to nobody."""
    path = home.path / "playground.json"
    if not path.is_file():
        return OpenTo.EVERYBODY
    told = read_json(path, "the operator's page of the portal", ("open_to",))
    return OpenTo(told["open_to"]) if told["open_to"] in list(OpenTo) else OpenTo.NOBODY


def open_it(home: Home, to: OpenTo) -> None:
    write_json(home.path / "playground.json", {"open_to": to.value})


def add(doors: Doors) -> None:
    ground = Playground()
    doors.page("GET", "/play")(ground.form)
    doors.page("POST", "/play", reads=True)(ground.ask)
    doors.page("GET", "/play/{passage}")(ground.show)


@dataclass(frozen=True)
class Playground:
    room: Playroom = field(default_factory=Playroom)

    def form(self, visit: Visit) -> Answer:
        if (refused := _refused(visit)) is not None:
            return refused
        known = trainings(visit.home)
        return Page("play.html", "Watch it write", {"trainings": known, **_blank(visit)})

    def ask(self, visit: Visit) -> Answer:
        """Raises: AppError("too-often"), ("too-long"), ("empty-query"), ("bad-price"), ("no-such-page")."""
        if (refused := _refused(visit)) is not None:
            return refused
        known, home = trainings(visit.home), visit.home
        name = visit.field("training", 100) or (known[0] if known else "")
        if name not in known:
            raise AppError("no-such-page", "there is no such training", "the page lists those that there are")
        prompt, nano = visit.field("prompt", MOST), read_price(visit.field("price", 40) or PRICE)
        if not prompt:
            raise AppError("empty-query", "no beginning was given", "write a few words for the model to go on from")
        if not visit.portal.searches.admits(f"play:{visit.address}", visit.now):
            raise AppError("too-often", "that were thirty passages within a minute", "wait a minute")
        currency = (home.journal.currencies() or ["EUR"])[0]
        portal = visit.portal
        passage = self.room.ask(lambda progress: make_passage(portal, name, prompt, nano, currency, progress))
        return Onward(f"/play/{passage}")

    def show(self, visit: Visit) -> Answer:
        """The passage; while it is being made, a page that at once asks again and so waits for it without a script."""
        if (refused := _refused(visit)) is not None:
            return refused
        asked, waited = self.room.find(visit.named["passage"], WAIT if visit.asked.get("then") else 0.0)
        if asked.state == "failed":
            return error_page(asked.fault.code if asked.fault else "broken", fault=asked.fault)
        if asked.state != "done":
            return self._waiting(asked, waited)
        price = _plain(asked.told["price"]["nano"]) if asked.told.get("price") else PRICE
        again = {"prompt": asked.told["prompt"], "training": asked.told["training"], "price": price}
        data = {**asked.told, "trainings": trainings(visit.home), "tokens": TOKENS, "asked": again, "most": MOST}
        return Page("played.html", "What it wrote", data)

    def _waiting(self, asked: Asked, waited: bool) -> Page:
        data = {"id": asked.id, "before": self.room.before(asked), "doing": asked.doing, "onward": waited}
        return Page("playing.html", "It is writing", data, 200)


def _blank(visit: Visit) -> dict[str, Any]:
    asked = {"prompt": visit.asked.get("prompt", "")[:MOST], "training": "", "price": PRICE}
    return {"asked": asked, "most": MOST, "tokens": TOKENS, "examples": EXAMPLES}


def _refused(visit: Visit) -> Answer | None:
    to = open_to(visit.home)
    if to is OpenTo.SIGNED_IN and visit.person is None:
        return Onward("/sign-in?onward=%2Fplay")
    return Page("play-shut.html", "Closed for now", status=403) if to is OpenTo.NOBODY else None


def read_price(text: str) -> int:
    """Nano-units. Raises: AppError("bad-price")."""
    try:
        nano = nano_of(text.strip().replace(",", "."))
    except ValueError as fault:
        raise AppError("bad-price", f"“{text[:40]}” is no price", "write it as 10.00") from fault
    if nano > MOST_NANO:
        raise AppError("bad-price", "that is a price above a million", "write a smaller one")
    return nano


def _plain(nano: int) -> str:
    major, rest = divmod(nano, 10**9)
    digits = f"{rest:09d}".rstrip("0").ljust(2, "0")
    return f"{major}.{digits}"
