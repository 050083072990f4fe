from typing import Annotated

from pydantic import BaseModel, Field

Parameter = Annotated[str, Field(max_length=4_096)]


class Answer(BaseModel):
    """What a provider has the browser bring back: a code or an error, for the login of `state`."""

    state: Parameter | None = None
    code: Parameter | None = None
    error: Parameter | None = None
    iss: Parameter | None = None
