"""A request of an administrator who is removed meanwhile changes nothing.

The list of requests comes from the routes, including those of the console, so a new action
is in it.
An action must first lock the administrators, as `app/services/administrators.py` does.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from uuid import UUID

import httpx2
import pytest

from app.core.resources import Resources
from app.routes.console.user_actions import ACTIONS, REMOVALS
from app.schemas.user import UserUpdate
from app.services.admin_service import AdminService
from app.services.auth.revocation import Event, end_credentials
from app.services.scope import Scope
from tests.console.access import ACCESS as CONSOLE
from tests.routes.access import ACCESS, FOR_PROGRAMS
from tests.routes.operations import OPERATIONS
from tests.routes.people import create_people
from tests.support.accounts import Person, create_user, open_anonymous_scope
from tests.support.browser import SERVICE
from tests.support.service import serve
from tests.support.waiting import wait_for_blocked_transaction

HARMLESS = {"utils-test_email"}
"""Requests that change nothing that a removed administrator could use."""

IDS = {"sessions": "session_id", "api-keys": "key_id", "roles": "role_id"}
"""The removed things, by kind of removal in the console."""


@dataclass(frozen=True)
class Change:
    """A request with which only administrators change something."""

    method: str
    path: str
    body: object = None
    is_form: bool = False

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


def changes() -> Iterator[Change]:
    for operation in OPERATIONS:
        is_for_administrators = ACCESS.get(operation.id, ())[:2] == (403, 403)
        is_left_out = operation.id in FOR_PROGRAMS | HARMLESS
        if is_for_administrators and operation.method != "GET" and not is_left_out:
            yield Change(operation.method, operation.path, operation.body)
    for page, statuses in CONSOLE.items():
        method, path = page.split()
        if method == "POST" and statuses[:2] == (403, 403):
            for action in paths_of_actions(path):
                yield Change(method, action, is_form=True)


def paths_of_actions(path: str) -> Iterator[str]:
    """Yield the path of a page for each of its actions or kinds of removal."""
    if "{action}" in path:
        yield from (path.replace("{action}", action) for action in ACTIONS)
    elif "{kind}" in path:
        for kind in REMOVALS:
            yield path.replace("{kind}", kind).replace("{id}", f"{{{IDS[kind]}}}")
    else:
        yield path


async def succeeds(
    client: httpx2.AsyncClient, change: Change, person: Person, ids: dict[str, UUID | str]
) -> bool:
    path = change.path.format(**ids)
    if not change.is_form:
        headers, body = person.headers, change.body
        return (await client.request(change.method, path, json=body, headers=headers)).is_success
    headers = {"Origin": SERVICE, "Cookie": f"__Host-session={person.refresh_token}"}
    form = {"reason": "an attack", "role_id": str(ids["role_id"])}
    answer = await client.post(path, data=form, headers=headers)
    # The page shows the form again, or the login if the user no longer exists.
    return answer.status_code == 303 and not answer.headers["location"].startswith("/login")


Removal = Callable[[Scope, UUID], Awaitable[object]]
REMOVALS_OF_ADMINISTRATORS: dict[str, Removal] = {
    "demoted": lambda scope, id_: AdminService(scope).update(id_, UserUpdate(is_superuser=False)),
    "deactivated": lambda scope, id_: AdminService(scope).update(id_, UserUpdate(is_active=False)),
    "deleted": lambda scope, id_: AdminService(scope).delete(id_),
    "logged out": lambda scope, id_: end_credentials(scope, id_, Event.LOGOUT_EVERYWHERE),
}


@pytest.mark.parametrize("change", [*changes()], ids=str)
async def test_a_removed_administrator_changes_nothing_with_a_request_that_was_on_its_way(
    resources: Resources, change: Change
) -> None:
    people = await create_people(resources)
    succeeded: list[str] = []
    async with serve(resources, SERVICE) as client:
        for name, remove in REMOVALS_OF_ADMINISTRATORS.items():
            removed = await create_user(resources, name.replace(" ", "-"), superuser=True)
            async with open_anonymous_scope(resources) as scope:
                await remove(scope, removed.id)
                # The token is still valid, because the removal commits during the request.
                request = asyncio.create_task(succeeds(client, change, removed, people.ids))
                blocked = asyncio.create_task(wait_for_blocked_transaction(resources))
                await asyncio.wait({request, blocked}, return_when=asyncio.FIRST_COMPLETED)
                blocked.cancel()
            if await request:
                succeeded.append(name)
        allowed = await succeeds(client, change, people.superuser, people.ids)

    assert succeeded == []
    assert allowed, "the same request of an administrator who stays succeeds"


def test_the_requests_of_administrators_include_those_of_the_console() -> None:
    found = {str(change) for change in changes()}

    assert "POST /console/users/{user_id}/do/make-superuser" in found
    assert "DELETE /api/v1/users/{user_id}" in found
