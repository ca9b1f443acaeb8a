"""A mail server on this machine that speaks real SMTP, with a certificate of its own, and can be in a bad mood."""

import contextlib
import ipaddress
import ssl
from datetime import UTC, datetime, timedelta

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec


class Mailbox:
    """What arrived; `says`: what the server answers to a recipient or a mail instead of yes."""

    def __init__(self):
        self.mails, self.senders, self.says = [], [], {}

    async def handle_RCPT(self, server, session, envelope, address, options):
        if answer := self.says.get(address):
            return answer
        envelope.rcpt_tos.append(address)
        return "250 ok"

    async def handle_DATA(self, server, session, envelope):
        if answer := self.says.get("data"):
            return answer
        self.mails.append((envelope.mail_from, envelope.rcpt_tos, envelope.content.decode(), session.ssl is not None))
        return "250 ok"


class AnyPort(Controller):
    """Before it knocks at its own door it looks which port it was given."""

    def _trigger_server(self):
        self.port = self.server.sockets[0].getsockname()[1]
        super()._trigger_server()


def authenticator(server, session, envelope, mechanism, data):
    good = (data.login, data.password) == (b"portal", b"a secret")
    return AuthResult(success=good, handled=False)


@contextlib.contextmanager
def mail_server(folder=None, security="none", **more):
    """The mailbox and the port. `folder`: where the certificate is written, as cert.pem."""
    box, context = Mailbox(), certificate(folder) if folder else None
    made = {"starttls": {"tls_context": context, "require_starttls": True}, "tls": {"ssl_context": context}, "none": {}}
    controller = AnyPort(box, "127.0.0.1", 0, **made[security], **more)
    controller.start()
    box.port = controller.port
    try:
        yield box
    finally:
        controller.stop()


def certificate(folder, host="127.0.0.1"):
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "Mail of a test")])
    now = datetime.now(UTC)
    made = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    made = made.serial_number(x509.random_serial_number()).not_valid_before(now - timedelta(1))
    made = made.not_valid_after(now + timedelta(1)).add_extension(
        x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(host))]), critical=False
    )
    made = made.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    made = made.add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    signed = made.sign(key, hashes.SHA256())
    form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    (folder / "cert.pem").write_bytes(signed.public_bytes(serialization.Encoding.PEM))
    (folder / "key.pem").write_bytes(key.private_bytes(*form))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "cert.pem", folder / "key.pem")
    return context
