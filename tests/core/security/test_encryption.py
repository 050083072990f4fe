from uuid import uuid4

import pytest
from pydantic import SecretStr

from app.core.config import Settings
from app.core.security.encryption import DecryptionFailed, decrypt, encrypt
from tests.support.secrets import OTHER_SECRET, STRONG_SECRET

ADA, BOB = uuid4(), uuid4()
SECRET = b"a secret of twenty b"


def test_an_encrypted_secret_can_be_decrypted(settings: Settings) -> None:
    encrypted = encrypt(settings, "test", SECRET, owner=ADA)

    assert SECRET not in encrypted
    assert decrypt(settings, "test", encrypted, owner=ADA) == (SECRET, False)


def test_a_secret_is_encrypted_differently_each_time(settings: Settings) -> None:
    assert len({encrypt(settings, "test", SECRET, owner=ADA) for _ in range(10)}) == 10


def test_in_another_users_row_a_secret_cannot_be_read(settings: Settings) -> None:
    with pytest.raises(DecryptionFailed):
        decrypt(settings, "test", encrypt(settings, "test", SECRET, owner=ADA), owner=BOB)


def test_a_secret_cannot_be_decrypted_for_another_purpose(settings: Settings) -> None:
    with pytest.raises(DecryptionFailed):
        decrypt(settings, "other", encrypt(settings, "test", SECRET, owner=ADA), owner=ADA)


def test_a_secret_cannot_be_decrypted_with_another_secret_key(settings: Settings) -> None:
    encrypted = encrypt(settings, "test", SECRET, owner=ADA)
    rotated = settings.model_copy(update={"secret_key": SecretStr(OTHER_SECRET)})

    with pytest.raises(DecryptionFailed):
        decrypt(rotated, "test", encrypted, owner=ADA)


@pytest.mark.parametrize("position", [0, 11, 12, -1])
def test_a_changed_secret_cannot_be_decrypted(settings: Settings, position: int) -> None:
    changed = bytearray(encrypt(settings, "test", SECRET, owner=ADA))
    changed[position] ^= 1

    with pytest.raises(DecryptionFailed):
        decrypt(settings, "test", bytes(changed), owner=ADA)


@pytest.mark.parametrize("length", [0, 5, 12, 20])
def test_a_truncated_secret_cannot_be_decrypted(settings: Settings, length: int) -> None:
    with pytest.raises(DecryptionFailed):
        decrypt(settings, "test", encrypt(settings, "test", SECRET, owner=ADA)[:length], owner=ADA)


def test_a_secret_of_an_earlier_key_can_be_decrypted_and_is_marked(settings: Settings) -> None:
    encrypted = encrypt(settings, "test", SECRET, owner=ADA)
    rotated = settings.model_copy(
        update={
            "secret_key": SecretStr(OTHER_SECRET),
            "secret_key_fallbacks": [SecretStr(STRONG_SECRET), settings.secret_key],
        }
    )

    assert decrypt(rotated, "test", encrypted, owner=ADA) == (SECRET, True)
    again = encrypt(rotated, "test", SECRET, owner=ADA)
    assert decrypt(rotated, "test", again, owner=ADA) == (SECRET, False)
    with pytest.raises(DecryptionFailed):
        decrypt(settings, "test", again, owner=ADA)
