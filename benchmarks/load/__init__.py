"""What the API serves under load, with and without a limit of requests in flight."""
