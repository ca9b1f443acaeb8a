"""Ed25519 keys and signed notes (C2SP signed-note): a text, an empty line, and a line that says who signed it.

A signature line is `— <name> <base64(key id, signature)>`; the key id is the first four bytes of
SHA-256(name, newline, 0x01, public key). Keys are kept as one line of text each.
"""

import base64
import binascii
import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from byline.core import DisclosureError

_ED25519 = b"\x01"
_PRIVATE, _PUBLIC = "byline.key", "byline.pub"


@dataclass(frozen=True, slots=True)
class PublicKey:
    """Who signs (`name`, no blank or plus sign in it) and the 32 bytes of the Ed25519 public key."""

    name: str
    raw: bytes

    @property
    def id(self) -> bytes:
        return hashlib.sha256(self.name.encode() + b"\n" + _ED25519 + self.raw).digest()[:4]

    def __str__(self) -> str:
        """`name+<key id in hex>+<base64>`, the C2SP text form."""
        return f"{self.name}+{self.id.hex()}+{encode64(_ED25519 + self.raw)}"

    def accepts(self, text: str, signature_line: str) -> bool:
        """True if `signature_line` is this key's signature of `text`, in the one way it can be written."""
        head, _, encoded = signature_line.rpartition(" ")
        signed = decode64(encoded)
        if head != f"— {self.name}" or signed is None or signed[:4] != self.id:
            return False
        try:
            Ed25519PublicKey.from_public_bytes(self.raw).verify(signed[4:], text.encode())
        except (InvalidSignature, UnicodeEncodeError):
            return False
        return True


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A private key and the name that it signs under."""

    name: str
    private: Ed25519PrivateKey

    @property
    def public(self) -> PublicKey:
        return PublicKey(self.name, self.private.public_key().public_bytes_raw())

    def sign(self, text: str) -> str:
        """Signature line of `text` (no line end)."""
        return f"— {self.name} {encode64(self.public.id + self.private.sign(text.encode()))}"


def create_key(folder: Path, name: str) -> SigningKey:
    """A fresh key: `byline.key` (for its owner's eyes only) and `byline.pub` (to publish) in `folder`.

    Raises: DisclosureError("key-exists"), DisclosureError("bad-key-name").
    """
    if not name or any(mark.isspace() or mark == "+" for mark in name):
        raise DisclosureError("bad-key-name", f"{name!r} cannot name a key", "no blank and no plus sign in it")
    folder.mkdir(parents=True, exist_ok=True)
    key = SigningKey(name, Ed25519PrivateKey.generate())
    line = f"PRIVATE+KEY+{name}+{key.public.id.hex()}+{encode64(_ED25519 + key.private.private_bytes_raw())}\n"
    part = folder / f"{_PRIVATE}.part"
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
        file.write(line)
    try:
        os.link(part, folder / _PRIVATE)
    except FileExistsError as fault:
        raise DisclosureError(
            "key-exists", f"{folder / _PRIVATE} is there already", "use it, or move it away"
        ) from fault
    finally:
        part.unlink()
    (folder / _PUBLIC).write_text(f"{key.public}\n", encoding="utf-8")
    return key


def load_key(folder: Path) -> SigningKey:
    """Raises: DisclosureError("no-key"), DisclosureError("bad-key"), DisclosureError("key-exposed")."""
    path = folder / _PRIVATE
    text = _read(path)
    if path.stat().st_mode & 0o077:
        raise DisclosureError("key-exposed", f"other users can read {path}", f"chmod 600 {path}, or make a new key")
    prefix, _, rest = text.partition("PRIVATE+KEY+")
    name, raw = _parse(rest, str(path)) if not prefix else ("", b"")
    if len(raw) != 32:
        raise DisclosureError("bad-key", f"{path} holds no Ed25519 private key")
    key = SigningKey(name, Ed25519PrivateKey.from_private_bytes(raw))
    if key.public.id.hex() != rest.split("+")[1]:
        raise DisclosureError("bad-key", f"{path}: the key does not have the id written next to it")
    return key


def load_public(key: str | Path) -> PublicKey:
    """From the text form, or from a file that holds it. Raises: DisclosureError("no-key"), ("bad-key")."""
    text = key if isinstance(key, str) and "+" in key else _read(Path(key))
    name, raw = _parse(text, str(key))
    public = PublicKey(name, raw)
    if str(public) != text.strip() or len(raw) != 32:
        raise DisclosureError("bad-key", f"{key} is not a public key", "it reads name+id+base64, as in byline.pub")
    return public


def encode64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def decode64(text: str) -> bytes | None:
    """Bytes of `text`, or None if it is not exactly what `encode64` writes (base64 has spellings to spare)."""
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None
    return data if encode64(data) == text else None


def _parse(text: str, where: str) -> tuple[str, bytes]:
    parts = text.strip().split("+", 2)
    data = decode64(parts[-1])
    if len(parts) != 3 or data is None or data[:1] != _ED25519:
        raise DisclosureError("bad-key", f"{where} is not an Ed25519 key", "it reads name+id+base64, as in byline.pub")
    return parts[0], data[1:]


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").strip()
    except FileNotFoundError as fault:
        raise DisclosureError("no-key", f"there is no key at {path}", "name the file or folder of the key") from fault
    except (OSError, UnicodeDecodeError) as fault:
        raise DisclosureError("bad-key", f"{path} cannot be read as a key: {fault}") from fault
