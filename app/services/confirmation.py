from datetime import UTC, datetime

from app.models import User
from app.services.auth.revocation import Event, end_credentials
from app.services.scope import Scope


async def confirm_email(scope: Scope, user: User) -> None:
    """Mark the address of the account as confirmed.

    The first confirmation ends earlier credentials, because an attacker may have signed up with
    the user's address.
    """
    if user.email_verified_at is not None:
        return
    user.email_verified_at = datetime.now(UTC)
    await scope.uow.session.flush()
    # An account without a password was created with an identity, which is its only login method.
    has_password = user.password_hash is not None
    event = Event.FIRST_CONFIRMATION if has_password else Event.CONFIRMATION_WITHOUT_PASSWORD
    await end_credentials(scope, user.id, event)
