"""A client of one OpenID Connect provider: discovery, authorization code flow, ID tokens."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import cache
from ssl import SSLContext
from urllib.parse import quote_plus

import httpx2
import structlog
from authlib.integrations.base_client import OAuthError
from authlib.integrations.httpx_client import AsyncOAuth2Client
from authlib.oauth2.auth import ClientAuth
from authlib.oidc.core import CodeIDToken
from joserfc.errors import JoseError
from joserfc.jwk import DictKey, KeySet
from pydantic import JsonValue, TypeAdapter, ValidationError

from app.core.oidc.authorization_response import AuthorizationResponse
from app.core.oidc.claims import Claims
from app.core.oidc.errors import InvalidResponse, ProviderUnavailable
from app.core.oidc.jwks_cache import JwksCache
from app.core.oidc.login_state import LoginState
from app.core.oidc.metadata import ProviderMetadata
from app.core.oidc_settings import OidcProvider
from app.core.outgoing import sending_requests

log = structlog.stdlib.get_logger(__name__)

SCOPE = "openid email profile"
METADATA_MAX_AGE = 3_600
LEEWAY = 60
"""Seconds by which the clocks of a provider and of this machine may differ."""

_claims = TypeAdapter(Claims)
_keys = TypeAdapter(list[DictKey])


class AuthlibClient:
    """A client of one provider. Every method may raise ProviderUnavailable."""

    def __init__(
        self, name: str, provider: OidcProvider, *, redirect_uri: str, timeout: float
    ) -> None:
        self.name = name
        self._provider = provider
        self._timeout = timeout
        self._keys = JwksCache(self._fetch_keys)
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

    async def authorization_url(self, login: LoginState) -> str:
        """Return the address at the provider that starts the login."""
        metadata = await self._discover()
        url, _ = self._http.create_authorization_url(
            metadata.authorization_endpoint,
            state=login.state,
            nonce=login.nonce,
            code_verifier=login.code_verifier,
        )
        return url

    async def exchange(self, login: LoginState, response: AuthorizationResponse) -> Claims:
        """Exchange the code for the verified claims of the user. Raises InvalidResponse."""
        metadata = await self._discover()
        self._check_issuer(metadata, response)
        if response.code is None:
            raise InvalidResponse(f"no code, but the error {response.error}")
        tokens = await self._fetch_tokens(metadata, response.code, login.code_verifier)
        claims = await self._read_id_token(tokens, login.nonce)
        if "email" not in claims and metadata.userinfo_endpoint:
            claims |= await self._fetch_userinfo(metadata.userinfo_endpoint, tokens, claims["sub"])
        return claims

    def _check_issuer(self, metadata: ProviderMetadata, response: AuthorizationResponse) -> None:
        """Reject a response of another provider (RFC 9207)."""
        named = response.iss is not None
        required = metadata.authorization_response_iss_parameter_supported
        if (named or required) and response.iss != metadata.issuer:
            raise InvalidResponse("the response comes from another issuer")

    async def _discover(self) -> ProviderMetadata:
        if self._metadata is None or time.monotonic() >= self._metadata_good_until:
            url = f"{self._provider.issuer.rstrip('/')}/.well-known/openid-configuration"
            async with self._requests("discovery"):
                metadata = ProviderMetadata.model_validate(await self._get(url))
                if metadata.issuer != self._provider.issuer:
                    raise ValueError(f"the document belongs to the issuer {metadata.issuer}")
            self._metadata = metadata
            self._metadata_good_until = time.monotonic() + METADATA_MAX_AGE
        return self._metadata

    async def _fetch_keys(self) -> KeySet:
        metadata = await self._discover()
        async with self._requests("keys"):
            document = await self._get(metadata.jwks_uri)
            return KeySet.import_key_set({"keys": _keys.validate_python(document.get("keys"))})

    async def _fetch_tokens(self, metadata: ProviderMetadata, code: str, verifier: str) -> Claims:
        try:
            async with self._requests("token"):
                return _claims.validate_python(
                    await self._http.fetch_token(
                        metadata.token_endpoint,
                        grant_type="authorization_code",
                        code=code,
                        code_verifier=verifier,
                        auth=self._client_auth(metadata),
                    )
                )
        except OAuthError as error:
            raise InvalidResponse(f"the token endpoint answered {error.error}") from error

    def _client_auth(self, metadata: ProviderMetadata) -> httpx2.Auth | ClientAuth:
        """Return the authentication that the provider requires.

        RFC 6749 (2.3.1) requires both parts of the header to be form-encoded. Authlib does not
        encode them.
        """
        if metadata.client_authentication == "client_secret_post":
            return self._http.client_auth(metadata.client_authentication)
        secret = self._provider.client_secret.get_secret_value()
        return httpx2.BasicAuth(quote_plus(self._provider.client_id), quote_plus(secret))

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
            raise InvalidResponse(f"{type(error).__name__}: {error}") from error

    async def _fetch_userinfo(self, url: str, tokens: Claims, subject: JsonValue) -> Claims:
        """Fetch the claims that an ID token may leave out, such as the email address."""
        async with self._requests("userinfo"):
            token = tokens.get("access_token")
            userinfo = await self._get(url, headers={"Authorization": f"Bearer {token}"})
        if userinfo.get("sub") != subject:
            raise InvalidResponse("userinfo describes another user")
        return userinfo

    async def _get(self, url: str, headers: dict[str, str] | None = None) -> Claims:
        response = await self._http.get(url, headers=headers, auth=None)
        response.raise_for_status()
        return _claims.validate_json(response.content)

    @asynccontextmanager
    async def _requests(self, step: str) -> AsyncIterator[None]:
        """Raise ProviderUnavailable if the provider does not respond or its response is invalid."""
        try:
            async with asyncio.timeout(self._timeout):
                with sending_requests():
                    yield
        except (httpx2.HTTPError, httpx2.InvalidURL, TimeoutError, JoseError, ValueError) as error:
            cause = _describe(error)
            log.warning("oidc.unavailable", provider=self.name, step=step, cause=cause)
            raise ProviderUnavailable(self.name, cause) from error


@cache
def _certificates() -> SSLContext:
    """Load the certificates of all authorities once for all providers, because this is slow."""
    return httpx2.create_ssl_context()


def _describe(error: Exception) -> str:
    if isinstance(error, ValidationError):
        return str(error.errors(include_input=False, include_url=False))
    return f"{type(error).__name__}: {error}"
