"""From the sign-up to the account, as on the first day."""

from tests.support.accounts import PASSWORD
from tests.support.emails import Mailbox
from tests.support.page_browser import PageBrowser


async def test_a_new_user_signs_up_confirms_the_address_logs_in_and_logs_out(
    visitor: PageBrowser, mailbox: Mailbox
) -> None:
    await visitor.open("/")
    await visitor.follow("Sign up")
    signed_up = await visitor.submit(
        "Create account", full_name="Ada Lovelace", email="ada@example.com", password=PASSWORD
    )
    assert (signed_up.status, signed_up.title) == (200, "Check your email")

    await visitor.open(await mailbox.link_to("verify-email"))
    confirmed = await visitor.submit("Confirm my address")
    assert confirmed.path == "/login"
    assert "Your email address is confirmed." in confirmed.text

    account = await visitor.submit("Log in", email="ada@example.com", password=PASSWORD)
    assert (account.path, account.title) == ("/account", "Your account")
    assert "Ada Lovelace" in account.text
    assert "ada@example.com" in account.text

    goodbye = await visitor.submit("Log out")
    assert "You are logged out." in goodbye.text
    assert (await visitor.open("/account")).path == "/login"
