"""The errors of a form, and the values that it keeps."""

from tests.support.accounts import PASSWORD, Person
from tests.support.page_browser import PageBrowser


async def test_each_error_is_next_to_its_field_and_what_was_typed_stays(
    visitor: PageBrowser, ada: Person
) -> None:
    await visitor.open("/signup")
    page = await visitor.submit(
        "Create account", full_name="Ada", email="ada at example", password="short"
    )

    assert page.status == 422
    assert page.error("email") == "This is not an email address."
    assert page.error("password") == "Use at least 8 characters."
    assert page.title.startswith("Error: ")
    assert page.form("Create account").fields == {
        "full_name": "Ada",
        "email": "ada at example",
        "password": "",
    }

    page = await visitor.submit("Create account", email=ada.email, password=PASSWORD)
    assert (page.status, page.error("email")) == (409, "There is an account with this address.")

    page = await visitor.submit("Create account", email="bob@example.com", password="password1")
    assert (page.status, page.error("password")) == (422, "Password is too common.")

    page = await visitor.submit("Create account", password=PASSWORD)
    assert page.title == "Check your email"


async def test_an_empty_field_is_named(visitor: PageBrowser) -> None:
    await visitor.open("/recover-password")

    page = await visitor.submit("Send the link", email="")
    assert page.error("email") == "Fill in this field."


async def test_typed_text_is_never_markup(visitor: PageBrowser) -> None:
    evil = '"><script>alert(1)</script>'
    await visitor.open("/login")
    page = await visitor.submit("Log in", email=evil, password=PASSWORD)

    assert page.form("Log in").fields["email"] == evil
    assert "<script" not in page.response.text


async def test_a_page_loads_and_runs_nothing_but_our_own_files(visitor: PageBrowser) -> None:
    response = (await visitor.open("/")).response

    policy = response.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; style-src 'self'; script-src 'self'")
    assert "unsafe" not in policy
    assert " style=" not in response.text
    assert response.headers["cache-control"] == "no-store"


async def test_a_failed_change_changes_nothing(user: PageBrowser) -> None:
    await user.open("/account/name")
    page = await user.submit("Save", full_name="x" * 256)
    assert page.error("full_name") == "Use at most 255 characters."

    account = await user.open("/account")
    assert "Ada" in account.text
    assert "xxx" not in account.text
