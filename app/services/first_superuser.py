"""The first superuser, which the settings define. Superusers create the other users."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import structlog
from sqlalchemy import bindparam, select

from app.core.config import Settings
from app.core.database import DATABASE_ERRORS
from app.core.exceptions import ConfigurationError, DatabaseUnavailable, InvalidField
from app.core.resources import Resources
from app.core.security.email_addresses import normalized_email
from app.core.security.password_policy import check_password
from app.models import User
from app.schemas.user import UserCreate
from app.services.admin_service import AdminService
from app.services.scope import RequestInfo, open_scope
from app.services.user_service import EmailTaken

log = structlog.stdlib.get_logger(__name__)

_USER = select(User.id).where(User.normalized_email == bindparam("email"))

RETRY_INTERVAL = 2.0
"""In seconds."""


def check_first_superuser(settings: Settings) -> None:
    """Raise ConfigurationError for an email without a password, the reverse, or a weak password."""
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
    except InvalidField as error:
        raise ConfigurationError(f"FIRST_SUPERUSER_PASSWORD: {error}") from None


@asynccontextmanager
async def first_superuser(resources: Resources) -> AsyncIterator[None]:
    """Create the superuser of the settings, unless a user with this email exists.

    If the database is down or has no tables, retry in the background, so that the service starts.
    """
    if await _create(resources):
        yield
        return
    retries = asyncio.create_task(_retry(resources))
    try:
        yield
    finally:
        retries.cancel()
        await asyncio.wait([retries])


async def _retry(resources: Resources) -> None:
    while True:
        await asyncio.sleep(RETRY_INTERVAL)
        if await _create(resources):
            return


async def _create(resources: Resources) -> bool:
    """Create the superuser. Return False if the database is unavailable."""
    email = resources.settings.first_superuser_email
    password = resources.settings.first_superuser_password
    if email is None or password is None:
        return True
    try:
        if await resources.reader.first(_USER, email=normalized_email(email)) is not None:
            return True
        async with open_scope(resources, RequestInfo("settings")) as scope:
            await AdminService(scope).create_superuser(UserCreate(email=email, password=password))
        log.info("first_superuser.created")
    except InvalidField as refusal:
        log.error("first_superuser.refused", reason=str(refusal))  # noqa: TRY400  the reason explains it
    except EmailTaken:
        log.debug("first_superuser.created_by_another_process")
    except DATABASE_ERRORS as error:
        cause = error.cause if isinstance(error, DatabaseUnavailable) else str(error)
        log.error("first_superuser.postponed", cause=cause, retry_after=RETRY_INTERVAL)  # noqa: TRY400  the cause explains it
        return False
    return True
