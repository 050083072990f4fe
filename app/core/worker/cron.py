"""The times at which a job is done by the clock."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from datetime import timezone as fixed_offset
from zoneinfo import ZoneInfo

from arq.cron import next_cron

from app.core.queue import Job

At = int | set[int] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Cron:
    """A job and the times at which it is done, by the clock of a time zone."""

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

    def next_after(self, moment: datetime) -> datetime:
        """Tell the first tick after a moment, in UTC.

        In autumn an hour comes twice: a job of a certain hour is done the first time, one of every
        hour both times.
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
        """Tell the last tick after `since` and up to `now`."""
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
    """Have a job done at these times, each time once, however many workers there are.

    None means every; a weekday is a number from 0 for Monday. `timezone` is an IANA name. Times
    that passed while no worker ran are left out; with `catch_up`, the job is then done once as soon
    as a worker runs. The `name`, by default the job's, is what its last time is remembered by.

    Raises zoneinfo.ZoneInfoNotFoundError.
    """
    return Cron(
        job=job,
        name=name or type(job).__name__,
        month=month,
        day=day,
        weekday=weekday,
        hour=hour,
        minute=minute,
        second=second,
        zone=ZoneInfo(timezone),
        catch_up=catch_up,
    )


def refuse_equal_names(crons: Iterable[Cron]) -> None:
    """Raises ValueError where two crons would take each other's ticks for their own."""
    names = [cron.name for cron in crons]
    if twice := {name for name in names if names.count(name) > 1}:
        raise ValueError(f"several crons are called {', '.join(sorted(twice))}: give each a name")
