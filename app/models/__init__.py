"""All tables. The import of this package fills the metadata that Alembic compares."""

from app.core.job_store.cron_ticks import cron_ticks as cron_ticks
from app.core.job_store.outbox import outbox as outbox
from app.models.api_key import ApiKey as ApiKey
from app.models.audit_event import AuditEvent as AuditEvent
from app.models.base import Base as Base
from app.models.email_token import EmailToken as EmailToken
from app.models.email_token import Purpose as Purpose
from app.models.identity import Identity as Identity
from app.models.identity import UsedLogin as UsedLogin
from app.models.item import Item as Item
from app.models.job_owner import JobOwner as JobOwner
from app.models.known_device import KnownDevice as KnownDevice
from app.models.passkey import Passkey as Passkey
from app.models.personal_data_archive import PersonalDataArchive as PersonalDataArchive
from app.models.role import Role as Role
from app.models.role import UserRole as UserRole
from app.models.second_factor import MfaChallenge as MfaChallenge
from app.models.second_factor import RecoveryCode as RecoveryCode
from app.models.second_factor import TotpFactor as TotpFactor
from app.models.security_alert import Alert as Alert
from app.models.security_alert import SecurityAlert as SecurityAlert
from app.models.session import RefreshToken as RefreshToken
from app.models.session import UserSession as UserSession
from app.models.signup_report import SignupReport as SignupReport
from app.models.user import User as User
