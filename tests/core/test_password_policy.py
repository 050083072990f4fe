import pytest

from app.core.exceptions import Unacceptable
from app.core.password_policy import check_password

ADA = ("Ada Lovelace", "ada.l@analytical-engine.example.com")


@pytest.mark.parametrize(
    "password",
    [
        "password",
        "PASSWORD",
        "Password1!",
        "12345678",
        "!!iloveyou!!",
        "qwertyuiop",
        "sunshine2026",
    ],
)
def test_what_everybody_takes_is_refused(password: str) -> None:
    with pytest.raises(Unacceptable, match="too common"):
        check_password(password, min_length=8, about=ADA)


@pytest.mark.parametrize(
    "password",
    ["lovelace", "Lovelace1815", "adalovelace", "ada lovelace", ADA[1], "analytical!", "ada.l@26"],
)
def test_what_everybody_knows_of_the_owner_is_refused(password: str) -> None:
    with pytest.raises(Unacceptable, match="too similar to your name or email"):
        check_password(password, min_length=8, about=ADA)


@pytest.mark.parametrize(
    "password",
    [
        "correct horse",
        "passwordless entry",
        "7391#dragon#2846",
        "lovelace and babbage",
        "пароль из слов",
        "🐎🔋📎✅🐎🔋📎✅",
        "x9" * 64,
        "        y",
    ],
)
def test_no_rule_asks_for_kinds_of_characters(password: str) -> None:
    check_password(password, min_length=8, about=ADA)


def test_the_minimum_is_counted_in_characters_and_can_be_raised() -> None:
    for password, min_length in (("🐎" * 7, 8), ("fourteen chars", 15)):
        with pytest.raises(Unacceptable, match=f"at least {min_length} characters"):
            check_password(password, min_length=min_length)

    check_password("🐎" * 8, min_length=8)


def test_a_letter_of_two_code_points_counts_once() -> None:
    with pytest.raises(Unacceptable, match="at least 8 characters"):
        check_password("e\u0301" * 7, min_length=8)


def test_the_refusal_names_the_field_and_not_the_password() -> None:
    with pytest.raises(Unacceptable) as refusal:
        check_password("iloveyou", min_length=8, field="new_password")

    assert refusal.value.field == "new_password"
    assert "iloveyou" not in str(refusal.value)
