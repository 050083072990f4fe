import pytest

from app.core.exceptions import TooManyAttempts
from app.core.resources import Resources
from app.services.recovery_service import RecoveryService, UsernameNotFound
from tests.support.accounts import Person, open_anonymous_scope, open_user_scope


@pytest.mark.parametrize("email", ["ada@example.com", "stranger@example.com"])
async def test_a_request_enqueues_the_same_job_for_every_email(
    resources: Resources, ada: Person, email: str
) -> None:
    """The job finds the user, so the answer and its time reveal nothing."""
    assert ada.email == "ada@example.com"
    async with open_anonymous_scope(resources) as scope:
        await RecoveryService(scope).request_recovery(email)
        await RecoveryService(scope).request_verification(email)
        assert [(job.name, job.payload) for job in scope.uow.jobs] == [
            ("SendPasswordRecovery", {"email": email}),
            ("SendEmailVerification", {"email": email}),
        ]


async def test_the_eleventh_request_for_an_email_has_to_wait(resources: Resources) -> None:
    async with open_anonymous_scope(resources) as scope:
        recovery = RecoveryService(scope)
        for _ in range(10):
            await recovery.request_recovery("ada@example.com")
        with pytest.raises(TooManyAttempts):
            await recovery.request_recovery("ada@example.com")


async def test_a_superuser_previews_the_email_of_a_user_only(
    resources: Resources, ada: Person, root: Person
) -> None:
    async with open_user_scope(resources, root) as scope:
        preview = await RecoveryService(scope).preview_recovery(ada.email)
        with pytest.raises(UsernameNotFound):
            await RecoveryService(scope).preview_recovery("stranger@example.com")

    assert (preview.to, "reset-password?token=" in preview.text) == (ada.email, True)
