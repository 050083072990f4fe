from uuid import uuid4

import httpx2
import pytest
from sqlalchemy import text

from app.core.resources import Resources
from app.core.worker.base_settings import WorkerSettings
from tests.support.accounts import create_user
from tests.support.workers import RunWorker

REQUEST = "/api/v1/reports/signups"


@pytest.fixture
def resources(committing_resources: Resources) -> Resources:
    """Resources whose commits the worker and its outbox relay can see."""
    return committing_resources


@pytest.fixture
async def root(resources: Resources) -> dict[str, str]:
    """The headers of a superuser, who may ask for reports."""
    return (await create_user(resources, "root", superuser=True)).headers


async def test_a_report_is_accepted_built_and_read(
    client: httpx2.AsyncClient, resources: Resources, run_worker: RunWorker, root: dict[str, str]
) -> None:
    async with resources.unit_of_work() as uow:
        await uow.session.execute(
            text("""
                INSERT INTO users (id, email, password_hash, created_at)
                SELECT gen_random_uuid(), n || '@example.com', '',
                       now() - make_interval(days => n % 12)
                FROM generate_series(0, 99) AS n
            """)
        )

    accepted = await client.post(REQUEST, json={"days": 10}, headers=root)
    assert accepted.status_code == 202
    where = accepted.headers["location"]
    assert (await client.get(where, headers=root)).json()["state"] == "queued"

    await run_worker(WorkerSettings)

    job = (await client.get(where, headers=root)).json()
    assert (job["state"], job["progress"]) == ("succeeded", 1.0)
    report = (
        await client.get(f"/api/v1/reports/{job['result']['report_id']}", headers=root)
    ).json()
    async with resources.unit_of_work() as uow:
        counted = await uow.session.execute(
            text("""
                SELECT (created_at AT TIME ZONE 'UTC')::date::text, count(*) FROM users
                WHERE (created_at AT TIME ZONE 'UTC')::date > (now() AT TIME ZONE 'UTC')::date - 10
                GROUP BY 1 ORDER BY 1
            """)
        )
        expected = [{"date": day, "signups": signups} for day, signups in counted]
    assert report["days"] == expected
    assert report["total"] == sum(day["signups"] for day in expected)
    assert (report["first_day"], report["last_day"]) == (expected[0]["date"], expected[-1]["date"])


async def test_days_without_signups_count_as_zero(
    client: httpx2.AsyncClient, run_worker: RunWorker, root: dict[str, str]
) -> None:
    job = (await client.post(REQUEST, json={"days": 8}, headers=root)).json()
    await run_worker(WorkerSettings)

    report = (await client.get(f"/api/v1/reports/{job['id']}", headers=root)).json()
    assert [day["signups"] for day in report["days"]] == [0] * 7 + [1]


async def test_a_report_is_not_found_before_it_is_built(
    client: httpx2.AsyncClient, root: dict[str, str]
) -> None:
    job = (await client.post(REQUEST, json={}, headers=root)).json()
    answer = await client.get(f"/api/v1/reports/{job['id']}", headers=root)

    assert (answer.status_code, answer.json()["detail"]) == (404, "Report not found")


async def test_an_unknown_job_is_not_found(
    client: httpx2.AsyncClient, root: dict[str, str]
) -> None:
    job_id = uuid4()
    answer = await client.get(f"/api/v1/jobs/{job_id}", headers=root)

    assert answer.status_code == 404
    assert answer.json()["detail"].startswith(f"There is no job {job_id}")


@pytest.mark.parametrize("days", [0, -1, 367, 10**30, "many", None, 1.5])
async def test_an_impossible_number_of_days_is_refused(
    client: httpx2.AsyncClient, root: dict[str, str], days: object
) -> None:
    answer = await client.post(REQUEST, json={"days": days}, headers=root)

    [error] = answer.json()["errors"]
    assert (answer.status_code, error["loc"]) == (422, ["body", "days"])
