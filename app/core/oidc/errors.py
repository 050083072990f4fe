from app.core.exceptions import BadRequest, Unavailable

MAX_REASON = 200


class InvalidResponse(BadRequest):
    """A provider's response could not be verified. `reason` is for operators only."""

    def __init__(self, reason: str) -> None:
        super().__init__("The answer of the provider could not be verified. Start again.")
        # The text may come from the provider, and PostgreSQL cannot store every character.
        self.reason = reason.encode("ascii", "replace").decode().replace("\x00", "?")[:MAX_REASON]


class ProviderUnavailable(Unavailable):
    def __init__(self, name: str, cause: str) -> None:
        super().__init__(f"The provider {name} does not answer. Try again in a moment.", cause)
