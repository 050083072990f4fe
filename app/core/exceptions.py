"""The exceptions of the service. `core/http/errors.py` maps each to an HTTP status."""

from collections.abc import Sequence


class ConfigurationError(SystemExit):
    """A setting is missing or invalid. The process ends with a line that names it and the fix.

    The message never contains the value, because it may be a secret and logs keep stderr.
    """


class AppError(Exception):
    """A failure that the response reports. Its message is for the client."""


class NotFound(AppError):
    """The requested thing does not exist."""


class Conflict(AppError):
    """The request conflicts with the current state, such as an email that is taken."""


class BadRequest(AppError):
    """The request is well-formed, but not allowed in the current state."""


class InvalidField(AppError):
    """A field of the request body is invalid. `field` names it."""

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(reason)
        self.field = field


class Unauthenticated(AppError):
    """The request carries no valid credentials."""

    def __init__(self) -> None:
        super().__init__("Could not validate credentials")


class Forbidden(AppError):
    """The user is authenticated but lacks the permission."""


class RecentProofRequired(Forbidden):
    """The user has to authenticate again. `methods` are the ways that the user has."""

    def __init__(self, methods: Sequence[str], *, minutes: int) -> None:
        super().__init__("Confirm that it is you, then try again")
        self.methods = methods
        self.minutes = minutes


class TooManyAttempts(AppError):
    """The limit of attempts is reached. `retry_after` is in seconds."""

    def __init__(self, retry_after: int, text: str = "Too many attempts. Try again later.") -> None:
        super().__init__(text)
        self.retry_after = retry_after


class SecondFactorRequired(AppError):
    """The password is correct, and the login needs a second factor.

    `token` is valid for the second step, for `expires_in` seconds. `methods` are the second
    factors that the user has.
    """

    def __init__(self, token: str, expires_in: int, methods: Sequence[str]) -> None:
        super().__init__("Second factor required")
        self.methods = methods
        self.token = token
        self.expires_in = expires_in


class Unavailable(AppError):
    """A dependency of the service does not answer. A retry may succeed.

    `cause` is for operators: it names the server, its answer, and the fix.
    """

    retry_after = 5
    """In seconds."""

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


class DatabaseConnectionLost(DatabaseUnavailable):
    """The connection ended before the result arrived. A read can be repeated, a write cannot."""


class DatabaseReadOnly(DatabaseUnavailable):
    """The server is a standby, or configured to be read-only."""


class DatabaseFull(DatabaseUnavailable):
    """The disk of the server is full."""
