from pydantic import JsonValue

Claims = dict[str, JsonValue]
"""What a provider asserts about a user."""
