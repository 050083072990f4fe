"""Why nothing was changed."""


class NewError(Exception):
    """One sentence that says why nothing was changed; `bin/new` exits with `code`."""

    code = 1


class InvalidArgument(NewError):
    """An argument that can never work. `code` is that of a command line that is not understood."""

    code = 2
