"""answers: replies, alerts, reports, the ways by which they come in

Revision ID: 0003
Revises: 0002
"""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

Id = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
Json = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")
Time = sa.DateTime(timezone=True)

OPEN_REPLY = "handled_at IS NULL AND rank < 9"
AWAITED = "status IN ('accepted', 'sent') AND lookup_at IS NOT NULL"

PARTIAL = (
    ("ix_messages_reply_id", "messages", ["reply_id"], "reply_id IS NOT NULL"),
    ("ix_messages_alert_id", "messages", ["alert_id"], "alert_id IS NOT NULL"),
    ("ix_messages_awaited", "messages", ["lookup_at"], AWAITED),
    ("ix_replies_open", "replies", ["clinic_id", "rank", "received_at"], OPEN_REPLY),
    ("ix_alerts_open", "alerts", ["escalate_at"], "acknowledged_at IS NULL"),
)


def _columns() -> dict[str, list[sa.Column[Any]]]:
    """New ones for each use: a column belongs to one table at a time."""
    return {
        "clinics": [
            sa.Column("reply_words", Json, server_default="{}", nullable=False),
            sa.Column("reply_texts", Json, server_default="{}", nullable=False),
            sa.Column("reply_approval", Json, server_default="{}", nullable=False),
            sa.Column("page_in_sms", sa.Boolean(), server_default=sa.false(), nullable=False),
            sa.Column("first_text", sa.Boolean(), server_default=sa.true(), nullable=False),
            sa.Column("going_live", Json, server_default="{}", nullable=False),
        ],
        "addresses": [sa.Column("introduced_at", Time, nullable=True)],
        "patients": [sa.Column("link_epoch", sa.Integer(), server_default="0", nullable=False)],
        "messages": [sa.Column("reply_id", Id, nullable=True), sa.Column("alert_id", Id, nullable=True)],
        "replies": [
            sa.Column("sender_id", Id, nullable=True),
            sa.Column("subject", sa.Text(), server_default="", nullable=False),
            sa.Column("keyword", sa.String(length=40), server_default="", nullable=False),
            sa.Column("negated", sa.Boolean(), server_default=sa.false(), nullable=False),
            sa.Column("automatic", sa.Boolean(), server_default=sa.false(), nullable=False),
            sa.Column("rank", sa.Integer(), server_default="3", nullable=False),
            sa.Column("task", sa.String(length=40), server_default="", nullable=False),
            sa.Column("seen_at", Time, nullable=True),
            sa.Column("note", sa.Text(), server_default="", nullable=False),
            sa.Column("answer", sa.String(length=40), server_default="", nullable=False),
            sa.Column("matched", Json, server_default="[]", nullable=False),
        ],
        "scores": [sa.Column("withdrawn_at", Time, nullable=True)],
        "alerts": [
            sa.Column("acknowledged_how", sa.String(length=20), server_default="", nullable=False),
            sa.Column("next_contact", sa.Integer(), server_default="0", nullable=False),
        ],
    }


def upgrade() -> None:
    op.create_table(
        "receivers",
        sa.Column("name", sa.String(length=80), nullable=False),
        sa.Column("cursor", Json, nullable=False),
        sa.Column("lease_until", Time, nullable=True),
        sa.Column("worker", sa.String(length=80), nullable=False),
        sa.Column("worked_at", Time, nullable=True),
        sa.Column("problem", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_receivers")),
    )
    # Nothing wrote to this table before, so on SQLite it may be made again for its new constraint.
    with op.batch_alter_table("replies") as replies:
        replies.drop_constraint("uq_replies_channel_provider_id", type_="unique")
        replies.create_unique_constraint(
            "uq_replies_clinic_id_channel_provider_id", ["clinic_id", "channel", "provider_id"]
        )
    with op.batch_alter_table("alerts") as alerts:
        alerts.drop_constraint("uq_alerts_clinic_id_code", type_="unique")
    for table, columns in _columns().items():
        for column in columns:
            op.add_column(table, column)
    # Who has been written to knows us.
    op.execute("UPDATE addresses SET introduced_at = gap_until WHERE gap_until IS NOT NULL")
    for name, table, indexed, where in PARTIAL:
        op.create_index(name, table, indexed, sqlite_where=sa.text(where), postgresql_where=sa.text(where))
    codes = sa.text("acknowledged_at IS NULL")
    op.create_index(
        "uq_alerts_code",
        "alerts",
        ["clinic_id", "code"],
        unique=True,
        sqlite_where=codes,
        postgresql_where=codes,
    )
    op.create_index("ix_replies_from", "replies", ["clinic_id", "from_address", "received_at"])
    said = ["provider", "provider_id", "provider_status", "code"]
    op.create_index("uq_delivery_reports_said", "delivery_reports", said, unique=True)


def downgrade() -> None:
    op.drop_index("uq_delivery_reports_said", "delivery_reports")
    op.drop_index("ix_replies_from", "replies")
    op.drop_index("uq_alerts_code", "alerts")
    for name, table, _, _ in reversed(PARTIAL):
        op.drop_index(name, table)
    for table, columns in reversed(_columns().items()):
        for column in reversed(columns):
            op.drop_column(table, column.name)
    with op.batch_alter_table("replies") as replies:
        replies.drop_constraint("uq_replies_clinic_id_channel_provider_id", type_="unique")
        replies.create_unique_constraint("uq_replies_channel_provider_id", ["channel", "provider_id"])
    with op.batch_alter_table("alerts") as alerts:
        alerts.create_unique_constraint("uq_alerts_clinic_id_code", ["clinic_id", "code"])
    op.drop_table("receivers")
