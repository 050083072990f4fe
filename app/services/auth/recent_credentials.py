"""Credentials that were added recently, which the owner checks after a takeover.

A second factor survives a password reset, because an attacker who reads the mailbox must not be
able to remove it. But an attacker may have added it. For some days, the link in its alert email can
remove it. During these days, a password reset may remove it as well: an attacker who reads the
mailbox could use that link instead.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from sqlalchemy import String, literal, select, union_all

from app.models import Identity, Passkey, TotpFactor
from app.services.alerts import LINK_LIFETIME
from app.services.auth.revocation import end_credentials_added_since
from app.services.auth.second_factors import delete_codes_without_factor
from app.services.scope import Scope


@dataclass(frozen=True, slots=True)
class RecentCredential:
    """`kind` is `totp`, `passkey`, or `identity`; `name` is that of the passkey or provider."""

    kind: str
    name: str
    added_at: datetime


class RecentCredentials:
    def __init__(self, scope: Scope, user_id: UUID) -> None:
        self.scope = scope
        self.user_id = user_id
        self.since = datetime.now(UTC) - LINK_LIFETIME

    async def list(self) -> Sequence[RecentCredential]:
        """List the credentials, newest first."""
        kind, added_at = literal("totp", String), TotpFactor.confirmed_at
        added = union_all(
            select(kind, literal("", String), added_at.label("added_at")).where(
                TotpFactor.user_id == self.user_id, TotpFactor.confirmed_at >= self.since
            ),
            select(literal("passkey", String), Passkey.name, Passkey.created_at).where(
                Passkey.user_id == self.user_id, Passkey.created_at >= self.since
            ),
            select(literal("identity", String), Identity.provider, Identity.created_at).where(
                Identity.user_id == self.user_id, Identity.created_at >= self.since
            ),
        ).subquery()
        rows = await self.scope.uow.session.execute(select(added).order_by(added.c.added_at.desc()))
        return [RecentCredential(*row) for row in rows]

    async def remove(self) -> None:
        """Remove the credentials. The caller has locked the user."""
        await end_credentials_added_since(self.scope, self.user_id, self.since)
        await delete_codes_without_factor(self.scope, self.user_id)
