"""The second step of a login."""

import asyncio
from dataclasses import replace

import httpx2
import pytest
from pydantic import SecretStr
from sqlalchemy import func, select, update

from app.core.resources import Resources
from app.core.security.throttle import open_throttle
from app.core.setup import create_application
from app.models import MfaChallenge, TotpFactor, User, UserSession
from app.services.auth.totp_service import MAX_FAILURES
from tests.support.accounts import API, PASSWORD, Person, bearer, create_user, log_in
from tests.support.authenticator import Authenticator, enroll_authenticator
from tests.support.limits import limits
from tests.support.passwords import hash_password
from tests.support.secrets import OTHER_SECRET
from tests.support.service import already_open, serve, with_settings
from tests.support.waiting import wait_until

SECOND = f"{API}/login/second-factor"


@pytest.fixture
async def app(resources: Resources, ada: Person) -> Authenticator:
    return await enroll_authenticator(resources, ada)


async def first_step(client: httpx2.AsyncClient) -> str:
    answer = (await log_in(client)).json()
    return str(answer["second_factor"]["token"])


async def second_step(client: httpx2.AsyncClient, token: str, code: str) -> httpx2.Response:
    return await client.post(SECOND, json={"token": token, "code": code})


async def both_steps(client: httpx2.AsyncClient, code: str) -> httpx2.Response:
    return await second_step(client, await first_step(client), code)


async def test_without_a_second_factor_a_login_has_one_step(
    client: httpx2.AsyncClient, ada: Person
) -> None:
    answer = await log_in(client, ada.email)

    assert answer.status_code == 200
    assert set(answer.json()) == {"access_token", "token_type", "expires_in", "refresh_token"}


async def test_with_a_second_factor_the_password_only_leads_to_the_second_step(
    client: httpx2.AsyncClient, app: Authenticator
) -> None:
    answer = await log_in(client)
    problem = answer.json()
    assert (answer.status_code, problem["detail"]) == (400, "Second factor required")
    challenge = problem["second_factor"]
    assert challenge["expires_in"] == 300
    assert challenge["methods"] == ["totp", "recovery_code"]
    assert "access_token" not in answer.text
    assert "set-cookie" not in answer.headers
    for use in (
        client.get(f"{API}/users/me", headers=bearer(challenge["token"])),
        client.post(f"{API}/login/refresh", json={"refresh_token": challenge["token"]}),
    ):
        assert (await use).status_code == 401

    tokens = (await second_step(client, challenge["token"], app.code())).json()
    me = await client.get(f"{API}/users/me", headers=bearer(tokens["access_token"]))
    assert me.status_code == 200
    renewed = await client.post(
        f"{API}/login/refresh", json={"refresh_token": tokens["refresh_token"]}
    )
    assert renewed.status_code == 200


@pytest.mark.usefixtures("app")
async def test_a_wrong_password_does_not_reveal_a_second_factor(
    client: httpx2.AsyncClient,
) -> None:
    answer = await log_in(client, password="wrong horse")

    assert answer.json()["detail"] == "Incorrect email or password"
    assert "second_factor" not in answer.json()


async def test_a_browser_gets_its_cookie_after_the_second_step(
    client: httpx2.AsyncClient, app: Authenticator
) -> None:
    body = {"token": await first_step(client), "code": app.code()}
    answer = await client.post(SECOND, params={"refresh_token": "cookie"}, json=body)

    assert answer.json()["refresh_token"] is None
    assert answer.headers["set-cookie"].startswith("__Host-refresh_token=")


async def test_a_code_works_once(client: httpx2.AsyncClient, app: Authenticator) -> None:
    code = app.code()
    assert (await both_steps(client, code)).status_code == 200

    again = await both_steps(client, code)
    assert (again.status_code, again.json()["detail"]) == (400, "Incorrect code")
    assert (await both_steps(client, app.code(later=-1))).status_code == 400
    assert (await both_steps(client, app.code(later=1))).status_code == 200


async def test_a_code_that_is_sent_several_times_at_once_works_once(
    committing_resources: Resources,
) -> None:
    ada = await create_user(committing_resources, password_hash=await hash_password(PASSWORD))
    app = await enroll_authenticator(committing_resources, ada)
    async with serve(committing_resources) as client:
        tokens = [await first_step(client) for _ in range(8)]
        code = app.code()
        answers = await asyncio.gather(*(second_step(client, token, code) for token in tokens))

    assert [answer.status_code for answer in answers].count(200) == 1


async def test_one_challenge_opens_one_session(committing_resources: Resources) -> None:
    ada = await create_user(committing_resources, password_hash=await hash_password(PASSWORD))
    app = await enroll_authenticator(committing_resources, ada)
    async with serve(committing_resources) as client:
        token = await first_step(client)
        codes = app.recovery_codes[:5]
        answers = await asyncio.gather(*(second_step(client, token, code) for code in codes))

    assert [answer.status_code for answer in answers].count(200) == 1
    async with committing_resources.unit_of_work() as uow:
        count = await uow.session.scalar(select(func.count()).select_from(UserSession))
    assert count == 2  # her earlier session and this one


@pytest.mark.usefixtures("app")
async def test_the_code_of_another_app_is_wrong(
    client: httpx2.AsyncClient, resources: Resources
) -> None:
    bob = await enroll_authenticator(resources, await create_user(resources, "bob"))

    assert (await both_steps(client, bob.code())).status_code == 400
    assert (await both_steps(client, bob.recovery_codes[0])).status_code == 400


async def test_codes_may_contain_spaces_and_hyphens(
    client: httpx2.AsyncClient, app: Authenticator
) -> None:
    code = app.code()

    assert (await both_steps(client, f"{code[:3]} {code[3:]}")).status_code == 200
    typed = app.recovery_codes[0].replace("-", " ").lower()
    assert (await both_steps(client, typed)).status_code == 200


async def test_a_recovery_code_works_once(
    client: httpx2.AsyncClient, ada: Person, app: Authenticator
) -> None:
    code = app.recovery_codes[3]
    answers = [await both_steps(client, code) for _ in range(2)]

    assert [answer.status_code for answer in answers] == [200, 400]
    status = await client.get(f"{API}/users/me/second-factor", headers=ada.headers)
    assert status.json()["recovery_codes_left"] == 9


async def test_new_recovery_codes_replace_the_old_ones(
    client: httpx2.AsyncClient, ada: Person, app: Authenticator
) -> None:
    answer = await client.post(
        f"{API}/users/me/second-factor/recovery-codes",
        json={"current_password": PASSWORD},
        headers=ada.headers,
    )

    assert (await both_steps(client, app.recovery_codes[0])).status_code == 400
    assert (await both_steps(client, answer.json()["recovery_codes"][0])).status_code == 200


async def test_an_expired_or_unknown_challenge_does_not_work(
    client: httpx2.AsyncClient, resources: Resources, app: Authenticator
) -> None:
    token = await first_step(client)
    async with resources.unit_of_work() as uow:
        await uow.session.execute(update(MfaChallenge).values(expires_at=func.now()))

    for bad in (token, "x" * 43, ""):
        answer = await second_step(client, bad, app.code())
        assert answer.status_code == 400
        assert answer.json()["detail"].startswith("This login is too old.")


@pytest.mark.parametrize("change", [{"password": "another battery"}, {"is_active": False}])
async def test_an_unfinished_login_does_not_outlive_its_password_or_user(
    client: httpx2.AsyncClient, resources: Resources, ada: Person, app: Authenticator,
    change: dict[str, object],
) -> None:  # fmt: skip
    root = await create_user(resources, "root", superuser=True)
    token = await first_step(client)
    await client.patch(f"{API}/users/{ada.id}", json=change, headers=root.headers)

    assert (await second_step(client, token, app.code())).status_code == 400


async def test_a_user_who_is_deactivated_between_the_steps_cannot_log_in(
    client: httpx2.AsyncClient, resources: Resources, app: Authenticator
) -> None:
    token = await first_step(client)
    async with resources.unit_of_work() as uow:
        await uow.session.execute(update(User).values(is_active=False))

    assert (await second_step(client, token, app.code())).status_code == 400


async def test_after_ten_wrong_codes_even_a_right_one_has_to_wait(
    client: httpx2.AsyncClient, app: Authenticator
) -> None:
    answers = [await both_steps(client, app.wrong_code) for _ in range(10)]
    assert [answer.status_code for answer in answers] == [400] * 10

    refused = await both_steps(client, app.code())
    assert refused.status_code == 429
    assert 0 < int(refused.headers["retry-after"]) <= 900


async def test_at_most_ten_of_many_simultaneous_codes_are_compared(
    committing_resources: Resources,
) -> None:
    ada = await create_user(committing_resources, password_hash=await hash_password(PASSWORD))
    app = await enroll_authenticator(committing_resources, ada)
    async with serve(committing_resources) as client:
        token = await first_step(client)
        guesses = [app.wrong_code] * 20
        answers = await asyncio.gather(*(second_step(client, token, guess) for guess in guesses))
        late = await second_step(client, token, app.code())

    codes = [answer.status_code for answer in answers]
    assert (codes.count(400), codes.count(429)) == (10, 10)
    assert late.status_code == 429


async def test_a_right_code_behind_many_wrong_ones_is_refused(
    committing_resources: Resources,
) -> None:
    ada = await create_user(committing_resources, password_hash=await hash_password(PASSWORD))
    app = await enroll_authenticator(committing_resources, ada)
    limited = with_settings(committing_resources, **limits(account=3))
    async with open_throttle(limited.settings) as throttle:
        service = create_application(
            limited.settings, open_resources=already_open(replace(limited, throttle=throttle))
        )
        async with serve(service) as client:
            token = await first_step(client)
            guesses = [
                asyncio.create_task(second_step(client, token, app.wrong_code)) for _ in range(20)
            ]
            await wait_until(lambda: any_is_refused(guesses))
            late = await second_step(client, token, app.code())
            answers = await asyncio.gather(*guesses)

    assert late.status_code == 429
    assert [answer.status_code for answer in answers].count(400) == 3


async def any_is_refused(requests: list[asyncio.Task[httpx2.Response]]) -> bool:
    return any(request.done() and request.result().status_code == 429 for request in requests)


async def test_guesses_of_a_challenge_are_counted(resources: Resources) -> None:
    limited = with_settings(resources, **limits(address=10))
    async with open_throttle(limited.settings) as throttle:
        service = create_application(
            limited.settings, open_resources=already_open(replace(limited, throttle=throttle))
        )
        async with serve(service) as client:
            answers = [await second_step(client, "guess", "123456") for _ in range(11)]

    assert [answer.status_code for answer in answers] == [400] * 10 + [429]


async def test_after_a_hundred_wrong_codes_in_a_row_only_a_recovery_code_helps(
    client: httpx2.AsyncClient, resources: Resources, app: Authenticator
) -> None:
    """Even if Redis is down and the throttle does not count."""
    async with resources.unit_of_work() as uow:
        await uow.session.execute(update(TotpFactor).values(failures=MAX_FAILURES - 1))
    assert (await both_steps(client, app.wrong_code)).status_code == 400
    assert (await both_steps(client, app.code())).status_code == 400

    assert (await both_steps(client, app.recovery_codes[0])).status_code == 200
    assert (await both_steps(client, app.code())).status_code == 200


async def test_a_right_code_ends_a_row_of_wrong_ones(
    client: httpx2.AsyncClient, resources: Resources, app: Authenticator
) -> None:
    for code in (app.wrong_code, app.wrong_code, app.code()):
        await both_steps(client, code)

    async with resources.unit_of_work() as uow:
        assert await uow.session.scalar(select(TotpFactor.failures)) == 0


async def test_recovery_codes_work_under_a_new_secret_key(
    resources: Resources, app: Authenticator
) -> None:
    rotated = with_settings(resources, secret_key=SecretStr(OTHER_SECRET))
    async with serve(rotated) as client:
        assert (await both_steps(client, app.code())).status_code == 400
        assert (await both_steps(client, app.recovery_codes[0])).status_code == 200


async def test_the_audit_trail_shows_wrong_codes_and_the_method_of_a_login(
    client: httpx2.AsyncClient, resources: Resources, ada: Person, app: Authenticator
) -> None:
    root = await create_user(resources, "root", superuser=True)
    client.headers["X-Device-ID"] = "d" * 32
    for code in (app.wrong_code, app.code(), app.recovery_codes[0]):
        await both_steps(client, code)

    answer = await client.get(
        f"{API}/audit-events/", params={"user_id": str(ada.id)}, headers=root.headers
    )
    told = [(event["event"], event["details"]) for event in reversed(answer.json()["data"])]
    assert told == [
        ("second_factor.failed", {}),
        ("login.succeeded", {"method": "totp"}),
        ("second_factor.recovery_code_used", {}),
        ("login.succeeded", {"method": "recovery_code"}),
    ]
