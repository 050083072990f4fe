"""Login with a provider. No database connection is held while the provider responds."""

from dataclasses import dataclass
from functools import partial

from app.core.exceptions import AppError, BadRequest, Conflict, NotFound
from app.core.oidc.authorization_response import AuthorizationResponse
from app.core.oidc.clients import OidcClient
from app.core.oidc.errors import InvalidResponse
from app.core.oidc.login_cookie import read_login_state, sign_login_state
from app.core.oidc.login_state import LoginState
from app.core.security.attempts import Action, Attempt
from app.core.security.email_addresses import mailbox_of
from app.core.security.tokens import new_token
from app.models import User
from app.schemas.oidc import LinkIdentity, VerifiedIdentity
from app.services.audit import AuditTrail
from app.services.auth.identity_service import (
    IdentityService,
    IdentityTaken,
    is_trusted_provider,
)
from app.services.auth.login_service import LoginService, check_may_log_in
from app.services.auth.principal import NotEnoughPermissions
from app.services.auth.reauthentication import reauthenticate
from app.services.auth.session_service import Tokens
from app.services.auth.single_use import is_used, use_once
from app.services.auth.verified_identity import verified_identity
from app.services.scope import Scope
from app.services.user_service import EmailTaken


class ProviderNotFound(NotFound):
    def __init__(self) -> None:
        super().__init__("Provider not found")


class LoginExpired(BadRequest):
    def __init__(self) -> None:
        super().__init__("This login has expired, was already used, or belongs to another browser.")


class LoginDenied(BadRequest):
    def __init__(self, provider: str) -> None:
        super().__init__(f"{provider} denied the login, or you canceled it.")


@dataclass(frozen=True, slots=True)
class AuthorizationRedirect:
    """The provider's URL, and the cookie that the browser keeps for `lifetime` seconds."""

    authorization_url: str
    cookie: str
    lifetime: int


class OidcService:
    def __init__(self, scope: Scope) -> None:
        self.scope = scope
        self.uow = scope.uow
        self.attempt = Attempt(Action.PROVIDER_LOGIN, scope.request.ip_address)

    async def begin(
        self, provider: str, path: str, *, for_pages: bool = False
    ) -> AuthorizationRedirect:
        """Start a login.

        Raise ProviderNotFound, ProviderUnavailable, and TooManyAttempts after wrong responses.
        """
        login = LoginState(secret=new_token(), provider=provider, path=path, for_pages=for_pages)
        return await self._redirect(login)

    async def begin_link(
        self, provider: str, data: LinkIdentity, *, for_pages: bool = False
    ) -> AuthorizationRedirect:
        """Start to link a provider to the user's account.

        Raise what `begin` raises, NotEnoughPermissions outside of a session, RecentProofRequired,
        or IncorrectPassword: a stolen access token must not be enough to add a login method.
        """
        principal = self.scope.principal
        if principal.session_id is None:
            raise NotEnoughPermissions
        await reauthenticate(self.scope, data.current_password)
        return await self._redirect(
            LoginState(
                secret=new_token(),
                provider=provider,
                path=data.path,
                user_id=principal.user_id,
                session_id=principal.session_id,
                for_pages=for_pages,
            )
        )

    def read_state(
        self, provider: str, response: AuthorizationResponse, cookie: str | None
    ) -> LoginState:
        """Return the login that a response belongs to. Raise LoginExpired."""
        login = read_login_state(self.scope.settings, cookie) if cookie is not None else None
        if login is None or login.provider != provider or not login.has(response.state):
            raise LoginExpired
        return login

    async def finish(self, login: LoginState, response: AuthorizationResponse) -> Tokens | None:
        """Start a session for the provider's user. Return None after a link.

        Raise LoginExpired for a second response, LoginDenied, InvalidResponse,
        ProviderUnavailable, InactiveUser, EmailNotVerified, TooManyAttempts, or what
        IdentityService raises. Raise SecondFactorRequired if a code must follow.
        """
        await self.scope.throttle.check(self.attempt)
        # Failures commit the use of the login and its audit event. They also commit a new account,
        # because its address may have to be confirmed before its first login.
        self.uow.commit_on_refusal()
        try:
            identity = await self._identify(login, response)
            user = await self._link_or_find_user(login, identity)
            if user is not None:
                check_may_log_in(self.scope.settings, user)
        except (BadRequest, Conflict) as error:
            self._record_failure(login.provider, error)
            raise
        if user is None:
            return None
        return await LoginService(self.scope).open_session(user, provider=login.provider)

    async def _redirect(self, login: LoginState) -> AuthorizationRedirect:
        await self.scope.throttle.check(self.attempt)
        client = await self._client(login.provider)
        url = await client.authorization_url(login)
        cookie = sign_login_state(self.scope.settings, login)
        return AuthorizationRedirect(url, cookie, self.scope.settings.oidc_login_lifetime)

    async def _identify(
        self, login: LoginState, response: AuthorizationResponse
    ) -> VerifiedIdentity:
        """Ask the provider before the transaction's first statement, then consume the login."""
        if await is_used(self.scope, login.secret):
            raise LoginExpired
        try:
            identity = await self._ask_provider(login, response)
        except AppError:
            await self._consume(login)
            raise
        if login.user_id is None:
            await self._limit_unconfirmed_accounts(identity)
        await self._consume(login)
        return identity

    async def _limit_unconfirmed_accounts(self, identity: VerifiedIdentity) -> None:
        """Count a login as a sign-up if it may create an account and send an email to a stranger.

        Raise TooManyAttempts.
        """
        if identity.email is None:
            return
        if is_trusted_provider(self.scope.settings, identity.provider):
            return
        if await IdentityService(self.scope).may_create_user(identity):
            mailbox = mailbox_of(identity.email)
            signup = Attempt(Action.SIGNUP, self.scope.request.ip_address, mailbox)
            await self.scope.throttle.count(signup)

    async def _ask_provider(
        self, login: LoginState, response: AuthorizationResponse
    ) -> VerifiedIdentity:
        if response.error == "access_denied":
            raise LoginDenied(login.provider)
        client = await self._client(login.provider)
        claims = await client.exchange(login, response)
        return verified_identity(login.provider, claims)

    async def _consume(self, login: LoginState) -> None:
        """Consume a login. If two responses race, the second raises LoginExpired."""
        lifetime = self.scope.settings.oidc_login_lifetime
        if not await use_once(self.scope, login.secret, lifetime=lifetime):
            raise LoginExpired

    async def _link_or_find_user(
        self, login: LoginState, identity: VerifiedIdentity
    ) -> User | None:
        try:
            return await self._try_to_link_or_find_user(login, identity)
        except (IdentityTaken, EmailTaken):
            # If two requests race, the second try finds what the other request has created.
            return await self._try_to_link_or_find_user(login, identity)

    async def _try_to_link_or_find_user(
        self, login: LoginState, identity: VerifiedIdentity
    ) -> User | None:
        async with self.uow.session.begin_nested():
            identities = IdentityService(self.scope)
            if login.user_id is not None and login.session_id is not None:
                await identities.link(login.user_id, login.session_id, identity)
                return None
            return await identities.find_or_create_user(identity)

    def _record_failure(self, provider: str, error: Exception) -> None:
        reason = error.reason if isinstance(error, InvalidResponse) else type(error).__name__
        AuditTrail(self.scope).record(
            "login.failed", user_id=None, actor_id=None, provider=provider, reason=reason
        )
        self.uow.after_commit(partial(self.scope.throttle.count, self.attempt))

    async def _client(self, provider: str) -> OidcClient:
        try:
            return await self.scope.oidc.client(provider)
        except KeyError as error:
            raise ProviderNotFound from error
