"""Composes an email from a function of the catalog and its two templates."""

import inspect
from collections.abc import Awaitable, Callable
from typing import get_type_hints

from app.core.mailer import EmailMessage
from app.schemas.jobs import EmailJob
from app.services.emails import catalog
from app.services.emails.draft import Draft
from app.services.scope import Scope

FUNCTIONS: dict[type[EmailJob], Callable[[Scope, EmailJob], Awaitable[Draft]]] = {
    get_type_hints(function)["job"]: function
    for _, function in inspect.getmembers(catalog, inspect.iscoroutinefunction)
    if function.__module__ == catalog.__name__
}


async def compose(scope: Scope, job: EmailJob) -> EmailMessage:
    """Compose the email of a job. Raise NothingToSend."""
    function = next(FUNCTIONS[kind] for kind in type(job).__mro__ if kind in FUNCTIONS)
    draft = await function(scope, job)
    return _render(draft.template or function.__name__, draft)


def _render(name: str, draft: Draft) -> EmailMessage:
    """Render the two templates of an email."""
    # Most processes never render an email, and importing Jinja takes a while.
    from app.services.emails.templates import templates  # noqa: PLC0415

    values = {"subject": draft.subject, "email": draft.recipient, "name": None, **draft.values}
    return EmailMessage(
        to=draft.recipient,
        subject=draft.subject,
        text=templates.get_template(f"{name}.txt").render(values),
        html=templates.get_template(f"{name}.html").render(values),
    )
