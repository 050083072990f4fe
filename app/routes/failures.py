"""The failures of each route, which the OpenAPI document shows with their responses.

Common failures (no login, an invalid body, an outage) are added to all routes and need no entry. So
is the 404 for an unknown id in the path.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from uuid import UUID

from app.core.control import (
    CronNotFound,
    DeadLetterNotFound,
    InvalidArgument,
    InvalidCursor,
    JobClassNotFound,
    JobEnded,
    JobNotFound,
    QueueNotFound,
    SearchTooBroad,
    SensitiveArgument,
    UnknownArguments,
)
from app.core.control.retries import JobHeld
from app.core.exceptions import (
    InvalidField,
    RecentProofRequired,
    SecondFactorRequired,
    TooManyAttempts,
    Unauthenticated,
)
from app.core.job_store.record import JobRecord, JobState
from app.core.oidc.errors import ProviderUnavailable
from app.routes import (
    api_keys,
    dead_letters,
    identities,
    items,
    job_classes,
    jobs,
    login,
    oidc,
    passkeys,
    personal_data,
    queues,
    reports,
    roles,
    second_factor,
    users,
    workers,
)
from app.services.account_service import SamePassword
from app.services.admin_service import SuperuserCannotDeleteSelf
from app.services.administrators import LastSuperuser
from app.services.auth.actor import EmailNotConfirmed
from app.services.auth.api_key_service import ApiKeyNotFound, TooManyApiKeys
from app.services.auth.email_token_service import InvalidToken
from app.services.auth.identity_service import IdentityNotFound
from app.services.auth.login_methods import LastLoginMethod
from app.services.auth.login_service import EmailNotVerified, InactiveUser, IncorrectLogin
from app.services.auth.mfa_challenges import LoginTooOld
from app.services.auth.oidc_service import ProviderNotFound
from app.services.auth.passkey_assertions import CeremonyExpired, IncorrectPasskey
from app.services.auth.passkey_login_service import PasswordNeeded
from app.services.auth.passkey_service import (
    InvalidPasskey,
    PasskeyExists,
    PasskeyNotFound,
    TooManyPasskeys,
)
from app.services.auth.reauthentication import IncorrectPassword
from app.services.auth.role_service import RoleNameTaken, RoleNotFound
from app.services.auth.session_service import SessionNotFound
from app.services.auth.totp_service import (
    IncorrectCode,
    SecondFactorExists,
    SecondFactorNotFound,
)
from app.services.email_change_service import NoPendingEmail
from app.services.item_service import ItemNotFound
from app.services.open_streams import TooManyStreams
from app.services.recovery_service import UsernameNotFound
from app.services.report_service import ReportNotFound
from app.services.user_service import AccountExists, EmailTaken, UserNotFound

NO_QUEUE = QueueNotFound("post", ["base", "email"])
JOB_ID = UUID("01976f0e-8f6a-7c3d-9b1e-2f4a5c6d7e8f")
ENDED_JOB = JobRecord(
    id=JOB_ID,
    queue="email",
    name="SendLetter",
    state=JobState.SUCCEEDED,
    attempt=1,
    progress=None,
    enqueued_at=datetime(2026, 3, 14, tzinfo=UTC),
)
THROTTLED = TooManyAttempts(retry_after=840)
COMMON_PASSWORD = InvalidField("password", "Password is too common")
COMMON_NEW_PASSWORD = InvalidField("new_password", "Password is too common")
SECOND_STEP = SecondFactorRequired(
    "mDZxTtZ0t3v7yq0hBq2cMZpVpiIqRkrNqfTyDbHd9kA", 300, ["totp", "passkey", "recovery_code"]
)
NOT_PROVEN = RecentProofRequired(["password", "totp", "passkey"], minutes=5)
PROVIDER_DOWN = ProviderUnavailable("google", cause="")
LOGIN_REFUSED = (IncorrectLogin(), InactiveUser(), EmailNotVerified())

FAILURES: Mapping[Callable[..., object], Sequence[Exception]] = {
    login.login_access_token: (*LOGIN_REFUSED, SECOND_STEP, THROTTLED),
    login.login_second_factor: (
        LoginTooOld(),
        IncorrectCode(),
        IncorrectPasskey(),
        CeremonyExpired(),
        THROTTLED,
    ),
    login.begin_second_factor_passkey: (LoginTooOld(), THROTTLED),
    login.login_passkey: (
        IncorrectPasskey(),
        CeremonyExpired(),
        PasswordNeeded(),
        InactiveUser(),
        EmailNotVerified(),
        THROTTLED,
    ),
    login.reauthenticate: (
        IncorrectPassword(),
        IncorrectCode(),
        IncorrectPasskey(),
        CeremonyExpired(),
        THROTTLED,
    ),
    login.refresh_access_token: (Unauthenticated(),),
    login.recover_password: (THROTTLED,),
    login.reset_password: (InvalidToken(), InactiveUser(), COMMON_NEW_PASSWORD, THROTTLED),
    login.recover_password_html_content: (UsernameNotFound(), InactiveUser(), NOT_PROVEN),
    login.verify_email: (InvalidToken(), EmailTaken(), THROTTLED),
    login.send_verification: (THROTTLED,),
    login.report_takeover: (InvalidToken(), EmailTaken(), THROTTLED),
    oidc.begin_login: (ProviderNotFound(), PROVIDER_DOWN, THROTTLED),
    oidc.finish_login: (ProviderNotFound(), THROTTLED),
    users.create_user: (AccountExists(), COMMON_PASSWORD, NOT_PROVEN),
    users.register_user: (AccountExists(), COMMON_PASSWORD, THROTTLED),
    users.update_user_me: (IncorrectPassword(), EmailNotConfirmed(), NOT_PROVEN, THROTTLED),
    users.read_email_change_me: (NoPendingEmail(),),
    users.withdraw_email_change_me: (NoPendingEmail(),),
    users.delete_user_me: (SuperuserCannotDeleteSelf(), NOT_PROVEN),
    users.update_password_me: (
        IncorrectPassword(),
        SamePassword(),
        COMMON_NEW_PASSWORD,
        THROTTLED,
    ),
    users.end_session_me: (SessionNotFound(),),
    users.read_user_by_id: (UserNotFound(),),
    users.update_user: (
        UserNotFound(),
        EmailTaken(),
        LastSuperuser(),
        COMMON_PASSWORD,
        NOT_PROVEN,
    ),
    users.delete_user: (UserNotFound(), SuperuserCannotDeleteSelf(), LastSuperuser(), NOT_PROVEN),
    identities.link_identity_me: (
        IncorrectPassword(),
        ProviderNotFound(),
        PROVIDER_DOWN,
        NOT_PROVEN,
        THROTTLED,
    ),
    identities.unlink_identity_me: (IdentityNotFound(), LastLoginMethod(), NOT_PROVEN),
    second_factor.begin_second_factor_me: (
        IncorrectPassword(),
        EmailNotConfirmed(),
        SecondFactorExists(),
        NOT_PROVEN,
        THROTTLED,
    ),
    second_factor.confirm_second_factor_me: (
        EmailNotConfirmed(),
        IncorrectCode(),
        SecondFactorNotFound(),
        SecondFactorExists(),
        THROTTLED,
    ),
    second_factor.renew_recovery_codes_me: (
        IncorrectPassword(),
        SecondFactorNotFound(),
        NOT_PROVEN,
        THROTTLED,
    ),
    second_factor.disable_second_factor_me: (
        IncorrectPassword(),
        SecondFactorNotFound(),
        NOT_PROVEN,
        THROTTLED,
    ),
    second_factor.remove_second_factor: (UserNotFound(), SecondFactorNotFound(), NOT_PROVEN),
    api_keys.create_api_key_me: (
        IncorrectPassword(),
        EmailNotConfirmed(),
        TooManyApiKeys(20),
        NOT_PROVEN,
        THROTTLED,
    ),
    api_keys.revoke_api_key_me: (ApiKeyNotFound(), NOT_PROVEN),
    personal_data.export_personal_data_me: (EmailNotConfirmed(),),
    personal_data.download_personal_data: (InvalidToken(), THROTTLED),
    passkeys.begin_passkey_me: (TooManyPasskeys(), NOT_PROVEN),
    passkeys.register_passkey_me: (
        CeremonyExpired(),
        InvalidPasskey(),
        TooManyPasskeys(),
        PasskeyExists(),
    ),
    passkeys.rename_passkey_me: (PasskeyNotFound(),),
    passkeys.remove_passkey_me: (PasskeyNotFound(), LastLoginMethod(), NOT_PROVEN),
    items.read_item: (ItemNotFound(),),
    items.update_item: (ItemNotFound(),),
    items.delete_item: (ItemNotFound(),),
    roles.create_role: (RoleNameTaken(), NOT_PROVEN),
    roles.read_role: (RoleNotFound(),),
    roles.update_role: (RoleNotFound(), RoleNameTaken(), NOT_PROVEN),
    roles.delete_role: (RoleNotFound(), NOT_PROVEN),
    roles.read_roles_of_user: (UserNotFound(),),
    roles.give_role: (UserNotFound(), RoleNotFound(), NOT_PROVEN),
    roles.take_role_away: (UserNotFound(), RoleNotFound(), NOT_PROVEN),
    reports.read_report: (ReportNotFound(),),
    jobs.read_jobs: (
        SearchTooBroad(2),
        InvalidCursor(),
        SensitiveArgument("token"),
        UnknownArguments(),
        InvalidArgument("user_id"),
        NO_QUEUE,
    ),
    jobs.read_job_details: (JobNotFound(JOB_ID),),
    jobs.retry_job: (DeadLetterNotFound(JOB_ID), JobHeld(JOB_ID)),
    jobs.discard_job: (DeadLetterNotFound(JOB_ID), NOT_PROVEN),
    jobs.cancel_job: (JobNotFound(JOB_ID), JobEnded(ENDED_JOB), NOT_PROVEN),
    queues.read_queue: (NO_QUEUE,),
    queues.pause_queue: (NO_QUEUE,),
    queues.resume_queue: (NO_QUEUE,),
    queues.limit_queue: (NO_QUEUE,),
    dead_letters.read_dead_letter_groups: (SearchTooBroad(5),),
    dead_letters.retry_dead_letters: (SensitiveArgument("token"), NOT_PROVEN),
    dead_letters.discard_dead_letters: (SensitiveArgument("token"), NOT_PROVEN),
    job_classes.read_job_class: (JobClassNotFound("SendLetter"),),
    workers.run_cron: (CronNotFound("nightly"),),
    jobs.read_job: (JobNotFound(JOB_ID),),
    jobs.stream_job: (JobNotFound(JOB_ID), TooManyStreams()),
}
