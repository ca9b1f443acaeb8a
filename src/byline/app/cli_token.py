"""`byline token`, `worker`, `outputs` and `proxy`: the operator's side of the JSON API."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape

from byline.app.home import Home
from byline.app.terminal import HOME, DatabaseOption, HomeOption, JsonOption, out, say, tell
from byline.core import AppError, PartyId

if TYPE_CHECKING:
    from byline.app.api import Token, Tokens

token_app = typer.Typer(
    help="Give machines access to the JSON API: make a token, list all, revoke one.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@token_app.command("new")
def new_command(
    name: Annotated[str, typer.Argument(help="What the token is for, such as billing.")],
    scope: Annotated[list[str] | None, typer.Option("--scope", help="What it may do; repeatable: docs/api.md.")] = None,
    payee: Annotated[str | None, typer.Option(help="Only this payee's statements: name or id.")] = None,
    per_minute: Annotated[int, typer.Option(help="Most requests a minute.")] = 600,
    home: HomeOption = HOME,
    database: DatabaseOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make a token. It is shown this once; only its hash is kept."""
    place = Home.open(home, database)
    token, secret = _tokens(place).new(name, scope or [], _payee(place, payee), per_minute)
    say(as_json, _told(token) | {"token": secret}, f"{secret}\n{token.id} may {', '.join(token.scopes)}. Keep it now.")


@token_app.command("list")
def list_command(home: HomeOption = HOME, database: DatabaseOption = None, as_json: JsonOption = False) -> None:
    """List tokens, revoked ones too, without their secrets."""
    tokens = _tokens(Home.open(home, database)).all()
    for token in [] if as_json else tokens:
        state = f"revoked {token.revoked}" if token.revoked else f"{token.per_minute} a minute"
        whose = f"; statements of {token.payee} only" if token.payee else ""
        line = f"{token.id}  {token.name}: {', '.join(token.scopes)}; {state}{whose}"
        out.print(escape(line), highlight=False, soft_wrap=True)
    live = sum(token.revoked is None for token in tokens)
    say(as_json, {"tokens": [_told(token) for token in tokens]}, f"{live} tokens are good, of {len(tokens)} made.")


@token_app.command("revoke")
def revoke_command(
    token: Annotated[str, typer.Argument(help="Id of the token.")],
    home: HomeOption = HOME,
    database: DatabaseOption = None,
    as_json: JsonOption = False,
) -> None:
    """Revoke a token: it opens nothing from now on."""
    revoked = _tokens(Home.open(home, database)).revoke(token)
    say(as_json, _told(revoked), f"{revoked.id} (“{revoked.name}”) was revoked at {revoked.revoked}.")


def worker_command(
    once: Annotated[bool, typer.Option("--once", help="End when nothing waits any more.")] = False,
    with_stdin: Annotated[bool, typer.Option("--with-stdin", help="End when standard input ends.")] = False,
    home: HomeOption = HOME,
    database: DatabaseOption = None,
    as_json: JsonOption = False,
) -> None:
    """Work off what takes long: questions of the JSON API, money to divide, indexes; a killed one is gone on with."""
    api = _api()
    from byline.app.crew import stop_with_stdin
    from byline.app.worker import work_off

    place = api.Place(Home.open(home, database))
    if with_stdin:
        stop_with_stdin()
    try:
        done = work_off(place, once)
    except KeyboardInterrupt:
        return say(as_json, {"stopped": True}, "Stopped; what it was at is given back.")
    say(as_json, {"done": done}, f"{done} jobs were worked on; nothing waits.")


def outputs_command(
    to: Annotated[Path, typer.Option("--to", help="Folder for the files.")],
    period: Annotated[str | None, typer.Option(help="2026-10, 2026-Q4 or 2026; default: everything.")] = None,
    home: HomeOption = HOME,
    database: DatabaseOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write the outputs that the JSON API took in, and nobody settled yet, as files for `byline settle`."""
    from byline.ledger import read_period

    api, place = _api(), Home.open(home, database)
    told = api.Outputs(place, api.engine_of(place)).write(to, read_period(period) if period else None)
    plain = f"byline settle {to / 'payments.csv'}" if told["payments"] else ""
    priced = f"byline settle {to / 'priced-payments.csv'} --outputs {to / 'priced-outputs.csv'}"
    following = "\n".join(filter(None, (plain, priced if told["priced"] else "")))
    count = told["payments"] + told["priced"]
    says = f"{count} outputs wait to be settled, {told['settled_before']} were before."
    say(as_json, told, f"{says} Next:\n{following}" if following else says)


def proxy_command(
    to: Annotated[str, typer.Option("--to", help="Address of a server that speaks OpenAI's protocol.")],
    policy: Annotated[
        Path | None, typer.Option(help="The guard's limits (JSON); default: guard.json of the project.")
    ] = None,
    port: Annotated[int, typer.Option(help="Port to listen on.", min=1, max=65535)] = 8100,
    host: Annotated[str, typer.Option(help="Address to listen on; others than this machine need TLS.")] = "127.0.0.1",
    home: HomeOption = HOME,
    database: DatabaseOption = None,
    as_json: JsonOption = False,
) -> None:
    """Stand in front of a model's server: hold its answers against the works, each with the id of a receipt."""
    from byline.app.lookup import policy_of
    from byline.app.patience import once_built
    from byline.lookup import read_policy

    api, place = _api(), Home.open(home, database)
    limits = read_policy(policy) if policy else policy_of(place)
    app = once_built(lambda: api.proxy_app(place, to, limits), lambda says: tell(as_json, says))
    import uvicorn

    address = f"http://{host}:{port}/v1"
    tell(as_json, f"Ask {address} instead of {to}. Ctrl-C ends it.")
    uvicorn.run(app, host=host, port=port, access_log=False, server_header=False, log_level="warning")
    say(as_json, {"address": address}, "The proxy has ended.")


COMMANDS: tuple[Callable[..., None], ...] = (worker_command, outputs_command, proxy_command)


def _api() -> Any:
    """Raises: AppError("portal-missing")."""
    try:
        from byline.app import api
    except ModuleNotFoundError as fault:
        fix = "pip install 'byline[portal]'"
        raise AppError("portal-missing", f"{fault.name} is not installed, which serving needs", fix) from fault
    return api


def _tokens(home: Home) -> "Tokens":
    api = _api()
    tokens: Tokens = api.Tokens(api.engine_of(home))
    return tokens


def _payee(home: Home, name: str | None) -> PartyId | None:
    """Raises: AppError("no-such-party")."""
    found = [party for party, shown in home.names.items() if name in (party, shown)]
    if name is not None and len(found) != 1:
        raise AppError("no-such-party", f"{len(found)} parties are registered as {name!r}", "give an id: byline people")
    return found[0] if name is not None else None


def _told(token: "Token") -> dict[str, Any]:
    names = ("id", "name", "payee", "per_minute", "created", "revoked")
    return {each: getattr(token, each) for each in names} | {"scopes": list(token.scopes)}
