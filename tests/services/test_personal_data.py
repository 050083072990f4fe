"""All data about a user is exported, and deleted with the account."""

import json
from datetime import UTC, datetime, timedelta

import httpx2
import pytest
from sqlalchemy import Table, func, select, text, update

from app.core.resources import Resources
from app.core.worker.base_settings import WorkerSettings as BaseWorker
from app.core.worker.email_settings import WorkerSettings as EmailWorker
from app.models import AuditEvent, Base, EmailToken, Item, PersonalDataArchive, Role, User, UserRole
from app.schemas.jobs import DeleteExpired
from app.services.audit import AuditTrail
from app.services.personal_data.contents import LEFT_OUT, WITHHELD, exported_tables
from app.services.personal_data.deletion import delete_account
from app.services.scope import RequestInfo, open_scope
from dev.mail_catcher import MailCatcher
from tests.support.accounts import (
    API,
    PASSWORD,
    Person,
    bearer,
    create_user,
    log_in,
    open_anonymous_scope,
)
from tests.support.api_keys import create_api_key
from tests.support.authenticator import enroll_authenticator
from tests.support.passwords import hash_password
from tests.support.service import serve, with_settings
from tests.support.workers import RunWorker

SECRET_WORDS = ("hash", "secret", "token", "public_key", "credential_id")


def refers_to_users(table: Table) -> bool:
    """Return whether a table refers to users, through others or by the name of a column."""
    if table.name == "users" or {"user_id", "owner_id", "actor_id"} & {*table.columns.keys()}:
        return True
    parents = {key.column.table for key in table.foreign_keys} - {table}
    return any(refers_to_users(parent) for parent in parents)


def test_every_table_that_refers_to_users_is_exported_or_says_why_not() -> None:
    referring = {table.name for table in Base.metadata.sorted_tables if refers_to_users(table)}
    exported = {table.name for _, table, _ in exported_tables()}
    left_out = {table.__tablename__ for table in LEFT_OUT}

    assert exported | left_out == referring
    assert not exported & left_out
    assert all(LEFT_OUT.values())


def test_no_column_that_proves_a_user_is_exported() -> None:
    exported = {
        column.key
        for _, table, _ in exported_tables()
        for column in table.columns
        if column.key not in WITHHELD
    }

    assert {each for each in exported if any(word in each for word in SECRET_WORDS)} == set()
    assert all(WITHHELD.values())
    known = {column.key for table in Base.metadata.sorted_tables for column in table.columns}
    assert {*WITHHELD} <= known


@pytest.fixture
def resources(committing_resources: Resources) -> Resources:
    """Resources with enough connections for the workers of these tests."""
    return committing_resources


@pytest.fixture
async def ada(resources: Resources) -> Person:
    return await create_user(resources, password_hash=await hash_password(PASSWORD))


async def archive_of(
    client: httpx2.AsyncClient, person: Person, run_worker: RunWorker, emails: MailCatcher
) -> tuple[str, httpx2.Response]:
    """Request the archive, follow the link in the email, and return both."""
    asked = await client.post(f"{API}/users/me/export", headers=person.headers)
    assert asked.status_code == 202, asked.text
    await run_worker(BaseWorker)
    await run_worker(EmailWorker)
    while (email := await emails.anext()).subject != "Your personal data":
        pass
    assert email.to == [person.email]
    token = (email.text or "").partition("/api/v1/personal-data?token=")[2].split()[0]
    return token, await download(client, token)


async def download(client: httpx2.AsyncClient, token: str) -> httpx2.Response:
    return await client.get(f"{API}/personal-data", params={"token": token})


async def test_a_user_gets_an_archive_of_everything_by_email(
    client: httpx2.AsyncClient,
    resources: Resources,
    ada: Person,
    run_worker: RunWorker,
    mail_catcher: MailCatcher,
) -> None:
    bob = await create_user(resources, "bob")
    await create_api_key(resources, ada)
    await enroll_authenticator(resources, ada)
    async with resources.unit_of_work() as uow:
        role = Role(name="editor", permissions=[])
        uow.session.add_all([Item(title="Ada's", owner_id=ada.id), role])
        uow.session.add(Item(title="Bob's", owner_id=bob.id))
        await uow.session.flush()
        uow.session.add(UserRole(user_id=ada.id, role_id=role.id))

    _, answer = await archive_of(client, ada, run_worker, mail_catcher)

    assert answer.headers["content-disposition"] == 'attachment; filename="personal-data.json"'
    archive = json.loads(answer.text)
    assert archive.keys() == {name for name, _, _ in exported_tables()} | {"exported_at"}
    assert archive["account"][0]["email"] == ada.email
    assert [item["title"] for item in archive["items"]] == ["Ada's"]
    assert [len(archive[name]) for name in ("sessions", "api_keys", "second_factor", "roles")] == [
        1,
        1,
        1,
        1,
    ]
    assert "personal_data.requested" in {event["event"] for event in archive["audit_events"]}
    assert "Bob's" not in answer.text
    assert "password_hash" not in answer.text


async def test_the_link_works_until_it_expires_or_the_password_changes(
    client: httpx2.AsyncClient,
    resources: Resources,
    ada: Person,
    run_worker: RunWorker,
    mail_catcher: MailCatcher,
) -> None:
    token, first = await archive_of(client, ada, run_worker, mail_catcher)
    assert (first.status_code, (await download(client, token)).status_code) == (200, 200)
    assert (await download(client, token + "x")).status_code == 400

    change = {"current_password": PASSWORD, "new_password": "a fresh battery"}
    await client.patch(f"{API}/users/me/password", json=change, headers=ada.headers)

    assert (await download(client, token)).status_code == 400
    async with resources.unit_of_work() as uow:
        assert await uow.session.scalar(select(func.count()).select_from(EmailToken)) == 0


async def test_an_archive_is_deleted_when_its_link_has_expired(
    client: httpx2.AsyncClient,
    resources: Resources,
    ada: Person,
    run_worker: RunWorker,
    mail_catcher: MailCatcher,
) -> None:
    token, _ = await archive_of(client, ada, run_worker, mail_catcher)
    async with resources.unit_of_work() as uow:
        await uow.session.execute(update(PersonalDataArchive).values(expires_at=func.now()))
    assert (await download(client, token)).status_code == 400

    await at_night(resources, run_worker)

    async with resources.unit_of_work() as uow:
        assert await uow.session.scalar(select(func.count()).select_from(PersonalDataArchive)) == 0


async def test_an_archive_goes_to_no_address_that_is_not_confirmed(
    client: httpx2.AsyncClient, resources: Resources
) -> None:
    eve = await create_user(resources, "eve", confirmed=False)

    answer = await client.post(f"{API}/users/me/export", headers=eve.headers)

    assert answer.status_code == 400
    assert "Confirm your email address first" in answer.json()["detail"]


async def at_night(resources: Resources, run_worker: RunWorker) -> None:
    async with open_anonymous_scope(resources) as scope:
        scope.uow.enqueue(DeleteExpired())
    await run_worker(BaseWorker)


async def wait_out_the_grace_period(resources: Resources) -> None:
    async with resources.unit_of_work() as uow:
        await uow.session.execute(
            update(User)
            .where(User.deletion_due_at.is_not(None))
            .values(deletion_due_at=datetime.now(UTC) - timedelta(seconds=1))
        )


async def exists(resources: Resources, person: Person) -> bool:
    async with resources.unit_of_work() as uow:
        return await uow.session.scalar(select(User.id).where(User.id == person.id)) is not None


async def test_a_deleted_account_is_locked_at_once_and_gone_after_the_grace_period(
    client: httpx2.AsyncClient,
    resources: Resources,
    ada: Person,
    run_worker: RunWorker,
    mail_catcher: MailCatcher,
) -> None:
    _, key = await create_api_key(resources, ada)
    assert (await client.get(f"{API}/users/me", headers=bearer(key))).status_code == 403
    answer = await client.delete(f"{API}/users/me", headers=ada.headers)
    assert (answer.status_code, answer.json()["message"]) == (200, "User deleted successfully")

    for headers in (ada.headers, bearer(key)):
        assert (await client.get(f"{API}/users/me", headers=headers)).status_code == 401
    await run_worker(EmailWorker)
    assert (await mail_catcher.anext()).subject == "Your account will be deleted"
    await at_night(resources, run_worker)
    assert await exists(resources, ada), "the grace period is not over"

    await wait_out_the_grace_period(resources)
    await at_night(resources, run_worker)
    assert not await exists(resources, ada)
    await run_worker(EmailWorker)
    assert (await mail_catcher.anext()).subject == "Your account was deleted"


async def test_a_user_who_logs_in_within_the_grace_period_keeps_everything(
    client: httpx2.AsyncClient, resources: Resources, ada: Person, run_worker: RunWorker
) -> None:
    async with resources.unit_of_work() as uow:
        uow.session.add(Item(title="Ada's", owner_id=ada.id))
    await client.delete(f"{API}/users/me", headers=ada.headers)

    assert (await log_in(client)).status_code == 200
    await wait_out_the_grace_period(resources)
    await at_night(resources, run_worker)

    assert await exists(resources, ada)
    async with resources.unit_of_work() as uow:
        assert await uow.session.scalar(select(Item.title)) == "Ada's"
        events = (await uow.session.scalars(select(AuditEvent.event))).all()
    assert "user.deletion_cancelled" in events


async def test_the_audit_trail_of_a_deleted_user_no_longer_says_where_they_were(
    resources: Resources, ada: Person, run_worker: RunWorker
) -> None:
    async with serve(resources, address="203.0.113.77") as client:
        await log_in(client)
        login = (await log_in(client)).json()["access_token"]
        await client.delete(f"{API}/users/me", headers={"Authorization": f"Bearer {login}"})
    await wait_out_the_grace_period(resources)
    await at_night(resources, run_worker)

    async with resources.unit_of_work() as uow:
        query = text("SELECT event, t::text FROM audit_events t")
        trail = {row[0]: row[1] for row in await uow.session.execute(query)}
    assert {"login.succeeded", "user.deletion_requested", "user.deleted"} <= trail.keys()
    assert [row for row in trail.values() if "203.0.113.77" in row or ada.email in row] == []


async def test_what_is_recorded_just_before_the_deletion_does_not_say_it_either(
    resources: Resources, ada: Person
) -> None:
    async with open_scope(resources, RequestInfo("203.0.113.77")) as scope:
        user = await scope.uow.session.get_one(User, ada.id)
        AuditTrail(scope).record("login.failed", user_id=ada.id, actor_id=None)
        await delete_account(scope, user, actor_id=None)

    failures = select(AuditEvent.ip_address).where(AuditEvent.event == "login.failed")
    assert await resources.reader.scalar(failures) == ""


async def test_without_a_grace_period_the_account_is_gone_in_the_next_night(
    resources: Resources, ada: Person, run_worker: RunWorker
) -> None:
    async with serve(with_settings(resources, deletion_grace_period=0)) as client:
        await client.delete(f"{API}/users/me", headers=ada.headers)
    await at_night(resources, run_worker)

    assert not await exists(resources, ada)
