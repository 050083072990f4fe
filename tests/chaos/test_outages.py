"""Redis goes away while people sign up, or the API does."""

import asyncio
import math
import time

import pytest

from tests.chaos.conftest import Seen
from tests.chaos.ground import Ground
from tests.chaos.jobs import Work
from tests.chaos.ledger import assert_once_each
from tests.chaos.programs import Program
from tests.chaos.sign_ups import arrivals, assert_welcomed_once, serving, until_welcomed

pytestmark = pytest.mark.chaos

FLOWS_WITHIN = 5.0
ALL_WITHIN = 15.0
"""Seconds after the return of Redis."""


async def start_team(ground: Ground) -> list[Program]:
    mail_worker = await ground.start(*ground.engine.mail_worker)
    worker = await ground.start_worker()
    await mail_worker.says(ground.engine.at_work)
    return [mail_worker, worker]


@pytest.mark.parametrize("busy", [True, False], ids=["busy", "idle"])
@pytest.mark.parametrize("seconds", [60, 10, 1])
async def test_redis_is_killed_and_comes_back(
    either: Ground, seen: Seen, seconds: int, busy: bool
) -> None:
    ground, stop = either, asyncio.Event()
    before, during = range(40 if busy else 0), range(100, 110)
    team = await start_team(ground)
    async with serving(ground) as api, asyncio.TaskGroup() as group:
        group.create_task(api.sign_up_until(stop, every=1))
        await asyncio.sleep(2)
        await ground.send([Work(number=n, seconds=2) for n in before])
        await asyncio.sleep(0.5 + ground.rng.uniform(0, 1))

        await ground.redis.kill()
        sending = asyncio.create_task(ground.send([Work(number=n) for n in during]))
        await asyncio.sleep(seconds)
        await ground.redis.restart()
        back = time.time()
        [sent] = await asyncio.gather(sending, return_exceptions=True)
        await asyncio.sleep(FLOWS_WITHIN + 2)
        stop.set()
    people = await api.people()
    mails = await until_welcomed(ground, people, within=back + ALL_WITHIN - time.time())
    effects = await ground.ledger.until(
        "effects", [*before, *during], within=back + ALL_WITHIN - time.time()
    )
    starts = await ground.ledger.starts()
    first_mail = next((at - back for at in arrivals(ground) if at > back), math.inf)
    first_work = next((each.at - back for each in starts if each.at > back), math.inf)
    alive = sum(program.is_running for program in team)
    seen(
        f"{alive} of 2 workers alive; {len(people)} signed up, {len(api.refused())} refused, "
        f"{len(mails)} welcomed; {len(effects)} effects of {len(before) + len(during)}; "
        f"the first mail {first_mail:.1f} s and the first job {first_work:.1f} s after the return"
    )
    assert not api.refused()
    assert not isinstance(sent, BaseException), sent
    assert alive == len(team)
    assert first_mail <= FLOWS_WITHIN
    assert first_work <= FLOWS_WITHIN
    assert people == api.answers.keys()
    assert_welcomed_once(mails, people)
    assert_once_each(effects, [*before, *during])


async def test_redis_freezes_dies_and_forgets_everything(either: Ground, seen: Seen) -> None:
    ground, stop = either, asyncio.Event()
    numbers = range(60)
    team = await start_team(ground)
    async with serving(ground) as api, asyncio.TaskGroup() as group:
        group.create_task(api.sign_up_until(stop, every=1))
        await asyncio.sleep(2)
        await ground.send([Work(number=n, seconds=2) for n in numbers])
        await asyncio.sleep(1 + ground.rng.uniform(0, 1))

        ground.redis.stop()
        await asyncio.sleep(20)
        await ground.redis.kill()
        await asyncio.sleep(ground.rng.uniform(0, 1))
        await ground.redis.restart()
        ground.redis.forget_everything()
        back = time.time()
        stop.set()
    people = await api.people()
    mails = await until_welcomed(ground, people, within=back + ALL_WITHIN - time.time())
    effects = await ground.ledger.until("effects", numbers, within=back + ALL_WITHIN - time.time())
    last = max([*arrivals(ground), *(entry.at for entry in effects)]) - back
    seen(
        f"{sum(program.is_running for program in team)} of 2 workers alive; {len(people)} signed "
        f"up, {len(api.refused())} refused, {len(mails)} welcomed; {len(effects)} effects of 60; "
        f"the last of all {last:.1f} s after the return"
    )
    assert_welcomed_once(mails, people)
    assert_once_each(effects, numbers)
    assert last <= ALL_WITHIN


async def test_the_api_is_killed_at_twenty_moments_of_two_hundred_sign_ups(
    either: Ground, seen: Seen
) -> None:
    ground = either
    people = [f"person-{number}@example.com" for number in range(200)]
    moments = sorted(ground.rng.sample(range(1, 200), 20))
    await start_team(ground)
    async with serving(ground) as api:
        waiting = iter(people)
        reached = {moment: asyncio.Event() for moment in moments}

        async def sign_up_one_after_another() -> None:
            for email in waiting:
                if moment := reached.get(people.index(email)):
                    moment.set()
                while await api.sign_up(email) not in {201, 409}:
                    await api.until_it_answers()

        async with asyncio.TaskGroup() as group:
            for _ in range(4):
                group.create_task(sign_up_one_after_another())
            for moment in moments:
                await reached[moment].wait()
                await asyncio.sleep(ground.rng.uniform(0, 1.1) * api.seconds)
                await api.program.kill()
                await api.restart()
        back = time.time()
        lost = list(api.answers.values()).count(409)
    committed = await api.people()
    mails = await until_welcomed(ground, committed, within=back + ALL_WITHIN - time.time())
    last = arrivals(ground)[-1] - back
    seen(
        f"{len(committed)} committed, {lost} of them without an answer; {mails.total()} mails to "
        f"{len(mails)} people, the last {last:.1f} s after the API's last return"
    )
    assert committed == set(people)
    assert_welcomed_once(mails, committed)
