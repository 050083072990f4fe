"""What metrics cost per request and per job."""
