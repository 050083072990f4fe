"""Which host names the service answers to."""

import re
from collections.abc import Sequence

import structlog
from starlette.types import ASGIApp, Receive, Scope, Send

from app.core.problems import ProblemResponse

log = structlog.stdlib.get_logger("app.http")

HOST = re.compile(r"(\[[0-9a-f:.]+\]|[a-z0-9_.-]{1,253})(?::\d{1,5})?", re.ASCII)
OPEN_PATHS = ("/health/",)
"""Load balancers ask by address, and what they hear depends on no host name."""


class TrustedHosts:
    """Refuses requests for other hosts: a forged name must not reach a link or a redirect.

    It also keeps a web page from reaching a service of the inner network by a name of its own
    (DNS rebinding). A host is a name, or `*.example.com` for all names below one.
    """

    def __init__(self, app: ASGIApp, *, hosts: Sequence[str]) -> None:
        self.app = app
        self.names = {host for host in hosts if not host.startswith("*")}
        self.endings = tuple(host[1:] for host in hosts if host.startswith("*"))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"].startswith(OPEN_PATHS):
            await self.app(scope, receive, send)
            return
        host = _requested_host(scope)
        if host is not None and (host in self.names or host.endswith(self.endings)):
            await self.app(scope, receive, send)
            return
        log.warning("request.host_refused", host=host, cure="If it is yours: ALLOWED_HOSTS")
        await ProblemResponse(400, "This host is not served here.")(scope, receive, send)


def _requested_host(scope: Scope) -> str | None:
    """Name the host without its port; None where it is missing, given twice or malformed."""
    given = [value for name, value in scope["headers"] if name == b"host"]
    if len(given) != 1:
        return None
    match = HOST.fullmatch(given[0].decode("latin-1").lower())
    return match[1] if match else None
