"""Server-sent events with the live parts of pages, while their reader may see them."""

from collections.abc import AsyncIterator
from functools import partial

from fastapi.responses import StreamingResponse
from starlette.responses import Response

from app.core.http.streaming import begin_streaming
from app.core.resources import Resources
from app.routes.console.access import ConsoleScope
from app.routes.console.layout import permissions_of, values_for
from app.routes.console.live import LiveParts, Produce
from app.routes.console.parts import Part, find_part
from app.routes.deps.job_stream import Stream
from app.routes.deps.request import resources_of
from app.routes.pages.route import page_router
from app.routes.pages.visit import PageVisit, Visit
from app.services.auth.principal import Principal
from app.services.open_streams import StreamSlot

router = page_router()


@router.get("/console/live/{name}")
async def stream_part(
    stream: Stream, visit: Visit, scope: ConsoleScope, name: str, subject: str = ""
) -> Response:
    part, resources = find_part(name), resources_of(stream.request)
    await part.read(resources, subject)  # an unreadable part is an error at once
    allowed = permissions_of(scope.principal)
    stream.slot.acquire(scope.principal, lambda now: permissions_of(now) == allowed)
    begin_streaming(stream.request.scope)
    parts = stream.request.state.live_parts
    assert isinstance(parts, LiveParts)
    key = (name, subject, visit.url(""), tuple(allowed))
    produce = partial(_render, part, subject, resources, visit, scope.principal)
    return StreamingResponse(
        _events(parts, key, produce, stream.slot),
        media_type="text/event-stream",
        headers={"X-Accel-Buffering": "no"},
    )


async def _events(
    parts: LiveParts, key: tuple[object, ...], produce: Produce, slot: StreamSlot
) -> AsyncIterator[str]:
    with parts.watch(key, produce) as watch, slot.ending(watch.end):
        async for event in watch.events():
            yield event


async def _render(
    part: Part, subject: str, resources: Resources, visit: PageVisit, principal: Principal
) -> str:
    values = {**await part.read(resources, subject), **values_for(principal)}
    return visit.html(f"console/{part.template}", values)
