"""Each cell of the table "The life of each credential" in docs/accounts.md is true."""

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import httpx2
import pytest
from sqlalchemy import Select, func, select, update

from app.core.resources import Resources
from app.models import (
    ApiKey,
    Base,
    EmailToken,
    Identity,
    KnownDevice,
    Passkey,
    Purpose,
    RecoveryCode,
    RefreshToken,
    Role,
    SecurityAlert,
    TotpFactor,
    User,
    UserSession,
)
from app.services.auth.email_token_service import EmailTokenService
from app.services.auth.revocation import TABLES
from app.services.cleanup_service import delete_expired_rows
from tests.support.accounts import API, PASSWORD, Person, open_anonymous_scope
from tests.support.api_keys import create_api_key
from tests.support.authenticator import enroll_authenticator
from tests.support.passkeys import passkey_of
from tests.support.servers import ROOT
from tests.trust.attacks import ATTACKERS, ME, NEW, reset, verify

HEADING = "### The life of each credential\n"
ANSWERS = {"ends", "stays"}


def read_table() -> dict[str, dict[str, str]]:
    """Return the cells of the table, by row and column."""
    page = (ROOT / "docs/accounts.md").read_text()
    section = page.split(HEADING)[1].split("\n### ")[0]
    lines = [line for line in section.splitlines() if line.startswith("|")]
    columns, _, *rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return {row[0]: dict(zip(columns[1:], row[1:], strict=True)) for row in rows}


TABLE = read_table()


@dataclass(frozen=True)
class World:
    """A user who has one of each credential, and an administrator."""

    client: httpx2.AsyncClient
    resources: Resources
    ada: Person
    root: Person


Event = Callable[[World], Awaitable[httpx2.Response]]
Probe = Callable[[World], Select[int]]


def rows_of(table: type[Base]) -> Probe:
    def probe(world: World) -> Select[int]:
        owner = table.__table__.c.user_id
        return select(func.count()).select_from(table).where(owner == world.ada.id)

    return probe


PROBES: dict[str, Probe] = {
    "password": lambda world: select(func.count()).where(
        User.id == world.ada.id, User.password_hash.is_not(None)
    ),
    "session": rows_of(UserSession),
    "refresh token": lambda world: (
        select(func.count())
        .select_from(RefreshToken)
        .join(UserSession)
        .where(UserSession.user_id == world.ada.id)
    ),
    "API key": rows_of(ApiKey),
    "TOTP": rows_of(TotpFactor),
    "recovery code": rows_of(RecoveryCode),
    "passkey": rows_of(Passkey),
    "passkey alone": lambda world: select(func.count()).where(
        Passkey.user_id == world.ada.id, ~Passkey.needs_password
    ),
    "identity": rows_of(Identity),
    "identity alone": lambda world: select(func.count()).where(
        Identity.user_id == world.ada.id, ~Identity.needs_password
    ),
    "emailed link": lambda world: select(func.count()).where(
        EmailToken.user_id == world.ada.id, EmailToken.purpose == Purpose.VERIFY_EMAIL
    ),
    "pending address": lambda world: select(func.count()).where(
        User.id == world.ada.id, User.new_email.is_not(None)
    ),
    "link in an alert": lambda world: select(func.count()).where(
        SecurityAlert.user_id == world.ada.id, SecurityAlert.kind == "login.new_device"
    ),
    "known device": lambda world: select(func.count()).where(
        KnownDevice.user_id == world.ada.id, KnownDevice.forgotten_at.is_(None)
    ),
}
"""The number of credentials of each kind that the user has."""


async def log_out(world: World) -> httpx2.Response:
    return await world.client.post(f"{API}/logout", headers=world.ada.headers)


async def log_out_everywhere(world: World) -> httpx2.Response:
    return await world.client.post(f"{API}/logout/all", headers=world.ada.headers)


async def change_password(world: World) -> httpx2.Response:
    body = {"current_password": PASSWORD, "new_password": NEW}
    return await world.client.patch(f"{ME}/password", json=body, headers=world.ada.headers)


async def reset_password(world: World) -> httpx2.Response:
    token = await issue(world, Purpose.RESET_PASSWORD, world.ada.email)
    return await reset(world.client, token)


async def deactivate(world: World) -> httpx2.Response:
    path, body = f"{API}/users/{world.ada.id}", {"is_active": False}
    return await world.client.patch(path, json=body, headers=world.root.headers)


async def give_role(world: World) -> httpx2.Response:
    async with world.resources.unit_of_work() as uow:
        uow.session.add(role := Role(name="reader", permissions=[]))
    path = f"{API}/users/{world.ada.id}/roles/{role.id}"
    return await world.client.put(path, headers=world.root.headers)


async def change_email(world: World) -> httpx2.Response:
    return await verify(world.client, await issue(world, Purpose.CHANGE_EMAIL, ATTACKERS))


async def delete(world: World) -> httpx2.Response:
    path = f"{API}/users/{world.ada.id}"
    return await world.client.delete(path, headers=world.root.headers)


EVENTS: dict[str, Event] = {
    "logout": log_out,
    "logout everywhere": log_out_everywhere,
    "password change": change_password,
    "reset": reset_password,
    "deactivation": deactivate,
    "role change": give_role,
    "address change": change_email,
    "deletion": delete,
}


async def issue(world: World, purpose: Purpose, email: str) -> str:
    async with open_anonymous_scope(world.resources) as scope:
        return await EmailTokenService(scope).issue(world.ada.id, purpose, email=email, lifetime=60)


@pytest.fixture
async def world(
    client: httpx2.AsyncClient, resources: Resources, ada: Person, root: Person
) -> World:
    world = World(client, resources, ada, root)
    await enroll_authenticator(resources, ada)
    await create_api_key(resources, ada)
    await issue(world, Purpose.VERIFY_EMAIL, ada.email)
    tomorrow = datetime.now(UTC) + timedelta(days=1)
    async with open_anonymous_scope(resources) as scope:
        user = await scope.uow.session.get_one(User, ada.id)
        user.new_email, user.new_email_expires_at = ATTACKERS, tomorrow
        scope.uow.session.add_all(
            [
                Identity(user_id=ada.id, provider="acme", subject="1", email=ada.email),
                KnownDevice(user_id=ada.id, token_hash=b"an earlier device"),
                passkey_of(ada.id),
                SecurityAlert(
                    user_id=ada.id,
                    kind="login.new_device",
                    email=ada.email,
                    ip_address="192.0.2.1",
                    user_agent="",
                    details={},
                    can_be_reported=True,
                    token_hash=b"1" * 32,
                    expires_at=tomorrow,
                ),
            ]
        )
    return world


async def counts(world: World) -> dict[str, int]:
    async with world.resources.unit_of_work() as uow:
        return {name: await uow.session.scalar(probe(world)) or 0 for name, probe in PROBES.items()}


@pytest.mark.parametrize("column", EVENTS)
async def test_each_event_ends_what_the_table_says(world: World, column: str) -> None:
    before = await counts(world)
    assert 0 not in before.values(), before
    answer = await EVENTS[column](world)
    assert answer.status_code == 200, answer.text
    after = await counts(world)

    answers = {name: "stays" if after[name] == before[name] else "ends" for name in PROBES}
    documented = {name: TABLE[name][column] for name in PROBES}
    assert answers == documented


@pytest.mark.parametrize("column", ["password change", "reset"])
async def test_a_new_password_makes_the_old_one_invalid(world: World, column: str) -> None:
    async with world.resources.unit_of_work() as uow:
        query = select(User.password_hash).where(User.id == world.ada.id)
        before = await uow.session.scalar(query)
    await EVENTS[column](world)

    async with world.resources.unit_of_work() as uow:
        assert await uow.session.scalar(query) != before


@pytest.mark.parametrize(
    "table", [UserSession, ApiKey, EmailToken, SecurityAlert, KnownDevice], ids=str
)
async def test_expired_credentials_are_deleted(world: World, table: type[Base]) -> None:
    past = datetime.now(UTC) - timedelta(days=500)
    column = "last_seen_at" if table is KnownDevice else "expires_at"
    async with world.resources.unit_of_work() as uow:
        await uow.session.execute(update(table).values({column: past}))
    await delete_expired_rows(
        lambda: open_anonymous_scope(world.resources), world.resources.settings
    )

    async with world.resources.unit_of_work() as uow:
        assert await uow.session.scalar(rows_of(table)(world)) == 0


def test_the_table_has_every_credential_and_every_event() -> None:
    assert set(TABLE) == set(PROBES)
    for name, cells in TABLE.items():
        assert cells.keys() >= EVENTS.keys(), name
        assert {cells[column] for column in EVENTS} <= ANSWERS, name
        assert "" not in cells.values(), name


NO_CREDENTIALS = {
    "job_owners": "who may see the result of a job",
    "user_roles": "what the user may do, and not how they log in",
    "personal_data_archives": "what an export has gathered: its emailed link is the credential",
}
"""Tables that refer to users but contain no credentials, apart from those with an `owner_id`, which
contain what the users made."""


def test_a_table_that_refers_to_users_is_a_credential_or_says_why_not() -> None:
    """A new kind of credential must be in the table."""
    owned = {
        table.name
        for table in Base.metadata.sorted_tables
        for key in table.foreign_keys
        if key.column.table.name == "users" and key.parent.name != "owner_id"
    }
    credentials = {table.__table__.name for table in TABLES.values()}  # type: ignore[attr-defined]

    assert owned - credentials - NO_CREDENTIALS.keys() == set()


def test_the_audit_trail_and_the_owner_learn_of_what_the_table_says() -> None:
    """The events and the subjects of emails in the columns exist."""
    code = "".join(path.read_text() for path in (ROOT / "app").rglob("*.py"))
    for cells in TABLE.values():
        for event in re.findall(r"`([a-z_.]+)`", cells["audited"]):
            assert f'"{event}"' in code, event
