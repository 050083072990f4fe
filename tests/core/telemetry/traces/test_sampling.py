"""The sampling of traces, and who decides on it."""

from ipaddress import ip_network

from sqlalchemy import select

from app.core.job_store.outbox import outbox
from app.core.resources import Resources
from app.core.telemetry.traceparent import readable, recorded_trace_id
from app.core.worker.email_settings import WorkerSettings as EmailWorker
from dev.trace_collector import TraceCollector
from tests.support.service import serve
from tests.support.traces import named, traced_resources
from tests.support.workers import run_burst

THEIRS = "00-" + "ab" * 16 + "-" + "cd" * 8
PROXY = "10.1.2.3"
PROXIES = [ip_network("10.0.0.0/8")]
ADA = {"email": "ada@example.com", "password": "correct-horse-battery"}


async def get_me(resources: Resources, traceparent: str, *, address: str) -> None:
    async with serve(resources, address=address) as client:
        await client.get("/api/v1/users/me", headers={"traceparent": traceparent})


async def test_a_client_cannot_make_the_service_record_its_requests(
    resources: Resources, collector: TraceCollector
) -> None:
    rules = {"otel_traces_sampler_arg": 0.0, "trusted_proxies": PROXIES}
    async with traced_resources(resources, collector, **rules, traces_from_proxies=True) as traced:
        await get_me(traced, THEIRS + "-01", address="203.0.113.7")
    async with traced_resources(resources, collector, **rules) as traced:
        await get_me(traced, THEIRS + "-01", address=PROXY)

    assert collector.spans == []


async def test_a_proxy_that_writes_the_header_continues_its_own_trace(
    resources: Resources, collector: TraceCollector
) -> None:
    rules = {"trusted_proxies": PROXIES, "traces_from_proxies": True}
    async with traced_resources(resources, collector, **rules) as traced:
        await get_me(traced, THEIRS + "-00", address=PROXY)
        await get_me(traced, THEIRS + "-01", address=PROXY)

    request = named(collector.spans, "GET /api/v1/users/me")
    assert (request.trace_id, request.parent_id) == ("ab" * 16, "cd" * 8)


async def test_a_job_is_recorded_if_its_request_is(
    resources: Resources, collector: TraceCollector
) -> None:
    async with traced_resources(resources, collector, otel_traces_sampler_arg=0.0) as traced:
        async with serve(traced) as client:
            await client.post("/api/v1/users/signup", json=ADA)
        async with traced.sessions() as session:
            traceparent = await session.scalar(select(outbox.c.traceparent))
    async with traced_resources(resources, collector) as traced:
        await run_burst(EmailWorker, traced, None, ())

    assert readable(traceparent)
    assert recorded_trace_id(traceparent) is None
    assert collector.spans == []


def test_a_malformed_stored_trace_is_ignored() -> None:
    assert recorded_trace_id(THEIRS + "-01") == "ab" * 16
    for unreadable in (
        None,
        7,
        "",
        THEIRS,
        "01" + THEIRS[2:] + "-01",
        "00-" + "0" * 32 + THEIRS[35:],
    ):
        assert readable(unreadable) is None
