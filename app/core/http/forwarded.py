"""Who the client is, when proxies stand in between."""

from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network


class ForwardedClient:
    """Puts the true client into the scope, where `request.client.host` and logs find it.

    `X-Forwarded-For` and `X-Forwarded-Proto` count only where a trusted proxy has sent them.
    """

    def __init__(self, app: ASGIApp, *, proxies: Sequence[Network]) -> None:
        self.app = app
        self.proxies = proxies

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        client = scope.get("client")
        if client and (peer := _address(client[0])) and _is_any_of(self.proxies, peer):
            headers = Headers(scope=scope)
            true_client = client_address(peer, headers.getlist("x-forwarded-for"), self.proxies)
            if true_client != peer:
                scope["client"] = (str(true_client), 0)
            if (scheme := headers.get("x-forwarded-proto")) in {"http", "https"}:
                scope["scheme"] = scheme
        await self.app(scope, receive, send)


def client_address(
    peer: Address, forwarded_for: Sequence[str], proxies: Sequence[Network]
) -> Address:
    """Walk back from the peer, through the proxies that we trust, to the first that we don't.

    Each proxy appends who it heard from, so only what trusted ones have appended is known to be
    true. What stands to the left of the first stranger, the stranger may have written himself.
    """
    address = peer
    for hop in reversed(",".join(forwarded_for).split(",")):
        if not _is_any_of(proxies, address):
            break
        before = _address(hop)
        if before is None:
            break
        address = before
    return address


def _is_any_of(networks: Sequence[Network], address: Address) -> bool:
    return any(address in network for network in networks)


def _address(text: str) -> Address | None:
    """Read `192.0.2.1`, `192.0.2.1:4711`, `2001:db8::1` or `[2001:db8::1]:4711`."""
    text = text.strip()
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ip_address(text)
    except ValueError:
        return None
    # A socket for both families names an IPv4 client in IPv6 terms.
    return (isinstance(address, IPv6Address) and address.ipv4_mapped) or address
