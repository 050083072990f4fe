"""The IP address of the client behind proxies."""

from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

from starlette.datastructures import Headers
from starlette.types import Scope

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

TRUSTED = "app.trusted_proxy"
"""The key in the scope of a request that came through a trusted proxy."""


def find_client(scope: Scope, proxies: Sequence[Network]) -> None:
    """Store the address of the client in the scope, for `request.client.host` and the log.

    `X-Forwarded-For` and `X-Forwarded-Proto` are used only if a trusted proxy has sent them.
    """
    client = scope.get("client")
    if client and (peer := _address(client[0])) and _is_any_of(proxies, peer):
        scope[TRUSTED] = True
        headers = Headers(scope=scope)
        true_client = client_address(peer, headers.getlist("x-forwarded-for"), proxies)
        if true_client != peer:
            scope["client"] = (str(true_client), 0)
        if (scheme := headers.get("x-forwarded-proto")) in {"http", "https"}:
            scope["scheme"] = scheme


def comes_from(proxies: Sequence[Network], scope: Scope) -> bool:
    """Return whether one of these proxies has sent a request to this process."""
    client = scope.get("client")
    peer = _address(client[0]) if client else None
    return peer is not None and _is_any_of(proxies, peer)


def came_from_trusted_proxy(scope: Scope) -> bool:
    return scope.get(TRUSTED, False) is True


def client_address(
    peer: Address, forwarded_for: Sequence[str], proxies: Sequence[Network]
) -> Address:
    """Follow the proxies backward from the peer to the first address that is not trusted.

    Each proxy appends the address of its client, so only entries of trusted proxies are reliable.
    The first untrusted client may have written everything to the left of its own address.
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
    """Parse `192.0.2.1`, `192.0.2.1:4711`, `2001:db8::1`, or `[2001:db8::1]:4711`.

    An address with a zone, such as `fe80::1%eth0`, is valid only on one machine.
    """
    text = text.strip()
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ip_address(text)
    except ValueError:
        return None
    if isinstance(address, IPv6Address) and address.scope_id is not None:
        return None
    # A socket for both families shows an IPv4 client as an IPv6 address.
    return (isinstance(address, IPv6Address) and address.ipv4_mapped) or address
