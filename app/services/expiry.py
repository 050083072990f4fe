from sqlalchemy import delete, func

from app.core.unit_of_work import UnitOfWork
from app.models import MailedToken, UserSession


async def delete_expired_rows(uow: UnitOfWork) -> None:
    """Delete the sessions and links that have run out; they count for nothing already."""
    for table in (UserSession, MailedToken):
        await uow.session.execute(delete(table).where(table.expires_at <= func.now()))
