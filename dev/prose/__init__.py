"""The language checks: plain American English in code and documents.

Run `.venv/bin/python -m dev.prose [PATH ...]`. Without a path it checks what `bin/check` checks.
Where a finding is right as it stands, end its line with `# prose: the reason` (in Markdown,
`<!-- prose: the reason -->`).
"""
