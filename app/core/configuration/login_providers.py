"""Settings of logins with a provider."""

from collections.abc import Iterator
from urllib.parse import urlsplit

from pydantic import Field, PositiveFloat, PositiveInt

from app.core.configuration.group import SettingGroup
from app.core.configuration.passwords import password_problems
from app.core.oidc_settings import OidcProviders


class LoginProviderSettings(SettingGroup):
    """The OpenID Connect providers, and the time limits of logins with them."""

    oidc_providers: OidcProviders = Field(default_factory=dict, repr=False)
    oidc_login_lifetime: PositiveInt = 600
    oidc_timeout: PositiveFloat = 5

    def production_problems(self) -> Iterator[str]:
        for name, provider in self.oidc_providers.items():
            prefix = f"OIDC_{name.upper()}"
            yield from password_problems(f"{prefix}_CLIENT_SECRET", provider.client_secret)
            if urlsplit(provider.issuer).scheme != "https":
                yield f"{prefix}_ISSUER must start with https://"
