import httpx2
import pytest

from tests.support.accounts import ADA, API, SIGNUP, bearer, log_in


@pytest.fixture
async def ada(client: httpx2.AsyncClient) -> dict[str, str]:
    user: dict[str, str] = (await client.post(SIGNUP, json=ADA)).json()
    return user


@pytest.mark.usefixtures("ada")
async def test_the_right_password_gets_tokens(client: httpx2.AsyncClient) -> None:
    answer = await log_in(client)

    tokens = answer.json()
    assert answer.status_code == 200
    assert (tokens["token_type"], tokens["expires_in"]) == ("bearer", 900)
    me = await client.get(f"{API}/users/me", headers=bearer(tokens["access_token"]))
    assert (me.status_code, me.json()["email"]) == (200, ADA["email"])
    tested = await client.post(f"{API}/login/test-token", headers=bearer(tokens["access_token"]))
    assert tested.json() == me.json()


@pytest.mark.usefixtures("ada")
async def test_the_case_of_an_email_does_not_matter(client: httpx2.AsyncClient) -> None:
    assert (await log_in(client, "ADA@EXAMPLE.com")).status_code == 200


@pytest.mark.usefixtures("ada")
@pytest.mark.parametrize(
    ("email", "password"),
    [
        (ADA["email"], "wrong horse"),
        ("nobody@example.com", "correct horse"),
        ("no address", "correct horse"),
        ("ada\x00@example.com", "correct horse"),
        (ADA["email"], "x" * 1_000_000),
    ],
    ids=["wrong password", "unknown", "no address", "NUL", "1 MB"],
)
async def test_every_wrong_login_gets_the_same_answer(
    client: httpx2.AsyncClient, email: str, password: str
) -> None:
    answer = await log_in(client, email, password)

    assert answer.status_code == 400
    assert answer.json()["detail"] == "Incorrect email or password"
