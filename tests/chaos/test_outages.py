"""Redis or the API fails while users sign up."""

import asyncio
import math
import time

import pytest

from tests.chaos.deployment import Deployment
from tests.chaos.jobs import Work
from tests.chaos.ledger import assert_once_each
from tests.chaos.processes import Process
from tests.chaos.sign_ups import arrivals, assert_welcomed_once, serving, until_welcomed
from tests.support.reports import Report

pytestmark = pytest.mark.chaos

FLOWS_WITHIN = 4.0
ALL_WITHIN = 15.0
"""Seconds after the return of Redis."""

MISSED_AFTER = 60.0
"""Seconds after which an email counts as missing, even on a slow machine. Minutes later, a scan of
all rows would send a job that the relay has missed."""


async def start_team(deployment: Deployment) -> list[Process]:
    email_worker = await deployment.start(*deployment.engine.email_worker)
    worker = await deployment.start_worker()
    await email_worker.wait_for_output(deployment.engine.at_work)
    return [email_worker, worker]


@pytest.mark.parametrize("busy", [True, False], ids=["busy", "idle"])
@pytest.mark.parametrize("seconds", [60, 10, 1])
async def test_sign_ups_survive_a_killed_redis(
    each_engine: Deployment, report: Report, seconds: int, busy: bool
) -> None:
    deployment, stop = each_engine, asyncio.Event()
    before, during = range(40 if busy else 0), range(100, 110)
    team = await start_team(deployment)
    async with serving(deployment) as api, asyncio.TaskGroup() as group:
        group.create_task(api.sign_up_until(stop, every=1))
        await asyncio.sleep(2)
        await deployment.send([Work(number=n, seconds=2) for n in before])
        await asyncio.sleep(0.5 + deployment.rng.uniform(0, 1))

        await deployment.redis.kill()
        sending = asyncio.create_task(deployment.send([Work(number=n) for n in during]))
        await asyncio.sleep(seconds)
        await deployment.redis.restart()
        back = time.time()
        [sent] = await asyncio.gather(sending, return_exceptions=True)
        await asyncio.sleep(FLOWS_WITHIN + 2)
        stop.set()
    people = await api.people()
    emails = await until_welcomed(deployment, people, within=back + ALL_WITHIN - time.time())
    effects = await deployment.ledger.wait_for(
        "effects", [*before, *during], within=back + ALL_WITHIN - time.time()
    )
    starts = await deployment.ledger.starts()
    first_email = next((at - back for at in arrivals(deployment) if at > back), math.inf)
    first_work = next((each.at - back for each in starts if each.at > back), math.inf)
    alive = sum(process.is_running for process in team)
    report(
        f"{alive} of 2 workers alive; {len(people)} signed up, {len(api.refused())} refused, "
        f"{len(emails)} welcomed; {len(effects)} effects of {len(before) + len(during)}; "
        f"the first email {first_email:.1f} s and the first job {first_work:.1f} s after the return"
    )
    assert not api.refused()
    assert not isinstance(sent, BaseException), sent
    assert alive == len(team)
    assert first_email <= FLOWS_WITHIN
    assert first_work <= FLOWS_WITHIN
    assert people == api.answers.keys()
    assert_welcomed_once(emails, people)
    assert_once_each(effects, [*before, *during])


async def test_sign_ups_survive_a_redis_that_freezes_dies_and_loses_its_data(
    each_engine: Deployment, report: Report
) -> None:
    deployment, stop = each_engine, asyncio.Event()
    numbers = range(60)
    team = await start_team(deployment)
    async with serving(deployment) as api, asyncio.TaskGroup() as group:
        group.create_task(api.sign_up_until(stop, every=1))
        await asyncio.sleep(2)
        await deployment.send([Work(number=n, seconds=2) for n in numbers])
        await asyncio.sleep(1 + deployment.rng.uniform(0, 1))

        deployment.redis.stop()
        await asyncio.sleep(20)
        await deployment.redis.kill()
        await asyncio.sleep(deployment.rng.uniform(0, 1))
        await deployment.redis.restart()
        deployment.redis.forget_everything()
        back = time.time()
        stop.set()
    people = await api.people()
    emails = await until_welcomed(deployment, people, within=back + ALL_WITHIN - time.time())
    effects = await deployment.ledger.wait_for(
        "effects", numbers, within=back + ALL_WITHIN - time.time()
    )
    last = max([*arrivals(deployment), *(entry.at for entry in effects)]) - back
    report(
        f"{sum(process.is_running for process in team)} of 2 workers alive; {len(people)} signed "
        f"up, {len(api.refused())} refused, {len(emails)} welcomed; {len(effects)} effects of 60; "
        f"the last of all {last:.1f} s after the return"
    )
    assert_welcomed_once(emails, people)
    assert_once_each(effects, numbers)
    assert last <= ALL_WITHIN


async def test_two_hundred_sign_ups_survive_twenty_crashes_of_the_api(
    each_engine: Deployment, report: Report
) -> None:
    deployment = each_engine
    people = [f"person-{number}@example.com" for number in range(200)]
    moments = sorted(deployment.rng.sample(range(1, 200), 20))
    await start_team(deployment)
    async with serving(deployment) as api:
        waiting = iter(people)
        reached = {moment: asyncio.Event() for moment in moments}

        async def sign_up_one_after_another() -> None:
            for email in waiting:
                if moment := reached.get(people.index(email)):
                    moment.set()
                while await api.sign_up(email) not in {201, 409}:
                    await api.until_it_is_back()

        async with asyncio.TaskGroup() as group:
            for _ in range(4):
                group.create_task(sign_up_one_after_another())
            for moment in moments:
                await reached[moment].wait()
                await asyncio.sleep(deployment.rng.uniform(0, 1.1) * api.seconds)
                await api.kill_and_restart()
        back = time.time()
        lost = list(api.answers.values()).count(409)
    committed = await api.people()
    emails = await until_welcomed(deployment, committed, within=MISSED_AFTER)
    last = arrivals(deployment)[-1] - back
    report(
        f"{len(committed)} committed, {lost} of them without an answer; {emails.total()} emails to "
        f"{len(emails)} people, the last {last:.1f} s after the API's last return"
    )
    assert committed == set(people)
    assert_welcomed_once(emails, committed)
