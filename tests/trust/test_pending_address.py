"""A pending change of address is shown, can be withdrawn, and expires."""

from datetime import UTC, datetime

import httpx2
import pytest
from sqlalchemy import func, update

from app.core.resources import Resources
from app.models import User
from app.schemas.jobs import SendEmailChange
from app.services.emails.composer import compose
from app.services.emails.draft import NothingToSend
from tests.support.accounts import Person, open_anonymous_scope
from tests.support.emails import Mailbox
from tests.trust.attacks import ATTACKERS, ME, request_email_change, stored, verify

PENDING = f"{ME}/email-change"


async def test_a_pending_change_of_address_is_shown_until_it_expires(
    client: httpx2.AsyncClient, resources: Resources, ada: Person
) -> None:
    assert (await client.get(PENDING, headers=ada.headers)).status_code == 404
    await request_email_change(client, ada.headers)
    shown = (await client.get(PENDING, headers=ada.headers)).json()
    lifetime = datetime.fromisoformat(shown["expires_at"]) - datetime.now(UTC)
    assert shown["email"] == ATTACKERS
    assert 0 < lifetime.total_seconds() <= resources.settings.verification_link_lifetime

    async with resources.unit_of_work() as uow:
        await uow.session.execute(update(User).values(new_email_expires_at=func.now()))
    assert (await client.get(PENDING, headers=ada.headers)).status_code == 404


async def test_a_withdrawn_change_of_address_has_no_working_link(
    client: httpx2.AsyncClient, resources: Resources, mailbox: Mailbox, ada: Person
) -> None:
    await request_email_change(client, ada.headers)
    token = await mailbox.token_for("verify-email", ATTACKERS)
    assert (await client.delete(PENDING, headers=ada.headers)).status_code == 200

    assert (await verify(client, token)).status_code == 400
    assert (await stored(resources, ada)).email == ada.email
    assert (await client.delete(PENDING, headers=ada.headers)).status_code == 404


async def test_a_job_that_is_tried_again_cannot_extend_a_change_of_address(
    client: httpx2.AsyncClient, resources: Resources, ada: Person
) -> None:
    """The email server was down for longer than the change was pending."""
    await request_email_change(client, ada.headers)
    async with resources.unit_of_work() as uow:
        await uow.session.execute(update(User).values(new_email_expires_at=func.now()))

    async with open_anonymous_scope(resources) as scope:
        with pytest.raises(NothingToSend):
            await compose(scope, SendEmailChange(user_id=ada.id, email=ATTACKERS))


async def test_a_newer_change_of_address_makes_the_earlier_link_invalid(
    client: httpx2.AsyncClient, resources: Resources, mailbox: Mailbox, ada: Person
) -> None:
    await request_email_change(client, ada.headers, "first@example.net")
    first = await mailbox.token_for("verify-email", "first@example.net")
    await request_email_change(client, ada.headers, "second@example.net")

    assert (await verify(client, first)).status_code == 400
    assert (await stored(resources, ada)).email == ada.email
