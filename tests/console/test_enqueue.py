"""Operators can enqueue any job with a form that is generated from its class."""

from datetime import date, datetime
from enum import StrEnum
from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field
from sqlalchemy import select

from app.core.broker.sensitive import Sensitive
from app.core.job_store.outbox import outbox
from app.core.queue import BASE, Job
from app.core.resources import Resources
from app.models import AuditEvent
from tests.support.page_browser import PageBrowser


class Size(StrEnum):
    SMALL = "small"
    LARGE = "large"


class PrintPoster(Job, queue=BASE):
    """Print a poster."""

    user_id: UUID
    title: Annotated[str, Field(max_length=20)]
    copies: Annotated[int, Field(ge=1)] = 1
    scale: float = 1.0
    glossy: bool = False
    size: Size = Size.SMALL
    paper: Literal["thin", "thick"] | None = None
    day: date | None = None
    at: datetime | None = None
    tags: list[str] = Field(default_factory=list)
    pin: Annotated[str, Sensitive] = ""


USER = "01a2198f-386c-739a-8ad2-732418b9119f"
FORM = "/console/enqueue/PrintPoster"


async def payload_of(resources: Resources) -> dict[str, object]:
    async with resources.sessions() as session:
        found = await session.scalar(select(outbox.c.payload))
    assert isinstance(found, dict)
    return found


async def test_a_job_is_enqueued_with_the_arguments_of_its_form(
    console: PageBrowser, resources: Resources
) -> None:
    await console.open("/console/enqueue")
    await console.follow("PrintPoster")
    page = await console.submit(
        "Enqueue",
        reason="asked by phone",
        **{
            "field-user_id": USER,
            "field-title": "Hello",
            "field-copies": "3",
            "field-glossy": "true",
            "field-size": "large",
            "field-paper": "thick",
            "field-day": "2026-01-31",
            "field-at": "2026-01-31T09:00Z",
            "field-tags": '["a", "b"]',
            "field-pin": "4000-0000",
        },
    )

    assert page.alert == "The job is enqueued."
    assert page.path.startswith("/console/jobs/")
    assert await payload_of(resources) == {
        "user_id": USER,
        "title": "Hello",
        "copies": 3,
        "scale": 1.0,
        "glossy": True,
        "size": "large",
        "paper": "thick",
        "day": "2026-01-31",
        "at": "2026-01-31T09:00:00Z",
        "tags": ["a", "b"],
        "pin": "4000-0000",
    }
    async with resources.sessions() as session:
        details = await session.scalar(select(AuditEvent.details))
    assert details is not None
    assert details["reason"] == "asked by phone"
    assert "4000" not in str(details)


async def test_an_invalid_argument_shows_an_error_next_to_its_field(console: PageBrowser) -> None:
    await console.open(FORM)
    page = await console.submit(
        "Enqueue",
        reason="asked by phone",
        **{
            "field-user_id": "ada",
            "field-copies": "0",
            "field-title": "A title that is too long for it",
            "field-pin": "4000-0000",
        },
    )

    assert page.status == 422
    assert page.error("field-user_id").startswith("Input should be a valid UUID")
    assert page.error("field-copies") == "Input should be greater than or equal to 1."
    assert page.error("field-title") == "Use at most 20 characters."
    assert page.form("Enqueue").fields["field-title"] == "A title that is too long for it"
    assert "4000-0000" not in page.response.text


async def test_a_list_that_is_not_json_shows_an_error_next_to_its_field(
    console: PageBrowser,
) -> None:
    await console.open(FORM)
    values = {"field-user_id": USER, "field-title": "Hello", "field-tags": "a, b"}
    page = await console.submit("Enqueue", reason="asked by phone", **values)

    assert page.error("field-tags") == "This is not JSON."


async def test_a_sensitive_argument_is_hidden_while_it_is_typed(console: PageBrowser) -> None:
    page = await console.open(FORM)

    assert 'name="field-pin" type="password"' in page.response.text


async def test_a_job_that_does_not_exist_has_no_form(console: PageBrowser) -> None:
    page = await console.open("/console/enqueue/Nothing")

    assert (page.status, page.title) == (404, "Not Found")
