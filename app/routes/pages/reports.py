"""An example of background jobs: reports about sign-ups, from the click to the chart."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Annotated
from uuid import UUID

from fastapi import Depends, Form
from fastapi.sse import EventSourceResponse, ServerSentEvent
from starlette.responses import Response

from app.core.job_store.record import JobState
from app.routes.deps.job_stream import JobStream, Stream, open_job_stream
from app.routes.deps.request import Skip
from app.routes.pages.route import page_router
from app.routes.pages.scopes import AccountScope, page_scope
from app.routes.pages.visit import Visit
from app.schemas.report import SignupReportPublic, SignupReportRequest
from app.schemas.role import Permission
from app.services.job_service import JobService
from app.services.report_service import ReportNotFound, ReportService
from app.services.scope import Scope

router = page_router()

PAGE_SIZE = 20
PERIODS = {7: "a week", 30: "a month", 90: "three months", 366: "a year"}
"""The choices of the form, in days."""

HEIGHT = 100
"""The height of the chart in its own units."""


@dataclass(frozen=True, slots=True)
class Bar:
    """A day of the chart, which is `HEIGHT` high and ten units wide for each day."""

    x: int
    y: float
    height: float
    day: str
    signups: int


RequestingScope = Annotated[
    Scope, page_scope(lambda principal: principal.require(Permission.CREATE_REPORTS))
]


@router.get("/account/reports")
async def show_reports(visit: Visit, scope: RequestingScope, skip: Skip = 0) -> Response:
    reports = await ReportService(scope).list_own(skip=skip, limit=PAGE_SIZE)
    return visit.render("reports.html", reports=reports, periods=PERIODS, skip=skip, size=PAGE_SIZE)


@router.post("/account/reports")
async def request_report(
    visit: Visit, scope: RequestingScope, form: Annotated[SignupReportRequest, Form()]
) -> Response:
    job_id = ReportService(scope).request_signups(form.days)
    return visit.redirect(f"/account/reports/{job_id}")


@router.get("/account/reports/{id}")
async def show_report(visit: Visit, scope: AccountScope, id: UUID) -> Response:  # noqa: A002  in the path
    try:
        report = await ReportService(scope).read(id)
    except ReportNotFound:
        job = await JobService(scope).get(id)
    else:
        return visit.render("report.html", report=report, bars=_bars(report), height=HEIGHT)
    if job.state is JobState.SUCCEEDED:  # since the report was read
        return visit.redirect(f"/account/reports/{id}")
    return visit.render("report_progress.html", job=job)


async def stream_of_report(
    stream: Stream,
    scope: AccountScope,
    id: UUID,  # noqa: A002  in the path
) -> JobStream:
    return await open_job_stream(stream, scope, id)


@router.get("/account/reports/{id}/events", response_class=EventSourceResponse)
async def stream_report(
    stream: Annotated[JobStream, Depends(stream_of_report)],
) -> AsyncIterator[ServerSentEvent]:
    async for event in stream:
        yield event


def _bars(report: SignupReportPublic) -> list[Bar]:
    highest = max([1, *(day.signups for day in report.days)])
    bars = []
    for number, day in enumerate(report.days):
        height = round(HEIGHT * day.signups / highest, 2)
        bars.append(Bar(10 * number, HEIGHT - height, height, f"{day.date:%-d %B}", day.signups))
    return bars
