"""A trace as text: one line per span, indented below its parent."""

from collections.abc import Iterator, Sequence

from dev.trace_collector import CollectedSpan

SHOWN = ("job.name", "job.attempt", "job.outcome", "http.response.status_code", "error.type")
"""The attributes that are most useful to a reader."""


def tree(spans: Sequence[CollectedSpan]) -> str:
    """Return the spans of one trace with their beginning and duration, in milliseconds.

    A span whose parent is missing is a root, such as after its process was killed.
    """
    ids = {span.span_id for span in spans}
    began = min(span.began for span in spans)
    in_order = sorted(spans, key=lambda span: span.began)
    roots = [span for span in in_order if span.parent_id not in ids]
    lines = [line for root in roots for line in _lines(root, in_order, began, depth=0)]
    return "\n".join([f"trace {spans[0].trace_id}", *lines])


def _lines(
    span: CollectedSpan, spans: Sequence[CollectedSpan], began: int, *, depth: int
) -> Iterator[str]:
    at = (span.began - began) / 1e6
    name = "  " * depth + span.name
    notes = "  ".join(f"{key}={span.attributes[key]}" for key in SHOWN if key in span.attributes)
    mark = "✗ " if span.failed else ""
    yield f"{at:>9.1f} {span.milliseconds:>9.1f} ms  {name:<48} {mark}{notes}".rstrip()
    for child in spans:
        if child.parent_id == span.span_id:
            yield from _lines(child, spans, began, depth=depth + 1)
