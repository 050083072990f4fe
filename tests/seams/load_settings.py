"""Settings for many users who sign up at the same time."""

from dev.mail_catcher import MailCatcher
from tests.support.limits import limits


def under_load(inbox: MailCatcher) -> dict[str, object]:
    """Return settings without limits for sign-ups, whose emails go to this inbox."""
    return {"smtp_host": inbox.host, "smtp_port": inbox.port} | limits()
