import httpx2
import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from app.core.resources import Resources
from tests.support.accounts import ADA, API, PASSWORD, SIGNUP, Person, create_user, log_in
from tests.support.passwords import hash_password
from tests.support.service import serve

EVENTS = f"{API}/audit-events/"


async def events(client: httpx2.AsyncClient, root: Person, **query: str) -> list[dict[str, object]]:
    answer = (await client.get(EVENTS, params=query, headers=root.headers)).json()
    assert answer["count"] == len(answer["data"])
    data: list[dict[str, object]] = answer["data"]
    return data


async def test_the_audit_trail_shows_who_did_what_when_and_from_where(
    resources: Resources, root: Person
) -> None:
    async with serve(resources, address="192.0.2.7") as client:
        ada = (await client.post(SIGNUP, json=ADA)).json()
        await log_in(client, password="wrong horse")
        await log_in(client)
        await log_in(client, "nobody@example.com")
        update = await client.patch(
            f"{API}/users/{ada['id']}",
            json={"is_active": False},
            headers=root.headers | {"User-Agent": "Console"},
        )
        concerned = await events(client, root, user_id=ada["id"])
        everything = await events(client, root)

    told = [(event["event"], event["actor_id"]) for event in reversed(concerned)]
    assert told == [
        ("user.signed_up", ada["id"]),
        ("login.failed", None),
        ("login.succeeded", ada["id"]),
        ("user.updated", str(root.id)),
        ("sessions.ended", str(root.id)),
    ]
    assert {event["address"] for event in concerned} == {"192.0.2.7"}
    updated = concerned[1]
    assert (updated["user_agent"], updated["request_id"]) == (
        "Console",
        update.headers["X-Request-ID"],
    )
    assert updated["details"] == {"fields": ["is_active"]}
    assert len(everything) == len(concerned) + 1


async def test_a_right_password_that_is_refused_is_recorded_with_the_reason(
    client: httpx2.AsyncClient, resources: Resources, root: Person
) -> None:
    ada = await create_user(resources, password_hash=await hash_password(PASSWORD))
    path = f"{API}/users/{ada.id}"
    await client.patch(path, json={"is_active": False}, headers=root.headers)
    assert (await log_in(client)).status_code == 400

    failed = (await events(client, root, user_id=str(ada.id)))[0]
    assert (failed["event"], failed["details"]) == ("login.failed", {"reason": "Inactive user"})


async def test_the_audit_trail_cannot_be_changed(
    client: httpx2.AsyncClient, resources: Resources
) -> None:
    await client.post(SIGNUP, json=ADA)

    for statement in ("UPDATE audit_events SET event = 'x'", "DELETE FROM audit_events"):
        with pytest.raises(DBAPIError, match="permission denied for table audit_events"):
            async with resources.unit_of_work() as uow:
                await uow.session.execute(text(statement))


async def test_the_audit_trail_outlives_the_user(
    client: httpx2.AsyncClient, resources: Resources, root: Person
) -> None:
    ada = await create_user(resources)
    await client.delete(f"{API}/users/{ada.id}", headers=root.headers)

    [deleted] = await events(client, root, user_id=str(ada.id))
    assert deleted["event"] == "user.deleted"


async def test_an_event_that_is_rolled_back_leaves_no_trace(
    client: httpx2.AsyncClient, resources: Resources, root: Person
) -> None:
    ada = await create_user(resources, password_hash=await hash_password(PASSWORD))
    data = {"email": root.email, "full_name": "Ada"}
    answer = await client.patch(f"{API}/users/{ada.id}", json=data, headers=root.headers)

    assert answer.status_code == 409
    assert await events(client, root) == []
