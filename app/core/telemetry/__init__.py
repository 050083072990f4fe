"""What others learn about this process: traces, metrics, and reports of errors.

All are off until a setting says where they go. Until then, none of their libraries is loaded.
"""
