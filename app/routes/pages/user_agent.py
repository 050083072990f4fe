"""The device of a session, as its User-Agent header names it."""

from app.services.user_agents import browser_of, system_of

MAX_LENGTH = 60


def device(user_agent: str) -> str:
    """Return a description such as "Firefox on Linux", or for a program its own name."""
    browser, system = browser_of(user_agent), system_of(user_agent)
    if browser and system:
        return f"{browser} on {system}"
    return browser or user_agent[:MAX_LENGTH].strip() or "Unknown device"
