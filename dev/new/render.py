"""Render new files from `templates/`."""

from jinja2 import Environment, PackageLoader, StrictUndefined

# Not the usual braces, because two of the templates produce Jinja templates of emails.
_environment = Environment(
    loader=PackageLoader("dev.new"),
    variable_start_string="<<",
    variable_end_string=">>",
    block_start_string="<%",
    block_end_string="%>",
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    keep_trailing_newline=True,
    autoescape=False,  # noqa: S701  code, not HTML
)


def render(template: str, **values: object) -> str:
    """Render a file of `templates/`."""
    return _environment.get_template(f"{template}.jinja").render(values)
