from datetime import UTC, datetime

from app.models import User
from app.services.auth.revocation import Event, end_credentials
from app.services.scope import Scope


async def confirm_email(scope: Scope, user: User) -> None:
    """Store that the user reads the address of the account.

    What was set up before the first time may belong to someone else, who signed up with it.
    """
    if user.email_verified_at is not None:
        return
    user.email_verified_at = datetime.now(UTC)
    await scope.uow.session.flush()
    # An account without a password was created with an identity, its only way to log in.
    has_password = user.password_hash is not None
    event = Event.FIRST_CONFIRMATION if has_password else Event.CONFIRMATION_WITHOUT_PASSWORD
    await end_credentials(scope, user.id, event)
