from app.core.exceptions import Refused, Unavailable


class InvalidAnswer(Refused):
    """A provider's answer does not prove what it should. `reason` is for operators only."""

    def __init__(self, reason: str) -> None:
        super().__init__("The answer of the provider could not be verified. Start again.")
        # A provider may have chosen it, and PostgreSQL does not store every character.
        self.reason = reason.encode("ascii", "replace").decode().replace("\x00", "?")[:200]


class ProviderUnavailable(Unavailable):
    def __init__(self, name: str, cause: str) -> None:
        super().__init__(f"The provider {name} does not answer. Try again in a moment.", cause)
