"""Whether a host is this machine."""

from ipaddress import ip_address


def is_local(host: str) -> bool:
    """Return whether what is sent to this host stays on the machine."""
    name = host.strip("[]").lower()
    try:
        return ip_address(name).is_loopback
    except ValueError:
        return name == "localhost" or name.endswith(".localhost")
