"""The pages of `docs/` that are made from the code.

Run `.venv/bin/python -m dev.docs` after changing a setting or a log line. `bin/check` runs it with
`--check`, which writes nothing and fails where a page is out of date.
"""
