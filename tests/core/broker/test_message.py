"""The bytes of a job in Redis, which workers of two releases and stock arq workers read."""

import json
import pickle
from uuid import UUID

import pytest
from arq.jobs import deserialize_job, deserialize_result

from app.core.broker.message import (
    Envelope,
    JobResult,
    StoredMessage,
    Unreadable,
    decode,
    error_value,
)
from app.core.broker.serializer import from_json

ENVELOPE = Envelope(
    id=UUID(int=1),
    queue="base",
    name="Paint",
    payload={"color": "red"},
    request_id="r1",
    durable=True,
)
RESULT = JobResult(
    job_id="1",
    queue_key="arq:queue:base",
    name="Paint",
    attempt=2,
    sent_ms=1_000,
    started_ms=2_000,
    succeeded=True,
    value=b'{"painted":"red"}',
)


def stored(**changes: object) -> bytes:
    return json.dumps(json.loads(ENVELOPE.encode()) | changes).encode()


def test_a_worker_reads_what_the_api_has_sent() -> None:
    message = decode(ENVELOPE.encode())

    assert message[:4] == ("Paint", {"color": "red"}, "r1", True)


def test_a_worker_reads_a_job_of_the_first_release() -> None:
    first = b'{"t":null,"f":"Paint","a":[{}],"k":{"request_id":null,"kept":true},"et":7}'

    assert decode(first) == StoredMessage("Paint", {}, None, durable=True, sent_ms=7)


def test_a_worker_ignores_an_option_of_a_later_release() -> None:
    later = stored(k={"request_id": "r1", "kept": True, "deadline": 5})

    assert decode(later).durable


@pytest.mark.parametrize(
    "data",
    [
        pickle.dumps({"f": "Paint", "a": ({},), "k": {}, "et": 1}),
        b"{",
        b"[]",
        stored(f=1),
        stored(a=["red"]),
        stored(et="now"),
        stored(k={"kept": "yes"}),
        stored(k={"request_id": 1}),
    ],
    ids=["pickle", "broken", "list", "name", "arguments", "time", "durable", "request id"],
)
def test_anything_else_is_unreadable(data: bytes) -> None:
    with pytest.raises(Unreadable):
        decode(data)


def test_stock_arq_reads_our_jobs() -> None:
    job = deserialize_job(ENVELOPE.encode(), deserializer=from_json)

    assert job.function == "Paint"
    assert list(job.args) == [{"color": "red"}]
    assert job.kwargs == {"request_id": "r1", "kept": True}


def test_stock_arq_reads_our_results() -> None:
    result = deserialize_result(RESULT.encode(), deserializer=from_json)

    assert (result.function, result.job_try, result.success) == ("Paint", 2, True)
    assert (result.result, result.job_id) == ({"painted": "red"}, "1")
    assert result.start_time.timestamp() == 2


def test_a_result_tells_why_a_job_failed_and_holds_no_arguments() -> None:
    assert json.loads(error_value(OSError("no paint"))) == {
        "error": "OSError",
        "message": "no paint",
    }
    assert json.loads(RESULT.encode())["a"] == []
