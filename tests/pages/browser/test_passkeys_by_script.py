"""A front end uses passkeys over the API, in Chromium with its virtual authenticator."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pytest
from playwright.async_api import CDPSession, Error, Page

from tests.pages.browser.conftest import Site
from tests.support.accounts import API, PASSWORD, Person, create_user
from tests.support.passwords import hash_password

AUTHENTICATOR = {
    "protocol": "ctap2",
    "transport": "internal",
    "hasResidentKey": True,
    "hasUserVerification": True,
    "isUserVerified": True,
    "automaticPresenceSimulation": True,
}

SCRIPT = """async ({ api, token, use, options, body }) => {
  const headers = { "Content-Type": "application/json" };
  if (token) headers.Authorization = `Bearer ${token}`;
  const post = async (path, json) => {
    const answer = await fetch(api + path, { method: "POST", headers, body: JSON.stringify(json) });
    return { status: answer.status, json: await answer.json() };
  };
  const begun = await post(options.path, options.json);
  if (begun.status !== 200) return begun;
  const { state, public_key } = begun.json;
  const credential = use === "create"
    ? await navigator.credentials.create({
        publicKey: PublicKeyCredential.parseCreationOptionsFromJSON(public_key),
      })
    : await navigator.credentials.get({
        publicKey: PublicKeyCredential.parseRequestOptionsFromJSON(public_key),
      });
  const signed = { state, credential: credential.toJSON() };
  const proof = body.field ? { [body.field]: signed } : signed;
  return await post(body.path, { ...body.json, ...proof });
}"""
"""The script of a page, which uses a passkey without a library."""

Answer = Mapping[str, Any]


@pytest.fixture
async def ada(site: Site) -> Person:
    return await create_user(site.resources, password_hash=await hash_password(PASSWORD))


@dataclass(frozen=True)
class VirtualAuthenticator:
    """The virtual authenticator of a browser, controlled by the developer tools."""

    tools: CDPSession
    id: str

    async def stop_recognizing_the_user(self) -> None:
        change = {"authenticatorId": self.id, "isUserVerified": False}
        await self.tools.send("WebAuthn.setUserVerified", change)


@pytest.fixture
async def authenticator(page: Page) -> VirtualAuthenticator:
    """A virtual authenticator in a browser that shows a page of the service."""
    await page.goto("/login")
    tools = await page.context.new_cdp_session(page)
    await tools.send("WebAuthn.enable")
    added = await tools.send("WebAuthn.addVirtualAuthenticator", {"options": AUTHENTICATOR})
    return VirtualAuthenticator(tools, added["authenticatorId"])


async def use_passkey(  # noqa: PLR0913
    page: Page,
    use: str,
    path: str,
    *,
    token: str | None = None,
    options: Mapping[str, object] | None = None,
    json: Mapping[str, object] | None = None,
    field: str | None = None,
) -> Answer:
    """Ask for options, let the authenticator answer, and send the answer to a route."""
    answer: Answer = await page.evaluate(
        SCRIPT,
        {
            "api": API,
            "token": token,
            "use": use,
            "options": {"path": f"{path}/options", "json": options or {}},
            "body": {"path": path, "json": json or {}, "field": field},
        },
    )
    return answer


async def register(page: Page, ada: Person) -> Answer:
    return await use_passkey(
        page, "create", "/users/me/passkeys", token=ada.access_token, json={"name": "Laptop"}
    )


@pytest.mark.usefixtures("authenticator")
async def test_a_person_registers_a_passkey_and_logs_in_without_a_password(
    page: Page, ada: Person
) -> None:
    registered = await register(page, ada)
    login = await use_passkey(page, "get", "/login/passkey")

    assert (registered["status"], registered["json"]["name"]) == (201, "Laptop")
    assert registered["json"]["transports"] == ["internal"]
    assert login["status"] == 200, login
    me = await page.request.get(
        f"{API}/users/me", headers={"Authorization": f"Bearer {login['json']['access_token']}"}
    )
    assert (await me.json())["email"] == ada.email


@pytest.mark.usefixtures("authenticator")
async def test_the_passkey_is_the_second_factor_beside_the_password(
    page: Page, ada: Person
) -> None:
    await register(page, ada)
    form: dict[str, str | float | bool] = {"username": ada.email, "password": PASSWORD}
    first = await (await page.request.post(f"{API}/login/access-token", form=form)).json()
    token = {"token": first["second_factor"]["token"]}
    login = await use_passkey(
        page, "get", "/login/second-factor", options=token, json=token, field="passkey"
    )

    assert first["second_factor"]["methods"] == ["passkey", "recovery_code"]
    assert login["status"] == 200, login


@pytest.mark.usefixtures("authenticator")
async def test_the_passkey_proves_again_who_the_person_is(page: Page, ada: Person) -> None:
    await register(page, ada)
    proof = await use_passkey(
        page, "get", "/login/reauthenticate", token=ada.access_token, field="passkey"
    )

    assert (proof["status"], proof["json"]) == (200, {"message": "Confirmed"})


async def test_a_device_that_does_not_recognize_its_user_signs_nothing(
    page: Page, authenticator: VirtualAuthenticator, ada: Person
) -> None:
    await register(page, ada)
    await authenticator.stop_recognizing_the_user()

    with pytest.raises(Error, match="NotAllowedError"):
        await use_passkey(page, "get", "/login/passkey")
