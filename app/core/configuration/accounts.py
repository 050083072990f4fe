"""Settings of accounts: logins, links, limits, and retention."""

from collections.abc import Iterator

from pydantic import EmailStr, Field, HttpUrl, NonNegativeInt, PositiveInt, SecretStr

from app.core.configuration.group import SettingGroup
from app.core.configuration.hosts import is_local
from app.core.configuration.passwords import password_problems
from app.core.configuration.types import AttemptLimits, Limits

MINIMUM_AUDIT_RETENTION = 2_592_000
"""30 days. A trigger of the database rejects the deletion of newer rows."""


class AccountSettings(SettingGroup):
    """What users may do, how often, and for how long."""

    access_token_lifetime: PositiveInt = 900
    session_lifetime: PositiveInt = 2_592_000
    session_idle_lifetime: PositiveInt = 604_800
    max_sessions_per_user: PositiveInt = 50
    refresh_token_overlap: NonNegativeInt = 10
    password_min_length: int = Field(8, ge=8, le=64)
    breached_passwords_url: HttpUrl | None = None
    login_requires_verified_email: bool = False
    superusers_need_second_factor: bool = False
    verification_link_lifetime: PositiveInt = 86_400
    recovery_link_lifetime: PositiveInt = 3_600
    invitation_link_lifetime: PositiveInt = 604_800
    throttle_logins: Limits = AttemptLimits(10, 50, 500)
    throttle_signups: Limits = AttemptLimits(10, 100, 1_000)
    throttle_recoveries: Limits = AttemptLimits(10, 50, 500)
    throttle_codes: Limits = AttemptLimits(10, 50, 500)
    throttle_window: int = Field(900, ge=1, le=900)
    personal_data_link_lifetime: PositiveInt = 86_400
    deletion_grace_period: int = Field(1_209_600, ge=0)
    audit_retention: int = Field(31_536_000, ge=MINIMUM_AUDIT_RETENTION)
    api_keys_per_user: PositiveInt = 20
    first_superuser_email: EmailStr | None = None
    first_superuser_password: SecretStr | None = None

    def production_problems(self) -> Iterator[str]:
        yield from password_problems("FIRST_SUPERUSER_PASSWORD", self.first_superuser_password)
        url = self.breached_passwords_url
        if url is not None and url.scheme != "https" and not is_local(url.host or ""):
            yield (
                "BREACHED_PASSWORDS_URL must start with https://. Otherwise, others on the network "
                "see a part of each password's hash"
            )
