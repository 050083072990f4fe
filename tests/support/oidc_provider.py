"""A small OpenID Connect provider on loopback, which a test can make misbehave."""

import base64
import hashlib
import hmac
import json
import secrets
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from time import time
from urllib.parse import parse_qs, parse_qsl, unquote_plus, urlencode, urlsplit

from joserfc import jwt
from joserfc.errors import SecurityWarning
from joserfc.jwk import OKPKey, RSAKey

from app.core.oidc_settings import OidcProvider

CLIENT_ID = "service"
CLIENT_SECRET = "pa55word of the service"

Forge = Callable[[dict[str, object]], str]


@cache
def signing_key(name: str) -> RSAKey:
    """Generate a key once, because it takes long."""
    return RSAKey.generate_key(2048, {"kid": name, "use": "sig", "alg": "RS256"})


@dataclass(frozen=True)
class Grant:
    """The data of a code, which works once."""

    redirect_uri: str
    nonce: str
    code_challenge: str


class TestProvider:
    """A provider whose visitor is always `person`. A test can change its other properties."""

    __test__ = False

    def __init__(self, issuer: str) -> None:
        self.issuer = issuer
        self.person: dict[str, object] = {
            "sub": "248289761001",
            "email": "ada@example.com",
            "email_verified": True,
            "name": "Ada Lovelace",
        }
        self.client_secret = CLIENT_SECRET
        self.links_by_email = True
        self.key: RSAKey | OKPKey = signing_key("first")
        self.alg = "RS256"
        self.published: list[RSAKey | OKPKey] = [self.key]
        self.id_token_changes: dict[str, object] = {}
        self.metadata_changes: dict[str, object] = {}
        self.forge: Forge = self.sign
        self.userinfo: dict[str, object] = {}
        self.broken: dict[str, bytes] = {}
        self.names_itself = True
        self.asked: Counter[str] = Counter()
        self.when_asked_for_tokens: Callable[[], object] = int
        self._grants: dict[str, Grant] = {}

    @property
    def settings(self) -> OidcProvider:
        return OidcProvider.model_validate(
            {
                "issuer": self.issuer,
                "client_id": CLIENT_ID,
                "client_secret": self.client_secret,
                "links_by_email": self.links_by_email,
            }
        )

    def sign(self, claims: dict[str, object]) -> str:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SecurityWarning)  # providers still use EdDSA
            return jwt.encode({"alg": self.alg, "kid": self.key.kid}, claims, self.key, [self.alg])

    def metadata(self) -> dict[str, object]:
        return {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/authorize?tenant=1",
            "token_endpoint": f"{self.issuer}/token",
            "jwks_uri": f"{self.issuer}/keys",
            "userinfo_endpoint": f"{self.issuer}/userinfo",
            "authorization_response_iss_parameter_supported": True,
        } | self.metadata_changes

    def keys(self) -> dict[str, object]:
        return {"keys": [key.as_dict(private=False) for key in self.published]}

    def authorize(self, query: dict[str, str]) -> str:
        """Log the person in, and return the redirect of the browser."""
        assert (query["response_type"], query["client_id"]) == ("code", CLIENT_ID)
        assert (query["code_challenge_method"], query["tenant"]) == ("S256", "1")
        assert set(query["scope"].split()) == {"openid", "email", "profile"}
        code = secrets.token_urlsafe(16)
        self._grants[code] = Grant(query["redirect_uri"], query["nonce"], query["code_challenge"])
        answer = {"code": code, "state": query["state"]}
        if self.names_itself:
            answer["iss"] = self.issuer
        return f"{query['redirect_uri']}?{urlencode(answer)}"

    def exchange(self, form: dict[str, str], authorization: str) -> tuple[int, dict[str, object]]:
        """Exchange a code, once, for a client with the verifier and its secret."""
        self.when_asked_for_tokens()
        if authorization:
            pair = base64.b64decode(authorization.removeprefix("Basic ")).decode()
            given = [unquote_plus(part) for part in pair.split(":")]
        else:
            given = [form.get("client_id", ""), form.get("client_secret", "")]
        if given != [CLIENT_ID, self.client_secret]:
            return 401, {"error": "invalid_client"}
        grant = self._grants.pop(form["code"], None)
        digest = hashlib.sha256(form["code_verifier"].encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        if grant is None or (grant.redirect_uri, grant.code_challenge) != (
            form["redirect_uri"],
            challenge,
        ):
            return 400, {"error": "invalid_grant"}
        now = int(time())
        claims: dict[str, object] = {
            "iss": self.issuer,
            "aud": CLIENT_ID,
            "iat": now,
            "exp": now + 300,
            "nonce": grant.nonce,
        }
        claims |= self.person | self.id_token_changes
        claims = {name: value for name, value in claims.items() if value is not None}
        return 200, {
            "access_token": "a token for userinfo",
            "token_type": "Bearer",
            "expires_in": 300,
            "id_token": self.forge(claims),
        }


def unsigned(claims: dict[str, object], alg: str = "none") -> str:
    """Return a token that claims to need no signature."""
    return f"{_part({'alg': alg, 'kid': 'first'})}.{_part(claims)}."


def signed_with_public_key(claims: dict[str, object], alg: str = "HS256") -> str:
    """Sign with the public key, as if it were a shared secret."""
    text = f"{_part({'alg': alg, 'kid': 'first'})}.{_part(claims)}"
    mac = hmac.digest(signing_key("first").as_pem(private=False), text.encode(), "sha256")
    return f"{text}.{base64.urlsafe_b64encode(mac).rstrip(b'=').decode()}"


@contextmanager
def run_provider() -> Iterator[TestProvider]:
    """Serve a provider on a free port."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _Handler) as server:
        provider = TestProvider(f"http://127.0.0.1:{server.server_port}")
        server.provider = provider  # type: ignore[attr-defined]
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        yield provider
        server.shutdown()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    @property
    def provider(self) -> TestProvider:
        provider = self.server.provider  # type: ignore[attr-defined]
        assert isinstance(provider, TestProvider)
        return provider

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        name = url.path.rpartition("/")[2]
        self.provider.asked[name] += 1
        if name in self.provider.broken:
            self._answer(502, self.provider.broken[name])
        elif name == "authorize":
            self.send_response(303)
            self.send_header("Location", self.provider.authorize(dict(parse_qsl(url.query))))
            self.end_headers()
        elif name == "userinfo":
            assert self.headers["Authorization"] == "Bearer a token for userinfo"
            person = {"sub": self.provider.person["sub"]}
            self._answer_json(200, person | self.provider.userinfo)
        else:
            documents = {
                "openid-configuration": self.provider.metadata,
                "keys": self.provider.keys,
            }
            self._answer_json(200, documents[name]())

    def do_POST(self) -> None:
        self.provider.asked["token"] += 1
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        if "token" in self.provider.broken:
            self._answer(502, self.provider.broken["token"])
            return
        form = {name: values[0] for name, values in parse_qs(body).items()}
        self._answer_json(*self.provider.exchange(form, self.headers.get("Authorization", "")))

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  the name in the base class
        pass

    def _answer_json(self, status: int, document: dict[str, object]) -> None:
        self._answer(status, json.dumps(document).encode())

    def _answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def _part(document: dict[str, object]) -> str:
    return base64.urlsafe_b64encode(json.dumps(document).encode()).rstrip(b"=").decode()
