"""The contents of a personal data archive.

Every table with a column for its user is exported, unless it is left out here with a reason. A test
finds tables that refer to users in other ways.
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
"""Names in the archive that users understand better than the names of the tables."""

LEFT_OUT: Mapping[type[models.Base], str] = {
    models.RefreshToken: "contains only hashes of tokens; its session is exported",
    models.EmailToken: "contains only hashes of links that expire within days",
    models.MfaChallenge: "contains only hashes of logins that expire within minutes",
    models.RecoveryCode: "contains only hashes of codes",
    models.PersonalDataArchive: "contains the previous archive",
}
"""Tables that refer to users and are not in the archive, each with the reason."""

WITHHELD: Mapping[str, str] = {
    "password_hash": "a credential; a reader of the archive could guess the password",
    "key_hash": "a credential",
    "token_hash": "a credential",
    "encrypted_secret": "a credential",
    "last_step": "reveals which codes are still unused",
    "credential_id": "a random number, which says nothing about the user",
    "public_key": "a random number, which says nothing about the user",
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
