"""The states of a job as server-sent events, for the API and for pages."""

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
from app.services.open_streams import OpenStreams, Place
from app.services.scope import Scope

RETRY_MS = 2_000
"""After this time a browser opens a stream again that has ended without a final state."""


async def open_place(request: Request) -> AsyncIterator[Place]:
    """Prepare a place for a stream, which is given back when its response has ended."""
    streams = request.state.streams
    assert isinstance(streams, OpenStreams)
    with streams.place() as place:
        yield place


class StreamRequest:
    """What a stream needs of its request, beside the scope of the reader."""

    def __init__(
        self,
        request: Request,
        response: Response,
        place: Annotated[Place, Depends(open_place, scope="request")],
        last_event_id: Annotated[
            str | None,
            Header(max_length=100, description="The last event that the client has seen"),
        ] = None,
    ) -> None:
        self.request = request
        self.response = response
        self.place = place
        self.last_event_id = last_event_id


Stream = Annotated[StreamRequest, Depends()]


class JobStream:
    """A stream of the states of a job. No connection of the database is held while it lasts."""

    def __init__(self, events: JobEvents, job: JobRecord | None, place: Place) -> None:
        self._events = events
        self._job = job
        self._place = place

    async def __aiter__(self) -> AsyncIterator[ServerSentEvent]:
        if self._job is None:
            return
        with self._events.watch(self._job) as watch, self._place.ending(watch.end):
            retry: int | None = RETRY_MS
            async for job in watch:
                yield _event(job, retry)
                retry = None


async def open_job_stream(
    stream: StreamRequest, scope: Scope, job_id: UUID, *, expires_at: float | None = None
) -> JobStream:
    """Open a stream for a user who may read the job.

    A client that has seen the final state gets 204: browsers do not connect again after that.

    Raise what `JobService.get` raises, StreamsFull, TooManyStreams.
    """
    job, access = await JobService(scope).get_with_access(job_id)
    if job.state.is_final and stream.last_event_id == _event_id(job):
        stream.response.status_code = status.HTTP_204_NO_CONTENT
        return JobStream(stream.request.state.job_events, None, stream.place)
    stream.place.take(scope.principal, access.allows, expires_at=expires_at)
    begin_streaming(stream.request.scope)
    return JobStream(stream.request.state.job_events, job, stream.place)


def _event(job: JobRecord | None, retry: int | None) -> ServerSentEvent:
    if job is None:
        return ServerSentEvent(event="gone", data={})
    return ServerSentEvent(data=JobStatus.model_validate(job), id=_event_id(job), retry=retry)


def _event_id(job: JobRecord) -> str:
    return f"{job.attempt}-{job.state}-{job.progress or 0:g}"
