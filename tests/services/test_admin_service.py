import pytest
from pydantic import SecretStr
from sqlalchemy import select

from app.core.resources import Resources
from app.models import AuditEvent, User, UserSession
from app.schemas.user import UserCreate, UserUpdate
from app.services.admin_service import AdminService, SuperuserCannotDeleteSelf
from app.services.scope import RequestInfo, open_scope
from tests.support.accounts import PASSWORD, Person, open_user_scope

OPERATOR = RequestInfo("command line")


async def test_a_new_user_is_invited_by_email(resources: Resources, root: Person) -> None:
    data = UserCreate(email="bob@example.com", password=SecretStr(PASSWORD))
    async with open_user_scope(resources, root) as scope:
        bob = await AdminService(scope).create(data)
        assert [job.name for job in scope.uow.jobs] == ["SendNewAccount"]

    assert await resources.reader.all(
        select(AuditEvent.event, AuditEvent.user_id, AuditEvent.actor_id)
    ) == [("user.created", bob.id, root.id)]


@pytest.mark.parametrize(
    "changes", [{"is_active": False}, {"password": "a fresh battery"}], ids=lambda c: str([*c])
)
async def test_a_deactivation_and_a_new_password_end_the_users_sessions(
    resources: Resources, ada: Person, root: Person, changes: dict[str, object]
) -> None:
    async with open_user_scope(resources, root) as scope:
        await AdminService(scope).update(ada.id, UserUpdate.model_validate(changes))

    assert await resources.reader.all(select(UserSession.user_id)) == [(root.id,)]


async def test_superusers_cannot_delete_themselves(
    resources: Resources, ada: Person, root: Person
) -> None:
    async with open_user_scope(resources, root) as scope:
        with pytest.raises(SuperuserCannotDeleteSelf):
            await AdminService(scope).delete(root.id)
        await AdminService(scope).delete(ada.id)

    assert await resources.reader.all(select(User.id)) == [(root.id,)]


async def test_the_trail_names_no_acting_user_for_a_command(
    resources: Resources, ada: Person
) -> None:
    async with open_scope(resources, OPERATOR) as scope:
        await AdminService(scope).update(ada.id, UserUpdate(full_name="Countess"))

    assert await resources.reader.all(
        select(AuditEvent.event, AuditEvent.actor_id, AuditEvent.ip_address)
    ) == [("user.updated", None, "command line")]
