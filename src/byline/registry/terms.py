"""Words by which people look for works and for each other: of titles, of names, and the domains works came from.

One row for each word and what it stands in, written with the work or the party. A word is found by how it begins, a
domain with all below it, and several words only together. So a search reads what it shows, however large the register.
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator
from enum import StrEnum
from typing import Any, TypeAlias

import sqlalchemy as sa

from byline.registry import schema
from byline.registry.scope import domain_of

MOST_WORDS = 8  # of a question; more of them only make it slower
FEW = 1_000  # finds of a word that is rare enough to be looked for alone
MANY = 5_000  # finds that are looked through one by one
Wanted: TypeAlias = "list[str] | sa.Select[tuple[str]] | sa.CompoundSelect[Any]"
_parties, _works = schema.parties, schema.works
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


def about_words(connection: sa.Connection, kind: TermKind, text: str) -> Wanted:
    """What all words of a text stand in: ids, or a query of ids where there are very many.

    The rarest words come first: those that stand nearly everywhere, such as "and", are looked for only in what the
    others found.
    """
    words = words_of(text)[:MOST_WORDS]
    counts = {word: _count(connection, kind, word) for word in words}
    if min(counts.values()) == 0:
        return []
    rare = sorted(words, key=lambda word: counts[word])
    first = [_beginning(kind, word) for word in rare[: 1 if counts[rare[0]] <= FEW else 2]]
    some = first[0] if len(first) == 1 else sa.intersect(*first)
    found = [str(row[0]) for row in connection.execute(some.limit(MANY + 1))]
    if len(found) <= MANY:
        return _with_all(connection, kind, found, words) if len(words) > len(first) else found
    return sa.intersect(*(_beginning(kind, word) for word in words)) if len(words) > 1 else some


def _count(connection: sa.Connection, kind: TermKind, word: str) -> int:
    """Up to MANY."""
    some = _beginning(kind, word).limit(MANY).subquery()
    return int(connection.execute(sa.select(sa.func.count()).select_from(some)).scalar_one())


def _with_all(connection: sa.Connection, kind: TermKind, ids: list[str], words: tuple[str, ...]) -> list[str]:
    table, column = (_parties, _parties.c.name) if kind is TermKind.NAME else (_works, _works.c.title)
    rows = connection.execute(sa.select(table.c.id, column).where(table.c.id.in_(ids)))
    return [name for name, text in rows if _begin_so(words_of(text), words)]


def _begin_so(own: tuple[str, ...], words: tuple[str, ...]) -> bool:
    return all(any(each.startswith(word) for each in own) for word in words)


def about_domain(domain: str) -> sa.Select[tuple[str]]:
    """The works of a domain and of all below it."""
    return _beginning(TermKind.DOMAIN, domain_term(domain))


def _beginning(kind: TermKind, term: str) -> sa.Select[tuple[str]]:
    return sa.select(terms.c.about).where(terms.c.kind == str(kind), terms.c.term >= term, terms.c.term < term + _LAST)
