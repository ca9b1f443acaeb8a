"""What the report needs to be told, key by key, and the check that it was told all of it."""

from typing import Any
from urllib.parse import urlsplit

from byline.core import AppError

_NUMBER = (int, float)
_MAYBE = (int, float, type(None))
_MAYBE_FLAG = (bool, type(None))
_TEXT, _COUNT, _FLAG = str, int, bool

_SHARE = {"share": _NUMBER, "low": _NUMBER, "high": _NUMBER}

CONTRACT: dict[str, Any] = {
    "made": {"date": _TEXT, "version": _TEXT, "hardware": _TEXT, "seconds": _MAYBE},
    "notice": _TEXT,
    "corpus": {
        "works": _COUNT,
        "contributors": _COUNT,
        "admitted": _COUNT,
        "words": _COUNT,
        "manifest": _TEXT,
        "root": _TEXT,
        "citation": _TEXT,
        "refused": [{"title": _TEXT, "contributor": _TEXT, "account": _TEXT, "rule": _TEXT, "because": _TEXT}],
    },
    "training": {
        "parameters": _COUNT,
        "steps": _COUNT,
        "losses": [_NUMBER],
        "unigram": _NUMBER,
        "heldout": _NUMBER,
        "perplexity": _NUMBER,
        "unigram_perplexity": _NUMBER,
        "overhead_ratio": _MAYBE,
        "bytes_per_example": _NUMBER,
        "captured": _NUMBER,
        "uncaptured": [{"parameter": _TEXT, "size": _COUNT, "reason": _TEXT}],
        "identical_weights": _MAYBE_FLAG,
    },
    "passages": [
        {
            "id": _TEXT,
            "kind": _TEXT,
            "title": _TEXT,
            "prompt": _TEXT,
            "author": _TEXT,
            "text": _TEXT,
            "segments": [{"text": _TEXT, "contributor": _TEXT, "share": _NUMBER}],
            "contributors": [{"name": _TEXT, "score": _NUMBER, **_SHARE}],
            "works": [{"title": _TEXT, "contributor": _TEXT, "year": (str, int), "score": _NUMBER, **_SHARE}],
            "unattributed": _NUMBER,
            "opposed": [{"name": _TEXT, "score": _NUMBER}],
            "overlaps": [
                {
                    "start": _COUNT,
                    "end": _COUNT,
                    "words": _COUNT,
                    "title": _TEXT,
                    "contributor": _TEXT,
                    "in_works": _COUNT,
                }
            ],
        }
    ],
    "together": [{"title": _TEXT, "contributor": _TEXT, "year": (str, int), "unique": _NUMBER, **_SHARE}],
    "check": {
        "pairs": [{"contributor": _TEXT, "query": _TEXT, "predicted": _NUMBER, "actual": _NUMBER}],
        "methods": [
            {
                "method": _TEXT,
                "spearman": _MAYBE,
                "low": _MAYBE,
                "high": _MAYBE,
                "pearson": _MAYBE,
                "slope": _MAYBE,
                "top1": _MAYBE,
            }
        ],
        "lambda": _NUMBER,
        "lambda_low": _NUMBER,
        "lambda_high": _NUMBER,
        "retrainings": _COUNT,
        "shown": _TEXT,
        "beats_bm25": _FLAG,
        "sentence": _TEXT,
        "coverage": _MAYBE,
    },
    "money": {
        "currency": _TEXT,
        "received": _TEXT,
        "commission": _TEXT,
        "held": _TEXT,
        "allocated": _TEXT,
        "events": [{"date": _TEXT, "licensee": _TEXT, "amount": _TEXT}],
        "formula": _TEXT,
        "flow": [{"from": _TEXT, "to": _TEXT, "nano": _TEXT, "text": _TEXT}],
        "payees": [
            {
                "name": _TEXT,
                "amount": _TEXT,
                "nano": _TEXT,
                "attribution": _TEXT,
                "training": _TEXT,
                "prior": _TEXT,
                "statement": _TEXT,
            }
        ],
        "split": [{"date": _TEXT, "party": _TEXT, "percent": _NUMBER}],
        "split_title": _TEXT,
        "copycat_gain": _TEXT,
        "optout": {"name": _TEXT, "in_manifest": _FLAG, "paid": _TEXT, "proof": _TEXT},
    },
    "verify": {"statements": _COUNT, "accepted": _COUNT, "tampered_refused": _FLAG, "tampered_field": _TEXT},
    "limits": [_TEXT],
}


def check_report_data(data: Any) -> None:
    """Raises: AppError("bad-report-data") naming the first key that is missing, of the wrong kind or contradictory."""
    _check(data, CONTRACT, "")
    if not data["passages"]:
        raise _fault("passages", "is empty: a report shows at least one passage")
    for index, passage in enumerate(data["passages"]):
        _check_passage(passage, f"passages[{index}]")
    for index, edge in enumerate(data["money"]["flow"]):
        if not (edge["nano"].isascii() and edge["nano"].isdigit()):
            raise _fault(f"money.flow[{index}].nano", f"is {edge['nano']!r}, not a whole number of nano-units")
    for index, payee in enumerate(data["money"]["payees"]):
        link = urlsplit(payee["statement"])
        if link.scheme or link.netloc:
            raise _fault(f"money.payees[{index}].statement", "must be a path relative to the report, not an address")


def _check(value: Any, wanted: Any, where: str) -> None:
    if isinstance(wanted, dict):
        if not isinstance(value, dict):
            raise _fault(where or "data", f"must be an object, not {type(value).__name__}")
        for key, inner in wanted.items():
            path = f"{where}.{key}" if where else key
            if key not in value:
                raise _fault(path, "is missing")
            _check(value[key], inner, path)
    elif isinstance(wanted, list):
        if not isinstance(value, list | tuple):
            raise _fault(where, f"must be a list, not {type(value).__name__}")
        for index, item in enumerate(value):
            _check(item, wanted[0], f"{where}[{index}]")
    elif not isinstance(value, wanted) or (isinstance(value, bool) and wanted not in (bool, _MAYBE_FLAG)):
        raise _fault(where, f"has the wrong kind of value: {type(value).__name__}")


def _check_passage(passage: dict[str, Any], where: str) -> None:
    if "".join(segment["text"] for segment in passage["segments"]) != passage["text"]:
        raise _fault(f"{where}.segments", "do not add up to the passage's text")
    for index, overlap in enumerate(passage["overlaps"]):
        if not 0 <= overlap["start"] < overlap["end"] <= len(passage["text"]):
            raise _fault(f"{where}.overlaps[{index}]", "lies outside the passage's text")


def _fault(where: str, says: str) -> AppError:
    return AppError("bad-report-data", f"report data: {where} {says}", "pass the data that `byline report` collects")
