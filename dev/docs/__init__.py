"""The pages of `docs/` that are generated from the code.

Run `.venv/bin/python -m dev.docs` after changing a setting or a log line. `bin/check` runs it with
`--check`, which writes nothing and fails if a page is out of date.
"""
