"""Settings of the service as its clients see it."""

import re
from collections.abc import Iterator
from urllib.parse import urlsplit

from pydantic import Field, HttpUrl, NonNegativeFloat, PositiveFloat, PositiveInt

from app.core.configuration.group import SettingGroup
from app.core.configuration.hosts import is_local
from app.core.configuration.types import Hosts, Networks, Origins

WIDEST_NETWORK = {4: 8, 6: 16}
"""The shortest prefix that a network of proxies may have, by IP version. A shorter one would trust
a large part of the internet."""


class HttpSettings(SettingGroup):
    """The addresses of the service, its allowed clients, and the limits of requests."""

    public_url: HttpUrl = HttpUrl("http://localhost:8000")
    front_end_url: HttpUrl | None = None
    account_pages: bool = True
    allowed_hosts: Hosts = Field([])
    trusted_proxies: Networks = Field([])
    cors_origins: Origins = Field([])
    cors_credentials: bool = False
    max_body_size: PositiveInt = 1_048_576
    body_timeout: PositiveFloat = 20
    max_requests_in_flight: PositiveInt | None = None
    max_streams: PositiveInt = 1_000
    max_streams_per_user: PositiveInt = 10
    api_docs: bool | None = None
    health_timeout: PositiveFloat = 2
    shutdown_delay: NonNegativeFloat = 2

    @property
    def public_origin(self) -> str:
        """PUBLIC_URL as a browser names it in its Origin header."""
        url = urlsplit(str(self.public_url))
        return f"{url.scheme}://{url.netloc.rpartition('@')[2]}"

    @property
    def serves_pages_only(self) -> bool:
        """Return whether the account pages are the only front end."""
        return self.account_pages and self.front_end_url is None

    def production_problems(self) -> Iterator[str]:
        """Yield the values that let attackers act as users or as proxies."""
        if "public_url" not in self.model_fields_set:
            yield "PUBLIC_URL is missing. Set it to the address of the service: https://example.com"
        for network in self.trusted_proxies:
            if network.prefixlen < WIDEST_NETWORK[network.version]:
                yield (
                    f"TRUSTED_PROXIES has {network}, so any client could forge its address. "
                    "List the networks of your own proxies, such as 10.0.0.0/8"
                )
        for host in self.allowed_hosts:
            if re.fullmatch(r"\*\.[^.]+", host):
                yield f"ALLOWED_HOSTS has {host}, a whole top-level domain. List your own hosts"
        if self.cors_credentials:
            yield from _credentialed_origins(self.cors_origins)

    def production_warnings(self) -> Iterator[tuple[str, str]]:
        for variable, url in (
            ("PUBLIC_URL", self.public_url),
            ("FRONT_END_URL", self.front_end_url),
        ):
            if url and url.scheme == "http" and not is_local(url.host or ""):
                yield variable, "others on the network can read passwords and tokens. Use https"
        if any(is_local(urlsplit(origin).hostname or "") for origin in self.cors_origins):
            yield "CORS_ORIGINS", "pages on a developer's machine may call the service"


def _credentialed_origins(origins: list[str]) -> Iterator[str]:
    if "*" in origins:
        yield (
            "CORS_ORIGINS is * while CORS_CREDENTIALS is on: any site could act as your users. "
            "List the origins of your own front ends"
        )
    for origin in origins:
        url = urlsplit(origin)
        if url.scheme == "http" and not is_local(url.hostname or ""):
            yield (
                f"CORS_ORIGINS has {origin} while CORS_CREDENTIALS is on: others on the network "
                "of a user could act as that user. Use https"
            )
