"""Corpora to make filings of: one of which everything is known, and one of which little is."""

import sys
from datetime import date
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from corpora import corpus_of, material


@pytest.fixture
def known():
    """Every work has an acquisition; nothing else was read."""
    return corpus_of(
        [
            *(material(n) for n in range(1, 21)),
            material(30, method="public_dataset", dataset="openbooks 1.2", acquired=date(2026, 9, 3)),
            material(31, method="purchase", authorisation=("contract 7",), licence="LicenseRef-Contract"),
            material(32, method="purchase"),
            material(33, method="synthetic", licence="CC0-1.0"),
            material(34, method="annotation"),
        ]
    )


@pytest.fixture
def unknown():
    """Nothing is known of how the works came, and base texts were read that are not in the register."""
    plain = {"method": "unknown", "acquired": None, "licence": "LicenseRef-PublicDomain"}
    return corpus_of([material(n, **plain) for n in (1, 2)], base_tokens=999, trained=None)
