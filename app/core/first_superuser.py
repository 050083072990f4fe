"""The first superuser, from the settings: somebody has to be able to let the others in."""

import structlog
from sqlalchemy.exc import DBAPIError

from app.core.config import ConfigurationError, Settings
from app.core.exceptions import DatabaseUnavailable, Unacceptable
from app.core.password_policy import check_password
from app.core.resources import Resources
from app.schemas.user import UserCreate
from app.services.admin_service import AdminService
from app.services.audit import Caller
from app.services.user_service import EmailTaken

log = structlog.stdlib.get_logger(__name__)


def check_first_superuser(settings: Settings) -> None:
    """Raise ConfigurationError for half a superuser, or for a password that is easy to guess."""
    email, password = settings.first_superuser_email, settings.first_superuser_password
    if (email is None) != (password is None):
        raise ConfigurationError(
            "Set both FIRST_SUPERUSER_EMAIL and FIRST_SUPERUSER_PASSWORD, or neither"
        )
    if email is None or password is None:
        return
    try:
        check_password(
            password.get_secret_value(), min_length=settings.password_min_length, about=(email,)
        )
    except Unacceptable as error:
        raise ConfigurationError(f"FIRST_SUPERUSER_PASSWORD: {error}") from None


async def create_first_superuser(resources: Resources) -> None:
    """Create the superuser of the settings, where nobody has the address yet."""
    email = resources.settings.first_superuser_email
    password = resources.settings.first_superuser_password
    if email is None or password is None:
        return
    try:
        async with resources.unit_of_work() as uow:
            admin = AdminService(uow, resources.settings, Caller("settings"), actor_id=None)
            if await admin.users.find_by_email(email) is None:
                await admin.create_superuser(UserCreate(email=email, password=password))
                log.info("first_superuser.created")
    except EmailTaken:
        log.debug("first_superuser.created_by_another_process")
    except (DatabaseUnavailable, DBAPIError) as error:
        log.error("first_superuser.not_created", cause=str(error))  # noqa: TRY400  the cause says it
