from typing import Self
from urllib.parse import urlsplit

from pydantic import BaseModel, HttpUrl, model_validator


class ProviderMetadata(BaseModel):
    """The used part of a provider's discovery document."""

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    userinfo_endpoint: str | None = None
    token_endpoint_auth_methods_supported: list[str] = ["client_secret_basic"]
    authorization_response_iss_parameter_supported: bool = False

    @property
    def client_authentication(self) -> str:
        """The authentication at the token endpoint: the default one if the provider supports it."""
        methods = self.token_endpoint_auth_methods_supported
        return "client_secret_basic" if "client_secret_basic" in methods else "client_secret_post"

    @model_validator(mode="after")
    def _require_https(self) -> Self:
        """Reject an unencrypted endpoint, unless the issuer itself is unencrypted."""
        schemes = {"https", urlsplit(self.issuer).scheme}
        endpoints = (
            self.authorization_endpoint,
            self.token_endpoint,
            self.jwks_uri,
            self.userinfo_endpoint,
        )
        for endpoint in filter(None, endpoints):
            if HttpUrl(endpoint).scheme not in schemes:
                raise ValueError("endpoints must start with https://")
        return self
