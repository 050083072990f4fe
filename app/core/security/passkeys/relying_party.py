"""The relying party: the domain of passkeys, and the origins of the pages that may use them."""

from dataclasses import dataclass
from urllib.parse import urlsplit

from app.core.config import Settings


@dataclass(frozen=True, slots=True)
class RelyingParty:
    """`id` is a domain. Browsers use its passkeys on pages of this domain and its subdomains.

    The service accepts them only from the pages in `origins`.
    """

    id: str
    name: str
    origins: list[str]


def relying_party(settings: Settings) -> RelyingParty:
    """Derive the relying party from PUBLIC_URL and FRONT_END_URL.

    If one host is a subdomain of the other, the pages of both use passkeys of the parent.
    Otherwise, only the pages of FRONT_END_URL use passkeys. A common parent domain may be a public
    suffix such as co.uk, under which anyone can have a host.
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
