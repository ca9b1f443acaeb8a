"""A bank for the demo: the package mock-bank in this process, spoken to over HTTP as a bank is."""

import importlib
import importlib.util
import json
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path

from byline.core import AppError

OPERATOR = ("Example Operator", "NL41MOCK0000000001", "MOCKNL2AXXX")
CLOSED, OPEN = "NL84MOCK0000000003", "NL30MOCK0000000005"  # accounts at the pretended bank; one of them was closed
DAYS = 4  # until all statements of account have come


def answers_of_a_bank(file: bytes, execution: date, folder: Path) -> list[Path]:
    """What a bank answers to a file of payments: its reports and statements of account, written to `folder`.

    Raises: AppError("demo-missing") without mock-bank, AppError("demo-bank") if the bank refuses the file.
    """
    if importlib.util.find_spec("mockbank") is None:
        raise AppError("demo-missing", "the package mock-bank is not installed", "pip install 'byline[demo]'")
    with _bank(f"{execution.isoformat()}T06:00") as address:
        status, said = _call(address, "/payments", file)
        if status != 202:
            text = said.decode(errors="replace")[:200]
            raise AppError("demo-bank", f"the bank refused the file: {status} {text}", "keep the folder and report it")
        _call(address, f"/_mock/advance?days={DAYS}", b"")
        _call(address, "/_mock/mailbox?leave")  # releases what is due
        messages = json.loads(_call(address, "/_mock/messages")[1])
        listed = messages if isinstance(messages, list) else next(v for v in messages.values() if isinstance(v, list))
        folder.mkdir(parents=True, exist_ok=True)
        found = []
        for number, item in enumerate(listed, start=1):
            path = folder / f"{number:02}-{item['type']}.xml"
            path.write_bytes(_call(address, f"/_mock/mailbox/{item['id']}")[1])
            found.append(path)
        return found


@contextmanager
def _bank(clock: str) -> Iterator[str]:
    """The address of a bank that stops with the block."""
    module = importlib.import_module("mockbank.server")
    server = module.make_server(module.Config(port=0, quiet=True, clock=clock))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _call(address: str, path: str, body: bytes | None = None) -> tuple[int, bytes]:
    request = urllib.request.Request(address + path, data=body, headers={"Content-Type": "application/xml"})
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # this machine needs no proxy to itself
    try:
        with opener.open(request, timeout=30) as answer:
            return int(answer.status), bytes(answer.read())
    except urllib.error.HTTPError as fault:
        with fault:
            return int(fault.code), bytes(fault.read())
