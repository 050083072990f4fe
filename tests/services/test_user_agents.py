"""How pages and emails name the browser of a session."""

import pytest

from app.routes.pages.user_agent import device
from app.services.emails.clients import describe_client

CHROME = "Mozilla/5.0 {} AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 {}Safari/537.36"
SAFARI = "Mozilla/5.0 {} AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.4 {}Safari/605.1.15"


@pytest.mark.parametrize(
    ("user_agent", "name"),
    [
        (CHROME.format("(Windows NT 10.0; Win64; x64)", ""), "Chrome on Windows"),
        (CHROME.format("(X11; CrOS x86_64 14541.0.0)", ""), "Chrome on ChromeOS"),
        (CHROME.format("(Linux; Android 10; K)", "Mobile ") + " EdgA/140.0", "Edge on Android"),
        (SAFARI.format("(Macintosh; Intel Mac OS X 10_15_7)", ""), "Safari on macOS"),
        (
            SAFARI.format("(iPhone; CPU iPhone OS 18_4 like Mac OS X)", "Mobile/15E148 "),
            "Safari on iPhone",
        ),
        (
            "Mozilla/5.0 (X11; Linux x86_64; rv:150.0) Gecko/20100101 Firefox/150.0",
            "Firefox on Linux",
        ),
    ],
)
def test_a_browser_has_the_same_name_on_pages_and_in_emails(user_agent: str, name: str) -> None:
    assert (device(user_agent), describe_client(user_agent)) == (name, name)


def test_an_email_repeats_nothing_that_a_program_says_about_itself() -> None:
    assert device("curl/8.15.0") == "curl/8.15.0"
    assert describe_client("curl/8.15.0") == "curl"
    assert describe_client("Your account is closed, call 555-0100") == "an unknown program"
