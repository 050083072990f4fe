"""Parses REDIS_URL and QUEUE_<NAME>_REDIS_URL: a server, a Unix socket, or Sentinels."""

import re
import ssl
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self
from urllib.parse import parse_qsl, quote, unquote, urlencode

from app.core.urls.parts import decode, join_host, parse_hosts

DEFAULT_PORT, DEFAULT_SENTINEL_PORT = 6379, 26379

FORMS = (
    "redis://, rediss://, unix://, or redis+sentinel://host:26379,host:26379/service-name/0, "
    "rediss+sentinel:// with TLS"
)
URL = re.compile(
    r"(?P<scheme>rediss?|unix|rediss?\+sentinel)://"
    r"(?:(?P<user>[^:@/?]*)(?::(?P<password>[^@]*))?@)?"
    r"(?P<hosts>[^/?]*)(?P<path>/[^?]*)?(?:\?(?P<query>.*))?"
)

TLS_VERSIONS = {"TLSv1.2": ssl.TLSVersion.TLSv1_2, "TLSv1.3": ssl.TLSVersion.TLSv1_3}


def _switch(value: str) -> bool:
    return {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}[
        value.lower()
    ]


def _file(value: str) -> str:
    if not Path(value).is_file():
        raise ValueError(value)
    return value


def _requirement(value: str) -> str:
    """Accept `none`, `optional`, and `required`, with or without the prefix `CERT_`."""
    requirement = value.lower().removeprefix("cert_")
    if requirement not in {"none", "optional", "required"}:
        raise ValueError(value)
    return requirement


TLS_PARAMETERS: Mapping[str, Callable[[str], object]] = {
    "ssl_ca_certs": _file,
    "ssl_ca_data": str,
    "ssl_certfile": _file,
    "ssl_keyfile": _file,
    "ssl_cert_reqs": _requirement,
    "ssl_check_hostname": _switch,
    "ssl_min_version": TLS_VERSIONS.__getitem__,
    "ssl_ciphers": str,
}
PARAMETERS: Mapping[str, Callable[[str], object]] = {
    "db": int,
    "username": str,
    "password": str,
    "client_name": str,
    "max_connections": int,
    "health_check_interval": int,
    **TLS_PARAMETERS,
}
SENTINEL_PARAMETERS: Mapping[str, Callable[[str], object]] = {
    "sentinel_username": str,
    "sentinel_password": str,
}


@dataclass(frozen=True, slots=True)
class RedisAddress:
    """The address of a Redis. If `service` is set, `hosts` are its Sentinels."""

    scheme: str
    hosts: tuple[tuple[str, int], ...]
    path: str | None
    service: str | None
    database: int
    username: str | None
    password: str | None
    parameters: Mapping[str, str]

    @classmethod
    def parse(cls, url: str) -> Self:
        """Parse a URL. Raises ValueError, whose message contains no password."""
        match = URL.fullmatch(url.strip())
        if match is None:
            raise ValueError(f"must be {FORMS}")
        scheme, path = match["scheme"], unquote(match["path"] or "")
        parameters = dict(parse_qsl(match["query"] or "", keep_blank_values=True))
        if problem := next(_problems(scheme, parameters), None):
            raise ValueError(problem)
        service, number = _split_path(scheme, path)
        return cls(
            scheme=scheme,
            hosts=_split_hosts(scheme, match["hosts"]),
            path=path if scheme == "unix" else None,
            service=service,
            database=int(parameters.pop("db", number or 0)),
            username=parameters.pop("username", None) or decode(match["user"]),
            password=parameters.pop("password", None) or decode(match["password"]),
            parameters=parameters,
        )

    def with_database(self, number: int) -> Self:
        """Return the address of another database on the same server."""
        return replace(self, database=number)

    @property
    def uses_tls(self) -> bool:
        return self.scheme.startswith("rediss")

    @property
    def url(self) -> str:
        """The address as a URL."""
        login = ""
        if self.username or self.password:
            parts = (quote(part or "", safe="") for part in (self.username, self.password))
            login = ":".join(parts) + "@"
        hosts = ",".join(join_host(host, port) for host, port in self.hosts)
        parameters = dict(self.parameters)
        if self.path is not None:
            path, parameters["db"] = quote(self.path), str(self.database)
        else:
            service = f"/{quote(self.service, safe='')}" if self.service else ""
            path = f"{service}/{self.database}"
        query = f"?{urlencode(parameters, quote_via=quote)}" if parameters else ""
        return f"{self.scheme}://{login}{hosts}{path}{query}"

    @property
    def options(self) -> dict[str, object]:
        """The options of redis-py's connections."""
        given = {"username": self.username, "password": self.password, "db": self.database}
        options: dict[str, object] = {k: v for k, v in given.items() if v is not None}
        if self.path is not None:
            options["path"] = self.path
        elif self.service is None:
            options["host"], options["port"] = self.hosts[0]
        parsers = {k: v for k, v in PARAMETERS.items() if k not in TLS_PARAMETERS}
        return options | _parse(parsers, self.parameters) | self.tls_options

    @property
    def sentinel_options(self) -> dict[str, object]:
        """The options of connections to Sentinels, which have their own credentials."""
        own = _parse(SENTINEL_PARAMETERS, self.parameters)
        return {name.removeprefix("sentinel_"): value for name, value in own.items()} | (
            {"ssl": True, **self.tls_options} if self.uses_tls else {}
        )

    @property
    def tls_options(self) -> dict[str, object]:
        """The options of TLS. Host names are checked unless certificates are not verified."""
        if not self.uses_tls:
            return {}
        options = _parse(TLS_PARAMETERS, self.parameters)
        verifies = options.get("ssl_cert_reqs") != "none"
        return {"ssl_check_hostname": verifies} | options


def _problems(scheme: str, parameters: Mapping[str, str]) -> Iterator[str]:
    own = SENTINEL_PARAMETERS if scheme.endswith("+sentinel") else {}
    known = {**PARAMETERS, **own}
    for name, value in parameters.items():
        if name.startswith("socket_") or name == "timeout":
            yield f"{name} is set by REDIS_TIMEOUT"
        elif name not in known:
            yield f"{name} is not a known parameter"
        elif name in TLS_PARAMETERS and not scheme.startswith("rediss"):
            yield f"{name} needs a URL that starts with rediss"
        else:
            try:
                known[name](value)
            except (ValueError, KeyError):
                problem = "is not a file" if known[name] is _file else "is invalid"
                yield f"{name}={value} {problem}"


def _split_path(scheme: str, path: str) -> tuple[str | None, str | None]:
    """Split `/service/0` or `/0` into the service and the database number. Raises ValueError."""
    if scheme == "unix":
        return None, None
    parts = [part for part in path.split("/") if part]
    service = parts.pop(0) if scheme.endswith("+sentinel") and parts else None
    if scheme.endswith("+sentinel") and service is None:
        raise ValueError("needs a service, as in redis+sentinel://host:26379/service-name/0")
    if len(parts) > 1 or not all(part.isdecimal() for part in parts):
        raise ValueError("must end with the number of a database, such as /0")
    return service, parts[0] if parts else None


def _split_hosts(scheme: str, hosts: str) -> tuple[tuple[str, int], ...]:
    if scheme == "unix":
        return ()
    default_port = DEFAULT_SENTINEL_PORT if scheme.endswith("+sentinel") else DEFAULT_PORT
    found = parse_hosts(hosts)
    if len(found) > 1 and not scheme.endswith("+sentinel"):
        raise ValueError("may have several hosts only with redis+sentinel://")
    return tuple((host, int(port or default_port)) for host, port in found)


def _parse(
    parsers: Mapping[str, Callable[[str], object]], parameters: Mapping[str, str]
) -> dict[str, object]:
    return {k: parse(parameters[k]) for k, parse in parsers.items() if k in parameters}
