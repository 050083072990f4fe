from pydantic import TypeAdapter, ValidationError

from app.core.oidc.claims import Claims
from app.core.oidc.errors import InvalidResponse
from app.schemas.common import Email, Line
from app.schemas.oidc import VerifiedIdentity

MAX_NAME = 255

_email = TypeAdapter[str](Email)
_line = TypeAdapter[str](Line)


def verified_identity(provider: str, claims: Claims) -> VerifiedIdentity:
    """Return the identity that a provider's verified claims describe.

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
    # Some providers send a string. Without the claim, the email is not verified.
    claim = claims.get("email_verified")
    if claim is not True and claim != "true":
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
