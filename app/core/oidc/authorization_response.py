from typing import Annotated

from pydantic import BaseModel, Field

Parameter = Annotated[str, Field(max_length=4_096)]


class AuthorizationResponse(BaseModel):
    """The parameters of a provider's redirect: the state, and a code or an error."""

    state: Parameter | None = None
    code: Parameter | None = None
    error: Parameter | None = None
    iss: Parameter | None = None
