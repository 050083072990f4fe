from starlette.requests import Request

from app.core.config import Settings

UNKNOWN = "unknown"
LOOPBACK = "127.0.0.1"


def client_address(request: Request, settings: Settings) -> str:
    """Tell the address that a request came from, or that a trusted proxy says it came from."""
    if request.client is None:
        return UNKNOWN
    if request.client.port == 0 and not settings.trusted_proxies:
        # Started without --no-proxy-headers, uvicorn believes what this machine's own processes
        # say in X-Forwarded-For, and leaves no port. Nobody has told us to believe it.
        return LOOPBACK
    return request.client.host
