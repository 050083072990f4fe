"""The browser and the operating system in a User-Agent header."""

import re

BROWSERS = (
    # The order matters, because most browsers also name the browsers that they resemble.
    ("Edge", re.compile(r"\bEdgA?/")),
    ("Opera", re.compile(r"\bOPR/")),
    ("Samsung Internet", re.compile(r"\bSamsungBrowser/")),
    ("Firefox", re.compile(r"\b(Firefox|FxiOS)/")),
    ("Chrome", re.compile(r"\b(Chrome|CriOS|HeadlessChrome)/")),
    ("Safari", re.compile(r"\bSafari/")),
)
SYSTEMS = (
    ("iPhone", re.compile(r"\biPhone\b")),
    ("iPad", re.compile(r"\biPad\b")),
    ("Android", re.compile(r"\bAndroid\b")),
    ("Windows", re.compile(r"\bWindows\b")),
    ("macOS", re.compile(r"\bMac OS X\b|\bMacintosh\b")),
    ("Linux", re.compile(r"\bLinux\b")),
)
MAX_LENGTH = 60


def device(user_agent: str) -> str:
    """Return a description such as "Firefox on Linux", or for a program its own name."""
    browser, system = _find(BROWSERS, user_agent), _find(SYSTEMS, user_agent)
    match browser, system:
        case str(), str():
            return f"{browser} on {system}"
        case _:
            return browser or user_agent[:MAX_LENGTH].strip() or "Unknown device"


def _find(table: tuple[tuple[str, re.Pattern[str]], ...], user_agent: str) -> str | None:
    return next((name for name, pattern in table if pattern.search(user_agent)), None)
