"""The requirements of production for passwords in settings."""

from collections.abc import Iterator
from urllib.parse import unquote, urlsplit

from pydantic import SecretStr

from app.core.configuration.strength import weakness

MINIMUM_PASSWORD = 8


def password_problems(variable: str, password: SecretStr | None) -> Iterator[str]:
    """Yield a problem if the password can be guessed."""
    if password and (reason := weakness(password.get_secret_value(), min_length=MINIMUM_PASSWORD)):
        yield f"{variable} {reason}. Use one that was generated for this deployment"


def url_problems(variable: str, url: str | None, *, missing: bool, example: str) -> Iterator[str]:
    """Yield a problem if the URL is missing, or its password is missing or can be guessed."""
    if url is None:
        return
    parts = urlsplit(url)
    password = unquote(parts.password or "")
    known = (parts.username, parts.path.strip("/"), parts.scheme.partition("+")[0], "postgres")
    if missing:
        yield f"{variable} is missing. Set it to {example}"
    elif not password:
        yield f"{variable} has no password. Set it to {example}"
    elif reason := weakness(password, min_length=MINIMUM_PASSWORD, known=known):
        yield f"The password in {variable} {reason}. Use one that was generated for it"
