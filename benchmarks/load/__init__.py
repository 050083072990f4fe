"""The goodput of the API under overload."""
