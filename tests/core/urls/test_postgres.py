import re
from pathlib import Path

import pytest

from app.core.urls.postgres import PostgresAddress

LOGIN = "postgresql://user:p%40ss@db.example.com:6543/shop"


def test_the_parts_of_a_url_are_decoded() -> None:
    address = PostgresAddress.parse(LOGIN)

    assert (address.hosts, address.ports) == (("db.example.com",), (6543,))
    assert (address.user, address.password, address.database) == ("user", "p@ss", "shop")


@pytest.mark.parametrize(
    "url",
    [
        LOGIN,
        f"{LOGIN}?application_name=shop%20api&sslmode=require",
        "postgresql://user:p%3A%2F@[::1]:6543/shop",
        "postgresql://user@a:1,b:2/shop?target_session_attrs=read-write",
        "postgresql:///shop?host=/var/run/postgresql&user=me",
        "postgresql://%2Fvar%2Frun%2Fpostgresql/shop",
        "postgresql:///shop?host=a,b&port=1,2",
    ],
)
def test_a_url_means_the_same_after_it_was_written_for_sqlalchemy(url: str) -> None:
    address = PostgresAddress.parse(url)

    assert PostgresAddress.parse(address.url_of_sqlalchemy) == address


@pytest.mark.parametrize(
    "parameters",
    [
        "sslmode=require&channel_binding=prefer",
        "sslmode=verify-full&sslrootcert=system&channel_binding=require",
        "ssl=true",
        "ssl=require",
        "application_name=shop&fallback_application_name=other",
        "connect_timeout=10",
        "keepalives=1&keepalives_idle=30&keepalives_interval=5&keepalives_count=3",
        "tcp_user_timeout=5000",
        "options=-c%20search_path%3Dshop",
        "client_encoding=utf8&gssencmode=prefer&sslcompression=0&sslsni=1",
        "target_session_attrs=read-write",
        "min_protocol_version=3.0&max_protocol_version=latest",
    ],
)
def test_parameters_of_libpq_are_accepted(parameters: str) -> None:
    PostgresAddress.parse(f"{LOGIN}?{parameters}")


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ("sslmode=no-verify", "sslmode=no-verify is not supported"),
        ("sslmode=require&channel_binding=require", "sslmode=verify-full"),
        ("sslrootcert=/nowhere.pem", "sslrootcert=/nowhere.pem is not a file"),
        ("sslmode=require&sslrootcert=system", "sslrootcert=system needs sslmode=verify-full"),
        ("connect_timeout=soon", "connect_timeout=soon must be a whole number"),
        ("gssencmode=require", "gssencmode=require is not supported"),
        ("load_balance_hosts=random", "load_balance_hosts=random is not supported"),
        ("requiressl=1", "Use sslmode=require"),
        ("hostaddr=10.0.0.1", "Put the address in place of the host"),
        ("pgbouncer=true", "DATABASE_POOLER=transaction"),
        ("schema=shop", "options=-csearch_path%3Dname"),
        ("require_auth=scram-sha-256", "require_auth is not a known parameter"),
        ("aplication_name=shop", "aplication_name is not a known parameter"),
        ("client_encoding=latin1", "client_encoding=latin1 is not supported"),
    ],
)
def test_a_parameter_without_an_effect_is_rejected_by_name(parameters: str, words: str) -> None:
    with pytest.raises(ValueError, match=re.escape(words)) as refusal:
        PostgresAddress.parse(f"{LOGIN}?{parameters}")

    assert "\n" not in str(refusal.value)
    assert "p@ss" not in str(refusal.value)


@pytest.mark.parametrize("url", ["mysql://a@b/c", "host=a dbname=b", "postgresql://a:x/c"])
def test_a_url_of_another_kind_is_rejected(url: str) -> None:
    with pytest.raises(ValueError, match=r"postgresql://|invalid host or port"):
        PostgresAddress.parse(url)


def test_a_certificate_is_a_file_that_exists(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").touch()
    address = PostgresAddress.parse(f"{LOGIN}?sslmode=verify-full&sslrootcert={tmp_path}/ca.pem")

    assert "ca.pem" in address.dsn_of_driver
