from uuid import uuid4

import pytest
from pydantic import SecretStr

from app.core.config import Settings
from app.core.sealing import Unreadable, seal, unseal

ADA, BOB = uuid4(), uuid4()
SECRET = b"a secret of twenty b"


def test_what_is_sealed_can_be_read_again(settings: Settings) -> None:
    sealed = seal(settings, "test", SECRET, owner=ADA)

    assert SECRET not in sealed
    assert unseal(settings, "test", sealed, owner=ADA) == SECRET


def test_the_same_secret_looks_different_each_time(settings: Settings) -> None:
    assert len({seal(settings, "test", SECRET, owner=ADA) for _ in range(10)}) == 10


def test_in_somebody_elses_row_a_secret_cannot_be_read(settings: Settings) -> None:
    with pytest.raises(Unreadable):
        unseal(settings, "test", seal(settings, "test", SECRET, owner=ADA), owner=BOB)


def test_what_is_sealed_for_one_purpose_is_no_use_for_another(settings: Settings) -> None:
    with pytest.raises(Unreadable):
        unseal(settings, "other", seal(settings, "test", SECRET, owner=ADA), owner=ADA)


def test_under_another_secret_key_nothing_can_be_read(settings: Settings) -> None:
    sealed = seal(settings, "test", SECRET, owner=ADA)
    rotated = settings.model_copy(update={"secret_key": SecretStr("k" * 40)})

    with pytest.raises(Unreadable):
        unseal(rotated, "test", sealed, owner=ADA)


@pytest.mark.parametrize("position", [0, 11, 12, -1])
def test_what_was_changed_cannot_be_read(settings: Settings, position: int) -> None:
    changed = bytearray(seal(settings, "test", SECRET, owner=ADA))
    changed[position] ^= 1

    with pytest.raises(Unreadable):
        unseal(settings, "test", bytes(changed), owner=ADA)


@pytest.mark.parametrize("length", [0, 5, 12, 20])
def test_what_was_cut_cannot_be_read(settings: Settings, length: int) -> None:
    with pytest.raises(Unreadable):
        unseal(settings, "test", seal(settings, "test", SECRET, owner=ADA)[:length], owner=ADA)
