"""Notices on the page after an action. A cookie contains the name of the notice, never its text."""

from enum import Enum


class Notice(Enum):
    EMAIL_CONFIRMED = "Your email address is confirmed."
    PASSWORD_SET = "Your password is set. Log in with it."  # noqa: S105  a sentence
    PASSWORD_CHANGED = "Your password is changed. All sessions have ended: log in again."  # noqa: S105  a sentence
    LOGGED_OUT = "You are logged out."
    LOGGED_OUT_EVERYWHERE = "You are logged out on all devices."
    LOGIN_EXPIRED = "That took too long. Log in again."
    LOGIN_NEEDED = "Log in to continue."
    EMAIL_CHANGE_WITHDRAWN = "Your address stays as it is."
    SECOND_FACTOR_NEEDED = "Set up a second factor first: your account needs one."
    NAME_SAVED = "Your name is saved."
    EMAIL_CHANGE_REQUESTED = "We sent a link to your new address. Follow it to finish the change."
    SECOND_FACTOR_REMOVED = "Your second factor is removed."
    SESSION_ENDED = "That session has ended."
    PASSKEY_ADDED = "Your passkey is added."
    PASSKEY_RENAMED = "Your passkey has its new name."
    PASSKEY_REMOVED = "That passkey is removed."
    KEY_REVOKED = "That key no longer works."
    PROVIDER_LINKED = "You can now log in with that provider."
    PROVIDER_UNLINKED = "That provider is unlinked."
    EXPORT_REQUESTED = "We are collecting your data, and will email you a link to it."
    DELETION_REQUESTED = "You are logged out, and your account will be deleted."

    # The console
    USER_DEACTIVATED = "The user is deactivated, and logged out everywhere."
    USER_REACTIVATED = "The user can log in again."
    SESSIONS_ENDED = "The user is logged out everywhere."
    SECOND_FACTOR_REMOVED_BY_ADMIN = "The user's second factor is removed."
    SUPERUSER_MADE = "The user is a superuser now."
    SUPERUSER_UNMADE = "The user is no longer a superuser."
    USER_DELETED = "The account is deleted."
    ROLE_GIVEN = "The user has the role now."
    ROLE_TAKEN_AWAY = "The user no longer has the role."
    JOB_ENQUEUED = "The job is enqueued."
    JOB_RETRIED = "The job is due again."
    DEAD_LETTERS_CHANGING = "The job has started. This page shows its progress."
    JOB_DISCARDED = "The dead letter is deleted."
    JOB_CANCELED = "The job is canceled."
    QUEUE_PAUSED = "The queue is paused."
    QUEUE_RESUMED = "The queue runs again."
    QUEUE_LIMITED = "The limits are set."


def notice_named(name: str | None) -> Notice | None:
    return Notice.__members__.get(name or "")
