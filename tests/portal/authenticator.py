"""A device with passkeys, as bytes: honest unless it is told to lie."""

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from hashlib import sha256
from secrets import token_bytes

import cbor2
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

PRESENT, VERIFIED, ATTESTED = 0x01, 0x04, 0x40


def encoded(content):
    return urlsafe_b64encode(content).rstrip(b"=").decode()


def decoded(text):
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))


class Device:
    """`lies`: fields of what it signs that are other than they should be: origin, challenge, type, rp, flags, count."""

    def __init__(self, origin, count=1):
        self.origin, self.count, self.id, self.user = origin, count, token_bytes(16), b""
        self.key = ec.generate_private_key(ec.SECP256R1())

    def _client(self, kind, options, lies):
        said = {"type": lies.get("type", kind), "challenge": lies.get("challenge", options["challenge"]),
                "origin": lies.get("origin", self.origin), "crossOrigin": False}  # fmt: skip
        return json.dumps(said).encode()

    def _data(self, name, flags, lies):
        name, flags = lies.get("rp", name), lies.get("flags", flags)
        return sha256(name.encode()).digest() + bytes([flags]) + lies.get("count", self.count).to_bytes(4, "big")

    def make(self, options, **lies):
        """The answer to what a browser is asked in order to make a passkey."""
        numbers, self.user = self.key.public_key().public_numbers(), decoded(options["user"]["id"])
        public = {1: 2, 3: -7, -1: 1, -2: numbers.x.to_bytes(32, "big"), -3: numbers.y.to_bytes(32, "big")}
        data = self._data(options["rp"]["id"], PRESENT | VERIFIED | ATTESTED, lies)
        data += bytes(16) + len(self.id).to_bytes(2, "big") + self.id + cbor2.dumps(public)
        made = cbor2.dumps({"fmt": "none", "attStmt": {}, "authData": data})
        return self._answer({"clientDataJSON": encoded(self._client("webauthn.create", options, lies)),
                             "attestationObject": encoded(made)})  # fmt: skip

    def sign(self, options, key=None, **lies):
        """The answer to what a browser is asked in order to sign in."""
        self.count += 1
        client = self._client("webauthn.get", options, lies)
        data = self._data(options["rpId"], PRESENT | VERIFIED, lies)
        signature = (key or self.key).sign(data + sha256(client).digest(), ec.ECDSA(hashes.SHA256()))
        return self._answer({"clientDataJSON": encoded(client), "authenticatorData": encoded(data),
                             "signature": encoded(signature),
                             "userHandle": encoded(lies.get("user", self.user))})  # fmt: skip

    def _answer(self, response):
        return json.dumps({"id": encoded(self.id), "rawId": encoded(self.id), "type": "public-key",
                           "response": response})  # fmt: skip
