"""erasing: what stays of an erased patient's no, as a keyed hash; and how far what is old was blanked

Revision ID: 0004
Revises: 0003
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

Id = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
Json = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")
Time = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "seals",
        sa.Column("name", sa.String(length=20), nullable=False),
        sa.Column("key", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_seals")),
    )
    op.create_table(
        "withdrawals",
        sa.Column("id", Id, nullable=False),
        sa.Column("clinic_id", Id, nullable=False),
        sa.Column("channel", sa.String(length=10), nullable=False),
        sa.Column("address", sa.String(length=254), nullable=False),
        sa.Column("at", Time, nullable=False),
        sa.Column("erased_at", Time, nullable=False),
        sa.ForeignKeyConstraint(["clinic_id"], ["clinics.id"], name=op.f("fk_withdrawals_clinic_id_clinics")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_withdrawals")),
    )
    op.create_index("ix_withdrawals_clinic_id_address", "withdrawals", ["clinic_id", "address"])
    op.create_table(
        "retention_walks",
        sa.Column("name", sa.String(length=20), nullable=False),
        sa.Column("cursor", Json, nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_retention_walks")),
    )


def downgrade() -> None:
    op.drop_table("retention_walks")
    op.drop_table("withdrawals")
    op.drop_table("seals")
