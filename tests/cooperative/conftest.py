"""A founded cooperative's book, on SQLite and on PostgreSQL."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from cooperatives import founded

from byline.cooperative import open_coop_book
from byline.registry import open_database


@pytest.fixture
def book(database):
    return founded(open_coop_book(database))


@pytest.fixture
def lite(tmp_path):
    engine = open_database(tmp_path / "lite.db")
    yield founded(open_coop_book(engine))
    engine.dispose()
