from pydantic import JsonValue

Claims = dict[str, JsonValue]
"""The claims of a provider about a user."""
