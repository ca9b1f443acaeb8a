"""Words by which people look for works and for each other: of titles, of names, and the domains works came from.

One row for each word and what it stands in, written with the work or the party. A word is found by how it begins, a
domain with all below it, and several words only together. So a search reads what it shows, however large the register.
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator
from enum import StrEnum

import sqlalchemy as sa

from byline.registry import schema
from byline.registry.scope import domain_of

MOST_WORDS = 8  # of a question; more of them only make it slower
_LAST = "\U0010ffff"  # behind every other character
# Scripts that put no blank between words: each character is a word.
_WORD = re.compile(r"[\u0e00-\u0eff\u1000-\u109f\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]|[^\W_]+")
_SCRIPTS = re.compile(r"([\u0e00-\u0eff\u1000-\u109f\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff])")


class TermKind(StrEnum):
    TITLE = "title"
    NAME = "name"
    DOMAIN = "domain"


terms = sa.Table(
    "terms",
    schema.metadata,
    sa.Column("seq", sa.Integer, primary_key=True),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("term", sa.Text, nullable=False),
    sa.Column("about", sa.Text, nullable=False),
    sa.Index("terms_term", "kind", "term", "about"),
)


def words_of(text: str) -> tuple[str, ...]:
    """The words of a title or a name, each once, however they are written; all of it if there is no word in it."""
    plain = _SCRIPTS.sub(r" \1 ", unicodedata.normalize("NFKC", text).casefold())
    return tuple(dict.fromkeys(_WORD.findall(plain))) or (plain.strip(),)


def domain_term(domain: str) -> str:
    """A domain from the top down, so that everything below it begins alike: org.example. for example.org."""
    return ".".join(reversed(domain.split("."))) + "."


def add_work_terms(connection: sa.Connection, works: Iterable[tuple[str, str, str]]) -> None:
    """`works`: id, title, source."""
    _insert(connection, (row for work in works for row in _of_work(*work)))


def add_name_terms(connection: sa.Connection, parties: Iterable[tuple[str, str]]) -> None:
    """`parties`: id, name."""
    _insert(connection, ((TermKind.NAME, word, party) for party, name in parties for word in words_of(name)))


def _of_work(work: str, title: str, source: str) -> Iterator[tuple[TermKind, str, str]]:
    yield from ((TermKind.TITLE, word, work) for word in words_of(title))
    domain = domain_of(source)
    if domain:
        yield TermKind.DOMAIN, domain_term(domain), work


def _insert(connection: sa.Connection, found: Iterable[tuple[TermKind, str, str]]) -> None:
    rows = [{"kind": str(kind), "term": term, "about": about} for kind, term, about in found]
    if rows:
        connection.execute(sa.insert(terms), rows)


def about_words(kind: TermKind, text: str) -> sa.Select[tuple[str]] | sa.CompoundSelect[tuple[str]]:
    """What all words of a text stand in, as a query of ids."""
    asked = [_beginning(kind, word) for word in words_of(text)[:MOST_WORDS]]
    return asked[0] if len(asked) == 1 else sa.intersect(*asked)


def about_domain(domain: str) -> sa.Select[tuple[str]]:
    """The works of a domain and of all below it."""
    return _beginning(TermKind.DOMAIN, domain_term(domain))


def _beginning(kind: TermKind, term: str) -> sa.Select[tuple[str]]:
    return sa.select(terms.c.about).where(terms.c.kind == str(kind), terms.c.term >= term, terms.c.term < term + _LAST)
