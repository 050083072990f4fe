"""What is stored about a user, and which of it the user gets.

A table with a column for its user is exported, unless it says here why not. A test finds tables
that refer to users in other ways.
"""

from collections.abc import Iterator, Mapping

from sqlalchemy import Column, Table

from app import models

USER_COLUMNS = ("user_id", "owner_id")

NAMES: Mapping[str, str] = {
    "job_owners": "jobs",
    "totp_factors": "second_factor",
    "user_roles": "roles",
}
"""What a table is called in the archive, where its own name says less to users."""

LEFT_OUT: Mapping[type[models.Base], str] = {
    models.RefreshToken: "holds nothing but hashes of tokens; its session is exported",
    models.EmailToken: "holds nothing but hashes of links that expire within days",
    models.MfaChallenge: "holds nothing but hashes of logins that expire within minutes",
    models.RecoveryCode: "holds nothing but hashes of codes",
    models.PersonalDataArchive: "holds the previous archive",
}
"""Tables that refer to users and are not in the archive, each with the reason."""

WITHHELD: Mapping[str, str] = {
    "password_hash": "proves the user, and would let a reader of the archive guess the password",
    "key_hash": "proves the user",
    "token_hash": "proves the user",
    "encrypted_secret": "proves the user",
    "last_step": "says which codes are still unused",
    "credential_id": "says nothing about the user: it is a random number",
    "public_key": "says nothing about the user: it is a random number",
}
"""Columns that are not in the archive, each with the reason."""


def exported_tables() -> Iterator[tuple[str, Table, Column[object]]]:
    """Yield the name in the archive, the table, and the column that refers to the user."""
    yield "account", table_of(models.User), table_of(models.User).c.id
    left_out = {table_of(model) for model in LEFT_OUT}
    for table in models.Base.metadata.sorted_tables:
        for column in USER_COLUMNS:
            if column in table.c and table not in left_out:
                yield NAMES.get(table.name, table.name), table, table.c[column]


def table_of(model: type[models.Base]) -> Table:
    assert isinstance(model.__table__, Table)
    return model.__table__
