"""Failures in plain words. What they mean to HTTP stands in one table, in `setup.py`."""


class AppError(Exception):
    """A failure that the caller should hear about; its text is written for them."""


class NotFound(AppError):
    """What was asked for does not exist."""


class Conflict(AppError):
    """What was asked for contradicts what is already there."""


class Unavailable(AppError):
    """Something that the service depends on does not answer; trying again later may help.

    `cause` says, for operators, which server, what it said, and the cure.
    """

    def __init__(self, text: str, cause: str) -> None:
        super().__init__(text)
        self.cause = cause


class DatabaseUnavailable(Unavailable):
    def __init__(self, cause: str) -> None:
        super().__init__("The database is not available. Try again in a moment.", cause)


class DatabaseMissing(DatabaseUnavailable):
    def __init__(self, name: str, where: str) -> None:
        super().__init__(
            f'The database "{name}" does not exist on PostgreSQL at {where}. Create it '
            f'(createdb "{name}"), then apply the migrations: alembic upgrade head'
        )
