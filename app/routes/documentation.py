"""The description and the example values of the OpenAPI document."""

from collections.abc import Mapping

from pydantic import JsonValue

DESCRIPTION = """\
Users, accounts, and background jobs.

**Log in** with `POST /api/v1/login/access-token`, and send the access token with every request:
`Authorization: Bearer …`. It is valid for some minutes, and `POST /api/v1/login/refresh` renews it.
Programs use an API key instead. On this page, *Authorize* logs you in.

**Errors** are `application/problem+json` (RFC 9457). `detail` is a sentence that a front end can
show, `errors` lists the invalid fields, and `request_id` identifies the request in the log.
Responses with 429 and 503 have a `Retry-After` header in seconds.

**Lists** accept `skip` and `limit`, and return `data` with the total `count`.

**Background jobs** are accepted with 202 and the id of a job. `GET /api/v1/jobs/{job_id}` shows its
progress.
"""

EXAMPLES: Mapping[str, JsonValue] = {
    # Users
    "email": "ada@example.com",
    "username": "ada@example.com",
    "full_name": "Ada Lovelace",
    "password": "a fresh battery staple",
    "current_password": "correct horse battery",
    "new_password": "a fresh battery staple",
    "is_superuser": False,
    # Logins
    "access_token": "eyJ0eXAiOiJhdCtqd3QiLCJhbGciOiJIUzI1NiJ9.eyJzdWIiOiI….kP1cJ0Qe7n4",
    "refresh_token": "b2ZtZ0hXc1hLZkU4cVRyTnhBa1ZwUjJ5dWQ3bTQ2aGM",
    "expires_in": 900,
    "token": "mDZxTtZ0t3v7yq0hBq2cMZpVpiIqRkrNqfTyDbHd9kA",
    "code": "492039",
    "grant_type": "password",
    "client_id": None,
    "client_secret": None,
    "user_agent": "Mozilla/5.0 (X11; Linux x86_64; rv:150.0) Gecko/20100101 Firefox/150.0",
    "ip_address": "203.0.113.7",
    "address": "203.0.113.7",
    "current": True,
    # Second factors, keys, and providers
    "secret": "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ",
    "PasskeyOptions.state": "eyJhbGciOiJIUzI1NiJ9.eyJjZXJlbW9ueSI6….Yk1cJ0Qe7n4",
    "PasskeyOptions.public_key": {
        "rpId": "service.example.com",
        "challenge": "bURaeFR0WjB0M3Y3eXEwaEJxMmNNWnBWcGlJcVJrck4",
        "timeout": 300000,
        "userVerification": "required",
        "allowCredentials": [],
    },
    "PasskeyProof.state": "eyJhbGciOiJIUzI1NiJ9.eyJjZXJlbW9ueSI6….Yk1cJ0Qe7n4",
    "PasskeyRegistration.state": "eyJhbGciOiJIUzI1NiJ9.eyJjZXJlbW9ueSI6….Yk1cJ0Qe7n4",
    "PasskeyRegistration.name": "Ada's phone",
    "PasskeyUpdate.name": "Ada's phone",
    "PasskeyPublic.name": "Ada's phone",
    "PasskeyCreated.name": "Ada's phone",
    "Attestation.id": "q8PXb2rVTB6n0ZfWm3aKsg",
    "Attestation.rawId": "q8PXb2rVTB6n0ZfWm3aKsg",
    "Assertion.id": "q8PXb2rVTB6n0ZfWm3aKsg",
    "Assertion.rawId": "q8PXb2rVTB6n0ZfWm3aKsg",
    "clientDataJSON": "eyJ0eXBlIjoid2ViYXV0aG4uZ2V0In0",
    "attestationObject": "o2NmbXRkbm9uZWdhdHRTdG10oGhhdXRoRGF0YQ",
    "authenticatorData": "SZYN5YgOjGh0NBcPZHZgW4_krrmihjLHmVzzuoMdl2MFAAAAAQ",
    "signature": "MEUCIQDpGh2kXbU2G2Yx9cYyV0Q",
    "userHandle": "AZdvDo9qfD2bHi9KXG1-jw",
    "transports": ["internal", "hybrid"],
    "is_backed_up": True,
    "methods": ["totp", "passkey"],
    "otpauth_uri": "otpauth://totp/service.example.com:ada@example.com?secret=GEZDGNBVGY3TQOJQ",
    "recovery_codes": ["k7m2-p9qx-4wzr", "3hfd-8vnt-c6ya"],
    "recovery_codes_left": 8,
    "scopes": ["reports:read"],
    "permissions": ["reports:create", "reports:read"],
    "key": "fbk_5Jx0mWq1tXk7bYp3nR8vZc2dLg6hSf9aUe4wQo",
    "hint": "fbk_5Jx0",
    "expires_in_days": 90,
    "path": "/settings",
    "provider": "google",
    "authorization_url": "https://accounts.google.com/o/oauth2/v2/auth?client_id=…",
    "login_url": "https://service.example.com/api/v1/login/oidc/google",
    "OidcProviderPublic.name": "google",
    "ApiKeyCreate.name": "nightly import",
    "ApiKeyPublic.name": "nightly import",
    "ApiKeyCreated.name": "nightly import",
    "RoleCreate.name": "analyst",
    "RoleUpdate.name": "analyst",
    "RolePublic.name": "analyst",
    # Items, jobs, and reports
    "ItemCreate.title": "Notes on the Analytical Engine",
    "ItemUpdate.title": "Notes on the Analytical Engine",
    "ItemPublic.title": "Notes on the Analytical Engine",
    "description": "With a table for the numbers of Bernoulli",
    "JobStatus.name": "BuildSignupReport",
    "JobStatus.error": None,
    "queue": "base",
    "state": "succeeded",
    "attempt": 1,
    "progress": 1.0,
    "progress_message": "counted 30 of 30 days",
    "result": {"report_id": "01976f0e-8f6a-7c3d-9b1e-2f4a5c6d7e8f"},
    "scheduled_for": None,
    "JobRecord.name": "BuildSignupReport",
    "RecordedTry.name": "BuildSignupReport",
    "RecordedTry.error_class": None,
    "FoundJob.name": "BuildSignupReport",
    "FoundJob.state": "waiting",
    "JobClass.name": "BuildSignupReport",
    "JobField.name": "days",
    "JobField.type": "int",
    "DeadLetterGroup.name": "BuildSignupReport",
    "DeadLetterChange.name": "BuildSignupReport",
    "DeadLetterChange.arguments": {"days": "30"},
    "RunningJob.name": "BuildSignupReport",
    "CronRecord.name": "BuildSignupReport",
    "CronRecord.job": "BuildSignupReport",
    "CronStatus.name": "BuildSignupReport",
    "CronStatus.job": "BuildSignupReport",
    "payload": {"days": 30},
    "postponed": {},
    "handlers": {"BuildSignupReport": "app/workers/jobs.py:40"},
    "source": "app/schemas/jobs.py:78",
    "handler": "app/workers/jobs.py:40",
    "schedule": "hour 3, minute 0, second 0 (UTC)",
    "error_class": "OperationalError",
    "reason": "the mail server is back",
    "cursor": None,
    "traceback": None,
    "SignupReportRequest.days": 30,
    "first_day": "2026-03-01",
    "last_day": "2026-03-30",
    "total": 421,
    "signups": 14,
    # Everything else
    "message": "Password updated successfully",
    "event": "login.succeeded",
    "details": {"provider": "google"},
    "request_id": "01a2172307b575d3adbe53655c3d4292",
    "count": 1,
    "error": None,
    "Readiness.queues": {"base": {"status": "up", "error": None, "workers": 2}},
    "Readiness.status": "ready",
    "Response Health-Live": {"status": "ok"},
}
