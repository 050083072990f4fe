"""What our worker takes for granted of arq: an upgrade that changes it fails here."""

import inspect

import arq.worker
import pytest

WORKER = arq.worker.Worker

SIGNATURES = {
    WORKER.main: "(self) -> None",
    WORKER.async_run: "(self) -> None",
    WORKER.close: "(self) -> None",
    WORKER.record_health: "(self) -> None",
    WORKER.run_job: "(self, job_id: str, score: int) -> None",
    WORKER.handle_sig: "(self, signum: signal.Signals) -> None",
    WORKER.handle_sig_wait_for_completion: "(self, signum: signal.Signals) -> None",
    WORKER.finish_failed_job: "(self, job_id: str, result_data: Optional[bytes]) -> None",
    WORKER.finish_job: (
        "(self, job_id: str, finish: bool, result_data: Optional[bytes], "
        "result_timeout_s: Optional[float], keep_result_forever: bool, "
        "incr_score: Optional[int], keep_in_progress: Optional[float]) -> None"
    ),
}

ASKED_OF_REDIS = [
    "pipe.get(job_key_prefix + job_id)",
    "pipe.incr(retry_key_prefix + job_id)",
    "pipe.expire(retry_key_prefix + job_id, 88400)",
    "v, job_try, _ = await pipe.execute()",
]


@pytest.mark.parametrize("method", SIGNATURES, ids=lambda method: method.__name__)
def test_arqs_worker_has_the_methods_that_ours_overrides_or_calls(method: object) -> None:
    assert callable(method)
    assert str(inspect.signature(method)) == SIGNATURES[method]  # type: ignore[index]


@pytest.mark.parametrize("line", ASKED_OF_REDIS)
def test_run_job_begins_by_the_three_commands_that_a_claim_has_answered(line: str) -> None:
    assert line in inspect.getsource(WORKER.run_job)


def test_run_job_asks_redis_for_nothing_else() -> None:
    source = inspect.getsource(WORKER.run_job)

    assert source.count("self.pool.pipeline(") == 1
    assert source.count("self.pool.") == 2, "the other one is setex, for a job that says its try"
