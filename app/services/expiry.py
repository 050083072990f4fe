from sqlalchemy import delete, func

from app.core.unit_of_work import UnitOfWork
from app.models import MailedToken, UsedLogin, UserSession


async def delete_expired_rows(uow: UnitOfWork) -> None:
    """Delete what has run out: sessions, links, used logins. It counts for nothing already."""
    for table in (UserSession, MailedToken, UsedLogin):
        await uow.session.execute(delete(table).where(table.expires_at <= func.now()))
