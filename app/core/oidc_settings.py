"""The settings of OpenID Connect providers."""

import re
from collections.abc import Mapping
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr

VARIABLE = re.compile(r"oidc_(\w+)_(issuer|client_id|client_secret|links_by_email)")


def _issuer(value: str) -> str:
    url = urlsplit(value)
    if url.scheme not in {"http", "https"} or not url.hostname or url.query or url.fragment:
        raise ValueError("must be an address such as https://accounts.example.com")
    return value


class OidcProvider(BaseModel):
    """A provider, and the credentials of this service there. Its tokens contain this `issuer`."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    issuer: Annotated[str, AfterValidator(_issuer)]
    client_id: Annotated[str, Field(min_length=1)]
    client_secret: Annotated[SecretStr, Field(min_length=1)]
    links_by_email: bool = True
    """Whether this service trusts addresses that the provider has verified. If it does, a login
    opens the account with the same address, and the address of a new account is confirmed."""


OidcProviders = dict[Annotated[str, Field(pattern=r"^[a-z0-9_]{1,32}$")], OidcProvider]


def is_provider_variable(name: str) -> bool:
    return VARIABLE.fullmatch(name) is not None


def providers_of(variables: Mapping[str, str | None]) -> dict[str, dict[str, str]]:
    """Group `OIDC_<NAME>_ISSUER`, `…_CLIENT_ID`, and `…_CLIENT_SECRET` by the name."""
    providers: dict[str, dict[str, str]] = {}
    for variable, value in variables.items():
        if value and (match := VARIABLE.fullmatch(variable)):
            providers.setdefault(match[1], {})[match[2]] = value
    return providers
