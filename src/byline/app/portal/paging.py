"""Pages of a long list: which one is asked for, read alone."""

from collections.abc import Callable, Sequence
from typing import TypeVar

from byline.app.portal.visit import Visit
from byline.core import AppError

Item = TypeVar("Item")
Read = Callable[[int, int], tuple[int, Sequence[Item]]]  # skip, most -> how many in all, and those


def page_number(text: str) -> int:
    """As it stands behind the question mark; 1 for what is no number."""
    return int(text) if text.isascii() and text.isdigit() and 0 < len(text) < 7 and int(text) else 1


def pages_of(visit: Visit, each: int, read: Read[Item]) -> tuple[int, int, Sequence[Item]]:
    """The number of the page, how many there are in the whole list, and those of the page.

    Raises: AppError("no-such-page") beyond the last one.
    """
    at = page_number(visit.asked.get("page", "1"))
    total, some = read((at - 1) * each, each)
    if at > 1 and (at - 1) * each >= total:
        raise AppError("no-such-page", f"there is no page {at}", "go back to the first")
    return at, total, some
