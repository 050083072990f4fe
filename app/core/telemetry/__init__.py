"""Traces, metrics, and error reports of this process.

Each is off until a setting names its destination. Until then, its library is not imported.
"""
