from pydantic import TypeAdapter, ValidationError

from app.core.oidc.claims import Claims
from app.core.oidc.errors import InvalidResponse
from app.schemas.common import Email, Line
from app.schemas.oidc import VerifiedIdentity

MAX_NAME = 255

_email = TypeAdapter[str](Email)
_line = TypeAdapter[str](Line)


def verified_identity(provider: str, claims: Claims) -> VerifiedIdentity:
    """Return the part of verified claims that we rely on.

    Raise InvalidResponse without a usable subject.
    """
    try:
        return VerifiedIdentity.model_validate(
            {
                "provider": provider,
                "subject": claims.get("sub"),
                "email": _verified_email(claims),
                "full_name": _name(claims),
            }
        )
    except ValidationError as error:
        raise InvalidResponse("the subject is unusable") from error


def _verified_email(claims: Claims) -> str | None:
    # Some providers send the word. Anything else, and no claim at all, is no promise.
    word = claims.get("email_verified")
    if word is not True and word != "true":
        return None
    try:
        return _email.validate_python(claims.get("email"))
    except ValidationError:
        return None


def _name(claims: Claims) -> str | None:
    try:
        return _line.validate_python(claims.get("name"))[:MAX_NAME] or None
    except ValidationError:
        return None
