from dev.trace_collector import CollectedSpan
from dev.trace_tree import tree


def span(name: str, span_id: str, parent_id: str, began: float, ended: float) -> CollectedSpan:
    return CollectedSpan(
        trace_id="7f" * 16,
        span_id=span_id,
        parent_id=parent_id,
        name=name,
        kind="internal",
        service="tests",
        began=round(began * 1e6),
        ended=round(ended * 1e6),
        failed=name == "smtp send",
        attributes={"error.type": "TimeoutError"} if name == "smtp send" else {},
        raw=b"",
    )


def test_a_trace_is_shown_as_a_tree_with_times_in_milliseconds() -> None:
    spans = [
        span("smtp send", "3", "2", 40, 140.5),
        span("process email", "2", "1", 30, 150),
        span("POST /signup", "1", "", 0, 20),
        span("process email", "4", "killed", 200, 201),
    ]

    failed = "smtp send".ljust(44) + " ✗ error.type=TimeoutError"
    assert tree(spans).splitlines() == [
        "trace " + "7f" * 16,
        "      0.0      20.0 ms  POST /signup",
        "     30.0     120.0 ms    process email",
        "     40.0     100.5 ms      " + failed,
        "    200.0       1.0 ms  process email",
    ]
