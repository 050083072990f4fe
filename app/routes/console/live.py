"""Live parts of pages, which update while a tab shows them.

The process reads and renders a part once a second for all tabs, and sends it only if it has
changed. While no tab shows a part, it is not read.
"""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Hashable, Iterator
from contextlib import contextmanager
from contextvars import Context

import structlog

log = structlog.stdlib.get_logger("app.console")

INTERVAL = 0.9
"""Seconds between two reads, so that a change is visible within a second."""

HEARTBEAT = 15.0
"""Seconds until a comment is sent, so that proxies do not close an idle connection."""

Produce = Callable[[], Awaitable[str]]


class PartWatch:
    """One tab that waits for the next version of a part. A slow tab skips versions."""

    def __init__(self) -> None:
        self._html: str | None = None
        self._ended = False
        self._changed = asyncio.Event()

    def update(self, html: str) -> None:
        self._html = html
        self._changed.set()

    def end(self) -> None:
        self._ended = True
        self._changed.set()

    async def events(self) -> AsyncGenerator[str]:
        """Yield server-sent events: each version of the part, and comments in between."""
        while not self._ended:
            try:
                async with asyncio.timeout(HEARTBEAT):
                    await self._changed.wait()
            except TimeoutError:
                yield ":\n\n"
                continue
            self._changed.clear()
            # Take the version before it is sent, because the next one may arrive while it is sent.
            html, self._html = self._html, None
            if html is not None and not self._ended:
                yield _as_event(html)


class LiveParts:
    """The parts that tabs currently show. All watches with the same key get the same version."""

    def __init__(self) -> None:
        self._watches: dict[Hashable, set[PartWatch]] = {}
        self._latest: dict[Hashable, str] = {}
        self._tasks: dict[Hashable, asyncio.Task[None]] = {}

    @contextmanager
    def watch(self, key: Hashable, produce: Produce) -> Iterator[PartWatch]:
        """Watch a part. The watch gets the current version at once, or as soon as it is read."""
        watch = PartWatch()
        watches = self._watches.setdefault(key, set())
        watches.add(watch)
        if (html := self._latest.get(key)) is not None:
            watch.update(html)
        if key not in self._tasks:
            poll = self._poll(key, produce)
            self._tasks[key] = asyncio.create_task(poll, context=Context())
        try:
            yield watch
        finally:
            watches.remove(watch)
            if not watches:
                self._forget(key)

    async def _poll(self, key: Hashable, produce: Produce) -> None:
        # A library may swallow the cancellation, and another task may have replaced this one.
        while self._tasks.get(key) is asyncio.current_task():
            try:
                html = await produce()
            except Exception as error:  # noqa: BLE001  this one task serves all tabs
                log.warning("console.unread", error=str(error))
            else:
                if html != self._latest.get(key):
                    self._latest[key] = html
                    for watch in self._watches.get(key, ()):
                        watch.update(html)
            await asyncio.sleep(INTERVAL)

    def _forget(self, key: Hashable) -> None:
        self._tasks.pop(key).cancel()
        del self._watches[key]
        self._latest.pop(key, None)


def _as_event(html: str) -> str:
    return "".join(f"data: {line}\n" for line in html.splitlines()) + "\n"
