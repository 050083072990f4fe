"""A request and its response at the edge."""

from collections.abc import Sequence

from starlette.types import Message, Scope, Send

EXCHANGE = "app.exchange"
"""The key of the exchange in the scope of a request."""

Header = tuple[bytes, bytes]

CLOSE: Header = (b"connection", b"close")
SWITCHING_PROTOCOLS = 101


class Exchange:
    """Sends a response with the headers that every response has, and stores its status."""

    __slots__ = ("_headers", "_send", "_state", "is_stream", "request_id", "status")

    def __init__(self, scope: Scope, send: Send, headers: Sequence[Header]) -> None:
        self.request_id: str | None = None
        self.status: int | None = None
        self.is_stream = False
        self._headers = headers
        self._send = send
        self._state = scope.get("state", {})

    async def send(self, message: Message) -> None:
        match message["type"]:
            case "http.response.start":
                self.status = message["status"]
                message["headers"] = self._completed(message["headers"])
            case "websocket.http.response.start":
                self.status = message["status"]
                message["headers"] = [*message["headers"], *self._id()]
            case "websocket.accept":
                self.status = SWITCHING_PROTOCOLS
        await self._send(message)

    def end(self) -> None:
        """Drop the reference to the server's `send`.

        It refers to the scope, which refers to this object. Only the garbage collector would free
        such a cycle.
        """
        del self._send

    def _completed(self, given: Sequence[Header]) -> Sequence[Header]:
        """Add headers that the response has not set itself. A page may have its own policy."""
        completed, names = [*given, *self._id()], dict(given)
        completed += [header for header in self._headers if header[0] not in names]
        shutdown = self._state.get("shutdown")
        if shutdown is not None and shutdown.begun:
            return [*(each for each in completed if each[0] != CLOSE[0]), CLOSE]
        return completed

    def _id(self) -> Sequence[Header]:
        return () if self.request_id is None else ((b"x-request-id", self.request_id.encode()),)


def is_stream(scope: Scope) -> bool:
    """Return whether the response is a stream of events, which does not end by itself."""
    exchange = scope.get(EXCHANGE)
    return isinstance(exchange, Exchange) and exchange.is_stream


def status_of(scope: Scope) -> int | None:
    """Return the status of the response, or None before it has started."""
    exchange = scope.get(EXCHANGE)
    return exchange.status if isinstance(exchange, Exchange) else None
