"""The choice as a signed C2PA manifest inside a file, with a certificate of the signer's own.

Such a certificate stands on no trust list: readers show the state "Valid" with "signingCredential.untrusted". A no
counts all the same; a yes counts for nobody who does not trust this signer. Source: CAWG training and data mining 1.1.
"""

import datetime as dt
import importlib
import importlib.util
import io
import json
import os
from pathlib import Path
from types import ModuleType

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from byline.core import DisclosureError

DAYS = 3650
CHAIN, KEY = "c2pa-chain.pem", "c2pa-key.pem"


def c2pa_there() -> bool:
    return importlib.util.find_spec("c2pa") is not None


def _c2pa() -> ModuleType:
    try:
        return importlib.import_module("c2pa")
    except ImportError as fault:
        fix = "pip install 'byline[rights]', or publish the assertion alone, without --sign"
        raise DisclosureError("publish-extra", "files are signed by c2pa-python", fix) from fault


def credential(folder: Path, name: str, today: dt.date) -> tuple[bytes, bytes]:
    """The certificate chain and private key (PEM) in `folder`, made on first use: an own authority and one leaf.

    `name`: of the organisation, as it will be shown.
    """
    chain, key = folder / CHAIN, folder / KEY
    if not (chain.is_file() and key.is_file()):
        pem, secret = _new_credential(name, today)
        folder.mkdir(parents=True, exist_ok=True)
        with os.fdopen(os.open(key, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(secret)
        chain.write_bytes(pem)
    return chain.read_bytes(), key.read_bytes()


def _new_credential(name: str, today: dt.date) -> tuple[bytes, bytes]:
    authority, leaf = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    root = _certificate(name, "authority", authority.public_key(), authority, None, today)
    own = _certificate(name, "signer", leaf.public_key(), authority, root, today)
    pem = serialization.Encoding.PEM
    secret = leaf.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return own.public_bytes(pem) + root.public_bytes(pem), secret


def _certificate(
    name: str,
    role: str,
    public: ec.EllipticCurvePublicKey,
    signer: ec.EllipticCurvePrivateKey,
    issuer: x509.Certificate | None,
    today: dt.date,
) -> x509.Certificate:
    """A leaf signed by `issuer`, or an authority that signs itself."""
    subject = x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, name[:64]),
            x509.NameAttribute(NameOID.COMMON_NAME, f"{name[:50]} {role}"),
        ]
    )
    start = dt.datetime.combine(today, dt.time(), dt.UTC)
    built = x509.CertificateBuilder().subject_name(subject).issuer_name(issuer.subject if issuer else subject)
    built = built.public_key(public).serial_number(x509.random_serial_number())
    built = built.not_valid_before(start).not_valid_after(start + dt.timedelta(days=DAYS))
    built = built.add_extension(x509.BasicConstraints(issuer is None, None), critical=True)
    built = built.add_extension(_usage(issuer is None), critical=True)
    built = built.add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
    above = x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key())
    built = built.add_extension(above, critical=False)
    if issuer is not None:
        mail = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.EMAIL_PROTECTION])
        built = built.add_extension(mail, critical=False)
    return built.sign(signer, hashes.SHA256())


def _usage(authority: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not authority,
        key_cert_sign=authority,
        crl_sign=authority,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def sign_file(body: bytes, media_type: str, title: str, assertion: str, chain: bytes, key: bytes) -> bytes:
    """The file with a signed manifest that holds the assertion.

    Raises: DisclosureError("not-signed") with what c2pa said, DisclosureError("publish-extra").
    """
    c2pa = _c2pa()
    told = {"claim_generator_info": [{"name": "Byline"}], "title": title, "assertions": [json.loads(assertion)]}
    try:
        info = c2pa.C2paSignerInfo(alg=b"es256", sign_cert=chain, private_key=key, ta_url=None)
        builder = c2pa.Builder(json.dumps(told))
        builder.set_intent(c2pa.C2paBuilderIntent.EDIT)  # opened, with the file as it was for its parent
        out = io.BytesIO()
        builder.sign(c2pa.Signer.from_info(info), media_type, io.BytesIO(body), out)
    except c2pa.C2paError as fault:
        raise DisclosureError(
            "not-signed", f"{title} could not be signed: {fault}", "publish without --sign"
        ) from fault
    return out.getvalue()
