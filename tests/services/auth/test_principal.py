from datetime import UTC, datetime
from uuid import uuid4

import pytest

from app.core.config import Settings
from app.schemas.role import Permission
from app.services.auth.principal import NotEnoughPermissions, Principal, SecondFactorMissing

READ_REPORTS, READ_AUDIT = Permission.READ_REPORTS, Permission.READ_AUDIT


def principal(
    *,
    is_superuser: bool = False,
    has_second_factor: bool = False,
    permissions: tuple[Permission, ...] = (),
    scopes: tuple[Permission, ...] | None = None,
) -> Principal:
    return Principal(
        user_id=uuid4(),
        email="ada@example.com",
        full_name=None,
        is_superuser=is_superuser,
        created_at=datetime.now(UTC),
        has_password=True,
        has_totp=has_second_factor,
        has_passkey=False,
        permissions=permissions,
        scopes=scopes,
    )


def test_a_permission_comes_from_a_role() -> None:
    reader = principal(permissions=(READ_REPORTS,))

    assert reader.may(READ_REPORTS)
    assert not reader.may(READ_AUDIT)
    with pytest.raises(NotEnoughPermissions):
        reader.require(READ_AUDIT)


def test_a_superuser_has_every_permission() -> None:
    assert all(principal(is_superuser=True).may(permission) for permission in Permission)


@pytest.mark.parametrize("is_superuser", [True, False])
def test_an_api_key_may_do_what_both_its_scopes_and_its_owner_may(*, is_superuser: bool) -> None:
    key = principal(is_superuser=is_superuser, permissions=(READ_REPORTS,), scopes=(READ_REPORTS,))
    without_scopes = principal(is_superuser=is_superuser, permissions=(READ_AUDIT,), scopes=())

    assert key.may(READ_REPORTS)
    assert not key.may(READ_AUDIT)
    assert not without_scopes.may(READ_AUDIT)
    assert not principal(scopes=(READ_REPORTS,)).may(READ_REPORTS)


def test_a_superuser_owns_everything_but_their_api_keys_do_not() -> None:
    user = principal()

    assert user.owns(user.user_id)
    assert not user.owns(uuid4())
    assert principal(is_superuser=True).owns(uuid4())
    assert not principal(is_superuser=True, scopes=tuple(Permission)).owns(uuid4())


def test_superusers_need_a_second_factor_where_the_setting_says_so(settings: Settings) -> None:
    strict = settings.model_copy(update={"superusers_need_second_factor": True})
    superuser = principal(is_superuser=True)

    superuser.require_second_factor(settings)
    principal().require_second_factor(strict)
    principal(is_superuser=True, has_second_factor=True).require_second_factor(strict)
    with pytest.raises(SecondFactorMissing):
        superuser.require_second_factor(strict)
