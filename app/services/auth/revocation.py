"""Revocation: which credentials each event ends.

`docs/accounts.md` shows the same. A test fails for a database table that refers to users unless it
is listed here as a credential or named in the document as none.
"""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import Executable, delete, func, select, update
from sqlalchemy.orm import InstrumentedAttribute

from app.models import (
    ApiKey,
    Base,
    EmailToken,
    Identity,
    KnownDevice,
    MfaChallenge,
    Passkey,
    RecoveryCode,
    SecurityAlert,
    TotpFactor,
    User,
    UserSession,
)
from app.services.audit import AuditTrail
from app.services.scope import Scope


class Credential(StrEnum):
    """What proves who a user is, now or later. A session includes its refresh tokens."""

    SESSION = "session"
    UNFINISHED_LOGIN = "unfinished login"
    API_KEY = "API key"
    TOTP = "TOTP"
    RECOVERY_CODE = "recovery code"
    PASSKEY = "passkey"
    PASSWORDLESS_PASSKEY = "passkey without the password"
    IDENTITY = "identity"
    PASSWORDLESS_IDENTITY = "identity without the password"
    EMAILED_LINK = "emailed link"
    PENDING_EMAIL = "pending address"
    ALERT_LINK = "link in an alert"
    KNOWN_DEVICE = "known device"


class Event(StrEnum):
    """What happens to an account."""

    LOGOUT_EVERYWHERE = "logout everywhere"
    PASSWORD_CHANGE = "password change"  # noqa: S105  an event
    RESET = "reset"
    DEACTIVATION = "deactivation"
    ROLE_CHANGE = "role change"
    EMAIL_CHANGE = "address change"
    EMAIL_CHANGE_WITHDRAWN = "address change withdrawn"
    EMAIL_CHANGE_BY_ADMIN = "address change by an administrator"
    FIRST_CONFIRMATION = "first confirmation of an address"
    CONFIRMATION_WITHOUT_PASSWORD = "first confirmation without a password"  # noqa: S105  an event
    FACTOR_SET_UP = "second factor set up"
    FACTOR_REMOVED = "second factor removed"
    TAKEOVER_REPORT = "this wasn't me"
    DELETION_REQUEST = "request for deletion"
    DELETION = "deletion"


LOGINS = {Credential.SESSION, Credential.UNFINISHED_LOGIN}
PENDING = {Credential.EMAILED_LINK, Credential.PENDING_EMAIL}
FACTORS = {Credential.TOTP, Credential.RECOVERY_CODE, Credential.PASSKEY}
PROGRAMS_AND_DEVICES = {Credential.API_KEY, Credential.KNOWN_DEVICE}
# A second factor stays: an attacker who reads the mailbox must not be able to remove it. But a
# passkey or an identity may be the attacker's, so it needs the new password once before it logs in
# without it again.
PASSWORDLESS = {Credential.PASSWORDLESS_PASSKEY, Credential.PASSWORDLESS_IDENTITY}
RECOVERED = LOGINS | PENDING | PROGRAMS_AND_DEVICES | PASSWORDLESS

ENDS: Mapping[Event, set[Credential]] = {
    Event.LOGOUT_EVERYWHERE: LOGINS,
    # An attacker may have used the old password on a device, so its next login sends an email.
    Event.PASSWORD_CHANGE: LOGINS | PENDING | {Credential.KNOWN_DEVICE},
    Event.RESET: RECOVERED,
    Event.DEACTIVATION: LOGINS | PENDING | PROGRAMS_AND_DEVICES,
    # Permissions are read on each request, so nothing has to end.
    Event.ROLE_CHANGE: set(),
    Event.EMAIL_CHANGE: PENDING,
    Event.EMAIL_CHANGE_WITHDRAWN: PENDING,
    # The account may have another owner now.
    Event.EMAIL_CHANGE_BY_ADMIN: RECOVERED | {Credential.ALERT_LINK},
    # An attacker can sign up with an address of another person, and prepare the account.
    Event.FIRST_CONFIRMATION: FACTORS | {Credential.API_KEY, Credential.IDENTITY},
    Event.CONFIRMATION_WITHOUT_PASSWORD: FACTORS | {Credential.API_KEY},
    # Other sessions started without the factor.
    Event.FACTOR_SET_UP: LOGINS,
    Event.FACTOR_REMOVED: FACTORS,
    Event.TAKEOVER_REPORT: RECOVERED,
    # Login methods stay, because the user cancels the deletion by logging in.
    Event.DELETION_REQUEST: LOGINS | PENDING | {Credential.API_KEY},
    Event.DELETION: set(Credential),
}

TABLES: Mapping[Credential, type[Base]] = {
    Credential.SESSION: UserSession,
    Credential.UNFINISHED_LOGIN: MfaChallenge,
    Credential.API_KEY: ApiKey,
    Credential.TOTP: TotpFactor,
    Credential.RECOVERY_CODE: RecoveryCode,
    Credential.PASSKEY: Passkey,
    Credential.IDENTITY: Identity,
    Credential.EMAILED_LINK: EmailToken,
    Credential.ALERT_LINK: SecurityAlert,
    Credential.KNOWN_DEVICE: KnownDevice,
}
"""The tables of the credentials. The other credentials are columns of these tables or of users."""


ADDED_AT: Mapping[
    type[Base], InstrumentedAttribute[datetime] | InstrumentedAttribute[datetime | None]
] = {
    TotpFactor: TotpFactor.confirmed_at,
    RecoveryCode: RecoveryCode.created_at,
    Passkey: Passkey.created_at,
    Identity: Identity.created_at,
}
"""The credentials that survive a password reset, each with the column of when it was added."""


async def end_credentials(
    scope: Scope, user_id: UUID, event: Event, *, except_for: UUID | None = None
) -> None:
    """End the credentials that an event ends, except for one session.

    The user's row is locked until the commit. A credential that another request creates at the same
    time ends here, or that request finds that its session has ended.
    """
    await _execute(scope, select(User.id).where(User.id == user_id).with_for_update(key_share=True))
    for credential in ENDS[event]:
        await _end(scope, user_id, credential, except_for)
    if Credential.SESSION in ENDS[event]:
        AuditTrail(scope).record(
            "sessions.ended", user_id=user_id, actor_id=scope.actor_id, reason=event.value
        )


async def end_credentials_added_since(scope: Scope, user_id: UUID, since: datetime) -> None:
    """End the credentials of ADDED_AT that were added since a time."""
    for table, added_at in ADDED_AT.items():
        owner = table.__table__.c.user_id
        await _execute(scope, delete(table).where(owner == user_id, added_at >= since))


async def _end(
    scope: Scope, user_id: UUID, credential: Credential, except_for: UUID | None
) -> None:
    match credential:
        case Credential.PENDING_EMAIL:
            withdrawn = {"new_email": None, "new_email_expires_at": None}
            await _execute(scope, update(User).where(User.id == user_id).values(withdrawn))
        case Credential.PASSWORDLESS_PASSKEY:
            passkeys = update(Passkey).where(Passkey.user_id == user_id)
            await _execute(scope, passkeys.values(needs_password=True))
        case Credential.PASSWORDLESS_IDENTITY:
            identities = update(Identity).where(Identity.user_id == user_id)
            await _execute(scope, identities.values(needs_password=True))
        case Credential.KNOWN_DEVICE:
            # The rows stay: without any, the next login would look like the account's first.
            devices = update(KnownDevice).where(KnownDevice.user_id == user_id)
            await _execute(scope, devices.values(forgotten_at=func.now()))
        case Credential.SESSION if except_for is not None:
            others = (UserSession.user_id == user_id, UserSession.id != except_for)
            await _execute(scope, delete(UserSession).where(*others))
        case _:
            table = TABLES[credential]
            await _execute(scope, delete(table).where(table.__table__.c.user_id == user_id))


async def _execute(scope: Scope, statement: Executable) -> None:
    await scope.uow.session.execute(statement)
