"""The templates of pages. A missing value is an error, and every value is escaped."""

from datetime import datetime

from jinja2 import ChoiceLoader, Environment, PackageLoader, PrefixLoader, StrictUndefined

from app.routes.console.formats import FILTERS

templates = Environment(
    loader=ChoiceLoader(
        [
            PackageLoader("app", "templates/pages"),
            PrefixLoader({"console": PackageLoader("app", "templates/console")}),
        ]
    ),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


def _as_date(moment: datetime) -> str:
    return f"{moment:%-d %B %Y}"


def _as_time(moment: datetime) -> str:
    return f"{moment:%-d %B %Y, %H:%M} UTC"


templates.filters |= {"date": _as_date, "time": _as_time, **FILTERS}
