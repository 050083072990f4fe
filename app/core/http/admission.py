"""Admission control: reject requests at once that cannot be served soon.

Without it, an overloaded service spends its time on requests whose clients have given up.
"""

import asyncio
import json
import re
import time
from collections.abc import Iterable
from http import HTTPStatus

import structlog
from starlette.types import Receive, Scope, Send

from app.core.http.concurrency import ConcurrencyLimiter
from app.core.http.problems import MEDIA_TYPE, Problem

log = structlog.stdlib.get_logger("app.http")

Headers = list[tuple[bytes, bytes]]

RETRY_AFTER = 1
"""In seconds. An overload ends as soon as clients slow down."""

MAX_WAIT = 2.0
"""Seconds that a request may wait for a permit. Requests that would wait longer are rejected."""

LOG_INTERVAL = 5.0
"""Seconds between two log lines about rejections. One line per rejection would add to the load."""

PLAIN_HEAD = re.compile(
    rb"(?:get|post|put|patch|delete) (?!/health/)\S+ http/1\.1"
    rb"(?:\r\n(?!transfer-encoding|upgrade|expect|origin|connection: *close)"
    rb"[\w-]+: [^\x00-\x1f]*)*+"
)
"""A head in lower case that needs no parser. The parser decides about every unusual line."""

CONTENT_LENGTH = re.compile(rb"\r\ncontent-length:([^\r]*)")


class Admission:
    """The requests in flight, and the response to requests beyond the limit.

    Health checks do not count, because an orchestrator must not kill a busy process.
    """

    def __init__(self, limit: int, limiter: ConcurrencyLimiter, max_wait: float = MAX_WAIT) -> None:
        self.limit = limit
        self.limiter = limiter
        self.max_wait = max_wait
        self.in_flight = 0
        self._arriving = 0
        status = HTTPStatus.SERVICE_UNAVAILABLE
        problem = Problem(
            title=status.phrase, status=status, detail="Too many requests at once. Try again soon."
        )
        self.body = json.dumps(problem.model_dump(exclude_none=True)).encode()
        self.headers: Headers = [
            (b"content-type", MEDIA_TYPE.encode()),
            (b"content-length", str(len(self.body)).encode()),
            (b"retry-after", str(RETRY_AFTER).encode()),
        ]
        self.rejections = 0
        self._rejection = b""
        self._rejected = 0
        self._next_line = 0.0

    @property
    def is_full(self) -> bool:
        """Return whether a request that starts now is rejected."""
        return self._is_full_after(0)

    @property
    def rejects_arrivals(self) -> bool:
        """Return whether a request that arrives now will be rejected when it starts."""
        return self._is_full_after(self._arriving)

    def count_arrival(self, loop: asyncio.AbstractEventLoop) -> None:
        """Count a request that starts in the next turn of the event loop.

        The server reads from thousands of connections in one turn. If one permit were free, all of
        their requests would be parsed, and all but one rejected only then.
        """
        if not self._arriving:
            loop.call_soon(self._forget_arrivals)
        self._arriving += 1

    def prepare_rejection(self, headers: Iterable[tuple[bytes, bytes]]) -> None:
        """Write the response in advance, with the headers that every response has."""
        lines = [b"HTTP/1.1 503 Service Unavailable"]
        lines += [b"%b: %b" % header for header in (*self.headers, *headers)]
        self._rejection = b"\r\n".join([*lines, b"", self.body])

    def rejection_of(self, data: bytes) -> bytes | None:
        """Return the response to a complete request that is rejected and needs no parser.

        Parsing a request and passing it through the layers takes ten times as long. At ten times
        the capacity of the service, that would take all of its time.
        """
        head, end, body = data.lower().partition(b"\r\n\r\n")
        if not end or not PLAIN_HEAD.fullmatch(head) or not _has_length(head, body):
            return None
        self.count_rejection()
        return self._rejection

    def count_rejection(self) -> None:
        self.rejections += 1
        self._rejected += 1
        if (now := time.monotonic()) >= self._next_line:
            log.warning("requests.rejected", count=self._rejected, limit=self.limit)
            self._rejected, self._next_line = 0, now + LOG_INTERVAL

    def _is_full_after(self, arriving: int) -> bool:
        return (
            self.in_flight + arriving >= self.limit
            or self.limiter.expected_wait_behind(arriving) > self.max_wait
        )

    def _forget_arrivals(self) -> None:
        self._arriving = 0


class TooBusy:
    """Answers 503 with the same bytes to every request."""

    def __init__(self, admission: Admission) -> None:
        self.admission = admission

    async def __call__(self, _: Scope, __: Receive, send: Send) -> None:
        headers = [*self.admission.headers]
        await send({"type": "http.response.start", "status": 503, "headers": headers})
        await send({"type": "http.response.body", "body": self.admission.body})


def _has_length(head: bytes, body: bytes) -> bool:
    """Return whether the head has exactly the length of the body that has arrived.

    Otherwise, the rest of the body, or of what a proxy regards as such, would be the next request.
    """
    lengths = CONTENT_LENGTH.findall(head)
    return lengths == [b" %d" % len(body)] or not (lengths or body)
