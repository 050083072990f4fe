import threading

from dev.observe import ArrivingTraces
from dev.trace_collector import CollectedSpan


def span(name: str, *, trace_id: str, parent_id: str = "") -> CollectedSpan:
    return CollectedSpan(
        trace_id=trace_id,
        span_id=name,
        parent_id=parent_id,
        name=name,
        kind="internal",
        service="tests",
        began=0,
        ended=1_000_000,
        failed=False,
        attributes={},
        raw=b"",
    )


def test_a_trace_is_shown_whole_although_several_processes_export_it() -> None:
    shown: list[str] = []
    traces = ArrivingTraces(shown.append, quiet=3600)

    with traces.shown():
        traces.take([span("process", trace_id="a", parent_id="request")])
        traces.take([span("other", trace_id="b")])
        traces.take([span("request", trace_id="a")])
        assert shown == []

    first, second = sorted(shown)
    assert [line.split()[-1] for line in first.splitlines()] == ["a", "request", "process"]
    assert second.startswith("trace b")


def test_a_trace_is_shown_once_no_more_of_it_arrives() -> None:
    arrived = threading.Event()
    traces = ArrivingTraces(lambda _: arrived.set(), quiet=0.01)

    with traces.shown():
        traces.take([span("request", trace_id="a")])
        assert arrived.wait(300)
