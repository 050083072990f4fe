"""Server-sent events with the states of a job, for the API and for pages."""

from collections.abc import AsyncIterator
from typing import Annotated
from uuid import UUID

from fastapi import Depends, Header, Request, Response, status
from fastapi.sse import ServerSentEvent

from app.core.http.streaming import begin_streaming
from app.core.job_events.hub import JobEvents
from app.core.job_store.record import JobRecord
from app.schemas.job import JobStatus
from app.services.job_service import JobService
from app.services.open_streams import OpenStreams, StreamSlot
from app.services.scope import Scope

RETRY_MS = 2_000
"""A browser reopens a stream that ended without a final state after this time."""


async def open_slot(request: Request) -> AsyncIterator[StreamSlot]:
    """Prepare the slot of a stream, and release it when the response has ended."""
    streams = request.state.streams
    assert isinstance(streams, OpenStreams)
    with streams.slot() as slot:
        yield slot


class StreamRequest:
    """The parts of a request that a stream needs besides the scope of its reader."""

    def __init__(
        self,
        request: Request,
        response: Response,
        slot: Annotated[StreamSlot, Depends(open_slot, scope="request")],
        last_event_id: Annotated[
            str | None,
            Header(max_length=100, description="The last event that the client has seen"),
        ] = None,
    ) -> None:
        self.request = request
        self.response = response
        self.slot = slot
        self.last_event_id = last_event_id


Stream = Annotated[StreamRequest, Depends()]


class JobStream:
    """A stream of the states of a job, which holds no database connection."""

    def __init__(self, events: JobEvents, job: JobRecord | None, slot: StreamSlot) -> None:
        self._events = events
        self._job = job
        self._slot = slot

    async def __aiter__(self) -> AsyncIterator[ServerSentEvent]:
        if self._job is None:
            return
        with self._events.watch(self._job) as watch, self._slot.ending(watch.end):
            retry: int | None = RETRY_MS
            async for job in watch:
                yield _event(job, retry)
                retry = None


async def open_job_stream(
    stream: StreamRequest, scope: Scope, job_id: UUID, *, expires_at: float | None = None
) -> JobStream:
    """Open a stream for a user who may read the job.

    A client that has seen the final state gets 204: browsers do not reconnect after that.

    Raise what `JobService.get` raises, StreamsFull, or TooManyStreams.
    """
    job, access = await JobService(scope).get_with_access(job_id)
    if job.state.is_final and stream.last_event_id == _event_id(job):
        stream.response.status_code = status.HTTP_204_NO_CONTENT
        return JobStream(stream.request.state.job_events, None, stream.slot)
    stream.slot.acquire(scope.principal, access.allows, expires_at=expires_at)
    begin_streaming(stream.request.scope)
    return JobStream(stream.request.state.job_events, job, stream.slot)


def _event(job: JobRecord | None, retry: int | None) -> ServerSentEvent:
    if job is None:
        return ServerSentEvent(event="gone", data={})
    return ServerSentEvent(data=JobStatus.model_validate(job), id=_event_id(job), retry=retry)


def _event_id(job: JobRecord) -> str:
    return f"{job.attempt}-{job.state}-{job.progress or 0:g}"
