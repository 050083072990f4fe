"""No user can send text to a stranger through the service."""

from uuid import uuid4

import httpx2
import pytest

from app.core.queue import EMAIL
from app.core.resources import Resources
from tests.support.accounts import ADA, API, PASSWORD, SIGNUP, Person, create_user
from tests.support.browser import open_browser
from tests.support.emails import Mailbox
from tests.support.oidc_provider import run_provider
from tests.support.passwords import hash_password
from tests.trust.attacks import ME, request_email_change

MESSAGE = "You won! Claim it at https://evil.example.net"
ATTACKS = {
    "line feed": "Ada\nYou won",
    "carriage return": "Ada\rYou won",
    "tab": "Ada\tYou won",
    "escape": "Ada\x1b[2J",
    "next line": "Ada\x85You won",
    "line separator": "Ada\u2028You won",
    "paragraph separator": "Ada\u2029You won",
    "right-to-left override": "Ada\u202egnp.exe",
    "isolate": "Ada\u2066x\u2069",
    "right-to-left mark": "Ada\u200f",
    "Arabic letter mark": "Ada\u061c",
}


async def test_a_sign_up_with_the_address_of_a_stranger_sends_no_text_of_the_sender(
    client: httpx2.AsyncClient, mailbox: Mailbox
) -> None:
    await client.post(SIGNUP, json=ADA | {"full_name": MESSAGE})
    for path in ("verify-email", "password-recovery"):
        await client.post(f"{API}/{path}/{ADA['email']}")

    emails = await mailbox.receive()
    assert len(emails) == 3
    assert [email for email in emails if "evil" in f"{email.subject}{email.text}{email.html}"] == []


async def test_a_change_of_address_sends_no_text_of_the_sender(
    client: httpx2.AsyncClient, mailbox: Mailbox, ada: Person
) -> None:
    await client.patch(ME, json={"full_name": MESSAGE}, headers=ada.headers)
    await request_email_change(client, ada.headers, "stranger@example.net")

    [email] = [email for email in await mailbox.receive() if email.to == ["stranger@example.net"]]
    assert "evil" not in f"{email.subject}{email.text}{email.html}"


async def test_a_taken_address_gets_the_same_answer_as_a_free_one_and_its_owner_an_email(
    client: httpx2.AsyncClient, resources: Resources, mailbox: Mailbox, ada: Person
) -> None:
    bob = await create_user(resources, "bob", password_hash=await hash_password(PASSWORD))
    taken = await request_email_change(client, ada.headers, bob.email)
    [email] = [email for email in await mailbox.receive() if email.to == [bob.email]]
    free = await request_email_change(client, ada.headers, "free@example.com")

    assert (taken.status_code, taken.json()) == (free.status_code, free.json())
    assert email.subject == "You have an account"
    assert "verify-email" not in (email.text or "")


@pytest.mark.parametrize("name", ATTACKS.values(), ids=ATTACKS)
async def test_a_name_is_one_line_that_shows_what_it_says(
    client: httpx2.AsyncClient, ada: Person, root: Person, name: str
) -> None:
    key = {"name": name, "scopes": ["jobs:read"], "current_password": PASSWORD}
    new = {"email": "new@example.com", "password": PASSWORD, "full_name": name}
    answers = [
        await client.post(SIGNUP, json=new),
        await client.patch(ME, json={"full_name": name}, headers=ada.headers),
        await client.post(f"{API}/users/", json=new, headers=root.headers),
        await client.patch(f"{API}/users/{ada.id}", json={"full_name": name}, headers=root.headers),
        await client.post(f"{API}/roles/", json={"name": name}, headers=root.headers),
        await client.post(f"{ME}/api-keys", json=key, headers=ada.headers),
        await client.patch(f"{ME}/passkeys/{uuid4()}", json={"name": name}, headers=ada.headers),
    ]

    assert [answer.status_code for answer in answers] == [422] * 7


async def test_names_in_any_script_are_welcome(client: httpx2.AsyncClient, ada: Person) -> None:
    for name in ("Łukasz Żak", "محمد", "דוד", "علی‌رضا", "李小龍", "👩‍💻 Ada", "O'Neil-Šmíd"):
        answer = await client.patch(ME, json={"full_name": name}, headers=ada.headers)
        assert (answer.status_code, answer.json()["full_name"]) == (200, name)


async def test_a_provider_cannot_bring_a_name_that_is_not_one_line(resources: Resources) -> None:
    with run_provider() as acme:
        acme.person["name"] = "Ada\nYou won"
        async with open_browser(resources, acme=acme) as browser:
            await browser.log_in()
            assert (await browser.me())["full_name"] is None


async def test_an_address_change_enqueues_one_job_for_a_taken_address_and_for_a_free_one(
    client: httpx2.AsyncClient, resources: Resources, ada: Person
) -> None:
    await create_user(resources, "bob")
    for email in ("bob@example.com", "free@example.com"):
        await request_email_change(client, ada.headers, email)

    jobs = [job.function for job in await resources.queues[EMAIL].queued_jobs()]
    assert jobs.count("SendEmailChange") == 2
