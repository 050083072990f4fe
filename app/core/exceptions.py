"""Failures in plain words. What they mean to HTTP stands in one table, in `setup.py`."""


class AppError(Exception):
    """A failure that the caller should hear about; its text is written for them."""


class NotFound(AppError):
    """What was asked for does not exist."""


class Conflict(AppError):
    """What was asked for contradicts what is already there."""


class Refused(AppError):
    """What was asked for is well-formed, but wrong as things stand."""


class Unacceptable(AppError):
    """One field of what was sent cannot be accepted; `field` names it."""

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(reason)
        self.field = field


class Unauthenticated(AppError):
    """Nobody stands behind this request, as far as its credentials tell."""

    def __init__(self) -> None:
        super().__init__("Could not validate credentials")


class Forbidden(AppError):
    """We know who asks, and they may not."""


class TooManyAttempts(AppError):
    """`retry_after` is in seconds."""

    def __init__(self, retry_after: int) -> None:
        super().__init__("Too many attempts. Try again later.")
        self.retry_after = retry_after


class SecondFactorNeeded(AppError):
    """The password was right; `token` is good for the second step, for `expires_in` seconds."""

    def __init__(self, token: str, expires_in: int) -> None:
        super().__init__("Second factor required")
        self.token = token
        self.expires_in = expires_in


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
