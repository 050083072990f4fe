"""The cost of waiting jobs: `python -m benchmarks.waiting --against CHECKOUT`."""
