"""The relying party: for which domain passkeys are made, and which pages may use them."""

from dataclasses import dataclass
from urllib.parse import urlsplit

from app.core.config import Settings


@dataclass(frozen=True, slots=True)
class RelyingParty:
    """`id` is a domain. A browser uses its passkeys on pages of this domain and below it.

    We accept them from the pages in `origins` only.
    """

    id: str
    name: str
    origins: list[str]


def relying_party(settings: Settings) -> RelyingParty:
    """Derive the relying party from PUBLIC_URL and FRONT_END_URL.

    Where one host lies below the other, pages of both use the same passkeys, of the upper one.
    Otherwise people are at FRONT_END_URL, so only its pages do: a common parent of both hosts may
    be a domain such as co.uk, under which anyone has a host.
    """
    origins = [settings.public_origin]
    hosts = [settings.public_url.host or ""]
    if settings.front_end_url is not None:
        origins.append(_origin(str(settings.front_end_url)))
        hosts.append(settings.front_end_url.host or "")
    public, front_end = hosts[0], hosts[-1]
    name = settings.mail_from.name
    if _is_below(front_end, public):
        return RelyingParty(public, name, origins)
    if _is_below(public, front_end):
        return RelyingParty(front_end, name, origins)
    return RelyingParty(front_end, name, origins[1:])


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"


def _is_below(host: str, domain: str) -> bool:
    return host == domain or host.endswith(f".{domain}")
