"""Recognizes hosts that are this machine."""

from ipaddress import ip_address


def is_local(host: str) -> bool:
    """Return whether a host is this machine."""
    name = host.strip("[]").lower()
    try:
        return ip_address(name).is_loopback
    except ValueError:
        return name == "localhost" or name.endswith(".localhost")
