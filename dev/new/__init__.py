"""`bin/new` adds a resource, a job, a queue, or an email, as the guides in setup.md describe."""
