"""The last step of every login: whatever proves the user, it ends here."""

from dataclasses import replace

from pydantic import JsonValue

from app.models import User
from app.services.audit import AuditTrail
from app.services.auth.devices import recognize_device
from app.services.auth.session_service import SessionService, Tokens
from app.services.personal_data.deletion import cancel_deletion
from app.services.scope import Scope


async def complete_login(scope: Scope, user: User, **details: JsonValue) -> Tokens:
    """Open a session for a user who is locked, and has given every proof that is needed.

    The user gets an email where the device is new.
    """
    cancel_deletion(scope, user)
    AuditTrail(scope).record("login.succeeded", user_id=user.id, actor_id=user.id, **details)
    with scope.uow.session.no_autoflush:  # what is recorded goes along with the commit
        device = await recognize_device(scope, user)
        return replace(await SessionService(scope).open(user), device=device)
