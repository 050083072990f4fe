import pytest

from app.core.exceptions import InvalidField
from app.core.security.password_policy import check_password

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
def test_common_passwords_are_refused(password: str) -> None:
    with pytest.raises(InvalidField, match="too common"):
        check_password(password, min_length=8, about=ADA)


@pytest.mark.parametrize(
    "password",
    ["lovelace", "Lovelace1815", "adalovelace", "ada lovelace", ADA[1], "analytical!", "ada.l@26"],
)
def test_passwords_like_the_owners_name_or_email_are_refused(password: str) -> None:
    with pytest.raises(InvalidField, match="too similar to your name or email"):
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
def test_passwords_need_no_special_characters(password: str) -> None:
    check_password(password, min_length=8, about=ADA)


def test_the_minimum_length_counts_characters_and_is_configurable() -> None:
    for password, min_length in (("🐎" * 7, 8), ("fourteen chars", 15)):
        with pytest.raises(InvalidField, match=f"at least {min_length} characters"):
            check_password(password, min_length=min_length)

    check_password("🐎" * 8, min_length=8)


def test_a_letter_of_two_code_points_counts_as_one_character() -> None:
    with pytest.raises(InvalidField, match="at least 8 characters"):
        check_password("e\u0301" * 7, min_length=8)


def test_a_rejection_names_the_field_but_not_the_password() -> None:
    with pytest.raises(InvalidField) as rejection:
        check_password("iloveyou", min_length=8, field="new_password")

    assert rejection.value.field == "new_password"
    assert "iloveyou" not in str(rejection.value)
