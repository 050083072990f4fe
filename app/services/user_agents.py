"""The browser and the operating system that a User-Agent header names."""

from collections.abc import Mapping

BROWSERS = {
    "Edg/": "Edge",
    "EdgA/": "Edge",
    "OPR/": "Opera",
    "SamsungBrowser/": "Samsung Internet",
    "Firefox/": "Firefox",
    "FxiOS/": "Firefox",
    "CriOS/": "Chrome",
    "Chrome/": "Chrome",
    "Safari/": "Safari",
}
"""The order matters, because most browsers also name the browsers that they resemble."""

SYSTEMS = {
    "Android": "Android",
    "iPhone": "iPhone",
    "iPad": "iPad",
    "Windows": "Windows",
    "Mac OS X": "macOS",
    "Macintosh": "macOS",
    "CrOS": "ChromeOS",
    "Linux": "Linux",
}


def browser_of(user_agent: str) -> str | None:
    return first_named(BROWSERS, user_agent)


def system_of(user_agent: str) -> str | None:
    return first_named(SYSTEMS, user_agent)


def first_named(names: Mapping[str, str], user_agent: str) -> str | None:
    """Return the name of the first entry whose mark the header contains."""
    return next((name for mark, name in names.items() if mark in user_agent), None)
