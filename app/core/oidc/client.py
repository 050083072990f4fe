import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import cache
from ssl import SSLContext

import httpx2
import structlog
from authlib.integrations.base_client import OAuthError
from authlib.integrations.httpx_client import AsyncOAuth2Client
from authlib.oidc.core import CodeIDToken
from joserfc.errors import JoseError
from joserfc.jwk import DictKey, KeySet
from pydantic import JsonValue, TypeAdapter, ValidationError

from app.core.oidc.answer import Answer
from app.core.oidc.begun_login import BegunLogin
from app.core.oidc.errors import InvalidAnswer, ProviderUnavailable
from app.core.oidc.key_ring import KeyRing
from app.core.oidc.metadata import ProviderMetadata
from app.core.oidc_settings import OidcProvider

log = structlog.stdlib.get_logger(__name__)

SCOPE = "openid email profile"
METADATA_MAX_AGE = 3_600
LEEWAY = 60
"""Seconds by which a provider's clock may differ from ours."""

Claims = dict[str, JsonValue]
_claims = TypeAdapter(Claims)
_keys = TypeAdapter(list[DictKey])


@cache
def _certificates() -> SSLContext:
    """Load the certificates of all authorities, once for all providers: it takes a while."""
    return httpx2.create_ssl_context()


class OidcClient:
    """Speaks to one provider. Every method may raise ProviderUnavailable."""

    def __init__(
        self, name: str, provider: OidcProvider, *, redirect_uri: str, timeout: float
    ) -> None:
        self.name = name
        self._provider = provider
        self._timeout = timeout
        self._keys = KeyRing(self._fetch_keys)
        self._metadata: ProviderMetadata | None = None
        self._metadata_good_until = 0.0
        self._http = AsyncOAuth2Client(
            provider.client_id,
            provider.client_secret.get_secret_value(),
            scope=SCOPE,
            redirect_uri=redirect_uri,
            code_challenge_method="S256",
            timeout=timeout,
            verify=_certificates(),
        )

    async def aclose(self) -> None:
        await self._http.aclose()

    async def authorization_url(self, login: BegunLogin) -> str:
        """Tell where the browser is to go."""
        metadata = await self._discover()
        url, _ = self._http.create_authorization_url(
            metadata.authorization_endpoint,
            state=login.state,
            nonce=login.nonce,
            code_verifier=login.code_verifier,
        )
        return url

    async def exchange(self, login: BegunLogin, answer: Answer) -> Claims:
        """Exchange the code for what the provider vouches for. Raises InvalidAnswer."""
        metadata = await self._discover()
        self._check_issuer(metadata, answer)
        if answer.code is None:
            raise InvalidAnswer(f"no code, but the error {answer.error}")
        tokens = await self._fetch_tokens(metadata, answer.code, login.code_verifier)
        claims = await self._read_id_token(tokens, login.nonce)
        if "email" not in claims and metadata.userinfo_endpoint:
            claims |= await self._fetch_userinfo(metadata.userinfo_endpoint, tokens, claims["sub"])
        return claims

    def _check_issuer(self, metadata: ProviderMetadata, answer: Answer) -> None:
        """Refuse an answer of another provider than the one that was asked (RFC 9207)."""
        named = answer.iss is not None
        required = metadata.authorization_response_iss_parameter_supported
        if (named or required) and answer.iss != metadata.issuer:
            raise InvalidAnswer("the answer is another issuer's")

    async def _discover(self) -> ProviderMetadata:
        if self._metadata is None or time.monotonic() >= self._metadata_good_until:
            url = f"{self._provider.issuer.rstrip('/')}/.well-known/openid-configuration"
            async with self._answering("discovery"):
                metadata = ProviderMetadata.model_validate(await self._get(url))
                if metadata.issuer != self._provider.issuer:
                    raise ValueError(f"the issuer calls itself {metadata.issuer}")
            self._metadata = metadata
            self._metadata_good_until = time.monotonic() + METADATA_MAX_AGE
        return self._metadata

    async def _fetch_keys(self) -> KeySet:
        metadata = await self._discover()
        async with self._answering("keys"):
            document = await self._get(metadata.jwks_uri)
            return KeySet.import_key_set({"keys": _keys.validate_python(document.get("keys"))})

    async def _fetch_tokens(self, metadata: ProviderMetadata, code: str, verifier: str) -> Claims:
        try:
            async with self._answering("token"):
                return _claims.validate_python(
                    await self._http.fetch_token(
                        metadata.token_endpoint,
                        grant_type="authorization_code",
                        code=code,
                        code_verifier=verifier,
                        auth=self._http.client_auth(metadata.client_authentication),
                    )
                )
        except OAuthError as error:
            raise InvalidAnswer(f"the token endpoint says {error.error}") from error

    async def _read_id_token(self, tokens: Claims, nonce: str) -> Claims:
        try:
            token = await self._keys.verify(str(tokens["id_token"]))
            claims = CodeIDToken(
                token.claims,
                token.header,
                {
                    "iss": {"essential": True, "value": self._provider.issuer},
                    "aud": {"essential": True, "value": self._provider.client_id},
                },
                {
                    "client_id": self._provider.client_id,
                    "nonce": nonce,
                    "access_token": tokens.get("access_token"),
                },
            )
            claims.validate(leeway=LEEWAY)
            return _claims.validate_python(dict(claims))
        except (JoseError, ValueError, TypeError, KeyError, AttributeError) as error:
            raise InvalidAnswer(f"{type(error).__name__}: {error}") from error

    async def _fetch_userinfo(self, url: str, tokens: Claims, subject: JsonValue) -> Claims:
        """Ask for what an ID token may leave out, such as the address."""
        async with self._answering("userinfo"):
            token = tokens.get("access_token")
            userinfo = await self._get(url, headers={"Authorization": f"Bearer {token}"})
        if userinfo.get("sub") != subject:
            raise InvalidAnswer("userinfo is about somebody else")
        return userinfo

    async def _get(self, url: str, headers: dict[str, str] | None = None) -> Claims:
        response = await self._http.get(url, headers=headers, auth=None)
        response.raise_for_status()
        return _claims.validate_json(response.content)

    @asynccontextmanager
    async def _answering(self, step: str) -> AsyncIterator[None]:
        """Turn a provider that is away or makes no sense into ProviderUnavailable."""
        try:
            async with asyncio.timeout(self._timeout):
                yield
        except (httpx2.HTTPError, httpx2.InvalidURL, TimeoutError, JoseError, ValueError) as error:
            cause = _explain(error)
            log.warning("oidc.unavailable", provider=self.name, step=step, cause=cause)
            raise ProviderUnavailable(self.name, cause) from error


def _explain(error: Exception) -> str:
    if isinstance(error, ValidationError):
        return str(error.errors(include_input=False, include_url=False))
    return f"{type(error).__name__}: {error}"
