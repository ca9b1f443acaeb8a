"""`byline serve` and `byline invite`: the portal, and who may enter it as what."""

import logging
from collections.abc import Callable
from types import ModuleType
from typing import Annotated

import typer

from byline.app.home import Home
from byline.app.patience import once_built
from byline.app.terminal import HOME, DatabaseOption, HomeOption, JsonOption, say, tell
from byline.core import AppError


def serve_command(
    port: Annotated[int, typer.Option(help="Port to listen on.", min=1, max=65535)] = 8000,
    host: Annotated[
        str, typer.Option(help="Address to listen on; others than this machine need a proxy with TLS.")
    ] = "127.0.0.1",
    site: Annotated[str, typer.Option(help="Address that people type, for links in mails.")] = "",
    workers: Annotated[
        int,
        typer.Option(help="Processes for work that takes long; 0: `byline worker` does it elsewhere.", min=0, max=64),
    ] = 1,
    home: HomeOption = HOME,
    database: DatabaseOption = None,
    as_json: JsonOption = False,
) -> None:
    """Serve the portal: search, opt-out and claim, statements, audit and review, as pages in a browser."""
    portal = portal_rooms()
    place = Home.open(home, database)
    address = site or f"http://{host}:{port}"
    app = portal.create_app(place, address)
    logging.getLogger("byline.portal").setLevel(logging.INFO)
    once_built(lambda: portal.warm(app), lambda says: tell(as_json, says))
    server = app.state.portal.settings.mail
    mails = f"go out by {server.host}" if server else f"are files in {place.path / 'outbox'}"
    tell(as_json, f"The portal of {home} is at {address}. Mails {mails}. Ctrl-C ends it.")
    import uvicorn

    from byline.app.crew import crew

    with portal.mailing(app, lambda done: tell(as_json, done.says())), crew(workers, home, database):
        uvicorn.run(app, host=host, port=port, access_log=False, server_header=False, log_level="warning")
    say(as_json, {"site": address}, "The portal has ended.")


def invite_command(
    email: Annotated[str, typer.Argument(help="E-mail address.")],
    role: Annotated[
        list[str] | None, typer.Option(help="auditor, officer, operator or cooperative; repeatable; else contributor.")
    ] = None,
    site: Annotated[
        str, typer.Option(help="Address of the portal, for the link in the mail.")
    ] = "http://127.0.0.1:8000",
    payee: Annotated[str | None, typer.Option(help="Name or id of the payee whose statements they may read.")] = None,
    home: HomeOption = HOME,
    database: DatabaseOption = None,
    as_json: JsonOption = False,
) -> None:
    """Let somebody into the portal as contributor, auditor, officer, operator or for the cooperative, by e-mail."""
    portal = portal_rooms()
    from byline.app.portal.inviting import invite

    roles = [_role(portal, each) for each in role or []]
    place = Home.open(home, database)
    person, mail = invite(place, email, roles, payee, site)
    told = {"person": person.id, "roles": sorted(person.roles), "payee": person.party, "mail": str(mail)}
    of = f", with the statements of {place.names[person.party]}" if person.party else ""
    say(as_json, told, f"{person.email} may enter as {', '.join(sorted(person.roles))}{of}. Their mail: {mail}")


COMMANDS: tuple[Callable[..., None], ...] = (serve_command, invite_command)


def portal_rooms() -> ModuleType:
    """Raises: AppError("portal-missing") without the extra."""
    try:
        from byline.app import portal
    except ImportError as fault:
        raise AppError("portal-missing", f"the portal needs {fault.name}", "pip install 'byline[portal]'") from fault
    return portal


def _role(portal: ModuleType, text: str) -> str:
    """Raises: AppError("bad-role")."""
    known = [role.value for role in portal.Role]
    if text not in known:
        raise AppError("bad-role", f"{text!r} is no role", f"use {', '.join(known)}")
    return str(portal.Role(text))
