"""Texts of the alerts. They contain no text of the user, which an attacker may have chosen."""

from app.core.security.tokens import hash_token, new_token
from app.models import Alert, SecurityAlert
from app.services.emails.clients import describe_client
from app.services.emails.draft import Draft
from app.services.emails.links import report_link
from app.services.emails.recipients import find_user
from app.services.scope import Scope

TEXTS: dict[Alert, tuple[str, str]] = {
    Alert.NEW_DEVICE: (
        "New login to your account",
        "Your account was used from a new device.",
    ),
    Alert.NEW_API_KEY: (
        "Your account has a new API key",
        "An API key was created. A program can use your account with it.",
    ),
    Alert.NEW_FACTOR: ("Your second factor was set up", "Your second factor was set up."),
    Alert.FACTOR_REMOVED: ("Your second factor was removed", "Your second factor was removed."),
    Alert.RECOVERY_CODES_RENEWED: (
        "Your recovery codes were replaced",
        "Your recovery codes were replaced. Earlier ones no longer work.",
    ),
    Alert.RECOVERY_CODE_USED: (
        "A recovery code was used",
        "A recovery code was used to log in to your account.",
    ),
    Alert.NEW_PASSKEY: (
        "Your account has a new passkey",
        "A passkey was added. It logs in to your account without a password.",
    ),
    Alert.PASSKEY_REMOVED: ("A passkey was removed", "A passkey of your account was removed."),
    Alert.PASSKEY_COPIED: (
        "A passkey may have been copied",
        "A passkey of your account was rejected, because a copy of it seems to exist. Remove it.",
    ),
    Alert.NEW_IDENTITY: (
        "Your account has a new login method",
        "You can now log in to your account with {provider}.",
    ),
    Alert.NEW_ROLE: ("Your account has a new role", "Your account was given the role {role}."),
    Alert.PASSWORD_CHANGED: (
        "Your password was changed",
        "Your password was changed, and all sessions have ended.",
    ),
    Alert.PASSWORD_RESET: (
        "Your password was changed",
        "Your password was reset. All sessions and API keys have ended.",
    ),
    Alert.EMAIL_CHANGE_REQUESTED: (
        "A change of your email was requested",
        "Someone, perhaps you, requested another address. It takes effect when it is confirmed.",
    ),
    Alert.EMAIL_CHANGED: (
        "Your email was changed",
        "This is no longer the address of your account.",
    ),
    Alert.DELETION_REQUESTED: (
        "Your account will be deleted",
        "Someone, perhaps you, asked to delete your account. To keep it, log in by {due}.",
    ),
    Alert.TOKEN_REUSED: (
        "A session of your account has ended",
        "A token of the session was used twice, so it may have been copied. The session has ended.",
    ),
}
"""The subject and the sentence of each alert."""


async def draft_alert(scope: Scope, alert: SecurityAlert) -> Draft:
    """Write an alert. Its link is created here. The database stores only the hash of the token."""
    user = await find_user(scope, alert.user_id)
    subject, sentence = TEXTS[Alert(alert.kind)]
    link = None
    if alert.can_be_reported:
        token = new_token()
        alert.token_hash = hash_token(token)
        link = report_link(scope, token)
    values = {
        "name": user.full_name if user.email_verified_at is not None else None,
        "sentence": sentence.format(**alert.details),
        "when": f"{alert.created_at:%d %B %Y, %H:%M} UTC",
        "ip_address": alert.ip_address,
        "client": describe_client(alert.user_agent),
        "link": link,
    }
    return Draft(alert.email, subject, values)
