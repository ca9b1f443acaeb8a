"""What benches measured elsewhere, repeated in a plan with its circumstances. Nothing here is computed for the plan."""

import json
import math
from pathlib import Path
from typing import Any

from byline.app.engine.shape import Shape
from byline.core import AppError


def measured(shape: Shape, rank: int, results: Path | None) -> tuple[str, ...]:
    """What the benches in this folder measured, each with its circumstances; "not measured" where there is nothing."""
    return (
        _measured_capture(shape, rank, _read(results, "capture.json")),
        *_measured_lds(_read(results, "latest.json")),
    )


def _measured_capture(shape: Shape, rank: int, told: Any) -> str:
    rows = told.get("rows", []) if isinstance(told, dict) else []
    if not rows:
        return "overhead of capture: not measured"
    row = min(rows, key=lambda row: (abs(math.log(row["width"] / shape.width)), abs(math.log(row["rank"] / rank))))
    return (
        f"overhead of capture: {row['overhead_ratio'] - 1:+.1%} of CPU time, measured at width {row['width']} and rank "
        f"{row['rank']} on {told.get('hardware', 'unknown hardware')}, {told.get('date', 'date unknown')}"
    )


def _measured_lds(told: Any) -> list[str]:
    """Of Byline's own methods on every task of the bench."""
    tasks = told if isinstance(told, dict) else {}
    found = [
        f"{method} on {task}: LDS {row['lds']:.2f}"
        + (f" +- {row['lds_se']:.2f}" if row.get("lds_se") is not None else "")
        + (f", ceiling {row['ceiling']:.2f}" if row.get("ceiling") is not None else "")
        + ", measured by the bench, not on this training"
        for task, methods in tasks.items()
        if isinstance(methods, dict)
        for method, row in methods.items()
        if method.startswith("byline") and isinstance(row, dict) and isinstance(row.get("lds"), int | float)
    ]
    return found or ["LDS and intervals: not measured"]


def _read(results: Path | None, name: str) -> Any:
    if results is None or not (results / name).is_file():
        return None
    try:
        return json.loads((results / name).read_text(encoding="utf-8"))
    except ValueError as fault:
        raise AppError("unreadable", f"{results / name} is not JSON: {fault}", "make it again: make bench") from fault
