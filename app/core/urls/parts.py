"""The parts of a URL that the URLs of PostgreSQL and Redis have in common."""

import re
from urllib.parse import unquote


def parse_hosts(hosts: str) -> list[tuple[str, str | None]]:
    """Split `a:1,[::1]:2,c` into hosts and ports. A missing host is `localhost`.

    Raises ValueError.
    """
    places = [re.fullmatch(r"(\[[^]]*\]|[^:]*)(?::(\d+))?", each) for each in hosts.split(",")]
    if not all(places):
        raise ValueError("has an invalid host or port")
    return [(unquote(place[1]).strip("[]") or "localhost", place[2]) for place in places if place]


def join_host(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def decode(part: str | None) -> str | None:
    return unquote(part) if part else None
