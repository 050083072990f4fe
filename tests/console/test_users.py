"""The actions of superusers on other accounts in the console."""

from sqlalchemy import select

from app.core.resources import Resources
from app.models import AuditEvent, Role, User, UserSession
from tests.console.conftest import OpenBrowser
from tests.support.accounts import Person, create_user
from tests.support.page_browser import PageBrowser


async def test_a_user_is_found_by_the_start_of_the_address_or_by_the_id(
    console: PageBrowser, resources: Resources, ada: Person
) -> None:
    await create_user(resources, "bert")
    await console.open("/console/users")
    found = await console.submit("Search", search=" ADA")
    assert [each for each in found.links if "@" in each] == ["root@example.com", "ada@example.com"]
    assert f"/console/users/{ada.id}" in found.links.values()

    page = await console.open(f"/console/users?search={ada.id}")
    assert "ada@example.com" in page.links
    assert "bert@example.com" not in page.links
    nothing = await console.open("/console/users?search=%25")
    assert "No user has this id" in nothing.text


async def test_a_deactivated_user_is_logged_out_and_the_trail_has_the_reason(
    console: PageBrowser, open_browser: OpenBrowser, resources: Resources, ada: Person, root: Person
) -> None:
    user = await open_browser(ada)
    await console.open(f"/console/users/{ada.id}")
    await console.follow("Deactivate")
    page = await console.submit("Deactivate", reason="asked by phone")
    assert "logged out everywhere" in page.alert
    assert (await user.open("/account")).path == "/login"

    await console.follow("Reactivate")
    await console.submit("Reactivate", reason="it was a mistake")
    async with resources.sessions() as session:
        assert await session.scalar(select(User.is_active).where(User.id == ada.id))
        events = (await session.scalars(select(AuditEvent).order_by(AuditEvent.id))).all()
    told = [(each.event, each.actor_id, each.details["reason"]) for each in events]
    assert told == [
        ("user.updated", root.id, "asked by phone"),
        ("sessions.ended", root.id, "deactivation"),
        ("user.updated", root.id, "it was a mistake"),
    ]


async def test_the_last_superuser_cannot_be_deactivated(console: PageBrowser, root: Person) -> None:
    await console.open(f"/console/users/{root.id}/do/deactivate")
    page = await console.submit("Deactivate", reason="by mistake")

    assert page.status == 409
    assert page.alert.startswith("This is the only active superuser")


async def test_a_role_is_given_and_taken_away(
    console: PageBrowser, resources: Resources, ada: Person
) -> None:
    async with resources.unit_of_work() as uow:
        role = Role(name="operator", permissions=["console:read"])
        uow.session.add(role)
    await console.open(f"/console/users/{ada.id}")
    await console.follow("Give a role")
    page = await console.submit("Give the role", role_id=str(role.id), reason="new colleague")
    assert page.alert == "The user has the role now."
    assert "console:read" in page.text

    await console.follow("Take away operator")
    page = await console.submit("Take the role away", reason="left the team")
    assert "The user has no roles." in page.text


async def test_one_session_of_a_user_is_ended(
    console: PageBrowser, resources: Resources, ada: Person
) -> None:
    await console.open(f"/console/users/{ada.id}")
    await console.follow("End the session of tests")
    page = await console.submit("End the session", reason="a lost phone")

    assert "The user is not logged in anywhere." in page.text
    async with resources.sessions() as session:
        assert await session.get(UserSession, ada.session_id) is None


async def test_an_action_that_does_not_exist_is_not_found(
    console: PageBrowser, ada: Person
) -> None:
    page = await console.open(f"/console/users/{ada.id}/do/promote")

    assert (page.status, page.title) == (404, "Not Found")
