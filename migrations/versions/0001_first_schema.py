"""first schema

Revision ID: 0001
Revises:
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

Id = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
Json = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")
Time = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "chores",
        sa.Column("name", sa.String(length=60), nullable=False),
        sa.Column("due_at", Time, nullable=False),
        sa.Column("lease_until", Time, nullable=True),
        sa.Column("worker", sa.String(length=80), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_chores")),
    )
    op.create_table(
        "clinics",
        sa.Column("id", Id, nullable=False),
        sa.Column("key", sa.String(length=60), nullable=False),
        sa.Column("name", sa.String(length=120), nullable=False),
        sa.Column("phone", sa.String(length=40), nullable=False),
        sa.Column("timezone", sa.String(length=60), nullable=False),
        sa.Column("country", sa.String(length=2), nullable=False),
        sa.Column("language", sa.String(length=8), nullable=False),
        sa.Column("emergency_number", sa.String(length=20), nullable=False),
        sa.Column("crisis_line", sa.String(length=40), nullable=False),
        sa.Column("opening_hours", Json, nullable=False),
        sa.Column("closed_dates", Json, nullable=False),
        sa.Column("created_at", Time, nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_clinics")),
        sa.UniqueConstraint("key", name=op.f("uq_clinics_key")),
    )
    op.create_table(
        "staff",
        sa.Column("id", Id, nullable=False),
        sa.Column("email", sa.String(length=254), nullable=False),
        sa.Column("name", sa.String(length=120), nullable=False),
        sa.Column("password_hash", sa.String(length=200), nullable=True),
        sa.Column("created_at", Time, nullable=False),
        sa.Column("disabled_at", Time, nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_staff")),
        sa.UniqueConstraint("email", name=op.f("uq_staff_email")),
    )
    op.create_table(
        "addresses",
        sa.Column("id", Id, nullable=False),
        sa.Column("clinic_id", Id, nullable=False),
        sa.Column("channel", sa.String(length=10), nullable=False),
        sa.Column("address", sa.String(length=254), nullable=False),
        sa.Column("gap_until", Time, nullable=True),
        sa.ForeignKeyConstraint(["clinic_id"], ["clinics.id"], name=op.f("fk_addresses_clinic_id_clinics")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_addresses")),
        sa.UniqueConstraint(
            "clinic_id", "channel", "address", name=op.f("uq_addresses_clinic_id_channel_address")
        ),
    )
    op.create_table(
        "alert_contacts",
        sa.Column("id", Id, nullable=False),
        sa.Column("clinic_id", Id, nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=120), nullable=False),
        sa.Column("phone", sa.String(length=20), nullable=True),
        sa.Column("email", sa.String(length=254), nullable=True),
        sa.Column("on_call", sa.Boolean(), nullable=False),
        sa.Column("tested_at", Time, nullable=True),
        sa.ForeignKeyConstraint(
            ["clinic_id"], ["clinics.id"], name=op.f("fk_alert_contacts_clinic_id_clinics")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_alert_contacts")),
        sa.UniqueConstraint("clinic_id", "position", name=op.f("uq_alert_contacts_clinic_id_position")),
    )
    op.create_table(
        "audit",
        sa.Column("id", Id, nullable=False),
        sa.Column("clinic_id", Id, nullable=True),
        sa.Column("at", Time, nullable=False),
        sa.Column("actor", sa.String(length=254), nullable=False),
        sa.Column("action", sa.String(length=60), nullable=False),
        sa.Column("subject", sa.String(length=40), nullable=False),
        sa.Column("subject_id", Id, nullable=True),
        sa.Column("detail", Json, nullable=False),
        sa.ForeignKeyConstraint(["clinic_id"], ["clinics.id"], name=op.f("fk_audit_clinic_id_clinics")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit")),
    )
    with op.batch_alter_table("audit", schema=None) as batch_op:
        batch_op.create_index("ix_audit_clinic_id_at", ["clinic_id", "at"], unique=False)
        batch_op.create_index("ix_audit_subject", ["subject", "subject_id"], unique=False)

    op.create_table(
        "memberships",
        sa.Column("id", Id, nullable=False),
        sa.Column("staff_id", Id, nullable=False),
        sa.Column("clinic_id", Id, nullable=False),
        sa.Column("role", sa.String(length=20), nullable=False),
        sa.CheckConstraint("role IN ('front_desk', 'admin')", name=op.f("ck_memberships_role")),
        sa.ForeignKeyConstraint(["clinic_id"], ["clinics.id"], name=op.f("fk_memberships_clinic_id_clinics")),
        sa.ForeignKeyConstraint(["staff_id"], ["staff.id"], name=op.f("fk_memberships_staff_id_staff")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_memberships")),
        sa.UniqueConstraint("staff_id", "clinic_id", name=op.f("uq_memberships_staff_id_clinic_id")),
    )
    with op.batch_alter_table("memberships", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_memberships_clinic_id"), ["clinic_id"], unique=False)

    op.create_table(
        "patients",
        sa.Column("id", Id, nullable=False),
        sa.Column("clinic_id", Id, nullable=False),
        sa.Column("record_number", sa.String(length=60), nullable=True),
        sa.Column("first_name", sa.String(length=120), nullable=False),
        sa.Column("last_name", sa.String(length=120), nullable=False),
        sa.Column("folded_name", sa.String(length=240), nullable=False),
        sa.Column("phone", sa.String(length=20), nullable=True),
        sa.Column("email", sa.String(length=254), nullable=True),
        sa.Column("contact_name", sa.String(length=120), nullable=False),
        sa.Column("contact_relation", sa.String(length=60), nullable=False),
        sa.Column("language", sa.String(length=8), nullable=False),
        sa.Column("timezone", sa.String(length=60), nullable=True),
        sa.Column("preferred_channel", sa.String(length=10), nullable=False),
        sa.Column("name_treatment", sa.Boolean(), nullable=False),
        sa.Column("essentials", sa.Boolean(), nullable=False),
        sa.Column("paused_at", Time, nullable=True),
        sa.Column("paused_reason", sa.Text(), nullable=False),
        sa.Column("phone_problem", sa.Text(), nullable=False),
        sa.Column("email_problem", sa.Text(), nullable=False),
        sa.Column("created_at", Time, nullable=False),
        sa.Column("erased_at", Time, nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["clinic_id"], ["clinics.id"], name=op.f("fk_patients_clinic_id_clinics")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_patients")),
        sa.UniqueConstraint("clinic_id", "record_number", name=op.f("uq_patients_clinic_id_record_number")),
    )
    with op.batch_alter_table("patients", schema=None) as batch_op:
        batch_op.create_index("ix_patients_clinic_id_email", ["clinic_id", "email"], unique=False)
        batch_op.create_index("ix_patients_clinic_id_folded_name", ["clinic_id", "folded_name"], unique=False)
        batch_op.create_index("ix_patients_clinic_id_phone", ["clinic_id", "phone"], unique=False)

    op.create_table(
        "plans",
        sa.Column("id", Id, nullable=False),
        sa.Column("clinic_id", Id, nullable=False),
        sa.Column("key", sa.String(length=60), nullable=False),
        sa.Column("archived_at", Time, nullable=True),
        sa.ForeignKeyConstraint(["clinic_id"], ["clinics.id"], name=op.f("fk_plans_clinic_id_clinics")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_plans")),
        sa.UniqueConstraint("clinic_id", "key", name=op.f("uq_plans_clinic_id_key")),
    )
    op.create_table(
        "senders",
        sa.Column("id", Id, nullable=False),
        sa.Column("clinic_id", Id, nullable=False),
        sa.Column("channel", sa.String(length=10), nullable=False),
        sa.Column("identity", sa.String(length=254), nullable=False),
        sa.Column("display_name", sa.String(length=120), nullable=False),
        sa.Column("max_per_second", sa.Double(), nullable=True),
        sa.Column("next_free_at", Time, nullable=True),
        sa.Column("stopped_at", Time, nullable=True),
        sa.Column("stopped_reason", sa.Text(), nullable=False),
        sa.Column("probe_at", Time, nullable=True),
        sa.Column("probes", sa.Integer(), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["clinic_id"], ["clinics.id"], name=op.f("fk_senders_clinic_id_clinics")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_senders")),
        sa.UniqueConstraint(
            "clinic_id", "channel", "identity", name=op.f("uq_senders_clinic_id_channel_identity")
        ),
    )
    op.create_table(
        "consents",
        sa.Column("id", Id, nullable=False),
        sa.Column("clinic_id", Id, nullable=False),
        sa.Column("patient_id", Id, nullable=False),
        sa.Column("channel", sa.String(length=10), nullable=False),
        sa.Column("granted", sa.Boolean(), nullable=False),
        sa.Column("at", Time, nullable=False),
        sa.Column("recorded_at", Time, nullable=False),
        sa.Column("method", sa.String(length=60), nullable=False),
        sa.Column("wording", sa.Text(), nullable=False),
        sa.Column("recorded_by", sa.String(length=254), nullable=False),
        sa.ForeignKeyConstraint(["clinic_id"], ["clinics.id"], name=op.f("fk_consents_clinic_id_clinics")),
        sa.ForeignKeyConstraint(
            ["patient_id"], ["patients.id"], name=op.f("fk_consents_patient_id_patients")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_consents")),
    )
    with op.batch_alter_table("consents", schema=None) as batch_op:
        batch_op.create_index(
            "ix_consents_patient_id_channel_at", ["patient_id", "channel", "at"], unique=False
        )

    op.create_table(
        "plan_versions",
        sa.Column("id", Id, nullable=False),
        sa.Column("clinic_id", Id, nullable=False),
        sa.Column("plan_id", Id, nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("content", Json, nullable=False),
        sa.Column("created_at", Time, nullable=False),
        sa.Column("created_by", sa.String(length=254), nullable=False),
        sa.ForeignKeyConstraint(
            ["clinic_id"], ["clinics.id"], name=op.f("fk_plan_versions_clinic_id_clinics")
        ),
        sa.ForeignKeyConstraint(["plan_id"], ["plans.id"], name=op.f("fk_plan_versions_plan_id_plans")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_plan_versions")),
        sa.UniqueConstraint("plan_id", "number", name=op.f("uq_plan_versions_plan_id_number")),
    )
    op.create_table(
        "suppressions",
        sa.Column("id", Id, nullable=False),
        sa.Column("clinic_id", Id, nullable=False),
        sa.Column("sender_id", Id, nullable=False),
        sa.Column("channel", sa.String(length=10), nullable=False),
        sa.Column("address", sa.String(length=254), nullable=False),
        sa.Column("since", Time, nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("lifted_at", Time, nullable=True),
        sa.Column("lifted_reason", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["clinic_id"], ["clinics.id"], name=op.f("fk_suppressions_clinic_id_clinics")
        ),
        sa.ForeignKeyConstraint(
            ["sender_id"], ["senders.id"], name=op.f("fk_suppressions_sender_id_senders")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_suppressions")),
    )
    with op.batch_alter_table("suppressions", schema=None) as batch_op:
        batch_op.create_index(
            "uq_suppressions_standing",
            ["sender_id", "address"],
            unique=True,
            sqlite_where=sa.text("lifted_at IS NULL"),
            postgresql_where=sa.text("lifted_at IS NULL"),
        )

    op.create_table(
        "plan_approvals",
        sa.Column("id", Id, nullable=False),
        sa.Column("clinic_id", Id, nullable=False),
        sa.Column("plan_version_id", Id, nullable=False),
        sa.Column("approved_by", sa.String(length=254), nullable=False),
        sa.Column("approved_on", Time, nullable=False),
        sa.Column("recorded_at", Time, nullable=False),
        sa.Column("recorded_by", sa.String(length=254), nullable=False),
        sa.ForeignKeyConstraint(
            ["clinic_id"], ["clinics.id"], name=op.f("fk_plan_approvals_clinic_id_clinics")
        ),
        sa.ForeignKeyConstraint(
            ["plan_version_id"],
            ["plan_versions.id"],
            name=op.f("fk_plan_approvals_plan_version_id_plan_versions"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_plan_approvals")),
    )
    with op.batch_alter_table("plan_approvals", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_plan_approvals_plan_version_id"), ["plan_version_id"], unique=False
        )

    op.create_table(
        "treatments",
        sa.Column("id", Id, nullable=False),
        sa.Column("clinic_id", Id, nullable=False),
        sa.Column("patient_id", Id, nullable=False),
        sa.Column("plan_id", Id, nullable=False),
        sa.Column("plan_version_id", Id, nullable=False),
        sa.Column("external_id", sa.String(length=120), nullable=True),
        sa.Column("idempotency_key", sa.String(length=120), nullable=True),
        sa.Column("practitioner", sa.String(length=120), nullable=False),
        sa.Column("ended_at", Time, nullable=False),
        sa.Column("logged_at", Time, nullable=False),
        sa.Column("areas", Json, nullable=False),
        sa.Column("next_visit_at", Time, nullable=True),
        sa.Column("source", sa.String(length=20), nullable=False),
        sa.Column("logged_by", sa.String(length=254), nullable=False),
        sa.Column("voided_at", Time, nullable=True),
        sa.Column("voided_reason", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["clinic_id"], ["clinics.id"], name=op.f("fk_treatments_clinic_id_clinics")),
        sa.ForeignKeyConstraint(
            ["patient_id"], ["patients.id"], name=op.f("fk_treatments_patient_id_patients")
        ),
        sa.ForeignKeyConstraint(["plan_id"], ["plans.id"], name=op.f("fk_treatments_plan_id_plans")),
        sa.ForeignKeyConstraint(
            ["plan_version_id"],
            ["plan_versions.id"],
            name=op.f("fk_treatments_plan_version_id_plan_versions"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_treatments")),
        sa.UniqueConstraint("clinic_id", "external_id", name=op.f("uq_treatments_clinic_id_external_id")),
        sa.UniqueConstraint(
            "clinic_id", "idempotency_key", name=op.f("uq_treatments_clinic_id_idempotency_key")
        ),
    )
    with op.batch_alter_table("treatments", schema=None) as batch_op:
        batch_op.create_index("ix_treatments_clinic_id_logged_at", ["clinic_id", "logged_at"], unique=False)
        batch_op.create_index("ix_treatments_patient_id_ended_at", ["patient_id", "ended_at"], unique=False)

    op.create_table(
        "messages",
        sa.Column("id", Id, nullable=False),
        sa.Column("clinic_id", Id, nullable=False),
        sa.Column("kind", sa.String(length=10), nullable=False),
        sa.Column("dedup_key", sa.String(length=200), nullable=False),
        sa.Column("sender_id", Id, nullable=False),
        sa.Column("priority", sa.Integer(), nullable=False),
        sa.Column("status", sa.String(length=12), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("reason_code", sa.String(length=20), nullable=False),
        sa.Column("due_at", Time, nullable=True),
        sa.Column("useful_until", Time, nullable=True),
        sa.Column("channel", sa.String(length=10), nullable=False),
        sa.Column("to", sa.String(length=254), nullable=False),
        sa.Column("address_id", Id, nullable=True),
        sa.Column("patient_id", Id, nullable=True),
        sa.Column("treatment_id", Id, nullable=True),
        sa.Column("plan_version_id", Id, nullable=True),
        sa.Column("step", sa.String(length=80), nullable=True),
        sa.Column("safety", sa.Boolean(), nullable=False),
        sa.Column("fallback_of_id", Id, nullable=True),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("words", sa.Text(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("claimed_at", Time, nullable=True),
        sa.Column("lease_until", Time, nullable=True),
        sa.Column("worker", sa.String(length=80), nullable=False),
        sa.Column("lookups", sa.Integer(), nullable=False),
        sa.Column("lookup_at", Time, nullable=True),
        sa.Column("created_at", Time, nullable=False),
        sa.CheckConstraint(
            "kind IN ('planned', 'answer', 'staff', 'alert', 'test')", name=op.f("ck_messages_kind")
        ),
        sa.CheckConstraint(
            "status IN ('scheduled', 'held', 'sending', 'accepted', "
            "'sent', 'delivered', 'undelivered', 'failed', 'unknown', 'skipped', 'cancelled')",
            name=op.f("ck_messages_status"),
        ),
        sa.ForeignKeyConstraint(
            ["address_id"], ["addresses.id"], name=op.f("fk_messages_address_id_addresses")
        ),
        sa.ForeignKeyConstraint(["clinic_id"], ["clinics.id"], name=op.f("fk_messages_clinic_id_clinics")),
        sa.ForeignKeyConstraint(
            ["fallback_of_id"], ["messages.id"], name=op.f("fk_messages_fallback_of_id_messages")
        ),
        sa.ForeignKeyConstraint(
            ["patient_id"], ["patients.id"], name=op.f("fk_messages_patient_id_patients")
        ),
        sa.ForeignKeyConstraint(
            ["plan_version_id"], ["plan_versions.id"], name=op.f("fk_messages_plan_version_id_plan_versions")
        ),
        sa.ForeignKeyConstraint(["sender_id"], ["senders.id"], name=op.f("fk_messages_sender_id_senders")),
        sa.ForeignKeyConstraint(
            ["treatment_id"], ["treatments.id"], name=op.f("fk_messages_treatment_id_treatments")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_messages")),
        sa.UniqueConstraint("clinic_id", "dedup_key", name=op.f("uq_messages_clinic_id_dedup_key")),
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("messages", schema=None) as batch_op:
        batch_op.create_index(
            "ix_messages_in_doubt",
            ["status", "lease_until"],
            unique=False,
            sqlite_where=sa.text("status IN ('sending', 'unknown')"),
            postgresql_where=sa.text("status IN ('sending', 'unknown')"),
        )
        batch_op.create_index("ix_messages_patient_id_claimed_at", ["patient_id", "claimed_at"], unique=False)
        batch_op.create_index(
            "ix_messages_queue",
            ["sender_id", "priority", "due_at"],
            unique=False,
            sqlite_where=sa.text("status = 'scheduled'"),
            postgresql_where=sa.text("status = 'scheduled'"),
        )
        batch_op.create_index(
            "ix_messages_recent",
            ["address_id", "claimed_at"],
            unique=False,
            sqlite_where=sa.text("claimed_at IS NOT NULL"),
            postgresql_where=sa.text("claimed_at IS NOT NULL"),
        )
        batch_op.create_index("ix_messages_treatment_id", ["treatment_id"], unique=False)

    op.create_table(
        "attempts",
        sa.Column("id", Id, nullable=False),
        sa.Column("message_id", Id, nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("channel", sa.String(length=10), nullable=False),
        sa.Column("address", sa.String(length=254), nullable=False),
        sa.Column("sender", sa.String(length=254), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("words", sa.Text(), nullable=False),
        sa.Column("encoding", sa.String(length=8), nullable=False),
        sa.Column("segments", sa.Integer(), nullable=False),
        sa.Column("claimed_at", Time, nullable=False),
        sa.Column("worker", sa.String(length=80), nullable=False),
        sa.Column("outcome", sa.String(length=12), nullable=False),
        sa.Column("finished_at", Time, nullable=True),
        sa.Column("provider", sa.String(length=20), nullable=False),
        sa.Column("provider_id", sa.String(length=254), nullable=True),
        sa.Column("error_class", sa.String(length=20), nullable=False),
        sa.Column("error_code", sa.String(length=20), nullable=False),
        sa.Column("error", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["message_id"], ["messages.id"], name=op.f("fk_attempts_message_id_messages")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_attempts")),
        sa.UniqueConstraint("message_id", "number", name=op.f("uq_attempts_message_id_number")),
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("attempts", schema=None) as batch_op:
        batch_op.create_index("ix_attempts_provider_id", ["provider_id"], unique=False)

    op.create_table(
        "delivery_reports",
        sa.Column("id", Id, nullable=False),
        sa.Column("message_id", Id, nullable=True),
        sa.Column("attempt", sa.Integer(), nullable=True),
        sa.Column("provider", sa.String(length=20), nullable=False),
        sa.Column("provider_id", sa.String(length=254), nullable=False),
        sa.Column("status", sa.String(length=12), nullable=False),
        sa.Column("provider_status", sa.String(length=40), nullable=False),
        sa.Column("code", sa.String(length=20), nullable=False),
        sa.Column("received_at", Time, nullable=False),
        sa.Column("raw", Json, nullable=False),
        sa.ForeignKeyConstraint(
            ["message_id"], ["messages.id"], name=op.f("fk_delivery_reports_message_id_messages")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_delivery_reports")),
    )
    with op.batch_alter_table("delivery_reports", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_delivery_reports_message_id"), ["message_id"], unique=False)
        batch_op.create_index("ix_delivery_reports_provider_id", ["provider_id"], unique=False)

    op.create_table(
        "message_events",
        sa.Column("id", Id, nullable=False),
        sa.Column("message_id", Id, nullable=False),
        sa.Column("at", Time, nullable=False),
        sa.Column("from_status", sa.String(length=12), nullable=False),
        sa.Column("to_status", sa.String(length=12), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("actor", sa.String(length=254), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(
            ["message_id"], ["messages.id"], name=op.f("fk_message_events_message_id_messages")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_message_events")),
    )
    with op.batch_alter_table("message_events", schema=None) as batch_op:
        batch_op.create_index("ix_message_events_message_id", ["message_id"], unique=False)

    op.create_table(
        "replies",
        sa.Column("id", Id, nullable=False),
        sa.Column("clinic_id", Id, nullable=True),
        sa.Column("patient_id", Id, nullable=True),
        sa.Column("treatment_id", Id, nullable=True),
        sa.Column("message_id", Id, nullable=True),
        sa.Column("channel", sa.String(length=10), nullable=False),
        sa.Column("provider_id", sa.String(length=254), nullable=False),
        sa.Column("from_address", sa.String(length=254), nullable=False),
        sa.Column("to_address", sa.String(length=254), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("received_at", Time, nullable=False),
        sa.Column("intent", sa.String(length=20), nullable=False),
        sa.Column("red_flags", Json, nullable=False),
        sa.Column("score", sa.Integer(), nullable=True),
        sa.Column("assigned_to", Id, nullable=True),
        sa.Column("handled_at", Time, nullable=True),
        sa.Column("handled_by", sa.String(length=254), nullable=False),
        sa.Column("handled_how", sa.String(length=40), nullable=False),
        sa.ForeignKeyConstraint(["assigned_to"], ["staff.id"], name=op.f("fk_replies_assigned_to_staff")),
        sa.ForeignKeyConstraint(["clinic_id"], ["clinics.id"], name=op.f("fk_replies_clinic_id_clinics")),
        sa.ForeignKeyConstraint(["message_id"], ["messages.id"], name=op.f("fk_replies_message_id_messages")),
        sa.ForeignKeyConstraint(["patient_id"], ["patients.id"], name=op.f("fk_replies_patient_id_patients")),
        sa.ForeignKeyConstraint(
            ["treatment_id"], ["treatments.id"], name=op.f("fk_replies_treatment_id_treatments")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_replies")),
        sa.UniqueConstraint("channel", "provider_id", name=op.f("uq_replies_channel_provider_id")),
    )
    with op.batch_alter_table("replies", schema=None) as batch_op:
        batch_op.create_index("ix_replies_clinic_id_received_at", ["clinic_id", "received_at"], unique=False)
        batch_op.create_index("ix_replies_patient_id", ["patient_id"], unique=False)

    op.create_table(
        "alerts",
        sa.Column("id", Id, nullable=False),
        sa.Column("clinic_id", Id, nullable=False),
        sa.Column("patient_id", Id, nullable=True),
        sa.Column("treatment_id", Id, nullable=True),
        sa.Column("reply_id", Id, nullable=True),
        sa.Column("message_id", Id, nullable=True),
        sa.Column("sender_id", Id, nullable=True),
        sa.Column("kind", sa.String(length=40), nullable=False),
        sa.Column("severity", sa.String(length=20), nullable=False),
        sa.Column("code", sa.String(length=12), nullable=False),
        sa.Column("summary", sa.Text(), nullable=False),
        sa.Column("raised_at", Time, nullable=False),
        sa.Column("round", sa.Integer(), nullable=False),
        sa.Column("escalate_at", Time, nullable=True),
        sa.Column("acknowledged_at", Time, nullable=True),
        sa.Column("acknowledged_by", sa.String(length=254), nullable=False),
        sa.ForeignKeyConstraint(["clinic_id"], ["clinics.id"], name=op.f("fk_alerts_clinic_id_clinics")),
        sa.ForeignKeyConstraint(["message_id"], ["messages.id"], name=op.f("fk_alerts_message_id_messages")),
        sa.ForeignKeyConstraint(["patient_id"], ["patients.id"], name=op.f("fk_alerts_patient_id_patients")),
        sa.ForeignKeyConstraint(["reply_id"], ["replies.id"], name=op.f("fk_alerts_reply_id_replies")),
        sa.ForeignKeyConstraint(["sender_id"], ["senders.id"], name=op.f("fk_alerts_sender_id_senders")),
        sa.ForeignKeyConstraint(
            ["treatment_id"], ["treatments.id"], name=op.f("fk_alerts_treatment_id_treatments")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_alerts")),
        sa.UniqueConstraint("clinic_id", "code", name=op.f("uq_alerts_clinic_id_code")),
    )
    with op.batch_alter_table("alerts", schema=None) as batch_op:
        batch_op.create_index(
            "ix_alerts_clinic_id_acknowledged_at", ["clinic_id", "acknowledged_at"], unique=False
        )

    op.create_table(
        "scores",
        sa.Column("id", Id, nullable=False),
        sa.Column("clinic_id", Id, nullable=False),
        sa.Column("treatment_id", Id, nullable=False),
        sa.Column("reply_id", Id, nullable=True),
        sa.Column("message_id", Id, nullable=True),
        sa.Column("value", sa.Integer(), nullable=False),
        sa.Column("at", Time, nullable=False),
        sa.Column("source", sa.String(length=20), nullable=False),
        sa.CheckConstraint("value BETWEEN 0 AND 10", name=op.f("ck_scores_value")),
        sa.ForeignKeyConstraint(["clinic_id"], ["clinics.id"], name=op.f("fk_scores_clinic_id_clinics")),
        sa.ForeignKeyConstraint(["message_id"], ["messages.id"], name=op.f("fk_scores_message_id_messages")),
        sa.ForeignKeyConstraint(["reply_id"], ["replies.id"], name=op.f("fk_scores_reply_id_replies")),
        sa.ForeignKeyConstraint(
            ["treatment_id"], ["treatments.id"], name=op.f("fk_scores_treatment_id_treatments")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_scores")),
    )
    with op.batch_alter_table("scores", schema=None) as batch_op:
        batch_op.create_index("ix_scores_treatment_id_at", ["treatment_id", "at"], unique=False)


def downgrade() -> None:
    with op.batch_alter_table("scores", schema=None) as batch_op:
        batch_op.drop_index("ix_scores_treatment_id_at")

    op.drop_table("scores")
    with op.batch_alter_table("alerts", schema=None) as batch_op:
        batch_op.drop_index("ix_alerts_clinic_id_acknowledged_at")

    op.drop_table("alerts")
    with op.batch_alter_table("replies", schema=None) as batch_op:
        batch_op.drop_index("ix_replies_patient_id")
        batch_op.drop_index("ix_replies_clinic_id_received_at")

    op.drop_table("replies")
    with op.batch_alter_table("message_events", schema=None) as batch_op:
        batch_op.drop_index("ix_message_events_message_id")

    op.drop_table("message_events")
    with op.batch_alter_table("delivery_reports", schema=None) as batch_op:
        batch_op.drop_index("ix_delivery_reports_provider_id")
        batch_op.drop_index(batch_op.f("ix_delivery_reports_message_id"))

    op.drop_table("delivery_reports")
    with op.batch_alter_table("attempts", schema=None) as batch_op:
        batch_op.drop_index("ix_attempts_provider_id")

    op.drop_table("attempts")
    with op.batch_alter_table("messages", schema=None) as batch_op:
        batch_op.drop_index("ix_messages_treatment_id")
        batch_op.drop_index(
            "ix_messages_recent",
            sqlite_where=sa.text("claimed_at IS NOT NULL"),
            postgresql_where=sa.text("claimed_at IS NOT NULL"),
        )
        batch_op.drop_index(
            "ix_messages_queue",
            sqlite_where=sa.text("status = 'scheduled'"),
            postgresql_where=sa.text("status = 'scheduled'"),
        )
        batch_op.drop_index("ix_messages_patient_id_claimed_at")
        batch_op.drop_index(
            "ix_messages_in_doubt",
            sqlite_where=sa.text("status IN ('sending', 'unknown')"),
            postgresql_where=sa.text("status IN ('sending', 'unknown')"),
        )

    op.drop_table("messages")
    with op.batch_alter_table("treatments", schema=None) as batch_op:
        batch_op.drop_index("ix_treatments_patient_id_ended_at")
        batch_op.drop_index("ix_treatments_clinic_id_logged_at")

    op.drop_table("treatments")
    with op.batch_alter_table("plan_approvals", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_plan_approvals_plan_version_id"))

    op.drop_table("plan_approvals")
    with op.batch_alter_table("suppressions", schema=None) as batch_op:
        batch_op.drop_index(
            "uq_suppressions_standing",
            sqlite_where=sa.text("lifted_at IS NULL"),
            postgresql_where=sa.text("lifted_at IS NULL"),
        )

    op.drop_table("suppressions")
    op.drop_table("plan_versions")
    with op.batch_alter_table("consents", schema=None) as batch_op:
        batch_op.drop_index("ix_consents_patient_id_channel_at")

    op.drop_table("consents")
    op.drop_table("senders")
    op.drop_table("plans")
    with op.batch_alter_table("patients", schema=None) as batch_op:
        batch_op.drop_index("ix_patients_clinic_id_phone")
        batch_op.drop_index("ix_patients_clinic_id_folded_name")
        batch_op.drop_index("ix_patients_clinic_id_email")

    op.drop_table("patients")
    with op.batch_alter_table("memberships", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_memberships_clinic_id"))

    op.drop_table("memberships")
    with op.batch_alter_table("audit", schema=None) as batch_op:
        batch_op.drop_index("ix_audit_subject")
        batch_op.drop_index("ix_audit_clinic_id_at")

    op.drop_table("audit")
    op.drop_table("alert_contacts")
    op.drop_table("addresses")
    op.drop_table("staff")
    op.drop_table("clinics")
    op.drop_table("chores")
