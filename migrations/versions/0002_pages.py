"""pages: sign-ins, API tokens, practitioners, imports, retimings

Revision ID: 0002
Revises: 0001
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

Id = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
Json = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")
Time = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "throttles",
        sa.Column("key", sa.String(length=64), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("last_at", Time, nullable=False),
        sa.Column("blocked_until", Time, nullable=True),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_throttles")),
    )
    op.create_table(
        "api_tokens",
        sa.Column("id", Id, nullable=False),
        sa.Column("clinic_id", Id, nullable=False),
        sa.Column("name", sa.String(length=120), nullable=False),
        sa.Column("token_hash", sa.String(length=64), nullable=False),
        sa.Column("hint", sa.String(length=12), nullable=False),
        sa.Column("scope", sa.String(length=10), nullable=False),
        sa.Column("created_at", Time, nullable=False),
        sa.Column("created_by", sa.String(length=254), nullable=False),
        sa.Column("last_used_at", Time, nullable=True),
        sa.Column("revoked_at", Time, nullable=True),
        sa.CheckConstraint("scope IN ('read', 'write')", name=op.f("ck_api_tokens_scope")),
        sa.ForeignKeyConstraint(["clinic_id"], ["clinics.id"], name=op.f("fk_api_tokens_clinic_id_clinics")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_api_tokens")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_api_tokens_token_hash")),
    )
    with op.batch_alter_table("api_tokens", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_api_tokens_clinic_id"), ["clinic_id"], unique=False)
    op.create_table(
        "import_mappings",
        sa.Column("id", Id, nullable=False),
        sa.Column("clinic_id", Id, nullable=False),
        sa.Column("header_digest", sa.String(length=64), nullable=False),
        sa.Column("columns", Json, nullable=False),
        sa.Column("plans", Json, nullable=False),
        sa.Column("updated_at", Time, nullable=False),
        sa.Column("updated_by", sa.String(length=254), nullable=False),
        sa.ForeignKeyConstraint(
            ["clinic_id"], ["clinics.id"], name=op.f("fk_import_mappings_clinic_id_clinics")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_import_mappings")),
        sa.UniqueConstraint(
            "clinic_id", "header_digest", name=op.f("uq_import_mappings_clinic_id_header_digest")
        ),
    )
    op.create_table(
        "import_runs",
        sa.Column("id", Id, nullable=False),
        sa.Column("clinic_id", Id, nullable=False),
        sa.Column("file", sa.String(length=200), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=True),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("dry_run", sa.Boolean(), nullable=False),
        sa.Column("done", sa.Integer(), nullable=False),
        sa.Column("total", sa.Integer(), nullable=False),
        sa.Column("report", Json, nullable=True),
        sa.Column("created_at", Time, nullable=False),
        sa.Column("created_by", sa.String(length=254), nullable=False),
        sa.Column("finished_at", Time, nullable=True),
        sa.Column("lease_until", Time, nullable=True),
        sa.CheckConstraint(
            "state IN ('uploaded', 'running', 'done', 'failed')", name=op.f("ck_import_runs_state")
        ),
        sa.ForeignKeyConstraint(["clinic_id"], ["clinics.id"], name=op.f("fk_import_runs_clinic_id_clinics")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_import_runs")),
    )
    with op.batch_alter_table("import_runs", schema=None) as batch_op:
        batch_op.create_index(
            "ix_import_runs_clinic_id_created_at", ["clinic_id", "created_at"], unique=False
        )
    op.create_table(
        "practitioners",
        sa.Column("id", Id, nullable=False),
        sa.Column("clinic_id", Id, nullable=False),
        sa.Column("name", sa.String(length=120), nullable=False),
        sa.Column("archived_at", Time, nullable=True),
        sa.ForeignKeyConstraint(
            ["clinic_id"], ["clinics.id"], name=op.f("fk_practitioners_clinic_id_clinics")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_practitioners")),
        sa.UniqueConstraint("clinic_id", "name", name=op.f("uq_practitioners_clinic_id_name")),
    )
    op.create_table(
        "sign_ins",
        sa.Column("id", Id, nullable=False),
        sa.Column("token_hash", sa.String(length=64), nullable=False),
        sa.Column("staff_id", Id, nullable=False),
        sa.Column("clinic_id", Id, nullable=False),
        sa.Column("created_at", Time, nullable=False),
        sa.Column("seen_at", Time, nullable=False),
        sa.Column("expires_at", Time, nullable=False),
        sa.Column("user_agent", sa.String(length=200), nullable=False),
        sa.Column("toast", Json, nullable=True),
        sa.ForeignKeyConstraint(["clinic_id"], ["clinics.id"], name=op.f("fk_sign_ins_clinic_id_clinics")),
        sa.ForeignKeyConstraint(["staff_id"], ["staff.id"], name=op.f("fk_sign_ins_staff_id_staff")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sign_ins")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_sign_ins_token_hash")),
    )
    with op.batch_alter_table("sign_ins", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_sign_ins_staff_id"), ["staff_id"], unique=False)
    op.create_table(
        "staff_links",
        sa.Column("id", Id, nullable=False),
        sa.Column("token_hash", sa.String(length=64), nullable=False),
        sa.Column("staff_id", Id, nullable=False),
        sa.Column("clinic_id", Id, nullable=False),
        sa.Column("purpose", sa.String(length=20), nullable=False),
        sa.Column("created_at", Time, nullable=False),
        sa.Column("created_by", sa.String(length=254), nullable=False),
        sa.Column("expires_at", Time, nullable=False),
        sa.Column("used_at", Time, nullable=True),
        sa.CheckConstraint("purpose IN ('invitation', 'demo')", name=op.f("ck_staff_links_purpose")),
        sa.ForeignKeyConstraint(["clinic_id"], ["clinics.id"], name=op.f("fk_staff_links_clinic_id_clinics")),
        sa.ForeignKeyConstraint(["staff_id"], ["staff.id"], name=op.f("fk_staff_links_staff_id_staff")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_staff_links")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_staff_links_token_hash")),
    )
    with op.batch_alter_table("staff_links", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_staff_links_staff_id"), ["staff_id"], unique=False)
    op.create_table(
        "task_marks",
        sa.Column("id", Id, nullable=False),
        sa.Column("clinic_id", Id, nullable=False),
        sa.Column("key", sa.String(length=120), nullable=False),
        sa.Column("done_at", Time, nullable=False),
        sa.Column("done_by", sa.String(length=254), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["clinic_id"], ["clinics.id"], name=op.f("fk_task_marks_clinic_id_clinics")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_task_marks")),
        sa.UniqueConstraint("clinic_id", "key", name=op.f("uq_task_marks_clinic_id_key")),
    )
    op.create_table(
        "idempotency_records",
        sa.Column("id", Id, nullable=False),
        sa.Column("token_id", Id, nullable=False),
        sa.Column("key", sa.String(length=120), nullable=False),
        sa.Column("fingerprint", sa.String(length=64), nullable=False),
        sa.Column("status", sa.Integer(), nullable=False),
        sa.Column("body", Json, nullable=False),
        sa.Column("created_at", Time, nullable=False),
        sa.ForeignKeyConstraint(
            ["token_id"], ["api_tokens.id"], name=op.f("fk_idempotency_records_token_id_api_tokens")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_idempotency_records")),
        sa.UniqueConstraint("token_id", "key", name=op.f("uq_idempotency_records_token_id_key")),
    )
    with op.batch_alter_table("idempotency_records", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_idempotency_records_created_at"), ["created_at"], unique=False)
    op.create_table(
        "retimings",
        sa.Column("id", Id, nullable=False),
        sa.Column("clinic_id", Id, nullable=False),
        sa.Column("plan_id", Id, nullable=False),
        sa.Column("to_version_id", Id, nullable=False),
        sa.Column("total", sa.Integer(), nullable=False),
        sa.Column("done", sa.Integer(), nullable=False),
        sa.Column("cursor", Id, nullable=False),
        sa.Column("changed", sa.Integer(), nullable=False),
        sa.Column("started_at", Time, nullable=False),
        sa.Column("started_by", sa.String(length=254), nullable=False),
        sa.Column("finished_at", Time, nullable=True),
        sa.Column("lease_until", Time, nullable=True),
        sa.Column("worker", sa.String(length=80), nullable=False),
        sa.ForeignKeyConstraint(["clinic_id"], ["clinics.id"], name=op.f("fk_retimings_clinic_id_clinics")),
        sa.ForeignKeyConstraint(["plan_id"], ["plans.id"], name=op.f("fk_retimings_plan_id_plans")),
        sa.ForeignKeyConstraint(
            ["to_version_id"], ["plan_versions.id"], name=op.f("fk_retimings_to_version_id_plan_versions")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_retimings")),
    )
    with op.batch_alter_table("retimings", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_retimings_clinic_id"), ["clinic_id"], unique=False)
    # In place, not by way of a copy: other tables refer to this one.
    op.add_column("clinics", sa.Column("consent_wording", Json, nullable=False, server_default="{}"))
    op.add_column("clinics", sa.Column("sms_price", sa.Double(), nullable=True))
    op.add_column("clinics", sa.Column("currency", sa.String(length=3), nullable=False, server_default="USD"))
    with op.batch_alter_table("audit", schema=None) as batch_op:
        batch_op.create_index(
            "ix_audit_listed",
            ["clinic_id", "at"],
            unique=False,
            sqlite_where=sa.text("action = 'patients.listed'"),
            postgresql_where=sa.text("action = 'patients.listed'"),
        )
    with op.batch_alter_table("messages", schema=None) as batch_op:
        batch_op.create_index(
            "ix_messages_clinic_id_due_at", ["clinic_id", "due_at", "status", "channel"], unique=False
        )
        batch_op.create_index(
            "ix_messages_never_due",
            ["clinic_id", "created_at", "status", "channel"],
            unique=False,
            sqlite_where=sa.text("due_at IS NULL"),
            postgresql_where=sa.text("due_at IS NULL"),
        )
        batch_op.create_index(
            "ix_messages_for_a_person",
            ["clinic_id", "due_at"],
            unique=False,
            sqlite_where=sa.text("status IN ('held', 'unknown', 'failed', 'undelivered')"),
            postgresql_where=sa.text("status IN ('held', 'unknown', 'failed', 'undelivered')"),
        )
    with op.batch_alter_table("patients", schema=None) as batch_op:
        batch_op.create_index(
            "ix_patients_to_fix",
            ["clinic_id", "id"],
            unique=False,
            sqlite_where=sa.text("phone_problem != '' OR email_problem != ''"),
            postgresql_where=sa.text("phone_problem != '' OR email_problem != ''"),
        )
    with op.batch_alter_table("treatments", schema=None) as batch_op:
        batch_op.create_index("ix_treatments_clinic_id_ended_at", ["clinic_id", "ended_at"], unique=False)
        batch_op.create_index("ix_treatments_plan_id", ["plan_id", "id"], unique=False)


def downgrade() -> None:
    with op.batch_alter_table("treatments", schema=None) as batch_op:
        batch_op.drop_index("ix_treatments_plan_id")
        batch_op.drop_index("ix_treatments_clinic_id_ended_at")
    with op.batch_alter_table("patients", schema=None) as batch_op:
        batch_op.drop_index("ix_patients_to_fix")
    with op.batch_alter_table("messages", schema=None) as batch_op:
        batch_op.drop_index("ix_messages_for_a_person")
        batch_op.drop_index("ix_messages_never_due")
        batch_op.drop_index("ix_messages_clinic_id_due_at")
    with op.batch_alter_table("audit", schema=None) as batch_op:
        batch_op.drop_index("ix_audit_listed")
    op.drop_column("clinics", "currency")
    op.drop_column("clinics", "sms_price")
    op.drop_column("clinics", "consent_wording")
    with op.batch_alter_table("retimings", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_retimings_clinic_id"))
    op.drop_table("retimings")
    with op.batch_alter_table("idempotency_records", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_idempotency_records_created_at"))
    op.drop_table("idempotency_records")
    op.drop_table("task_marks")
    with op.batch_alter_table("staff_links", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_staff_links_staff_id"))
    op.drop_table("staff_links")
    with op.batch_alter_table("sign_ins", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_sign_ins_staff_id"))
    op.drop_table("sign_ins")
    op.drop_table("practitioners")
    with op.batch_alter_table("import_runs", schema=None) as batch_op:
        batch_op.drop_index("ix_import_runs_clinic_id_created_at")
    op.drop_table("import_runs")
    op.drop_table("import_mappings")
    with op.batch_alter_table("api_tokens", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_api_tokens_clinic_id"))
    op.drop_table("api_tokens")
    op.drop_table("throttles")
