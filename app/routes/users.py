"""Sign up, and manage your own account. Superusers manage all accounts."""

from uuid import UUID

from fastapi import Depends, status

from app.core.http.routing import Router
from app.models import User
from app.routes.deps.principals import (
    SuperuserScope,
    UserScope,
    one_round_trip,
    requires_recent,
)
from app.routes.deps.request import AnonymousScope, Limit, Skip
from app.schemas.common import Message, Page
from app.schemas.session import OwnSession
from app.schemas.user import (
    PendingEmail,
    UpdatePassword,
    UserCreate,
    UserPublic,
    UserRegister,
    UsersPublic,
    UserUpdate,
    UserUpdateMe,
)
from app.services.account_service import AccountService
from app.services.admin_service import AdminService
from app.services.auth.session_service import SessionService
from app.services.email_change_service import EmailChangeService
from app.services.signup_service import SignupService
from app.services.user_service import UserService

router = Router(prefix="/users", tags=["users"])


@router.get("/")
async def read_users(scope: SuperuserScope, skip: Skip = 0, limit: Limit = 100) -> UsersPublic:
    """List users, newest first."""
    return await UserService(scope).list(skip=skip, limit=limit)


@router.post(
    "/",
    status_code=status.HTTP_201_CREATED,
    response_model=UserPublic,
    dependencies=[Depends(requires_recent(minutes=5))],
)
async def create_user(scope: SuperuserScope, data: UserCreate) -> User:
    """Create a user. An email invites them to choose their own password."""
    return await AdminService(scope).create(data)


@router.post("/signup", status_code=status.HTTP_201_CREATED)
async def register_user(scope: AnonymousScope, data: UserRegister) -> UserPublic:
    """Create an account. A welcome email follows, with a link that confirms the address."""
    return await SignupService(scope).sign_up(data)


@router.get("/me")
async def read_user_me(scope: UserScope) -> UserPublic:
    """Read the user's own account."""
    return AccountService(scope).get()


@router.patch("/me", response_model=UserPublic)
async def update_user_me(scope: UserScope, data: UserUpdateMe) -> User:
    """Change the user's name, or request another email, which must be confirmed."""
    return await AccountService(scope).update(data)


@router.get("/me/email-change")
async def read_email_change_me(scope: UserScope) -> PendingEmail:
    """Show the email address that is not confirmed yet."""
    return await EmailChangeService(scope).get()


@router.delete("/me/email-change")
async def withdraw_email_change_me(scope: UserScope) -> Message:
    """Keep the current email address. Links to the new one stop working."""
    await EmailChangeService(scope).withdraw()
    return Message(message="Email change withdrawn")


@router.delete("/me", dependencies=[Depends(requires_recent(minutes=5))])
async def delete_user_me(scope: UserScope) -> Message:
    """Delete the user's own account with everything in it. Superusers cannot delete themselves."""
    await AccountService(scope).delete()
    return Message(message="User deleted successfully")


@router.patch("/me/password")
async def update_password_me(scope: UserScope, data: UpdatePassword) -> Message:
    """Change the user's password. All sessions end, including this one."""
    await AccountService(scope).change_password(
        data.current_password.get_secret_value(), data.new_password.get_secret_value()
    )
    return Message(message="Password updated successfully")


@router.get("/me/sessions")
async def read_sessions_me(
    scope: UserScope, skip: Skip = 0, limit: Limit = 100
) -> Page[OwnSession]:
    """List the user's sessions, newest first."""
    return await SessionService(scope).list(skip=skip, limit=limit)


@router.delete("/me/sessions/{session_id}")
async def end_session_me(scope: UserScope, session_id: UUID) -> Message:
    """Log out on another device."""
    await SessionService(scope).end(session_id)
    return Message(message="Session ended")


@router.get("/{user_id}")
@one_round_trip
async def read_user_by_id(scope: UserScope, user_id: UUID) -> UserPublic:
    """Read the user's own account. Superusers read any account."""
    return await UserService(scope).read(user_id)


@router.patch(
    "/{user_id}", response_model=UserPublic, dependencies=[Depends(requires_recent(minutes=5))]
)
async def update_user(scope: SuperuserScope, user_id: UUID, data: UserUpdate) -> User:
    """Change a user. A new password and a deactivation end all of their sessions."""
    return await AdminService(scope).update(user_id, data)


@router.delete("/{user_id}", dependencies=[Depends(requires_recent(minutes=5))])
async def delete_user(scope: SuperuserScope, user_id: UUID) -> Message:
    """Delete a user with everything they own."""
    await AdminService(scope).delete(user_id)
    return Message(message="User deleted successfully")
