"""What browsers are told with every answer, whatever its status."""

from starlette.types import ASGIApp, Message, Receive, Scope, Send

NOTHING_RUNS = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
"""The policy of answers that are data: opened in a browser, they load, run and send nothing."""

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
"""Cross-Origin-Resource-Policy does not touch CORS: a listed front end reads what it may read."""

HSTS = {"Strict-Transport-Security": "max-age=31536000"}
"""A year of https only. Without includeSubDomains: the other hosts of the domain aren't ours."""


class SecurityHeaders:
    """Adds the headers that an answer has not set itself; a page may need a policy of its own."""

    def __init__(self, app: ASGIApp, *, https_only: bool) -> None:
        self.app = app
        headers = HEADERS | HSTS if https_only else HEADERS
        self.headers = [(k.lower().encode(), v.encode()) for k, v in headers.items()]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                given = message["headers"]
                names = {name for name, _ in given}
                missing = [header for header in self.headers if header[0] not in names]
                message["headers"] = [*given, *missing]
            await send(message)

        await self.app(scope, receive, send_with_headers)
