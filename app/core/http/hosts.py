"""The host names that the service accepts."""

import re
from collections.abc import Sequence

import structlog
from starlette.types import Scope

from app.core.http.paths import is_health_check

log = structlog.stdlib.get_logger("app.http")

HOST = re.compile(r"(\[[0-9a-f:.]+\]|[a-z0-9_.-]{1,253})(?::\d{1,5})?", re.ASCII)


class TrustedHosts:
    """Rejects requests for other hosts, so that no link or redirect contains a forged name.

    This also prevents a web page from calling a service in the internal network under the page's
    own host name (DNS rebinding). A host is a name, or `*.example.com` for all subdomains. Health
    checks are accepted, because load balancers send them to an IP address.
    """

    def __init__(self, hosts: Sequence[str]) -> None:
        self.names = {host for host in hosts if not host.startswith("*")}
        self.endings = tuple(host[1:] for host in hosts if host.startswith("*"))

    def serve(self, scope: Scope) -> bool:
        """Return whether to serve a request. Log requests for other hosts."""
        if is_health_check(scope) or self._trusts(scope):
            return True
        log.warning(
            "request.host_rejected",
            host=_requested_host(scope),
            cure="Add the host to ALLOWED_HOSTS if it is yours",
        )
        return False

    def _trusts(self, scope: Scope) -> bool:
        host = _requested_host(scope)
        return host is not None and (host in self.names or host.endswith(self.endings))


def _requested_host(scope: Scope) -> str | None:
    """Return the host without its port, or None if it is missing, given twice, or malformed."""
    given = [value for name, value in scope["headers"] if name == b"host"]
    if len(given) != 1:
        return None
    match = HOST.fullmatch(given[0].decode("latin-1").lower())
    return match[1] if match else None
