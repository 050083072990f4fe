"""What waiting jobs cost: `python -m benchmarks.waiting --against CHECKOUT`."""
