"""Payees, balances and a bank to test payouts with: `Bank` is mock-bank over HTTP, `ListAccounts` a slow journal."""

import json
import threading
import urllib.error
import urllib.request
from collections import Counter
from contextlib import contextmanager
from datetime import UTC, date, datetime

from byline.ledger import Debtor, Payee, PayoutRule

NOW = datetime(2026, 9, 30, 9, 0, tzinfo=UTC)
DAY = date(2026, 10, 1)
RULE = PayoutRule("EUR", 1000)
DEBTOR = Debtor("Byline Öperator & Söhne", "NL41MOCK0000000001", "MOCKNL2AXXX")
CLOSED, ELSEWHERE, OTHER = "NL84MOCK0000000003", "NL30MOCK0000000005", "DE89370400440532013000"
CENT = 10_000_000  # nano-units


def payee(name, iban=ELSEWHERE, **fields):
    return Payee(party=f"party:{name}", name=name.title(), iban=iban, **fields)


class ListAccounts:
    """Balances as sums over a plain list of moves."""

    def __init__(self, **owed):
        self.opening = {f"payable:party:{name}": -nano for name, nano in owed.items()}
        self.opening["assets:receivable"] = sum(owed.values())
        self.moves = {}

    def balances(self, currency):
        sums = Counter(self.opening)
        for move in self.moves.values():
            for account, nano in move.legs:
                sums[account] += int(nano)
        return dict(sums)

    def owed(self, name):
        return -self.balances("EUR").get(f"payable:party:{name}", 0)

    def book(self, move):
        self.moves.setdefault(move.reference, move)


class Bank:
    """A bank at the other end of HTTP."""

    def __init__(self, port):
        self.base = f"http://127.0.0.1:{port}"

    def call(self, method, path, body=None):
        request = urllib.request.Request(self.base + path, data=body, method=method)
        request.add_header("Content-Type", "application/json" if method == "PATCH" else "application/xml")
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return answer.status, answer.read()
        except urllib.error.HTTPError as fault:
            with fault:
                return fault.code, fault.read()

    def send(self, file):
        return self.call("POST", "/payments", file)[0]

    def behave(self, account, behaviour, **parameters):
        body = json.dumps({"behaviour": behaviour, **({"parameters": parameters} if parameters else {})}).encode()
        assert self.call("PATCH", f"/_mock/accounts/{account}", body)[0] == 200

    def advance(self, days):
        assert self.call("POST", f"/_mock/advance?days={days}", b"")[0] == 200

    def messages(self):
        """All messages of the bank so far, oldest first, as (type, XML)."""
        self.call("GET", "/_mock/mailbox?leave")  # releases what is due, and takes nothing
        listed = json.loads(self.call("GET", "/_mock/messages")[1])
        items = listed if isinstance(listed, list) else next(v for v in listed.values() if isinstance(v, list))
        assert items
        return [(item["type"], self.call("GET", f"/_mock/mailbox/{item['id']}")[1]) for item in items]


@contextmanager
def running_bank():
    from mockbank.server import Config, make_server

    server = make_server(Config(port=0, quiet=True, clock="2026-09-30T09:00"))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield Bank(server.server_port)
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
