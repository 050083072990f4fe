"""Passkeys, which log in without a password, or serve as a second factor with one."""

from collections.abc import Sequence
from uuid import UUID

from fastapi import Depends, status

from app.core.http.routing import Router
from app.models import Passkey
from app.routes.deps.principals import UserScope, requires_recent, usable_without_second_factor
from app.schemas.common import Message
from app.schemas.passkey import (
    PasskeyCreated,
    PasskeyOptions,
    PasskeyPublic,
    PasskeyRegistration,
    PasskeyUpdate,
)
from app.services.auth.passkey_service import PasskeyService

router = Router(prefix="/users/me/passkeys", tags=["passkeys"])


@router.get("", response_model=list[PasskeyPublic])
@usable_without_second_factor
async def read_passkeys_me(scope: UserScope) -> Sequence[Passkey]:
    """List the user's passkeys, oldest first."""
    return await PasskeyService(scope).list()


@router.post("/options", dependencies=[Depends(requires_recent(minutes=5))])
@usable_without_second_factor
async def begin_passkey_me(scope: UserScope) -> PasskeyOptions:
    """Return the browser's options for a new passkey."""
    return await PasskeyService(scope).begin()


@router.post("", status_code=status.HTTP_201_CREATED)
@usable_without_second_factor
async def register_passkey_me(scope: UserScope, data: PasskeyRegistration) -> PasskeyCreated:
    """Store the passkey that the browser has created.

    If it is the user's first second factor, the response has recovery codes, and all other sessions
    end.
    """
    passkey, codes = await PasskeyService(scope).register(data)
    public = PasskeyPublic.model_validate(passkey).model_dump()
    return PasskeyCreated(recovery_codes=codes, **public)


@router.patch("/{passkey_id}", response_model=PasskeyPublic)
async def rename_passkey_me(scope: UserScope, passkey_id: UUID, data: PasskeyUpdate) -> Passkey:
    """Rename a passkey."""
    return await PasskeyService(scope).rename(passkey_id, data.name)


@router.delete("/{passkey_id}", dependencies=[Depends(requires_recent(minutes=5))])
async def remove_passkey_me(scope: UserScope, passkey_id: UUID) -> Message:
    """Remove a passkey, unless it is the only way to log in."""
    await PasskeyService(scope).remove(passkey_id)
    return Message(message="Passkey removed")
