"""Small pictures of works, for pages. Whether one may be shown is decided here.

A small picture of a work is a copy of it, put before the public. So it is shown only if the licence is known and lets
anybody reproduce the work, for money too, and nobody has said no for it; everybody else's work is named and not shown.
"""

import base64
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from byline.app.home import Home
from byline.core import PPM, WorkId
from byline.gate import licence_terms
from byline.lookup import read_image
from byline.registry import Licence

SIDE = 360  # pixels of the longer side
INK, PAPER = (178, 34, 34), (255, 255, 255)


@dataclass(frozen=True)
class Views:
    """`asked`: what was sent; `works`: of each work that may be shown, by id, with a frame around the part that was
    sent. All are small, and written into the page as data: nothing of a question is kept."""

    asked: str | None
    works: Mapping[str, str]


def may_show(home: Home, work: WorkId, on: date) -> bool:
    found = home.works.get(work)
    if found is None or found.kind != "image" or work in home.opted_out(on):
        return False
    recorded = home.registry.evidence.of_works(Licence, [found], on).get(work, ())
    stated = [each.expression for each in recorded] or [found.licence]
    terms = [licence_terms(expression) for expression in stated]
    return all(each is not None and each.reproduce and each.commercial for each in terms)


def thumbnail(home: Home, work: WorkId, corners: Sequence[int] = ()) -> bytes:
    """JPEG without any metadata; `corners`: of a part, as an `Alignment` has them.

    Raises: LookupFault("bad-image"), LookupFault("lookup-missing"), those of `Registry.content`.
    """
    return _small(read_image(home.registry.content(work), work), corners)


def views(home: Home, on: date, content: bytes, matches: Sequence[Mapping[str, Any]]) -> Views:
    """Of a question and of what was found for it."""
    shown = {}
    for match in matches:
        work = WorkId(match["work"])
        if may_show(home, work, on):
            lies = match.get("alignment") or {}
            shown[str(work)] = _data(thumbnail(home, work, lies.get("corners", ())))
    return Views(_data(_small(read_image(content, "the picture that you sent"))), shown)


def _small(pixels: Any, corners: Sequence[int] = ()) -> bytes:
    from PIL import Image, ImageDraw

    image = Image.fromarray(pixels)
    image.thumbnail((SIDE, SIDE))
    if corners:
        places = [(corners[at] * image.width / PPM, corners[at + 1] * image.height / PPM) for at in range(0, 8, 2)]
        pen = ImageDraw.Draw(image)
        for width, colour in ((5, PAPER), (3, INK)):
            pen.line([*places, places[0]], fill=colour, width=width, joint="curve")
    kept = io.BytesIO()
    image.save(kept, "JPEG", quality=80)
    return kept.getvalue()


def _data(jpeg: bytes) -> str:
    return f"data:image/jpeg;base64,{base64.b64encode(jpeg).decode('ascii')}"
