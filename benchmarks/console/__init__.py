"""What the console asks for, with 1,000,000 jobs: `python -m benchmarks.console`."""
