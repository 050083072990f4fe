"""Requests that nobody thought of, made up from the OpenAPI."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args
from uuid import UUID

import httpx2
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import APIOperation, Case, GenerationMode
from schemathesis.core.result import Ok

from app.core.config import Settings
from app.core.setup import create_application

Operation = APIOperation[Any, Any, Any, Any]
Who = Literal["nobody", "a user", "a superuser"]

SCHEMA = schemathesis.openapi.from_dict(
    create_application(Settings(_env_file=None, environment="test")).openapi()
)


def _operations() -> Iterator[Operation]:
    for found in SCHEMA.get_all_operations():
        assert isinstance(found, Ok), found
        yield found.ok()


OPERATIONS = list(_operations())


@dataclass(frozen=True)
class MadeUp:
    """A request, who makes it, and whether it is of something that exists."""

    case: Case[Operation]
    who: Who
    of_what_exists: bool

    def prepare(
        self, base_url: str, headers: Mapping[str, str], ids: Mapping[str, UUID | str]
    ) -> httpx2.Request:
        """Write it as it is sent, with the ids of what exists where the path asks for them."""
        path = self.case.path_parameters
        if self.of_what_exists:
            path.update({name: str(ids[name]) for name in path if name in ids})
        wanted = self.case.as_transport_kwargs(base_url=base_url, headers=dict(headers))
        sent = requests.Request(**wanted).prepare()
        assert isinstance(sent.body, bytes | str | None)
        return httpx2.Request(
            str(sent.method),
            str(sent.url),
            headers=[(name, str(value)) for name, value in sent.headers.items()],
            content=sent.body,
        )


@st.composite
def made_up(draw: st.DrawFn, operation: Operation) -> MadeUp:
    mode = draw(st.sampled_from(GenerationMode))
    return MadeUp(
        case=draw(operation.as_strategy(mode)),
        who=draw(st.sampled_from(get_args(Who))),
        of_what_exists=draw(st.booleans()),
    )


def make_up(operation: Operation, number: int) -> list[MadeUp]:
    """Make up requests, fewer where there are not that many; the same for the same seed.

    They are made up beforehand: Hypothesis ends an example by an exception that is none to asyncio.
    """
    found: list[MadeUp] = []

    @settings(
        max_examples=number,
        phases=[Phase.generate],
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(made_up(operation))
    def keep(request: MadeUp) -> None:
        found.append(request)

    keep()
    return found
