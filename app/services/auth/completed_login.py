"""The last step of every login, after the user has proven who they are."""

from dataclasses import replace

from pydantic import JsonValue

from app.models import User
from app.services.audit import AuditTrail
from app.services.auth.devices import recognize_device
from app.services.auth.session_service import SessionService, Tokens
from app.services.personal_data.deletion import cancel_deletion
from app.services.scope import Scope


async def complete_login(scope: Scope, user: User, **details: JsonValue) -> Tokens:
    """Open a session for a locked user who has passed every check.

    The user gets an email if the device is new.
    """
    cancel_deletion(scope, user)
    AuditTrail(scope).record("login.succeeded", user_id=user.id, actor_id=user.id, **details)
    with scope.uow.session.no_autoflush:  # the commit flushes the audit event
        device = await recognize_device(scope, user)
        return replace(await SessionService(scope).open(user), device=device)
