"""The audit trail in the console and in its export."""

import csv
from io import StringIO

import pytest

from app.core.resources import Resources
from app.routes.console.csv import csv_line
from app.services import audit_search
from app.services.audit import AuditTrail
from tests.support.accounts import Person, open_anonymous_scope
from tests.support.page_browser import PageBrowser


async def record(resources: Resources, *events: str, user: Person, **details: str) -> None:
    for event in events:
        async with open_anonymous_scope(resources) as scope:
            AuditTrail(scope).record(event, user_id=user.id, actor_id=user.id, **details)


async def test_the_trail_shows_who_did_what_and_can_be_filtered(
    console: PageBrowser, resources: Resources, ada: Person, root: Person
) -> None:
    await record(resources, "user.updated", "user.signed_up", user=ada)
    await record(resources, "session.ended", user=root)
    everything = await console.open("/console/audit")
    assert everything.text.index("session.ended") < everything.text.index("user.updated")

    page = await console.submit("Filter", event="user", actor="ADA@example.com")
    assert "user.signed_up" in page.text
    assert "user.updated" in page.text
    assert "session.ended" not in page.text
    assert page.form("Filter").fields["actor"] == "ADA@example.com"
    nothing = await console.submit("Filter", actor="stranger@example.com")
    assert "No event matches." in nothing.text


async def test_an_invalid_filter_shows_an_error_next_to_its_field(
    console: PageBrowser,
) -> None:
    page = await console.open("/console/audit?since=yesterday")

    assert page.error("since").startswith("Input should be a valid datetime")


async def test_the_trail_goes_back_page_by_page(
    console: PageBrowser, resources: Resources, ada: Person
) -> None:
    await record(resources, *(f"event.{number:03}" for number in range(101)), user=ada)
    newest = await console.open("/console/audit?event=event")
    older = await console.follow("Older")

    assert "event.100" in newest.text
    assert "event.000" not in newest.text
    assert "event.000" in older.text
    assert "event.001" not in older.text


async def test_an_export_has_every_event_that_matches_and_is_itself_recorded(
    console: PageBrowser,
    resources: Resources,
    ada: Person,
    root: Person,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(audit_search, "BATCH", 2)
    await record(resources, *(f"user.{number}" for number in range(5)), user=ada)
    await console.open("/console/audit?event=user")
    response = await console.client.get(console.page.links["Export as CSV"])

    lines = [*csv.DictReader(StringIO(response.text))]
    assert [line["event"] for line in lines] == [f"user.{number}" for number in (4, 3, 2, 1, 0)]
    assert {line["actor_email"] for line in lines} == {ada.email}
    assert response.headers["content-disposition"].startswith('attachment; filename="audit-')
    trail = await console.open("/console/audit?event=audit.exported")
    assert root.email in trail.text


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "  =1", "\uff1d1"])
def test_no_cell_of_the_export_is_a_formula_in_a_spreadsheet(text: str) -> None:
    [[cell]] = csv.reader(StringIO(csv_line([text]), newline=""))

    assert cell == f"'{text}"


def test_a_cell_keeps_its_quotes_commas_and_lines() -> None:
    cells = ['say "hi"', "a,b", "two\nlines", "", "5"]

    [line] = csv.reader(StringIO(csv_line(cells), newline=""))
    assert line == cells
