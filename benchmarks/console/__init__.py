"""The queries of the console with 1,000,000 jobs: `python -m benchmarks.console`."""
