from pydantic import TypeAdapter, ValidationError

from app.core.oidc.client import Claims
from app.core.oidc.errors import InvalidAnswer
from app.schemas.fields import Email, Text
from app.schemas.oidc import ProvenIdentity

MAX_NAME = 255

_email = TypeAdapter[str](Email)
_text = TypeAdapter[str](Text)


def proven_identity(provider: str, claims: Claims) -> ProvenIdentity:
    """Take from verified claims what we rely on. Raises InvalidAnswer without a usable subject."""
    try:
        return ProvenIdentity.model_validate(
            {
                "provider": provider,
                "subject": claims.get("sub"),
                "email": _verified_email(claims),
                "full_name": _name(claims),
            }
        )
    except ValidationError as error:
        raise InvalidAnswer("the subject is unusable") from error


def _verified_email(claims: Claims) -> str | None:
    # Some say it in words; anything else, as well as silence, is no promise.
    word = claims.get("email_verified")
    if word is not True and word != "true":
        return None
    try:
        return _email.validate_python(claims.get("email"))
    except ValidationError:
        return None


def _name(claims: Claims) -> str | None:
    try:
        return _text.validate_python(claims.get("name"))[:MAX_NAME] or None
    except ValidationError:
        return None
