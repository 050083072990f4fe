"""Each page is open or guarded. A new page must be added to one of the two lists.

The pages of the console are in tests/console/test_access.py.
"""

from uuid import uuid4

import httpx2

from app.core.resources import Resources
from tests.routes.operations import all_pages
from tests.support.accounts import Person
from tests.support.browser import SERVICE
from tests.support.page_browser import PageBrowser
from tests.support.service import serve, with_settings

FRONT_END = "https://front.example.com"
FORM = {"GET": {}, "POST": {"email": "ada@example.com"}}

OPEN = """
GET /
GET /login
POST /login
GET /login/oidc/{provider}
GET /login/passkey
POST /login/passkey
GET /login/second-factor
POST /login/second-factor
GET /login/second-factor/passkey
POST /login/second-factor/passkey
GET /signup
POST /signup
GET /signup/done
GET /verify-email
POST /verify-email
GET /verify-email/again
POST /verify-email/again
GET /verify-email/sent
GET /recover-password
POST /recover-password
GET /recover-password/sent
GET /report-takeover
POST /report-takeover
GET /report-takeover/done
GET /reset-password
POST /reset-password
""".strip().splitlines()

GUARDED = """
POST /logout
GET /account
GET /account/confirm
POST /account/confirm
GET /account/confirm/passkey
POST /account/confirm/passkey
GET /account/passkeys
GET /account/passkeys/new
POST /account/passkeys/new
GET /account/passkeys/{id}/rename
POST /account/passkeys/{id}/rename
POST /account/passkeys/{id}/remove
GET /account/name
POST /account/name
GET /account/email
POST /account/email
POST /account/email/withdraw
GET /account/password
POST /account/password
GET /account/second-factor
POST /account/second-factor
GET /account/second-factor/app
POST /account/second-factor/app
GET /account/second-factor/recovery-codes
POST /account/second-factor/recovery-codes
GET /account/second-factor/remove
POST /account/second-factor/remove
GET /account/sessions
POST /account/sessions/{id}/end
POST /account/sessions/end-all
GET /account/api-keys
GET /account/api-keys/new
POST /account/api-keys/new
GET /account/api-keys/created
POST /account/api-keys/{id}/revoke
GET /account/providers
GET /account/providers/{provider}/link
POST /account/providers/{provider}/link
GET /account/providers/continue
POST /account/providers/{id}/unlink
GET /account/export
POST /account/export
GET /account/reports
POST /account/reports
GET /account/reports/{id}
GET /account/reports/{id}/events
GET /account/delete
POST /account/delete
""".strip().splitlines()


def test_every_page_is_listed_as_open_or_guarded() -> None:
    pages = [f"{method} {path}" for method, path in all_pages() if not path.startswith("/console")]

    assert sorted(pages) == sorted(OPEN + GUARDED)


async def test_a_guarded_page_asks_a_stranger_to_log_in(visitor: PageBrowser) -> None:
    answers = {page: await request(visitor.client, page) for page in GUARDED}

    open_to_strangers = {
        page: answer.status_code
        for page, answer in answers.items()
        if answer.status_code != 303 or answer.headers["location"].split("?")[0] != "/login"
    }
    assert open_to_strangers == {}


async def test_a_form_of_another_site_is_refused(visitor: PageBrowser) -> None:
    evil = {"Origin": "https://evil.example.com", "Sec-Fetch-Site": "cross-site"}
    forms = [page for page in OPEN + GUARDED if page.startswith("POST")]
    answers = {page: await request(visitor.client, page, evil) for page in forms}

    assert {page for page, answer in answers.items() if answer.status_code != 403} == set()


async def test_not_even_a_listed_front_end_reads_a_page_or_sends_its_form(
    resources: Resources, ada: Person
) -> None:
    """Otherwise, an attacker's script in the front end could act in the pages and the console."""
    allowed = {"cors_origins": [FRONT_END], "cors_credentials": True}
    headers = {"Origin": FRONT_END, "Sec-Fetch-Site": "same-site"}
    async with serve(with_settings(resources, **allowed), SERVICE) as client:
        client.cookies.set("__Host-session", ada.refresh_token)
        answers = {page: await request(client, page, headers) for page in OPEN + GUARDED}

    assert {page for page, answer in answers.items() if answer.status_code != 403} == set()
    assert {page for page, answer in answers.items() if ada.email in answer.text} == set()


async def request(
    client: httpx2.AsyncClient, page: str, headers: dict[str, str] | None = None
) -> httpx2.Response:
    method, path = page.split()
    url = path.replace("{id}", str(uuid4()))
    return await client.request(method, url, headers=headers, data=FORM[method])
