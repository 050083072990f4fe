"""The users that may open each page of the console."""

from collections.abc import Mapping

READERS, SUPERUSERS, OPERATORS = (200, 200, 200), (403, 403, 200), (403, 200, 200)
ACCESS = {
    # page: the statuses for a user with console:read, one with all permissions, and a superuser.
    # An empty form changes nothing, but its status shows who may send it.
    "GET /console": READERS,
    "GET /console/queues/{name}/{action}": OPERATORS,
    "POST /console/queues/{name}/{action}": (403, 422, 422),
    "GET /console/queues/{name}/limits": OPERATORS,
    "POST /console/queues/{name}/limits": (403, 422, 422),
    "GET /console/jobs": READERS,
    "GET /console/jobs/{job_id}": READERS,
    "GET /console/jobs/{job_id}/do/{action}": OPERATORS,
    "POST /console/jobs/{job_id}/do/{action}": (403, 422, 422),
    "GET /console/dead-letters": READERS,
    "GET /console/dead-letters/{action}": OPERATORS,
    "POST /console/dead-letters/{action}": (403, 422, 422),
    "GET /console/classes": READERS,
    "GET /console/classes/{name}": READERS,
    "GET /console/schedule": READERS,
    "GET /console/schedule/{name}/run": OPERATORS,
    "POST /console/schedule/{name}/run": (403, 422, 422),
    "GET /console/enqueue": OPERATORS,
    "GET /console/enqueue/{name}": OPERATORS,
    "POST /console/enqueue/{name}": (403, 422, 422),
    "GET /console/workers": READERS,
    "GET /console/live/{name}": (404, 404, 404),
    "GET /console/users": SUPERUSERS,
    "GET /console/users/{user_id}": SUPERUSERS,
    "GET /console/users/{user_id}/do/{action}": SUPERUSERS,
    "POST /console/users/{user_id}/do/{action}": (403, 403, 422),
    "GET /console/users/{user_id}/roles": SUPERUSERS,
    "POST /console/users/{user_id}/roles": (403, 403, 422),
    "GET /console/users/{user_id}/{kind}/{id}/remove": SUPERUSERS,
    "POST /console/users/{user_id}/{kind}/{id}/remove": (403, 403, 422),
    "GET /console/audit": OPERATORS,
    "GET /console/audit/export.csv": OPERATORS,
}


def path_of(page: str, parts: Mapping[str, object]) -> str:
    """Return the path of a page that exists."""
    path = page.split()[1]
    for prefix, others in {
        "/console/queues": {"name": "base", "action": "pause"},
        "/console/enqueue": {"name": "SendTestEmail"},
        "/console/live": {"name": "nothing"},
        "/console/jobs": {"action": "retry"},
        "/console/dead-letters": {"action": "discard"},
        "/console/classes": {"name": "SendTestEmail"},
        "/console/schedule": {"name": "DeleteExpired"},
        "/console/users": {"action": "end-sessions", "kind": "sessions"},
    }.items():
        if path.startswith(prefix):
            return path.format(**parts, **others)
    return path
