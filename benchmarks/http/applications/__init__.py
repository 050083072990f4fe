"""The applications for comparison. Each follows the tutorial of its framework."""
