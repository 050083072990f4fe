from sqlalchemy import delete, func

from app.core.unit_of_work import UnitOfWork
from app.models import ApiKey, LoginChallenge, MailedToken, UserSession


async def delete_expired_rows(uow: UnitOfWork) -> None:
    """Delete the sessions, links, keys and half logins that have run out and count for nothing."""
    for table in (UserSession, MailedToken, LoginChallenge, ApiKey):
        await uow.session.execute(delete(table).where(table.expires_at <= func.now()))
