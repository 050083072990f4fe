"""Logins are work for the processor: nobody else may feel it."""

import asyncio
import time

import httpx2

from app.core.resources import Resources
from app.core.security import hash_password
from tests.accounts import API, PASSWORD, log_in, someone
from tests.processes import running

LOGINS = 30
SLOWEST = 0.25


async def test_thirty_logins_at_once_do_not_hold_up_other_requests(
    committing: Resources,
) -> None:
    ada = await someone(committing, password_hash=await hash_password(PASSWORD))
    command = ("-m", "uvicorn", "main:app", "--port", "0", "--no-proxy-headers")
    async with running(committing.settings, *command) as api:
        url = (await api.says("running on")).split("running on ")[1].split()[0]
        async with httpx2.AsyncClient(base_url=url, timeout=60) as client:
            await client.get(f"{API}/users/me", headers=ada.headers)
            logins = asyncio.gather(*(log_in(client, ada.email) for _ in range(LOGINS)))
            waits: list[float] = []
            while not logins.done():
                began = time.perf_counter()
                answer = await client.get(f"{API}/users/me", headers=ada.headers)
                waits.append(time.perf_counter() - began)
                assert answer.status_code == 200

    assert {answer.status_code for answer in await logins} == {200}
    waits.sort()
    assert waits[int(len(waits) * 0.99)] <= SLOWEST, (len(waits), waits[-5:])
