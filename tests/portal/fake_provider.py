"""An organisation that signs its people in, over real HTTP, with keys of its own: honest unless it is told to lie."""

import base64
import contextlib
import hashlib
import hmac
import json
import secrets
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlencode, urlsplit

from joserfc import jwt
from joserfc.jwk import ECKey, RSAKey

RSA, EC = RSAKey.generate_key(2048, {"kid": "one", "use": "sig"}), ECKey.generate_key("P-256", {"kid": "two"})
LOGOUT = "http://schemas.openid.net/event/backchannel-logout"
STRANGER = RSAKey.generate_key(2048, {"kid": "one"})


class Fake:
    """`claims`: what its tokens say otherwise than they should (None: not at all). `told`: the same of its settings.
    `more`: what userinfo tells besides whom the last token named.
    `signed`: who signs, by name. `answers`: of the way back. `asked`: what it was sent to exchange a code."""

    def __init__(self, clock, secret="it is secret"):
        self.clock, self.secret, self.client = clock, secret, "byline"
        self.claims, self.told, self.more, self.answers, self.signed = {}, {}, {}, {}, "rsa"
        self.subject = ""
        self.keys, self.codes, self.asked, self.status = [RSA, EC], {}, [], 200
        self.looks = 0

    def settings(self):
        own = {"issuer": self.issuer, "authorization_endpoint": f"{self.issuer}/authorize",
               "token_endpoint": f"{self.issuer}/token", "jwks_uri": f"{self.issuer}/keys",
               "userinfo_endpoint": f"{self.issuer}/userinfo"}  # fmt: skip
        return without(own | self.told)

    def authorize(self, asked):
        """Nobody is asked for a password here. Back to where the code is to be exchanged."""
        code = secrets.token_urlsafe(12)
        self.codes[code] = asked
        answer = without({"code": code, "state": asked["state"], "iss": self.issuer} | self.answers)
        return f"{asked['redirect_uri']}?{urlencode(answer)}"

    def exchange(self, form, login):
        self.asked.append((form, login))
        asked = self.codes.pop(form.get("code"), None)
        proof = b64(hashlib.sha256(form.get("code_verifier", "").encode()).digest())
        good = asked and proof == asked["code_challenge"] and form["redirect_uri"] == asked["redirect_uri"]
        if not good or (self.secret and login != (self.client, self.secret)):
            return 400, {"error": "invalid_grant"}
        return self.status, without({"access_token": "access", "token_type": "Bearer", "id_token": self.token(asked)})

    def token(self, asked):
        now = int(self.clock().timestamp())
        claims = {"iss": self.issuer, "aud": self.client, "sub": "number 7", "iat": now, "exp": now + 300,
                  "nonce": asked["nonce"], "email": "ada@pub.example", "email_verified": True}  # fmt: skip
        self.subject = (claims | self.claims)["sub"]
        return self.sign(without(claims | self.claims))

    def logout_token(self, **other):
        now = int(self.clock().timestamp())
        claims = {"iss": self.issuer, "aud": self.client, "sub": "number 7", "iat": now, "exp": now + 120,
                  "jti": secrets.token_hex(8), "events": {LOGOUT: {}}}  # fmt: skip
        return self.sign(without(claims | other))

    def sign(self, claims):
        if self.signed == "none":
            return f"{encoded({'alg': 'none', 'typ': 'JWT'})}.{encoded(claims)}."
        if self.signed == "shared":  # a public key taken for a secret
            said = f"{encoded({'alg': 'HS256', 'kid': 'one'})}.{encoded(claims)}"
            return f"{said}.{b64(hmac.digest(RSA.as_pem(private=False), said.encode(), 'sha256'))}"
        alg, key = {"rsa": ("RS256", RSA), "ec": ("ES256", EC), "stranger": ("RS256", STRANGER)}[self.signed]
        return jwt.encode({"alg": alg, "kid": key.kid}, claims, key, algorithms=[alg])


def encoded(told):
    return b64(json.dumps(told).encode())


def b64(content):
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def without(told):
    return {name: value for name, value in told.items() if value is not None}


@contextlib.contextmanager
def provider(clock):
    fake = Fake(clock)

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_):
            pass

        def do_GET(self):
            at = urlsplit(self.path)
            asked = {name: values[0] for name, values in parse_qs(at.query).items()}
            if at.path == "/authorize":
                self.send_response(302)
                self.send_header("location", fake.authorize(asked))
                self.end_headers()
            elif at.path == "/.well-known/openid-configuration":
                fake.looks += 1
                self.say(fake.status, fake.settings())
            elif at.path == "/keys":
                self.say(200, {"keys": [key.as_dict(private=False) for key in fake.keys]})
            elif at.path == "/userinfo" and self.headers["authorization"] == "Bearer access":
                self.say(200, {"sub": fake.subject} | fake.more)

        def do_POST(self):
            body = self.rfile.read(int(self.headers["content-length"])).decode()
            form = {name: values[0] for name, values in parse_qs(body).items()}
            basic = (self.headers.get("authorization") or "").removeprefix("Basic ")
            login = tuple(unquote(part) for part in base64.b64decode(basic).decode().split(":"))
            self.say(*fake.exchange(form, login if basic else (form.get("client_id"), form.get("client_secret"))))

        def say(self, status, told):
            content = told if isinstance(told, bytes) else json.dumps(told).encode()
            self.send_response(status)
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            with contextlib.suppress(OSError):
                self.wfile.write(content)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    fake.issuer = f"http://127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    try:
        yield fake
    finally:
        server.shutdown()
        server.server_close()
