from sqlalchemy import delete, func

from app.core.unit_of_work import UnitOfWork
from app.models import ApiKey, LoginChallenge, MailedToken, UsedLogin, UserSession


async def delete_expired_rows(uow: UnitOfWork) -> None:
    """Delete what has run out: sessions, links, keys, half and used logins. It counts no longer."""
    for table in (UserSession, MailedToken, LoginChallenge, UsedLogin, ApiKey):
        await uow.session.execute(delete(table).where(table.expires_at <= func.now()))
