"""Before a run starts: is every work of the manifest still to be trained on?

A manifest is frozen on one day and trained on another. What was reserved in between must not be copied again, and under
Directive (EU) 2019/790 art. 4(3) the reservation is read once more before each run. Opt-outs in between are refused by
`exclusion.begin_run`.
"""

from datetime import UTC, datetime

from byline.app.home import Home
from byline.app.looks import reserved_works
from byline.core import AppError, Manifest, WorkId

NAMED = 5  # works in the message; the count is of all


def refuse_run(home: Home, manifest: Manifest, starts: datetime | None = None) -> None:
    """Raises: AppError("reserved-since") if a work of the manifest is reserved by now,
    AppError("law-since") if the law packs under which it was frozen do not permit it at the start of this run."""
    begun = starts or datetime.now(UTC)
    on = begun.date()
    works = [home.works[entry.work] for entry in manifest.entries if entry.work in home.works]
    law = home.path / "manifests" / f"{manifest.id.removeprefix('manifest:')}.law.json"
    if not law.is_file():
        since = {work: decision.because for work, decision in reserved_works(home, works, on).items()}
        if since:
            raise AppError("reserved-since", _sentence(home, since), "byline freeze")
        return
    from byline.app.law_kept import refused_at_start

    refused = refused_at_start(home, manifest, works, begun)
    if refused:
        fix = "read the signals again (byline signals PLACE --keep --complete), or freeze again"
        raise AppError("law-since", _sentence(home, refused), fix)


def _sentence(home: Home, held: dict[WorkId, str]) -> str:
    some = "; ".join(f"{home.works[work].title}: {why}" for work, why in list(held.items())[:NAMED])
    more = f"; and {len(held) - NAMED} more" if len(held) > NAMED else ""
    return f"{len(held)} works of the manifest may not be trained on now. {some}{more}"
