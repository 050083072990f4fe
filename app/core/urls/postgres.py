"""Parses DATABASE_URL in the form of libpq and hosting providers."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self
from urllib.parse import parse_qsl, quote, urlencode

from app.core.urls.parts import decode, join_host, parse_hosts

DRIVER = "postgresql+asyncpg"
DEFAULT_PORT = 5432

URL = re.compile(
    r"postgres(?:ql)?(?:\+\w+)?://"
    r"(?:(?P<user>[^:@/?]*)(?::(?P<password>[^@]*))?@)?"
    r"(?P<hosts>[^/?]*)(?:/(?P<database>[^?]*))?(?:\?(?P<query>.*))?"
)

PLACES = {"host", "port", "user", "password", "dbname", "hostaddr"}
FILES = {"sslrootcert", "sslcert", "sslkey", "sslcrl", "passfile", "servicefile"}
NUMBERS = {
    *("connect_timeout", "tcp_user_timeout"),
    *("keepalives", "keepalives_idle", "keepalives_interval", "keepalives_count"),
}
CHOICES = {
    "sslmode": {"disable", "allow", "prefer", "require", "verify-ca", "verify-full"},
    "sslnegotiation": {"postgres", "direct"},
    "ssl_min_protocol_version": {"TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3"},
    "ssl_max_protocol_version": {"TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3"},
    "target_session_attrs": {
        *("any", "read-write", "read-only", "primary", "standby", "prefer-standby"),
    },
    "gsslib": {"gssapi", "sspi"},
    # The driver supports only these values of libpq's.
    "channel_binding": {"disable", "prefer"},
    "gssencmode": {"disable", "prefer"},
    "gssdelegation": {"0"},
    "sslcompression": {"0", "1"},
    "sslsni": {"1"},
    "sslcertmode": {"allow"},
    "requiressl": {"0"},
    "load_balance_hosts": {"disable"},
    "client_encoding": {"auto", "UTF8", "utf8", "UTF-8", "utf-8", "unicode", "UNICODE"},
    "replication": {"0", "false", "off", "no"},
    "min_protocol_version": {"3.0"},
    "max_protocol_version": {"3.0", "3.2", "latest"},
}
TEXTS = {
    *("application_name", "fallback_application_name", "options"),
    *("sslpassword", "krbsrvname", "service"),
}
FOR_DRIVER = {
    *("sslmode", "sslcert", "sslkey", "sslrootcert", "sslcrl", "sslpassword", "sslnegotiation"),
    *("ssl_min_protocol_version", "ssl_max_protocol_version", "target_session_attrs"),
    *("krbsrvname", "gsslib", "service"),
}
CURES = {
    "hostaddr": "Put the address in place of the host",
    "pgbouncer": "Set DATABASE_POOLER=transaction",
    "prepared_statement_cache_size": "For a pooler, set DATABASE_POOLER=transaction",
    "statement_cache_size": "For a pooler, set DATABASE_POOLER=transaction",
    "schema": "Use options=-csearch_path%3Dname",
    "search_path": "Use options=-csearch_path%3Dname",
    "channel_binding": (
        "The driver cannot bind channels. sslmode=verify-full with sslrootcert protects as well"
    ),
    "requiressl": "Use sslmode=require",
}
SSL_MODES = {"true": "require", "1": "require", "false": "disable", "0": "disable"}
"""Values of `ssl`, which other drivers use, and the `sslmode` of each."""


@dataclass(frozen=True, slots=True)
class PostgresAddress:
    """The address of a database, and the parameters of its connections."""

    hosts: tuple[str, ...]
    ports: tuple[int, ...]
    user: str | None
    password: str | None
    database: str | None
    parameters: Mapping[str, str]

    @classmethod
    def parse(cls, url: str) -> Self:
        """Parse a URL. Raises ValueError, whose message contains no password."""
        match = URL.fullmatch(url.strip())
        if match is None:
            raise ValueError("must start with postgresql://")
        parameters = _checked(parse_qsl(match["query"] or "", keep_blank_values=True))
        hosts, ports = _split_hosts(
            parameters.pop("host", "") or match["hosts"], parameters.pop("port", "")
        )
        return cls(
            hosts=hosts,
            ports=ports,
            user=parameters.pop("user", "") or decode(match["user"]),
            password=parameters.pop("password", "") or decode(match["password"]),
            database=parameters.pop("dbname", "") or decode(match["database"]),
            parameters=parameters,
        )

    def __str__(self) -> str:
        """Return the servers, for messages to operators."""
        return ", ".join(map(join_host, self.hosts, self.ports))

    @property
    def dsn_of_driver(self) -> str:
        """The parameters that the driver parses, such as those of TLS, in a URL without a host."""
        known = {k: v for k, v in self.parameters.items() if k in FOR_DRIVER and v != "system"}
        return f"postgresql://?{urlencode(known)}" if known else "postgresql://"

    @property
    def url_of_sqlalchemy(self) -> str:
        """The URL for SQLAlchemy, where several hosts are a parameter."""
        login = "".join(
            [
                quote(self.user, safe="") if self.user else "",
                f":{quote(self.password, safe='')}" if self.password else "",
                "@" if self.user or self.password else "",
            ]
        )
        parameters = dict(self.parameters)
        if len(self.hosts) == 1 and not self.hosts[0].startswith("/"):
            place = join_host(self.hosts[0], self.ports[0]).removesuffix(f":{DEFAULT_PORT}")
        else:
            place = ""
            parameters |= {"host": ",".join(self.hosts), "port": ",".join(map(str, self.ports))}
        query = f"?{urlencode(parameters, quote_via=quote)}" if parameters else ""
        return f"{DRIVER}://{login}{place}/{quote(self.database or '', safe='')}{query}"

    def number(self, parameter: str) -> int | None:
        """Return a parameter as a number, or None if it is missing."""
        value = self.parameters.get(parameter)
        return None if value is None else int(value)


def _checked(pairs: list[tuple[str, str]]) -> dict[str, str]:
    parameters = dict(pairs)
    if (mode := parameters.pop("ssl", None)) is not None:
        parameters["sslmode"] = SSL_MODES.get(mode.lower(), mode)
    if parameters.get("sslrootcert") == "system":
        parameters.setdefault("sslmode", "verify-full")
    # A verified certificate protects against the same attackers as channel binding.
    if parameters.get("sslmode") == "verify-full" and "channel_binding" in parameters:
        parameters["channel_binding"] = "prefer"
    if problem := next(_problems(parameters), None):
        raise ValueError(problem)
    return parameters


def _problems(parameters: Mapping[str, str]) -> Iterator[str]:
    for name, value in parameters.items():
        cure = f". {CURES[name]}" if name in CURES else ""
        if name == "hostaddr" or name not in PLACES | FILES | NUMBERS | CHOICES.keys() | TEXTS:
            yield f"{name} is not a known parameter{cure}"
        elif name in CHOICES and value not in CHOICES[name]:
            allowed = ", ".join(sorted(CHOICES[name]))
            yield f"{name}={value} is not supported; choose from {allowed}{cure}"
        elif name in NUMBERS and not value.isdecimal():
            yield f"{name}={value} must be a whole number"
        elif name in FILES and value != "system" and not Path(value).is_file():
            yield f"{name}={value} is not a file"
    if parameters.get("sslrootcert") == "system" and parameters["sslmode"] != "verify-full":
        yield "sslrootcert=system needs sslmode=verify-full"


def _split_hosts(hosts: str, ports: str) -> tuple[tuple[str, ...], tuple[int, ...]]:
    """Split `a:1,b:2`, or the hosts and ports of `host=a,b&port=1,2`. Raises ValueError."""
    found = parse_hosts(hosts)
    given = ports.split(",")
    if len(given) not in {1, len(found)} or not all(not p or p.isdecimal() for p in given):
        raise ValueError("port must have one number, or as many as there are hosts")
    given = given * len(found) if len(given) == 1 else given
    numbers = [int(own or p or DEFAULT_PORT) for (_, own), p in zip(found, given, strict=True)]
    return tuple(host for host, _ in found), tuple(numbers)
