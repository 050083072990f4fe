from typing import Self
from urllib.parse import urlsplit

from pydantic import BaseModel, HttpUrl, model_validator


class ProviderMetadata(BaseModel):
    """What a provider's discovery document says, as far as we need it."""

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    userinfo_endpoint: str | None = None
    token_endpoint_auth_methods_supported: list[str] = ["client_secret_basic"]
    authorization_response_iss_parameter_supported: bool = False

    @property
    def client_authentication(self) -> str:
        """How a client shows its secret; the default where both are understood."""
        methods = self.token_endpoint_auth_methods_supported
        return "client_secret_basic" if "client_secret_basic" in methods else "client_secret_post"

    @model_validator(mode="after")
    def _encrypted(self) -> Self:
        """Refuse an unencrypted endpoint, but for an issuer that is itself unencrypted."""
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
