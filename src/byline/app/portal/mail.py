"""Mails: each is a file in the outbox, and stays there until the server that sends has accepted it.

A mail that a server refuses for good moves to outbox/refused. One that is sent twice, because the machine stopped
between the acceptance and the removal, carries the same Message-ID, by which mail programs show it once.
"""

import contextlib
import fcntl
import logging
import os
import secrets
import smtplib
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, parseaddr
from pathlib import Path

from byline.app.portal.settings import MailServer
from byline.core import AppError

LOG = logging.getLogger("byline.portal")
SECONDS = 20  # for each step of the talk with the server
PAUSE, LONGEST = 5.0, 300.0  # between two tries, in seconds: doubled after each that failed


@dataclass(frozen=True, slots=True)
class Sent:
    """What became of the outbox. `waits`: mails that stay and are tried again; `fault`: why, if it is known."""

    sent: int = 0
    refused: int = 0
    waits: int = 0
    fault: str = ""

    def says(self) -> str:
        if self == Sent():
            return "The outbox is empty."
        parts = [f"{self.sent} sent"]
        parts += [f"{self.refused} refused for good, kept in outbox/refused"] if self.refused else []
        parts += [f"{self.waits} wait to be tried again"] if self.waits else []
        return f"Mails: {', '.join(parts)}." + (f" Why: {self.fault}." if self.fault else "")


def write_mail(folder: Path, to: str, subject: str, text: str) -> Path:
    """Put a mail into the outbox: whole or not at all, readable by its owner only."""
    mail = EmailMessage(policy=SMTP)
    mail["To"], mail["Subject"], mail["Date"] = to, subject, format_datetime(datetime.now(UTC))
    mail["Auto-Submitted"] = "auto-generated"
    mail.set_content(text)
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    path = folder / f"{secrets.token_hex(12)}.eml"
    part = path.with_suffix(".part")
    part.touch(mode=0o600)
    part.write_bytes(mail.as_bytes())
    part.replace(path)
    return path


def erase_mails(folder: Path, address: str) -> None:
    """Those to somebody who is being erased, refused ones too."""
    for path in folder.glob("**/*.eml"):
        with contextlib.suppress(FileNotFoundError):  # sent meanwhile
            if _read(path)["To"] == address:
                path.unlink()


def send_outbox(folder: Path, server: MailServer) -> Sent:
    """Try every mail once, the oldest first.

    Raises: AppError("mail-busy") if another process is sending from the same outbox.
    """
    if not _waiting(folder):
        return Sent()
    with _held(folder):
        found = _waiting(folder)
        try:
            with _connection(server) as connection:
                return _send_all(connection, found, server.sender)
        except OSError as fault:  # those of smtplib are such
            return Sent(waits=len(found), fault=_why(fault))


def _send_all(connection: smtplib.SMTP, found: list[Path], sender: str) -> Sent:
    sent = refused = waits = 0
    fault = ""
    for number, path in enumerate(found):
        try:
            became = _send(connection, path, sender)
        except OSError as no:
            if not isinstance(no, smtplib.SMTPException) or isinstance(no, smtplib.SMTPServerDisconnected):
                return Sent(sent, refused, waits + len(found) - number, _why(no))
            became, fault = "refused" if _for_good(no) else "waits", _why(no)
        if became == "refused":
            _set_aside(path)
        sent, refused, waits = sent + (became == "sent"), refused + (became == "refused"), waits + (became == "waits")
        LOG.info("mail %s %s", path.stem, became)
    return Sent(sent, refused, waits, fault)


def _send(connection: smtplib.SMTP, path: Path, sender: str) -> str:
    """Raises: OSError, as all of smtplib are. The file goes when the server has said yes."""
    try:
        mail = _read(path)
    except FileNotFoundError:  # erased meanwhile
        return "gone"
    address = parseaddr(sender)[1]
    mail["From"], mail["Message-ID"] = sender, f"<{path.stem}@{address.rpartition('@')[2]}>"
    connection.send_message(mail, address, [str(mail["To"])])
    path.unlink(missing_ok=True)
    return "sent"


@contextlib.contextmanager
def _connection(server: MailServer) -> Iterator[smtplib.SMTP]:
    """Raises: OSError; without TLS where TLS was asked for, nothing is said to the server."""
    context = ssl.create_default_context(cafile=server.ca_file)
    if server.security == "tls":
        connection: smtplib.SMTP = smtplib.SMTP_SSL(server.host, server.port, timeout=SECONDS, context=context)
    else:
        connection = smtplib.SMTP(server.host, server.port, timeout=SECONDS)
    try:
        if server.security == "starttls":
            connection.starttls(context=context)
        if server.user:
            connection.login(server.user, server.password)
        yield connection
    finally:
        with contextlib.suppress(OSError):
            connection.quit()


def _for_good(fault: smtplib.SMTPException) -> bool:
    """A code of 500 or more about this mail; 4xx means later."""
    if isinstance(fault, smtplib.SMTPRecipientsRefused):
        return all(code >= 500 for code, _ in fault.recipients.values())
    if isinstance(fault, smtplib.SMTPSenderRefused):  # about us, not about this mail
        return False
    if isinstance(fault, smtplib.SMTPResponseException):
        return fault.smtp_code >= 500
    return isinstance(fault, smtplib.SMTPNotSupportedError)


def _why(fault: Exception) -> str:
    """Without addresses: an answer of the server can repeat one."""
    if isinstance(fault, smtplib.SMTPAuthenticationError):
        return "the server does not accept user and password"
    if isinstance(fault, smtplib.SMTPRecipientsRefused):
        return f"the server refuses a recipient ({', '.join(str(code) for code, _ in fault.recipients.values())})"
    if isinstance(fault, smtplib.SMTPSenderRefused):
        return f"the server refuses the sender ({fault.smtp_code})"
    if isinstance(fault, smtplib.SMTPResponseException):
        return f"the server answers {fault.smtp_code}"
    if isinstance(fault, smtplib.SMTPNotSupportedError):
        return "the server does not offer what is needed: STARTTLS, sign-in, or addresses in other letters"
    if isinstance(fault, ssl.SSLCertVerificationError):
        return f"the server's certificate does not hold: {fault.verify_message}"
    return f"the server cannot be reached: {type(fault).__name__}"


# --- the folder -------------------------------------------------------------------------------------------------


def _read(path: Path) -> EmailMessage:
    mail = message_from_bytes(path.read_bytes(), policy=SMTP)
    if not isinstance(mail, EmailMessage):
        raise AppError("unreadable", f"{path.name} is no mail", "remove it from the outbox")
    return mail


def _waiting(folder: Path) -> list[Path]:
    found = []
    for path in folder.glob("*.eml"):
        with contextlib.suppress(FileNotFoundError):
            found.append((path.stat().st_mtime_ns, path))
    return [path for _, path in sorted(found)]


def _set_aside(path: Path) -> None:
    aside = path.parent / "refused"
    aside.mkdir(exist_ok=True, mode=0o700)
    with contextlib.suppress(FileNotFoundError):
        path.replace(aside / path.name)


@contextlib.contextmanager
def _held(folder: Path) -> Iterator[None]:
    handle = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as fault:
            raise AppError("mail-busy", f"another process sends what lies in {folder}", "let it") from fault
        yield
    finally:
        os.close(handle)


# --- sending by itself ------------------------------------------------------------------------------------------


class Postman:
    """Looks into the outbox and sends, until it is stopped. After a fault it waits longer each time, up to five
    minutes, but a mail that is new is tried at once. `told` hears of every try at which there was a mail."""

    def __init__(self, folder: Path, server: MailServer, told: Callable[[Sent], None], look: float = 1.0) -> None:
        self._folder, self._server, self._told, self._look = folder, server, told, look
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self.run, name="postman", daemon=True)
        self._failed: set[Path] = set()

    def run(self) -> None:
        pause = again = 0.0
        while not self._ended.wait(self._look):
            if set(_waiting(self._folder)) <= self._failed and time.monotonic() < again:
                continue
            waits = self._try().waits
            self._failed = set(_waiting(self._folder)) if waits else set()
            pause = min(LONGEST, max(PAUSE, 2 * pause)) if waits else 0.0
            again = time.monotonic() + pause

    def _try(self) -> Sent:
        try:
            done = send_outbox(self._folder, self._server)
        except AppError:
            return Sent()  # the other one sends
        except Exception as fault:  # one mail that cannot be read must not end the sending
            done = Sent(waits=1, fault=type(fault).__name__)
        if done != Sent():
            self._told(done)
        return done

    def __enter__(self) -> "Postman":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join(SECONDS)
