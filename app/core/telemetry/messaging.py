"""The spans of jobs, named by OpenTelemetry's conventions for messaging.

`send email` covers the insert of a job's row, the commit, and the command to Redis. The job carries
the context of this span, so the span of every try is its child: `process email`. A retried job
stays in the trace of the request that enqueued it, also after a crash of its worker.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from types import MappingProxyType
from typing import Protocol

from app.core.telemetry.spans import Attributes, Span, Tracer, Value
from app.core.telemetry.tracing import active_tracer

SYSTEM = "arq"
"""The conventions have no name for arq's layout of Redis."""

MAX_RELAYED = 100
"""The maximum number of spans for one batch of the outbox relay."""


class Message(Protocol):
    """The message of a job."""

    @property
    def id(self) -> object: ...
    @property
    def queue(self) -> str: ...
    @property
    def name(self) -> str: ...
    @property
    def traceparent(self) -> str | None: ...


class Sending:
    """The spans of jobs that are sent together, one for each queue."""

    def __init__(self, spans: Mapping[str, Span]) -> None:
        self._spans = spans

    def __bool__(self) -> bool:
        """Return whether the jobs carry a trace."""
        return bool(self._spans)

    def traceparent_of(self, queue: str) -> str | None:
        """Return the `traceparent` of a new job of a queue."""
        span = self._spans.get(queue)
        return span.traceparent if span else None

    def fail(self, error: BaseException) -> None:
        """Mark the spans as failed, because the jobs have not been sent."""
        for span in self._spans.values():
            span.fail(type(error).__name__)


_UNTRACED = nullcontext(Sending(MappingProxyType({})))


def sending(messages: Iterable[Message] | None) -> AbstractContextManager[Sending]:
    """Open the spans of new jobs until they have been sent. Without jobs, there are no spans."""
    tracer = active_tracer()
    if tracer is None or messages is None:
        return _UNTRACED
    return _sending(tracer, messages)


@contextmanager
def resending(messages: Sequence[Message]) -> Iterator[None]:
    """Add a span to the trace of each job that the relay sends in place of its sender."""
    tracer = active_tracer()
    if tracer is None:
        yield
        return
    spans = [
        tracer.begin(
            f"send {message.queue}",
            "client",
            {**_sent(message.queue, [message]), "outbox.relayed": True},
            traceparent=message.traceparent,
        )
        for message in messages[:MAX_RELAYED]
        if message.traceparent
    ]
    try:
        yield
    except BaseException as error:
        Sending({str(number): span for number, span in enumerate(spans)}).fail(error)
        raise
    finally:
        for span in spans:
            span.end()


def processing(
    tracer: Tracer, message: Message, *, attempt: int, crashes: int
) -> AbstractContextManager[Span]:
    """Open the span of one try of a job. It starts a trace if the job carries none."""
    attributes: Attributes = {
        **_operation("process", message.queue),
        "messaging.message.id": str(message.id),
        "job.name": message.name,
        "job.attempt": attempt,
        "job.crashes": crashes,
    }
    return tracer.entry(
        f"process {message.queue}", "consumer", attributes, traceparent=message.traceparent
    )


@contextmanager
def _sending(tracer: Tracer, messages: Iterable[Message]) -> Iterator[Sending]:
    by_queue: dict[str, list[Message]] = {}
    for message in messages:
        by_queue.setdefault(message.queue, []).append(message)
    spans = {
        queue: tracer.begin(f"send {queue}", "producer", _sent(queue, batch))
        for queue, batch in by_queue.items()
    }
    sent = Sending(spans)
    try:
        yield sent
    except BaseException as error:
        sent.fail(error)
        raise
    finally:
        for span in spans.values():
            span.end()


def _sent(queue: str, batch: Sequence[Message]) -> Attributes:
    names = {message.name for message in batch}
    attributes: dict[str, Value] = {
        **_operation("send", queue),
        "job.name": ", ".join(sorted(names)),
    }
    if len(batch) == 1:
        return {**attributes, "messaging.message.id": str(batch[0].id)}
    return {**attributes, "messaging.batch.message_count": len(batch)}


def _operation(name: str, queue: str) -> Attributes:
    return {
        "messaging.system": SYSTEM,
        "messaging.destination.name": queue,
        "messaging.operation.name": name,
        "messaging.operation.type": name,
    }
