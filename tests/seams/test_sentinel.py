"""A Redis whose Sentinels make a replica the primary under load."""

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.core.config import Settings
from dev.mail_catcher import MailCatcher
from tests.seams.deployment import deployed
from tests.seams.load import RATE, Load, signing_up, wait_until_welcomed
from tests.seams.sentinels import DOWN_AFTER_MS, RedisCluster, redis_cluster
from tests.support.processes import run_process
from tests.support.reports import Report

pytestmark = pytest.mark.seams

RECOVERS_WITHIN = 15.0
"""Seconds from the moment when the Sentinels may consider the primary dead."""


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[RedisCluster]:
    with redis_cluster(tmp_path / "redis") as cluster:
        yield cluster


@pytest.fixture
def settings_of_cluster(own_settings: Settings, cluster: RedisCluster) -> Settings:
    return own_settings.model_copy(update={"redis_url": cluster.url(), "queue_redis_urls": {}})


async def test_a_failover_under_load_loses_no_email(
    settings_of_cluster: Settings,
    cluster: RedisCluster,
    inbox: MailCatcher,
    tmp_path: Path,
    report: Report,
) -> None:
    before = cluster.primary()
    async with deployed(settings_of_cluster, tmp_path) as deployment:
        api = await deployment.start_api()
        worker = await deployment.start_worker("email")
        async with signing_up(deployment, every=RATE) as load:
            await asyncio.sleep(4)
            cluster.kill(before)
            died = time.time()
            await asyncio.sleep(14)
        accepted = set(load.accepted)
        counts = await wait_until_welcomed(inbox, accepted, within=60)
        alive = api.is_running and worker.is_running
        first, slowest = first_email_after(inbox, load, died), slowest_email(inbox, load)

    twice = sum(count > 1 for count in counts.values())
    report(
        f"answers {dict(load.answers)}, the slowest after {load.slowest:.1f} s; "
        f"first email {first:.1f} s after the death, the slowest "
        f"{slowest:.1f} s after its sign-up; {len(accepted - counts.keys())} lost, {twice} twice"
    )
    assert cluster.primary() != before
    assert set(load.answers) == {201}
    assert first <= DOWN_AFTER_MS / 1000 + RECOVERS_WITHIN
    assert load.slowest <= RECOVERS_WITHIN
    assert accepted <= counts.keys()
    assert alive


def first_email_after(inbox: MailCatcher, load: Load, moment: float) -> float:
    """Return the time from a moment until the first user who signed up since got an email."""
    later = {email for email, at in load.accepted.items() if at > moment}
    arrivals = [m.received_at.timestamp() for m in inbox.messages() if m.to[0] in later]
    return min(arrivals, default=float("inf")) - moment


def slowest_email(inbox: MailCatcher, load: Load) -> float:
    """Return the longest time between a sign-up and its email."""
    delays = [m.received_at.timestamp() - load.accepted[m.to[0]] for m in inbox.messages()]
    return max(delays)


async def test_a_planned_failover_loses_no_email(
    settings_of_cluster: Settings,
    cluster: RedisCluster,
    inbox: MailCatcher,
    tmp_path: Path,
    report: Report,
) -> None:
    """The former primary keeps running as a replica with its connections."""
    async with deployed(settings_of_cluster, tmp_path) as deployment:
        await deployment.start_api()
        await deployment.start_worker("email")
        async with signing_up(deployment, every=RATE) as load:
            await asyncio.sleep(4)
            cluster.fail_over()
            began = time.time()
            await asyncio.sleep(10)
        accepted = set(load.accepted)
        counts = await wait_until_welcomed(inbox, accepted, within=60)
        first, slowest = first_email_after(inbox, load, began), slowest_email(inbox, load)

    report(
        f"answers {dict(load.answers)}, the slowest after {load.slowest:.1f} s; "
        f"first email {first:.1f} s after the start, the slowest "
        f"{slowest:.1f} s after its sign-up; "
        f"{len(accepted - counts.keys())} lost, {sum(n > 1 for n in counts.values())} twice"
    )
    assert set(load.answers) == {201}
    assert first <= RECOVERS_WITHIN
    assert load.slowest <= RECOVERS_WITHIN
    assert accepted <= counts.keys()


async def test_arqs_own_health_check_finds_the_primary(
    settings_of_cluster: Settings, tmp_path: Path
) -> None:
    async with deployed(settings_of_cluster, tmp_path) as deployment:
        await deployment.start_worker("email")
        async with run_process(
            settings_of_cluster,
            *("-m", "arq", "app.core.worker.email_settings.WorkerSettings", "--check"),
        ) as check:
            assert await check.wait_for_exit() == 0
