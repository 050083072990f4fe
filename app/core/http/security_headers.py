"""The security headers of every response, whatever its status."""

NOTHING_RUNS = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
"""The policy of responses that are data: opened in a browser, they load, run, and send nothing."""

HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": NOTHING_RUNS,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
"""Cross-Origin-Resource-Policy does not affect CORS: listed front ends can read responses."""

HSTS = {"Strict-Transport-Security": "max-age=31536000"}
"""HTTPS only, for a year. Without includeSubDomains: other hosts of the domain are not ours."""


def security_headers(*, https_only: bool) -> list[tuple[bytes, bytes]]:
    """Return the headers as ASGI sends them."""
    headers = HEADERS | HSTS if https_only else HEADERS
    return [(name.lower().encode(), value.encode()) for name, value in headers.items()]
