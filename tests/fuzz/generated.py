"""Requests that are generated from the OpenAPI document.

Only tests that need them import this module: Schemathesis takes a second to load.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args
from uuid import UUID

import httpx2
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import APIOperation, Case, GenerationMode, checks
from schemathesis.checks import CheckFunction
from schemathesis.core.failures import FailureGroup
from schemathesis.core.parameters import ParameterLocation
from schemathesis.core.result import Ok

from tests.routes.operations import DOCUMENT

Operation = APIOperation[Any, Any, Any, Any]
Sender = Literal["a stranger", "a user", "a superuser"]

CHECKS = [
    checks.not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_headers_conformance,
    checks.response_schema_conformance,
    checks.negative_data_rejection,
    checks.missing_required_header,
]


@dataclass(frozen=True)
class GeneratedRequest:
    """A request, its sender, and whether its path names an object that exists."""

    case: Case[Operation]
    sender: Sender
    names_an_object: bool

    def prepare(
        self, base_url: str, headers: Mapping[str, str], ids: Mapping[str, UUID | str]
    ) -> httpx2.Request:
        """Return the request as it is sent, with the ids of existing objects in its path."""
        path = self.case.path_parameters
        if self.names_an_object and not self._path_is_invalid:
            path.update({name: str(ids[name]) for name in path if name in ids})
        arguments = self.case.as_transport_kwargs(base_url=base_url, headers=dict(headers))
        sent = requests.Request(**arguments).prepare()
        assert isinstance(sent.body, bytes | str | None)
        return httpx2.Request(
            str(sent.method),
            str(sent.url),
            headers=[(name, str(value)) for name, value in sent.headers.items()],
            content=sent.body,
        )

    def check(self, response: httpx2.Response, headers: Mapping[str, str]) -> None:
        """Raise AssertionError if the response does not match the OpenAPI document."""
        try:
            self.case.validate_response(response, checks=self._checks, headers=dict(headers))
        except FailureGroup as found:  # unchanged, the exception would end the event loop
            raise AssertionError(f"as {self.sender}: {found}") from None

    @property
    def _checks(self) -> list[CheckFunction]:
        """A server reads the valid part of an invalid cookie, so the request may be valid."""
        meta = self.case.meta
        if meta is not None and meta.is_negative_at(ParameterLocation.COOKIE):
            return [check for check in CHECKS if check is not checks.negative_data_rejection]
        return CHECKS

    @property
    def _path_is_invalid(self) -> bool:
        """Keep an invalid path, because valid ids could make the request valid."""
        meta = self.case.meta
        return meta is not None and meta.is_negative_at(ParameterLocation.PATH)


def generate_requests(operation: Operation, number: int) -> list[GeneratedRequest]:
    """Generate up to `number` requests, which are the same for the same seed.

    They are generated in advance, because Hypothesis ends an example with an exception that asyncio
    does not handle.
    """
    found: list[GeneratedRequest] = []

    @settings(
        max_examples=number,
        phases=[Phase.generate],
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(_generated(operation))
    def keep(request: GeneratedRequest) -> None:
        found.append(request)

    keep()
    return found


@st.composite
def _generated(draw: st.DrawFn, operation: Operation) -> GeneratedRequest:
    mode = draw(st.sampled_from(GenerationMode))
    return GeneratedRequest(
        case=draw(operation.as_strategy(mode)),
        sender=draw(st.sampled_from(get_args(Sender))),
        names_an_object=draw(st.booleans()),
    )


def _operations() -> Iterator[tuple[str, Operation]]:
    for found in schemathesis.openapi.from_dict(DOCUMENT).get_all_operations():
        assert isinstance(found, Ok), found
        yield found.ok().label, found.ok()


OPERATIONS = dict(_operations())
