"""The guard over HTTP: an output is held against the works, whole or while it is written.

There is no session to keep: while an output is written, each question brings all of it so far, and the answer says how
many characters may be shown. So any process can answer any question, and nothing of the text stays. A word costs some
microseconds; asking every few words of an output of a thousand costs as much as reading it a few dozen times.
"""

from typing import Annotated

from fastapi import APIRouter, Depends

from byline.app.api.asking import ERRORS, Door
from byline.app.api.current import Place
from byline.app.api.forms import GuardAnswer, GuardForm, Told
from byline.app.api.tokens import Token
from byline.app.lookup import guard_of, named, policy_of
from byline.core import digest
from byline.lookup import GuardPolicy


def add_guard(api: APIRouter, place: Place, door: Door) -> None:
    """The route, with the token that it needs."""
    policy = policy_of(place.home)
    token = Annotated[Token, Depends(door.scope("guard:ask"))]

    @api.post("/guard", response_model=GuardAnswer, responses=ERRORS)
    def hold_against(form: GuardForm, token: token) -> Told:
        """Whether an output copies works: verdict, longest run, part covered, reasons. With `whole` false it is still
        written: send all of it so far, and show `released` characters. Nothing is kept of it."""
        return held_against(place, policy, form.text, form.whole)


def held_against(place: Place, policy: GuardPolicy, text: str, whole: bool) -> Told:
    """Raises: those of `Library.update`."""
    library = place.lookup
    stream = guard_of(library, policy).stream()
    stream.push(text)
    report = stream.close() if whole else stream.so_far()
    told = named(library, report.to_json())
    return told | {"policy": policy.to_json(), "policy_sha256": digest(policy.to_json()), "scope": library.scope()}
