from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import AliasChoices, Field, PrivateAttr, SecretStr, computed_field, field_serializer

from app.core.broker.payload import FieldNotPreserved, InvalidJob
from app.core.queue import BASE, Job, to_message


def with_computed_field() -> type[Job]:
    class Paint(Job, queue=BASE):
        color: str = "red"

        @computed_field  # type: ignore[prop-decorator]
        @property
        def shade(self) -> str:
            return f"dark {self.color}"

    return Paint


def with_alias() -> type[Job]:
    class Paint(Job, queue=BASE):
        shade: str = Field(alias="color")

    return Paint


def with_validation_alias() -> type[Job]:
    class Paint(Job, queue=BASE):
        shade: str = Field(validation_alias=AliasChoices("shade", "color"))

    return Paint


def with_alias_generator() -> type[Job]:
    class Paint(Job, queue=BASE, alias_generator=str.upper):
        shade: str

    return Paint


def with_excluded_field() -> type[Job]:
    class Paint(Job, queue=BASE):
        shade: str = Field("red", exclude=True)

    return Paint


def with_private_attribute() -> type[Job]:
    class Paint(Job, queue=BASE):
        _shade: str = PrivateAttr("red")

    return Paint


@pytest.mark.parametrize(
    "declare",
    [
        with_computed_field,
        with_alias,
        with_validation_alias,
        with_alias_generator,
        with_excluded_field,
        with_private_attribute,
    ],
)
def test_a_field_that_cannot_reach_the_worker_is_rejected_when_the_class_is_declared(
    declare: Any,  # noqa: ANN401  only called
) -> None:
    with pytest.raises(FieldNotPreserved, match=r"Paint\._?shade"):
        declare()


class Hide(Job, queue=BASE):
    value: Any = None
    secret: SecretStr = SecretStr("")
    rounded: float | None = 0

    @field_serializer("rounded")
    def round(self, rounded: float | None) -> float | None:
        return 7 if rounded is None else round(rounded)


@pytest.mark.parametrize(
    ("job", "field"),
    [
        (Hide(value="a\x00b"), "value"),
        (Hide(value={"deep": ["a", "b\x00"]}), "value.deep.1"),
        (Hide(value="\ud800"), "value"),
        (Hide(value=float("nan")), "value"),
        (Hide(value=float("inf")), "value"),
        (Hide(value=b"\xff"), "value"),
        (Hide(value=object()), "value"),
        (Hide(value=(1, 2)), "value"),
        (Hide(secret=SecretStr("swordfish")), "secret"),
        (Hide(rounded=1.5), "rounded"),
        (Hide.model_construct(rounded=None), "rounded"),
    ],
    ids=lambda each: each if isinstance(each, str) else "",
)
def test_a_value_that_cannot_reach_the_worker_is_rejected_with_the_name_of_its_field(
    job: Job, field: str
) -> None:
    with pytest.raises(InvalidJob, match=rf"Hide\.{field} ") as refusal:
        to_message(job)

    assert isinstance(refusal.value, ValueError)
    assert refusal.value.field == field
    assert "swordfish" not in str(refusal.value)


@pytest.mark.parametrize("value", ["été 🙂", 10**30, -0.1, None, [1, {"a": [True]}], "\x7f\x01"])
def test_every_other_value_reaches_the_worker_as_it_is(value: object) -> None:
    assert Hide.model_validate(to_message(Hide(value=value)).payload) == Hide(value=value)


def test_a_time_needs_a_time_zone() -> None:
    with pytest.raises(ValueError, match="no time zone"):
        to_message(Hide(), at=datetime(2030, 1, 1))  # noqa: DTZ001  that is the point
    assert to_message(Hide(), at=datetime(2030, 1, 1, tzinfo=UTC)).due_at


def test_a_delay_cannot_be_endless() -> None:
    with pytest.raises(ValueError, match="after the last year"):
        to_message(Hide(), delay=timedelta.max)
