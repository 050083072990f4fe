"""Logging in with a provider. No transaction is open while it is asked."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy.dialects.postgresql import insert

from app.core.exceptions import Conflict, NotFound, Refused, SecondFactorNeeded
from app.core.oidc.answer import Answer
from app.core.oidc.begun_login import BegunLogin, seal, unseal
from app.core.oidc.client import OidcClient
from app.core.oidc.errors import InvalidAnswer
from app.core.resources import Resources
from app.core.throttle import Attempt
from app.core.tokens import hash_token, new_token
from app.models import UsedLogin
from app.schemas.oidc import LinkIdentity, ProvenIdentity
from app.services.audit import AuditTrail, Caller
from app.services.identity_service import IdentityService, IdentityTaken
from app.services.login_challenges import LIFETIME, LoginChallenges
from app.services.login_service import check_admission
from app.services.password_proof import prove_password
from app.services.principal import NotEnoughPermissions, Principal
from app.services.proven_identity import proven_identity
from app.services.session_service import SessionService, Tokens
from app.services.totp_service import TotpService
from app.services.user_service import EmailTaken

ACTION = "oidc"


class ProviderNotFound(NotFound):
    def __init__(self) -> None:
        super().__init__("Provider not found")


class LoginExpired(Refused):
    def __init__(self) -> None:
        super().__init__("This login has expired, was used already or belongs to another browser.")


class LoginDenied(Refused):
    def __init__(self, provider: str) -> None:
        super().__init__(f"{provider} did not let you in, or you did not agree.")


@dataclass(frozen=True, slots=True)
class Beginning:
    """Where the browser is to go, and what its cookie is to keep for `lifetime` seconds."""

    authorization_url: str
    cookie: str
    lifetime: int


class OidcService:
    """Opens transactions of its own, as LoginService does."""

    def __init__(self, resources: Resources, caller: Caller) -> None:
        self.resources = resources
        self.settings = resources.settings
        self.caller = caller
        self.attempt = Attempt(ACTION, caller.address)

    async def begin(self, provider: str, path: str) -> Beginning:
        """Begin a login.

        Raises ProviderNotFound, ProviderUnavailable, and TooManyAttempts after wrong answers.
        """
        return await self._begin(BegunLogin(secret=new_token(), provider=provider, path=path))

    async def begin_link(
        self, principal: Principal, provider: str, wish: LinkIdentity
    ) -> Beginning:
        """Begin to give whoever is logged in a further way in.

        Raises what `begin` does, NotEnoughPermissions outside of a session, and IncorrectPassword:
        a stolen access token shall not outlive its minutes.
        """
        if principal.session_id is None:
            raise NotEnoughPermissions
        if principal.user.password_hash is not None:
            given = wish.current_password
            password = given.get_secret_value() if given else ""
            await prove_password(self.resources, self.caller, principal.user, password)
        return await self._begin(
            BegunLogin(
                secret=new_token(),
                provider=provider,
                path=wish.path,
                user_id=principal.user.id,
                session_id=principal.session_id,
            )
        )

    def recall(self, provider: str, answer: Answer, cookie: str | None) -> BegunLogin:
        """Find the login that an answer belongs to. Raises LoginExpired."""
        login = unseal(self.settings, cookie) if cookie is not None else None
        if login is None or login.provider != provider or not login.has(answer.state):
            raise LoginExpired
        return login

    async def finish(self, login: BegunLogin, answer: Answer) -> Tokens | None:
        """Begin a session of whom the provider vouches for; None where a link was asked for.

        Raises LoginExpired for a second answer, LoginDenied, InvalidAnswer, ProviderUnavailable,
        InactiveUser, EmailNotVerified, TooManyAttempts and what IdentityService refuses;
        SecondFactorNeeded where a code has to follow, as after a password.
        """
        await self.resources.throttle.check(self.attempt)
        try:
            return await self._finish(login, answer)
        except (Refused, Conflict) as error:
            await self._record_failure(login.provider, error)
            await self.resources.throttle.count(self.attempt)
            raise

    async def _begin(self, login: BegunLogin) -> Beginning:
        await self.resources.throttle.check(self.attempt)
        url = await self._client(login.provider).authorization_url(login)
        cookie = seal(self.settings, login)
        return Beginning(url, cookie, self.settings.oidc_login_lifetime)

    async def _finish(self, login: BegunLogin, answer: Answer) -> Tokens | None:
        await self._use(login)
        if answer.error == "access_denied":
            raise LoginDenied(login.provider)
        claims = await self._client(login.provider).exchange(login, answer)
        proven = proven_identity(login.provider, claims)
        try:
            return await self._admit(login, proven)
        except (IdentityTaken, EmailTaken):
            # Where somebody else was first by a moment, the second look finds what they made.
            return await self._admit(login, proven)

    async def _use(self, login: BegunLogin) -> None:
        lifetime = timedelta(seconds=self.settings.oidc_login_lifetime)
        async with self.resources.unit_of_work() as uow:
            first = await uow.session.scalar(
                insert(UsedLogin)
                .values(
                    secret_hash=hash_token(login.secret), expires_at=datetime.now(UTC) + lifetime
                )
                .on_conflict_do_nothing()
                .returning(UsedLogin.secret_hash)
            )
        if first is None:
            raise LoginExpired

    async def _admit(self, login: BegunLogin, proven: ProvenIdentity) -> Tokens | None:
        async with self.resources.unit_of_work() as uow:
            identities = IdentityService(uow, self.caller)
            if login.user_id is not None and login.session_id is not None:
                await identities.link(login.user_id, login.session_id, proven)
                return None
            user = await identities.user_of(proven)
            check_admission(self.settings, user)
            if not await TotpService(uow, self.settings).is_set_up(user.id):
                AuditTrail(uow, self.caller).record(
                    "login.succeeded", user_id=user.id, actor_id=user.id, provider=login.provider
                )
                return await SessionService(uow, self.settings, self.caller).open(user)
            challenge = await LoginChallenges(uow).mint(user.id)
        raise SecondFactorNeeded(challenge, LIFETIME)

    async def _record_failure(self, provider: str, error: Exception) -> None:
        reason = error.reason if isinstance(error, InvalidAnswer) else type(error).__name__
        async with self.resources.unit_of_work() as uow:
            trail = AuditTrail(uow, self.caller)
            trail.record(
                "login.failed", user_id=None, actor_id=None, provider=provider, reason=reason
            )

    def _client(self, provider: str) -> OidcClient:
        try:
            return self.resources.oidc[provider]
        except KeyError as error:
            raise ProviderNotFound from error
