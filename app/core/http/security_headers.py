"""The security headers of all responses."""

DATA_POLICY = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
"""The policy of data. A browser that opens such a response loads, runs, and sends nothing."""

HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": DATA_POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
"""Cross-Origin-Resource-Policy does not affect CORS, so listed front ends can read responses."""

HSTS = {"Strict-Transport-Security": "max-age=31536000"}
"""HTTPS only, for a year, without includeSubDomains, because subdomains may be other services."""


def security_headers(*, https_only: bool) -> list[tuple[bytes, bytes]]:
    """Return the headers as ASGI sends them."""
    headers = HEADERS | HSTS if https_only else HEADERS
    return [(name.lower().encode(), value.encode()) for name, value in headers.items()]
