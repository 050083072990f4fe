import re

import pytest

from app.core.urls.redis import RedisAddress


@pytest.mark.parametrize(
    "url",
    [
        "redis://localhost:6379/0",
        "rediss://user:p%40ss@redis.example.com:6380/3?ssl_check_hostname=false",
        "unix://:p%40ss@/run/redis.sock?db=2",
        "redis+sentinel://:p%40ss@a:1,b:2/primary/1?sentinel_password=s3cret",
        "rediss+sentinel://user:pw@[::1]:26379/primary/0",
    ],
)
def test_a_url_means_the_same_after_it_was_written_again(url: str) -> None:
    address = RedisAddress.parse(url)

    assert RedisAddress.parse(address.url) == address


def test_sentinels_have_a_service_and_passwords_of_their_own() -> None:
    address = RedisAddress.parse(
        "redis+sentinel://user:pw@a,b:2/primary/1?sentinel_username=watch&sentinel_password=pw2"
    )

    assert (address.service, address.hosts) == ("primary", (("a", 26379), ("b", 2)))
    assert address.options == {"username": "user", "password": "pw", "db": 1}
    assert address.sentinel_options == {"username": "watch", "password": "pw2"}


def test_a_certificate_must_name_its_host_unless_that_is_switched_off() -> None:
    verified = RedisAddress.parse("rediss://localhost").tls_options
    switched_off = RedisAddress.parse("rediss://localhost?ssl_check_hostname=no").tls_options
    not_checked = RedisAddress.parse("rediss://localhost?ssl_cert_reqs=CERT_NONE").tls_options

    assert verified["ssl_check_hostname"] is True
    assert switched_off["ssl_check_hostname"] is False
    assert not_checked == {"ssl_cert_reqs": "none", "ssl_check_hostname": False}


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("http://localhost", "redis+sentinel://host:26379"),
        ("redis://a:1,b:2", "only with redis+sentinel://"),
        ("redis+sentinel://a:1", "needs a service"),
        ("redis://a/one", "must end with the number of a database"),
        ("redis://a?ssl_ca_certs=/ca.pem", "needs a URL that starts with rediss"),
        ("rediss://a?ssl_ca_certs=/nowhere.pem", "/nowhere.pem is not a file"),
        ("rediss://a?ssl_cert_reqs=maybe", "is invalid"),
        ("redis://a?db=first", "is invalid"),
        ("redis://a?socket_timeout=9", "set by REDIS_TIMEOUT"),
        ("redis://a?sentinel_password=x", "sentinel_password is not a known parameter"),
    ],
)
def test_a_parameter_without_an_effect_is_rejected_by_name(url: str, words: str) -> None:
    with pytest.raises(ValueError, match=re.escape(words)) as refusal:
        RedisAddress.parse(url)

    assert "\n" not in str(refusal.value)
