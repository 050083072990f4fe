"""The cost of metrics per request and per job."""
