from importlib.resources import files

import arq.constants
import pytest

from app.core.broker.keys import QueueKeys
from app.core.broker.scripts import Call, script
from app.core.queue import BASE

KEYS = QueueKeys(BASE)
SCRIPTS = sorted(each.name.removesuffix(".lua") for each in files("app.core.broker.lua").iterdir())


def test_a_queue_and_its_name_have_the_same_keys() -> None:
    assert QueueKeys("base").queue == KEYS.queue == "arq:queue:base"


def test_a_stock_arq_worker_finds_the_keys_of_a_job() -> None:
    assert KEYS.job(1) == f"{arq.constants.job_key_prefix}1"
    assert KEYS.in_progress(1) == f"{arq.constants.in_progress_key_prefix}1"
    assert KEYS.retry(1) == f"{arq.constants.retry_key_prefix}1"
    assert KEYS.result(1) == f"{arq.constants.result_key_prefix}1"
    assert KEYS.abort == arq.constants.abort_jobs_ss
    assert KEYS.health_check == f"{KEYS.queue}{arq.constants.health_check_key_suffix}"


@pytest.mark.parametrize("name", SCRIPTS)
def test_a_script_is_given_the_keys_that_it_names(name: str) -> None:
    names = script(name).keys
    command = Call(name, KEYS, ["argument"]).command()

    assert command[2:] == [len(names), *KEYS.named(names), "argument"]


@pytest.mark.parametrize("name", SCRIPTS)
def test_no_script_spells_a_key(name: str) -> None:
    assert b"arq:" not in script(name).source
