"""Describes a client in fixed words, because its User-Agent may be an attacker's message."""

from app.services.user_agents import browser_of, first_named, system_of

PROGRAMS = {"curl/": "curl", "python": "a Python program"}


def describe_client(user_agent: str) -> str:
    """Return a description such as "Firefox on Linux"."""
    client = browser_of(user_agent) or first_named(PROGRAMS, user_agent) or "an unknown program"
    system = system_of(user_agent)
    return f"{client} on {system}" if system else client
