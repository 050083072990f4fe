from typing import Annotated

from pydantic import BaseModel, Field

Parameter = Annotated[str, Field(max_length=4_096)]


class AuthorizationResponse(BaseModel):
    """The parameters of the redirect back from a provider: a code or an error, and the state."""

    state: Parameter | None = None
    code: Parameter | None = None
    error: Parameter | None = None
    iss: Parameter | None = None
