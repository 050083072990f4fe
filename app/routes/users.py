from uuid import UUID

from fastapi import APIRouter, Depends, status

from app.models import User
from app.routes.deps import (
    CurrentPrincipal,
    Limit,
    PrincipalBeforehand,
    Skip,
    Uow,
    get_superuser,
)
from app.routes.services import Accounts, Administration, Sessions, Signups
from app.schemas.fields import Message, Page
from app.schemas.session import OwnSession
from app.schemas.user import (
    UpdatePassword,
    UserCreate,
    UserPublic,
    UserRegister,
    UsersPublic,
    UserUpdate,
    UserUpdateMe,
)
from app.services import page
from app.services.principal import NotEnoughPrivileges
from app.services.user_service import UserService

router = APIRouter(prefix="/users", tags=["users"])


@router.get("/", dependencies=[Depends(get_superuser)], response_model=UsersPublic)
async def read_users(uow: Uow, skip: Skip = 0, limit: Limit = 100) -> page.Page[User]:
    """List users, newest first."""
    return await UserService(uow).list(skip=skip, limit=limit)


@router.post("/", status_code=status.HTTP_201_CREATED, response_model=UserPublic)
async def create_user(administration: Administration, wish: UserCreate) -> User:
    """Create a user; a mail tells them, with a link to choose a password of their own."""
    return await administration.create(wish)


@router.post("/signup", status_code=status.HTTP_201_CREATED, response_model=UserPublic)
async def register_user(signups: Signups, registration: UserRegister) -> User:
    """Create an account; a welcome e-mail follows, with a link that confirms the address."""
    return await signups.sign_up(registration)


@router.get("/me", response_model=UserPublic)
async def read_user_me(principal: CurrentPrincipal) -> User:
    return principal.user


@router.patch("/me", response_model=UserPublic)
async def update_user_me(
    accounts: Accounts, principal: PrincipalBeforehand, wish: UserUpdateMe
) -> User:
    """Change one's name, or ask for another address: it changes once it has been confirmed."""
    return await accounts.update(principal, wish)


@router.delete("/me")
async def delete_user_me(uow: Uow, accounts: Accounts, principal: CurrentPrincipal) -> Message:
    await accounts.delete(uow, principal)
    return Message(message="User deleted successfully")


@router.patch("/me/password")
async def update_password_me(
    accounts: Accounts, principal: PrincipalBeforehand, body: UpdatePassword
) -> Message:
    """Change one's password. All sessions end, this one as well."""
    await accounts.change_password(
        principal, body.current_password.get_secret_value(), body.new_password.get_secret_value()
    )
    return Message(message="Password updated successfully")


@router.get("/me/sessions")
async def read_sessions_me(
    sessions: Sessions, principal: CurrentPrincipal, skip: Skip = 0, limit: Limit = 100
) -> Page[OwnSession]:
    """List where one is logged in, newest first."""
    found = await sessions.list(principal.user.id, skip=skip, limit=limit)
    data = [OwnSession.model_validate(session) for session in found.data]
    for session in data:
        session.current = session.id == principal.session_id
    return Page(data=data, count=found.count)


@router.delete("/me/sessions/{session_id}")
async def end_session_me(
    sessions: Sessions, principal: CurrentPrincipal, session_id: UUID
) -> Message:
    """Log out on another device."""
    await sessions.end(principal.user.id, session_id)
    return Message(message="Session ended")


@router.get("/{user_id}", response_model=UserPublic)
async def read_user_by_id(uow: Uow, principal: CurrentPrincipal, user_id: UUID) -> User:
    """Read oneself, or anybody as a superuser."""
    if not principal.owns(user_id):
        raise NotEnoughPrivileges
    return await UserService(uow).get(user_id)


@router.patch("/{user_id}", response_model=UserPublic)
async def update_user(administration: Administration, user_id: UUID, wish: UserUpdate) -> User:
    """Change a user. A new password and a deactivation end all of their sessions."""
    return await administration.update(user_id, wish)


@router.delete("/{user_id}")
async def delete_user(administration: Administration, user_id: UUID) -> Message:
    """Delete a user and all that is theirs."""
    await administration.delete(user_id)
    return Message(message="User deleted successfully")
