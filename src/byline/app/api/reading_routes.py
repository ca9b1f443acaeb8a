"""Routes that read: works, contributors, statements, the log's head, what the proxy let through."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Response
from fastapi.responses import JSONResponse

from byline.app.api.asking import ERRORS, Cursor, Door, Limit, Words, after_cursor, cursor_of, page_of
from byline.app.api.completions import Receipts
from byline.app.api.current import Place
from byline.app.api.forms import Line, Page, Told
from byline.app.api.tokens import Token
from byline.app.home import Home
from byline.app.known import about_work
from byline.app.statements import Desk
from byline.core import AppError, Party, PartyId, Work
from byline.disclosure import read_checkpoint

Id = Annotated[Line, Path(max_length=200)]
_PUBLIC = ("work", "title", "kind", "created", "source", "licence", "sha256", "shares", "decision", "manifests", "runs")


def add_reading(api: APIRouter, place: Place, door: Door) -> None:
    """The routes, with the token that each needs."""
    receipts = Receipts(place)
    works, statements = door.scope("works:read"), door.scope("statements:read")

    @api.get("/works", response_model=Page, responses=ERRORS, dependencies=[Depends(works)])
    def list_works(limit: Limit = 50, cursor: Cursor = None, title: Words = "") -> Told:
        """Registered works, by id. `title`: only those with these words in their title, or words that begin so."""
        home = place.home
        found = home.shelf.after(after_cursor(cursor), limit + 1, title)
        return {"items": _works_told(home, found[:limit]), "next": _following([work.id for work in found], limit)}

    @api.get("/works/{work}", responses=ERRORS, dependencies=[Depends(works)])
    def one_work(work: Id) -> Told:
        """What is public of a work: by id, or by its title if no other has it."""
        home = place.home
        told = about_work(home, work, date.today())
        people = [{name: part[name] for name in ("party", "name", "role")} for part in told["contributors"]]
        refused = home.opted_out(date.today(), [home.works[told["work"]]])
        return {name: told[name] for name in _PUBLIC} | {"contributors": people, "opted_out": bool(refused)}

    @api.get("/contributors/{party}", responses=ERRORS, dependencies=[Depends(works)])
    def one_contributor(party: Id, limit: Limit = 50, cursor: Cursor = None) -> Told:
        """A contributor's name, and a page of their works, by id."""
        return _contributor(place.home, PartyId(party), after_cursor(cursor), limit)

    @api.get("/statements", response_model=Page, responses=ERRORS)
    def list_statements(token: Annotated[Token, Depends(statements)], limit: Limit = 50, cursor: Cursor = None) -> Told:
        """Accounts of payees: balance, months with movements, months with a signed statement."""
        desk = place.statements.desk
        mine = [party for party in desk.payees if token.payee in (None, party.id)]
        items, following = page_of(mine, lambda party: party.id, cursor, limit)
        told = [_account(desk, party, each) for party in items for each in desk.accounts.currencies(party.id)]
        return {"items": told, "next": following}

    @api.get("/statements/{party}", response_model=Told, responses=ERRORS)
    def one_statement(
        party: Id, token: Annotated[Token, Depends(statements)], period: Words = "", currency: Words = ""
    ) -> Response:
        """What a payee's statement says. `period`: 2026-10, 2026-Q4 or 2026; default: the last month."""
        found = place.statements
        if token.payee is not None and found.desk.payee(token.payee).id != _known(found.desk, party):
            raise AppError("out-of-scope", "the token is for the statements of one other payee", "use one of theirs")
        return JSONResponse(found.body(party, period, currency or None))

    @api.get("/completions/{receipt}", responses=ERRORS, dependencies=[Depends(door.scope("completions:read"))])
    def one_completion(receipt: Id) -> Told:
        """The signed receipt of an answer that went through the proxy, with the proof that the log holds it:
        `byline verify` checks it offline. The text itself is not kept."""
        return receipts.one(receipt)

    @api.get("/log/checkpoint", responses=ERRORS, dependencies=[Depends(door.anybody)])
    def checkpoint(response: Response) -> Told:
        """The signed head of the transparency log. Public."""
        note = place.checkpoint()
        head = read_checkpoint(note, place.home.key.public)
        response.headers["Cache-Control"] = "public, max-age=5"
        return {"checkpoint": note, "size": head.size if head else 0, "root": head.root.hex() if head else ""}


def _works_told(home: Home, works: Sequence[Work]) -> list[Told]:
    home.at_hand(works)
    refused = home.opted_out(date.today(), works)
    return [_work(work, home.names, work.id in refused) for work in works]


def _work(work: Work, names: Mapping[PartyId, str], refused: bool) -> dict[str, Any]:
    people = [{"party": part.party, "name": names[part.party], "role": str(part.role)} for part in work.contributions]
    told = {"work": work.id, "title": work.title, "kind": work.kind, "created": work.created.isoformat()}
    return told | {"licence": work.licence, "contributors": people, "opted_out": refused}


def _contributor(home: Home, party: PartyId, after: str, limit: int) -> Told:
    """Raises: AppError("no-such-party")."""
    name = home.names.get(party)
    if name is None:
        raise AppError("no-such-party", f"nobody is registered as {party}", "GET /v1/works names contributors")
    mine = home.shelf.works_of(party, limit + 1, after)
    refused = home.opted_out(date.today(), mine.works)
    works = [
        {"work": work.id, "title": work.title, "role": str(part.role), "opted_out": work.id in refused}
        for work in mine.works[:limit]
        for part in work.contributions
        if part.party == party
    ]
    following = _following([work.id for work in mine.works], limit)
    return {"party": party, "name": name, "count": mine.count, "works": works, "next": following}


def _following(ids: Sequence[str], limit: int) -> str | None:
    """The cursor of what follows a page, of which one more than it holds was read."""
    return cursor_of(ids[limit - 1]) if len(ids) > limit else None


def _known(desk: Desk, party: str) -> str:
    """The payee's id; whether there is one under that name, another payee is not told."""
    try:
        return desk.payee(party).id
    except AppError:
        return ""


def _account(desk: Desk, party: Party, currency: str) -> dict[str, Any]:
    return {
        "party": party.id,
        "name": party.name,
        "currency": currency,
        "nano": str(desk.balance(party, currency)),
        "periods": [each.name for each in desk.periods(party, currency)],
        "signed": [each.period.name for each in desk.kept(party, currency)],
    }
