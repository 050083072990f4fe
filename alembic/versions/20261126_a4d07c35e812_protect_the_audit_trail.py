"""protect the audit trail

Revision ID: a4d07c35e812
Revises: 5b7e2f90c1d3
Create Date: 2026-11-26 12:20:00.000000+00:00
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "a4d07c35e812"
down_revision: str | Sequence[str] | None = "5b7e2f90c1d3"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

# Only the two functions below change the trail, and the service may call them. They run as the
# owner of the table, so the service needs no privilege to delete or update.
REFUSE_CHANGES = """
CREATE OR REPLACE FUNCTION refuse_changes() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP <> 'TRUNCATE' AND current_setting('audit.maintenance', true) = 'on'
        AND current_user = (SELECT pg_get_userbyid(relowner) FROM pg_class WHERE oid = TG_RELID)
    THEN
        RETURN CASE TG_OP WHEN 'DELETE' THEN OLD ELSE NEW END;
    END IF;
    RAISE EXCEPTION '% is append-only', TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
END
$$
"""
REFUSE_ALL_CHANGES = """
CREATE OR REPLACE FUNCTION refuse_changes() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append-only', TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
END
$$
"""
NEVER_EMPTIED = """
CREATE OR REPLACE TRIGGER never_emptied BEFORE TRUNCATE ON audit_events
FOR EACH STATEMENT EXECUTE FUNCTION refuse_changes()
"""

# An attacker who takes over the service must not erase the traces of a recent attack.
DELETE_EVENTS = """
CREATE OR REPLACE FUNCTION delete_audit_events(before timestamptz, most integer) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER AS $$
DECLARE deleted integer;
BEGIN
    IF before > now() - interval '30 days' THEN
        RAISE EXCEPTION 'audit events stay for at least 30 days'
            USING ERRCODE = 'restrict_violation';
    END IF;
    PERFORM set_config('audit.maintenance', 'on', true);
    DELETE FROM audit_events WHERE at < before
        AND id IN (SELECT id FROM audit_events ORDER BY id LIMIT most);
    GET DIAGNOSTICS deleted = ROW_COUNT;
    PERFORM set_config('audit.maintenance', 'off', true);
    RETURN deleted;
END
$$
"""

# The remaining event shows what happened to an account, but not to whom or from where.
ANONYMIZE_EVENTS = """
CREATE OR REPLACE FUNCTION anonymize_audit_events(deleted_user uuid) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER AS $$
DECLARE changed integer;
BEGIN
    IF EXISTS (SELECT FROM users WHERE id = deleted_user) THEN
        RAISE EXCEPTION 'the user % exists', deleted_user USING ERRCODE = 'restrict_violation';
    END IF;
    PERFORM set_config('audit.maintenance', 'on', true);
    UPDATE audit_events SET
        address = CASE WHEN actor_id IS NULL OR actor_id = deleted_user THEN '' ELSE address END,
        user_agent = CASE WHEN actor_id IS NULL OR actor_id = deleted_user
            THEN '' ELSE user_agent END,
        details = CASE WHEN user_id = deleted_user THEN '{}' ELSE details END
    WHERE user_id = deleted_user
        OR (actor_id = deleted_user AND actor_id IS DISTINCT FROM user_id);
    GET DIAGNOSTICS changed = ROW_COUNT;
    PERFORM set_config('audit.maintenance', 'off', true);
    RETURN changed;
END
$$
"""
FUNCTIONS = (
    "delete_audit_events(timestamptz, integer)",
    "anonymize_audit_events(uuid)",
)

# pg_temp comes last: a temporary table of the caller must not stand in for one of these.
PIN_SEARCH_PATH = """
DO $$ BEGIN
    EXECUTE format('ALTER FUNCTION {function} SET search_path = %I, pg_temp', current_schema());
END $$
"""

OF_OTHERS = sa.text("actor_id IS DISTINCT FROM user_id")


def upgrade() -> None:
    op.execute(REFUSE_CHANGES)
    op.execute(NEVER_EMPTIED)
    for definition in (DELETE_EVENTS, ANONYMIZE_EVENTS):
        op.execute(definition)
    for function in FUNCTIONS:
        op.execute(PIN_SEARCH_PATH.format(function=function))
        op.execute(f"REVOKE EXECUTE ON FUNCTION {function} FROM PUBLIC")
    # CONCURRENTLY: events are recorded while the index is built.
    with op.get_context().autocommit_block():
        op.create_index(
            "ix_audit_events_actor_id",
            "audit_events",
            ["actor_id"],
            postgresql_where=OF_OTHERS,
            postgresql_concurrently=True,
            if_not_exists=True,
        )


def downgrade() -> None:
    with op.get_context().autocommit_block():
        op.drop_index(
            "ix_audit_events_actor_id",
            table_name="audit_events",
            postgresql_concurrently=True,
            if_exists=True,
        )
    for function in FUNCTIONS:
        op.execute(f"DROP FUNCTION {function}")
    op.execute("DROP TRIGGER never_emptied ON audit_events")
    op.execute(REFUSE_ALL_CHANGES)
