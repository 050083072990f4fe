"""Crons, which run jobs on a schedule."""

from calendar import monthrange
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from datetime import timezone as fixed_offset
from zoneinfo import ZoneInfo

from arq.cron import next_cron

from app.core.queue import Job

At = int | set[int] | None

RANGES = {
    "month": range(1, 13),
    "day": range(1, 32),
    "weekday": range(7),
    "hour": range(24),
    "minute": range(60),
    "second": range(60),
}
DAYS = {month: max(monthrange(year, month)[1] for year in (2023, 2024)) for month in range(1, 13)}
"""The number of days of each month in a leap year."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cron:
    """A job and its schedule in a time zone."""

    job: Job
    name: str
    month: At
    day: At
    weekday: At
    hour: At
    minute: At
    second: At
    zone: ZoneInfo
    catch_up: bool

    @property
    def schedule(self) -> str:
        """The schedule as text, such as `hour 3, minute 0 (UTC)`, without fields that are None."""
        fields = {field: getattr(self, field) for field in RANGES}
        given = [f"{field} {_text(at)}" for field, at in fields.items() if at is not None]
        return f"{', '.join(given) or 'every second'} ({self.zone.key})"

    def next_after(self, moment: datetime) -> datetime:
        """Return the first tick after a time, in UTC.

        When daylight saving time ends, an hour repeats. A cron of that hour runs only the first
        time. A cron of every hour runs both times.
        """
        local = moment.astimezone(self.zone)
        if self.hour is None and (offset := local.utcoffset()) is not None:
            local = moment.astimezone(fixed_offset(offset))
        while local <= moment:
            local = next_cron(
                local,
                month=self.month,
                day=self.day,
                weekday=self.weekday,
                hour=self.hour,
                minute=self.minute,
                second=self.second,
                microsecond=0,
            )
        return local.astimezone(UTC)

    def last_between(self, since: datetime, now: datetime) -> datetime | None:
        """Return the last tick after `since` and up to `now`."""
        window = timedelta(seconds=2)
        while (tick := self.next_after(max(since, now - window))) > now:
            if now - window <= since:
                return None
            window *= 2
        while (later := self.next_after(tick)) <= now:
            tick = later
        return tick


def cron(  # noqa: PLR0913  a crontab's fields
    job: Job,
    *,
    name: str | None = None,
    month: At = None,
    day: At = None,
    weekday: At = None,
    hour: At = None,
    minute: At = 0,
    second: At = 0,
    timezone: str = "UTC",
    catch_up: bool = False,
) -> Cron:
    """Return a cron, which enqueues a job once at each of these times, even with many workers.

    None means every value. A weekday is a number from 0 for Monday. `timezone` is an IANA name.
    Times that pass while no worker runs are skipped. With `catch_up`, the job runs once as soon as
    a worker runs again. The `name`, by default the job's, identifies the stored last tick.

    Raises ValueError for fields that match no time, or zoneinfo.ZoneInfoNotFoundError.
    """
    name = name or type(job).__name__
    fields = {"month": month, "day": day, "weekday": weekday}
    fields |= {"hour": hour, "minute": minute, "second": second}
    for field, values in fields.items():
        _check_field(name, field, values)
    _check_date(name, month, day)
    return Cron(
        job=job,
        name=name,
        month=month,
        day=day,
        weekday=weekday,
        hour=hour,
        minute=minute,
        second=second,
        zone=ZoneInfo(timezone),
        catch_up=catch_up,
    )


def check_names(crons: Iterable[Cron]) -> None:
    """Raise ValueError if two crons have the same name: each would skip the other's ticks."""
    names = [cron.name for cron in crons]
    if duplicates := {name for name in names if names.count(name) > 1}:
        raise ValueError(
            f"several crons are called {', '.join(sorted(duplicates))}: give each a name"
        )


def _text(at: int | set[int]) -> str:
    return "/".join(map(str, sorted(at))) if isinstance(at, set) else str(at)


def _check_field(cron: str, field: str, values: At) -> None:
    allowed = RANGES[field]
    range_text = f"from {allowed.start} to {allowed.stop - 1}"
    if values is not None and not isinstance(values, int | set):
        raise ValueError(
            f"the cron {cron} needs {field} as a number {range_text}, or a set of them"
        )
    if values == set():
        raise ValueError(f"the cron {cron} never runs: {field} is an empty set")
    for value in values if isinstance(values, set) else {values} - {None}:
        if type(value) is not int or value not in allowed:
            raise ValueError(f"the cron {cron} never runs: {field} is {value!r}, not {range_text}")


def _check_date(cron: str, month: At, day: At) -> None:
    """Raise ValueError unless one of the days exists in one of the months."""
    months, days = (each if isinstance(each, set) else {each} for each in (month, day))
    if None in months or None in days:
        return
    if min(each for each in days if each) > max(DAYS[each] for each in months if each):
        raise ValueError(f"the cron {cron} never runs: month {month} has no day {day}")
