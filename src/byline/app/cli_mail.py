"""`byline mail`: what lies in the outbox goes to the server that sends."""

import threading
from collections.abc import Callable
from typing import Annotated

import typer

from byline.app.cli_serve import portal_rooms
from byline.app.home import Home
from byline.app.terminal import HOME, HomeOption, JsonOption, say, tell
from byline.core import AppError


def mail_command(
    watch: Annotated[bool, typer.Option("--watch", help="Go on sending what comes, until Ctrl-C.")] = False,
    home: HomeOption = HOME,
    as_json: JsonOption = False,
) -> None:
    """Send the mails that lie in the project's outbox by the server that portal.toml names."""
    portal_rooms()
    from byline.app.portal.mail import Postman, send_outbox
    from byline.app.portal.settings import FILE, read_settings

    place = Home.open(home)
    server, outbox = read_settings(place.path).mail, place.path / "outbox"
    if server is None:
        raise AppError(
            "no-mail-server", f"{place.path / FILE} has no [mail]", "docs/portal.md says what to write there"
        )
    if watch:
        ended = threading.Event()
        with Postman(outbox, server, lambda done: tell(as_json, done.says())):
            tell(as_json, f"Mails in {outbox} go to {server.host}. Ctrl-C ends it.")
            try:
                ended.wait()
            except KeyboardInterrupt:
                return
    done = send_outbox(outbox, server)
    told = {"sent": done.sent, "refused": done.refused, "waits": done.waits, "fault": done.fault}
    say(as_json, told, done.says())
    if done.waits or done.refused:
        raise typer.Exit(1)


MAIL_COMMANDS: tuple[Callable[..., None], ...] = (mail_command,)
