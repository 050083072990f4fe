"""Check that code and documents use plain American English.

Run `.venv/bin/python -m dev.prose [PATH ...]`. Without a path, it checks all files of the project.
If a finding is no mistake, end its line with `# prose: the reason`, or in Markdown with
`<!-- prose: the reason -->`.
"""
