"""Every table: columns, constraints, relationships, nothing else."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import (
    Boolean,
    CheckConstraint,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    String,
    Text,
    UniqueConstraint,
    false,
    text,
    true,
)
from sqlalchemy.orm import Mapped, mapped_column, relationship

from notifier.db import Base, BigId, Json, UTCDateTime
from notifier.rules.delivery import Kind, Status

__all__ = [
    "Address",
    "Alert",
    "AlertContact",
    "ApiToken",
    "Attempt",
    "AuditEntry",
    "Base",
    "Chore",
    "Clinic",
    "ConsentEntry",
    "DeliveryReportRow",
    "IdempotencyRecord",
    "ImportMapping",
    "ImportRun",
    "Membership",
    "Message",
    "MessageEvent",
    "Patient",
    "PlanApproval",
    "PlanRow",
    "PlanVersion",
    "Practitioner",
    "Receiver",
    "Reply",
    "RetentionWalk",
    "Retiming",
    "ScoreRow",
    "Seal",
    "Sender",
    "SignIn",
    "Staff",
    "StaffLink",
    "Suppression",
    "TaskMark",
    "Throttle",
    "Treatment",
    "Withdrawal",
]


def _one_of(column: str, values: Any) -> str:
    return f"{column} IN ({', '.join(repr(str(value)) for value in values)})"


def _id() -> Mapped[int]:
    return mapped_column(BigId, primary_key=True)


def _ref(target: str, *, nullable: bool = False, index: bool = False) -> Any:
    return mapped_column(BigId, ForeignKey(target), nullable=nullable, index=index)


class Clinic(Base):
    __tablename__ = "clinics"

    id: Mapped[int] = _id()
    key: Mapped[str] = mapped_column(String(60), unique=True)
    name: Mapped[str] = mapped_column(String(120))
    phone: Mapped[str] = mapped_column(String(40), default="")
    timezone: Mapped[str] = mapped_column(String(60))
    country: Mapped[str] = mapped_column(String(2))
    language: Mapped[str] = mapped_column(String(8), default="en")
    emergency_number: Mapped[str] = mapped_column(String(20), default="")
    crisis_line: Mapped[str] = mapped_column(String(40), default="")
    # {"mon": [["09:00", "18:00"]], …}: empty where nobody has entered them yet.
    opening_hours: Mapped[dict[str, Any]] = mapped_column(Json, default=dict)
    closed_dates: Mapped[list[str]] = mapped_column(Json, default=list)
    created_at: Mapped[datetime] = mapped_column(UTCDateTime)
    version: Mapped[int] = mapped_column(Integer, default=1)
    # The words that are read out when consent is asked for, by language; empty: the program's own.
    consent_wording: Mapped[dict[str, str]] = mapped_column(Json, default=dict, server_default="{}")
    # What one SMS segment costs, so that pages can say what a text costs; None: nobody has said.
    sms_price: Mapped[float | None] = mapped_column()
    currency: Mapped[str] = mapped_column(String(3), default="USD", server_default="USD")
    # What the clinic added to the word lists: {"emergency": {"en": ["…"]}, …}; and the answers that it words
    # in its own way: {"fallback.en": {"sms": "…"}, …}; and who approved them: {"by", "on", "digest"}.
    reply_words: Mapped[dict[str, Any]] = mapped_column(Json, default=dict, server_default="{}")
    reply_texts: Mapped[dict[str, Any]] = mapped_column(Json, default=dict, server_default="{}")
    reply_approval: Mapped[dict[str, Any]] = mapped_column(Json, default=dict, server_default="{}")
    # Whether the link to the patient's own page goes into SMS too; it costs a segment.
    page_in_sms: Mapped[bool] = mapped_column(Boolean, default=False, server_default=false())
    # Whether a number's first planned SMS is preceded by one that says who writes, and how to stop it.
    first_text: Mapped[bool] = mapped_column(Boolean, default=True, server_default=true())
    # What the admin has ticked off on the way to going live: {"<step>": {"by", "on", "note"}}.
    going_live: Mapped[dict[str, Any]] = mapped_column(Json, default=dict, server_default="{}")

    __mapper_args__ = {"version_id_col": version}  # noqa: RUF012 - SQLAlchemy types it so


class Practitioner(Base):
    """Who treats at a clinic, as the desk chooses from. Treatments keep the name as it was then."""

    __tablename__ = "practitioners"
    __table_args__ = (UniqueConstraint("clinic_id", "name"),)

    id: Mapped[int] = _id()
    clinic_id: Mapped[int] = _ref("clinics.id")
    name: Mapped[str] = mapped_column(String(120))
    archived_at: Mapped[datetime | None] = mapped_column(UTCDateTime)


class AlertContact(Base):
    __tablename__ = "alert_contacts"
    __table_args__ = (UniqueConstraint("clinic_id", "position"),)

    id: Mapped[int] = _id()
    clinic_id: Mapped[int] = _ref("clinics.id")
    position: Mapped[int] = mapped_column(Integer)
    name: Mapped[str] = mapped_column(String(120))
    phone: Mapped[str | None] = mapped_column(String(20))
    email: Mapped[str | None] = mapped_column(String(254))
    on_call: Mapped[bool] = mapped_column(Boolean, default=False)
    # When a test alert was last acknowledged by this contact; never: live mode names it.
    tested_at: Mapped[datetime | None] = mapped_column(UTCDateTime)


class Sender(Base):
    """A clinic's number or mail identity on a channel, with its rate and its breaker."""

    __tablename__ = "senders"
    __table_args__ = (UniqueConstraint("clinic_id", "channel", "identity"),)

    id: Mapped[int] = _id()
    clinic_id: Mapped[int] = _ref("clinics.id")
    channel: Mapped[str] = mapped_column(String(10))
    # The From number, Messaging Service sid or mail address; empty: what the configuration says.
    identity: Mapped[str] = mapped_column(String(254), default="")
    display_name: Mapped[str] = mapped_column(String(120), default="")
    max_per_second: Mapped[float | None] = mapped_column()
    # The rate, reserved by claims and so kept across workers. Real time, by the database's clock.
    next_free_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    # The breaker: open while `stopped_at` is set. Real time too.
    stopped_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    stopped_reason: Mapped[str] = mapped_column(Text, default="")
    probe_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    probes: Mapped[int] = mapped_column(Integer, default=0)
    active: Mapped[bool] = mapped_column(Boolean, default=True)


class Staff(Base):
    __tablename__ = "staff"

    id: Mapped[int] = _id()
    email: Mapped[str] = mapped_column(String(254), unique=True)
    name: Mapped[str] = mapped_column(String(120))
    # argon2; None until the person has chosen one by their invitation.
    password_hash: Mapped[str | None] = mapped_column(String(200))
    created_at: Mapped[datetime] = mapped_column(UTCDateTime)
    disabled_at: Mapped[datetime | None] = mapped_column(UTCDateTime)

    memberships: Mapped[list[Membership]] = relationship(back_populates="staff")


class Membership(Base):
    __tablename__ = "memberships"
    __table_args__ = (
        UniqueConstraint("staff_id", "clinic_id"),
        CheckConstraint(_one_of("role", ("front_desk", "admin")), name="role"),
    )

    id: Mapped[int] = _id()
    staff_id: Mapped[int] = _ref("staff.id")
    clinic_id: Mapped[int] = _ref("clinics.id", index=True)
    role: Mapped[str] = mapped_column(String(20))

    staff: Mapped[Staff] = relationship(back_populates="memberships")


class SignIn(Base):
    """One browser that is signed in. The cookie holds a secret of which only the hash is kept; real time."""

    __tablename__ = "sign_ins"

    id: Mapped[int] = _id()
    token_hash: Mapped[str] = mapped_column(String(64), unique=True)
    staff_id: Mapped[int] = _ref("staff.id", index=True)
    # The clinic whose pages are shown; one of the person's memberships.
    clinic_id: Mapped[int] = _ref("clinics.id")
    created_at: Mapped[datetime] = mapped_column(UTCDateTime)
    seen_at: Mapped[datetime] = mapped_column(UTCDateTime)
    expires_at: Mapped[datetime] = mapped_column(UTCDateTime)
    user_agent: Mapped[str] = mapped_column(String(200), default="")
    # What the next page says once: {"words": …, "undo": {"action": …, "label": …}}.
    toast: Mapped[dict[str, Any] | None] = mapped_column(Json)


class StaffLink(Base):
    """A secret address for one person: to choose a password, or to be signed in by the demo. Real time."""

    __tablename__ = "staff_links"
    __table_args__ = (CheckConstraint(_one_of("purpose", ("invitation", "demo")), name="purpose"),)

    id: Mapped[int] = _id()
    token_hash: Mapped[str] = mapped_column(String(64), unique=True)
    staff_id: Mapped[int] = _ref("staff.id", index=True)
    clinic_id: Mapped[int] = _ref("clinics.id")
    purpose: Mapped[str] = mapped_column(String(20))
    created_at: Mapped[datetime] = mapped_column(UTCDateTime)
    created_by: Mapped[str] = mapped_column(String(254), default="")
    expires_at: Mapped[datetime] = mapped_column(UTCDateTime)
    used_at: Mapped[datetime | None] = mapped_column(UTCDateTime)


class Throttle(Base):
    """Failed tries to sign in, by address of the person or of the computer. Real time."""

    __tablename__ = "throttles"

    key: Mapped[str] = mapped_column(String(64), primary_key=True)  # a hash: no address is kept
    failures: Mapped[int] = mapped_column(Integer)
    last_at: Mapped[datetime] = mapped_column(UTCDateTime)
    blocked_until: Mapped[datetime | None] = mapped_column(UTCDateTime)


class ApiToken(Base):
    """Lets another program in. The secret is shown once; only its hash is kept."""

    __tablename__ = "api_tokens"
    __table_args__ = (CheckConstraint(_one_of("scope", ("read", "write")), name="scope"),)

    id: Mapped[int] = _id()
    clinic_id: Mapped[int] = _ref("clinics.id", index=True)
    name: Mapped[str] = mapped_column(String(120))
    token_hash: Mapped[str] = mapped_column(String(64), unique=True)
    hint: Mapped[str] = mapped_column(String(12))  # its last characters, to tell tokens apart
    scope: Mapped[str] = mapped_column(String(10))
    created_at: Mapped[datetime] = mapped_column(UTCDateTime)
    created_by: Mapped[str] = mapped_column(String(254), default="")
    last_used_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    revoked_at: Mapped[datetime | None] = mapped_column(UTCDateTime)


class IdempotencyRecord(Base):
    """What a write through the API was answered, so that the same request again gets the same answer."""

    __tablename__ = "idempotency_records"
    __table_args__ = (UniqueConstraint("token_id", "key"),)

    id: Mapped[int] = _id()
    token_id: Mapped[int] = _ref("api_tokens.id")
    key: Mapped[str] = mapped_column(String(120))
    fingerprint: Mapped[str] = mapped_column(String(64))  # of method, path and body
    status: Mapped[int] = mapped_column(Integer)
    body: Mapped[dict[str, Any]] = mapped_column(Json)
    created_at: Mapped[datetime] = mapped_column(UTCDateTime, index=True)


class Patient(Base):
    """A person with a phone and/or an e-mail; with `contact_name`, the addresses are that person's."""

    __tablename__ = "patients"
    __table_args__ = (
        UniqueConstraint("clinic_id", "record_number"),
        Index("ix_patients_clinic_id_folded_name", "clinic_id", "folded_name"),
        Index("ix_patients_clinic_id_phone", "clinic_id", "phone"),
        Index("ix_patients_clinic_id_email", "clinic_id", "email"),
        # Whose addresses the desk has to put right.
        Index(
            "ix_patients_to_fix",
            "clinic_id",
            "id",
            sqlite_where=text("phone_problem != '' OR email_problem != ''"),
            postgresql_where=text("phone_problem != '' OR email_problem != ''"),
        ),
    )

    id: Mapped[int] = _id()
    clinic_id: Mapped[int] = _ref("clinics.id")
    record_number: Mapped[str | None] = mapped_column(String(60))
    first_name: Mapped[str] = mapped_column(String(120))
    last_name: Mapped[str] = mapped_column(String(120), default="")
    folded_name: Mapped[str] = mapped_column(String(240))
    phone: Mapped[str | None] = mapped_column(String(20))
    email: Mapped[str | None] = mapped_column(String(254))
    contact_name: Mapped[str] = mapped_column(String(120), default="")
    contact_relation: Mapped[str] = mapped_column(String(60), default="")
    language: Mapped[str] = mapped_column(String(8))
    timezone: Mapped[str | None] = mapped_column(String(60))  # None: the clinic's
    preferred_channel: Mapped[str] = mapped_column(String(10), default="sms")
    # The patient's recorded wish that messages may name the treatment.
    name_treatment: Mapped[bool] = mapped_column(Boolean, default=False)
    essentials: Mapped[bool] = mapped_column(Boolean, default=False)
    # Set by a red flag or a high score: planned messages are held until staff clear it.
    paused_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    paused_reason: Mapped[str] = mapped_column(Text, default="")
    # What a provider said about the address, for the desk to put right.
    phone_problem: Mapped[str] = mapped_column(Text, default="")
    email_problem: Mapped[str] = mapped_column(Text, default="")
    created_at: Mapped[datetime] = mapped_column(UTCDateTime)
    erased_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    version: Mapped[int] = mapped_column(Integer, default=1)
    # Part of the seal of the patient's links: one more, and all that were given out are revoked.
    link_epoch: Mapped[int] = mapped_column(Integer, default=0, server_default="0")

    __mapper_args__ = {"version_id_col": version}  # noqa: RUF012 - SQLAlchemy types it so

    clinic: Mapped[Clinic] = relationship()


class ConsentEntry(Base):
    """One line of the consent ledger. Rows are added, never changed."""

    __tablename__ = "consents"
    __table_args__ = (Index("ix_consents_patient_id_channel_at", "patient_id", "channel", "at"),)

    id: Mapped[int] = _id()
    clinic_id: Mapped[int] = _ref("clinics.id")
    patient_id: Mapped[int] = _ref("patients.id")
    channel: Mapped[str] = mapped_column(String(10))
    granted: Mapped[bool] = mapped_column(Boolean)
    at: Mapped[datetime] = mapped_column(UTCDateTime)  # when the patient said so
    recorded_at: Mapped[datetime] = mapped_column(UTCDateTime)
    method: Mapped[str] = mapped_column(String(60), default="")
    wording: Mapped[str] = mapped_column(Text, default="")
    recorded_by: Mapped[str] = mapped_column(String(254), default="")


class Suppression(Base):
    """A sender may not write to an address on a channel, whoever uses it."""

    __tablename__ = "suppressions"
    __table_args__ = (
        Index(
            "uq_suppressions_standing",
            "sender_id",
            "address",
            unique=True,
            sqlite_where=text("lifted_at IS NULL"),
            postgresql_where=text("lifted_at IS NULL"),
        ),
    )

    id: Mapped[int] = _id()
    clinic_id: Mapped[int] = _ref("clinics.id")
    sender_id: Mapped[int] = _ref("senders.id")
    channel: Mapped[str] = mapped_column(String(10))
    address: Mapped[str] = mapped_column(String(254))
    since: Mapped[datetime] = mapped_column(UTCDateTime)
    reason: Mapped[str] = mapped_column(Text)
    lifted_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    lifted_reason: Mapped[str] = mapped_column(Text, default="")


class Seal(Base):
    """What the addresses of erased patients are hashed with. Made by the first erasing, never changed."""

    __tablename__ = "seals"

    name: Mapped[str] = mapped_column(String(20), primary_key=True)
    key: Mapped[str] = mapped_column(String(64))


class Withdrawal(Base):
    """The no of a patient who was erased, for whoever is entered with the same address after that."""

    __tablename__ = "withdrawals"
    __table_args__ = (Index("ix_withdrawals_clinic_id_address", "clinic_id", "address"),)

    id: Mapped[int] = _id()
    clinic_id: Mapped[int] = _ref("clinics.id")
    channel: Mapped[str] = mapped_column(String(10))
    address: Mapped[str] = mapped_column(String(254))  # its keyed hash, see `sealing`
    at: Mapped[datetime] = mapped_column(UTCDateTime)  # when the patient said no
    erased_at: Mapped[datetime] = mapped_column(UTCDateTime)


class Address(Base):
    """A place that planned messages go to: its gap is moved by a guarded update in the claim."""

    __tablename__ = "addresses"
    __table_args__ = (UniqueConstraint("clinic_id", "channel", "address"),)

    id: Mapped[int] = _id()
    clinic_id: Mapped[int] = _ref("clinics.id")
    channel: Mapped[str] = mapped_column(String(10))
    address: Mapped[str] = mapped_column(String(254))
    gap_until: Mapped[datetime | None] = mapped_column(UTCDateTime)
    # When the first SMS, which says who writes and how to stop it, was made for this number.
    introduced_at: Mapped[datetime | None] = mapped_column(UTCDateTime)


class PlanRow(Base):
    __tablename__ = "plans"
    __table_args__ = (UniqueConstraint("clinic_id", "key"),)

    id: Mapped[int] = _id()
    clinic_id: Mapped[int] = _ref("clinics.id")
    key: Mapped[str] = mapped_column(String(60))
    archived_at: Mapped[datetime | None] = mapped_column(UTCDateTime)

    versions: Mapped[list[PlanVersion]] = relationship(back_populates="plan", order_by="PlanVersion.number")


class PlanVersion(Base):
    """Immutable: an edit makes the next one, and the highest number is the current one."""

    __tablename__ = "plan_versions"
    __table_args__ = (UniqueConstraint("plan_id", "number"),)

    id: Mapped[int] = _id()
    clinic_id: Mapped[int] = _ref("clinics.id")
    plan_id: Mapped[int] = _ref("plans.id")
    number: Mapped[int] = mapped_column(Integer)
    digest: Mapped[str] = mapped_column(String(64))
    # {"plan": what plan.toml holds, "texts": {"<step>.<language>": source}}
    content: Mapped[dict[str, Any]] = mapped_column(Json)
    created_at: Mapped[datetime] = mapped_column(UTCDateTime)
    created_by: Mapped[str] = mapped_column(String(254), default="")

    plan: Mapped[PlanRow] = relationship(back_populates="versions")
    approvals: Mapped[list[PlanApproval]] = relationship(order_by="PlanApproval.id")


class PlanApproval(Base):
    """A named clinician stands for the words of one version. Without one they are drafts."""

    __tablename__ = "plan_approvals"

    id: Mapped[int] = _id()
    clinic_id: Mapped[int] = _ref("clinics.id")
    plan_version_id: Mapped[int] = _ref("plan_versions.id", index=True)
    approved_by: Mapped[str] = mapped_column(String(254))
    approved_on: Mapped[datetime] = mapped_column(UTCDateTime)
    recorded_at: Mapped[datetime] = mapped_column(UTCDateTime)
    recorded_by: Mapped[str] = mapped_column(String(254), default="")


class Retiming(Base):
    """A new plan version being brought to pending messages, in batches that can resume after a crash."""

    __tablename__ = "retimings"

    id: Mapped[int] = _id()
    clinic_id: Mapped[int] = _ref("clinics.id", index=True)
    plan_id: Mapped[int] = _ref("plans.id")
    to_version_id: Mapped[int] = _ref("plan_versions.id")
    total: Mapped[int] = mapped_column(Integer)  # treatments
    done: Mapped[int] = mapped_column(Integer, default=0)
    # The last treatment that was brought over; the next batch begins after it.
    cursor: Mapped[int] = mapped_column(BigId, default=0)
    changed: Mapped[int] = mapped_column(Integer, default=0)  # messages
    started_at: Mapped[datetime] = mapped_column(UTCDateTime)
    started_by: Mapped[str] = mapped_column(String(254), default="")
    finished_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    # Who is at it, and until when nobody else may; real time, by the database's clock.
    lease_until: Mapped[datetime | None] = mapped_column(UTCDateTime)
    worker: Mapped[str] = mapped_column(String(80), default="")


class ImportMapping(Base):
    """Which column of a booking system's file means what, remembered by the file's header."""

    __tablename__ = "import_mappings"
    __table_args__ = (UniqueConstraint("clinic_id", "header_digest"),)

    id: Mapped[int] = _id()
    clinic_id: Mapped[int] = _ref("clinics.id")
    header_digest: Mapped[str] = mapped_column(String(64))
    columns: Mapped[dict[str, str]] = mapped_column(Json)  # the file's column → ours
    plans: Mapped[dict[str, str]] = mapped_column(Json, default=dict)  # what the file calls it → plan key
    updated_at: Mapped[datetime] = mapped_column(UTCDateTime)
    updated_by: Mapped[str] = mapped_column(String(254), default="")


class ImportRun(Base):
    """A file dropped on the import page: waiting to be looked at, running, or done with its report."""

    __tablename__ = "import_runs"
    __table_args__ = (
        CheckConstraint(_one_of("state", ("uploaded", "running", "done", "failed")), name="state"),
        Index("ix_import_runs_clinic_id_created_at", "clinic_id", "created_at"),
    )

    id: Mapped[int] = _id()
    clinic_id: Mapped[int] = _ref("clinics.id")
    file: Mapped[str] = mapped_column(String(200))
    # Kept only until the file is imported or dropped: it is full of patients.
    content: Mapped[bytes | None] = mapped_column(LargeBinary, deferred=True)
    state: Mapped[str] = mapped_column(String(10))
    dry_run: Mapped[bool] = mapped_column(Boolean, default=True)
    done: Mapped[int] = mapped_column(Integer, default=0)  # rows
    total: Mapped[int] = mapped_column(Integer, default=0)
    report: Mapped[dict[str, Any] | None] = mapped_column(Json)
    created_at: Mapped[datetime] = mapped_column(UTCDateTime)
    created_by: Mapped[str] = mapped_column(String(254), default="")
    finished_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    # Real time: when the thread that imports was last heard of.
    lease_until: Mapped[datetime | None] = mapped_column(UTCDateTime)


class TaskMark(Base):
    """A task of the desk that somebody has dealt with. Tasks themselves follow from the rows."""

    __tablename__ = "task_marks"
    __table_args__ = (UniqueConstraint("clinic_id", "key"),)

    id: Mapped[int] = _id()
    clinic_id: Mapped[int] = _ref("clinics.id")
    key: Mapped[str] = mapped_column(String(120))
    done_at: Mapped[datetime] = mapped_column(UTCDateTime)
    done_by: Mapped[str] = mapped_column(String(254))
    note: Mapped[str] = mapped_column(Text, default="")


class Treatment(Base):
    __tablename__ = "treatments"
    __table_args__ = (
        UniqueConstraint("clinic_id", "external_id"),
        UniqueConstraint("clinic_id", "idempotency_key"),
        Index("ix_treatments_patient_id_ended_at", "patient_id", "ended_at"),
        Index("ix_treatments_clinic_id_logged_at", "clinic_id", "logged_at"),
        Index("ix_treatments_clinic_id_ended_at", "clinic_id", "ended_at"),
        # What a retiming walks through.
        Index("ix_treatments_plan_id", "plan_id", "id"),
    )

    id: Mapped[int] = _id()
    clinic_id: Mapped[int] = _ref("clinics.id")
    patient_id: Mapped[int] = _ref("patients.id")
    plan_id: Mapped[int] = _ref("plans.id")
    plan_version_id: Mapped[int] = _ref("plan_versions.id")
    external_id: Mapped[str | None] = mapped_column(String(120))
    idempotency_key: Mapped[str | None] = mapped_column(String(120))
    practitioner: Mapped[str] = mapped_column(String(120), default="")
    ended_at: Mapped[datetime] = mapped_column(UTCDateTime)
    logged_at: Mapped[datetime] = mapped_column(UTCDateTime)
    areas: Mapped[list[str]] = mapped_column(Json, default=list)
    next_visit_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    source: Mapped[str] = mapped_column(String(20), default="desk")
    logged_by: Mapped[str] = mapped_column(String(254), default="")
    voided_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    voided_reason: Mapped[str] = mapped_column(Text, default="")
    version: Mapped[int] = mapped_column(Integer, default=1)

    __mapper_args__ = {"version_id_col": version}  # noqa: RUF012 - SQLAlchemy types it so

    patient: Mapped[Patient] = relationship()
    plan: Mapped[PlanRow] = relationship()
    plan_version: Mapped[PlanVersion] = relationship()


class Message(Base):
    """One row for one thing to send to one address on one channel."""

    __tablename__ = "messages"
    __table_args__ = (
        UniqueConstraint("clinic_id", "dedup_key"),
        CheckConstraint(_one_of("status", Status), name="status"),
        CheckConstraint(_one_of("kind", Kind), name="kind"),
        # The queue. The status stands here, and in every query that uses it, as a literal: with a bound
        # parameter PostgreSQL's generic plan cannot prove that this index serves.
        Index(
            "ix_messages_queue",
            "sender_id",
            "priority",
            "due_at",
            sqlite_where=text("status = 'scheduled'"),
            postgresql_where=text("status = 'scheduled'"),
        ),
        # Leases that may have run out, and the messages that somebody has to settle.
        Index(
            "ix_messages_in_doubt",
            "status",
            "lease_until",
            sqlite_where=text("status IN ('sending', 'unknown')"),
            postgresql_where=text("status IN ('sending', 'unknown')"),
        ),
        Index("ix_messages_treatment_id", "treatment_id"),
        # What went out and what did not, by day: the lists and charts of the pages.
        Index("ix_messages_clinic_id_due_at", "clinic_id", "due_at", "status", "channel"),
        # The same for what was never going to be sent, which stands where it was planned.
        Index(
            "ix_messages_never_due",
            "clinic_id",
            "created_at",
            "status",
            "channel",
            sqlite_where=text("due_at IS NULL"),
            postgresql_where=text("due_at IS NULL"),
        ),
        # What a person has to look at; few, and asked for every few seconds.
        Index(
            "ix_messages_for_a_person",
            "clinic_id",
            "due_at",
            sqlite_where=text("status IN ('held', 'unknown', 'failed', 'undelivered')"),
            postgresql_where=text("status IN ('held', 'unknown', 'failed', 'undelivered')"),
        ),
        Index("ix_messages_patient_id_claimed_at", "patient_id", "claimed_at"),
        # What has lately gone to an address, for gap and caps.
        Index(
            "ix_messages_recent",
            "address_id",
            "claimed_at",
            sqlite_where=text("claimed_at IS NOT NULL"),
            postgresql_where=text("claimed_at IS NOT NULL"),
        ),
        Index(
            "ix_messages_reply_id",
            "reply_id",
            sqlite_where=text("reply_id IS NOT NULL"),
            postgresql_where=text("reply_id IS NOT NULL"),
        ),
        Index(
            "ix_messages_alert_id",
            "alert_id",
            sqlite_where=text("alert_id IS NOT NULL"),
            postgresql_where=text("alert_id IS NOT NULL"),
        ),
        # Taken by the provider, and its last word is still to come.
        Index(
            "ix_messages_awaited",
            "lookup_at",
            sqlite_where=text("status IN ('accepted', 'sent') AND lookup_at IS NOT NULL"),
            postgresql_where=text("status IN ('accepted', 'sent') AND lookup_at IS NOT NULL"),
        ),
        {"sqlite_autoincrement": True},  # ids are in Message-IDs and callback addresses: never used again
    )

    id: Mapped[int] = _id()
    clinic_id: Mapped[int] = _ref("clinics.id")
    kind: Mapped[str] = mapped_column(String(10))
    dedup_key: Mapped[str] = mapped_column(String(200))
    sender_id: Mapped[int] = _ref("senders.id")
    priority: Mapped[int] = mapped_column(Integer)
    status: Mapped[str] = mapped_column(String(12))
    reason: Mapped[str] = mapped_column(Text, default="")
    # The same for the program: a SkipCode or StopCode, empty where nothing stopped it.
    reason_code: Mapped[str] = mapped_column(String(20), default="")
    due_at: Mapped[datetime | None] = mapped_column(UTCDateTime)  # None: it was never going to be sent
    useful_until: Mapped[datetime | None] = mapped_column(UTCDateTime)
    channel: Mapped[str] = mapped_column(String(10))
    to: Mapped[str] = mapped_column(String(254), default="")
    address_id: Mapped[int | None] = _ref("addresses.id", nullable=True)
    patient_id: Mapped[int | None] = _ref("patients.id", nullable=True)
    treatment_id: Mapped[int | None] = _ref("treatments.id", nullable=True)
    plan_version_id: Mapped[int | None] = _ref("plan_versions.id", nullable=True)
    step: Mapped[str | None] = mapped_column(String(80))
    safety: Mapped[bool] = mapped_column(Boolean, default=False)
    # The row this one stands in for, when that one's channel failed.
    fallback_of_id: Mapped[int | None] = _ref("messages.id", nullable=True)
    # The words themselves, for kinds that have no step: answers, alerts, tests.
    subject: Mapped[str] = mapped_column(Text, default="")
    words: Mapped[str] = mapped_column(Text, default="")
    attempts: Mapped[int] = mapped_column(Integer, default=0)
    claimed_at: Mapped[datetime | None] = mapped_column(UTCDateTime)  # plan time of the latest attempt
    # Real time, by the database's clock: who is sending it, and until when nobody else may.
    lease_until: Mapped[datetime | None] = mapped_column(UTCDateTime)
    worker: Mapped[str] = mapped_column(String(80), default="")
    lookups: Mapped[int] = mapped_column(Integer, default=0)
    lookup_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    created_at: Mapped[datetime] = mapped_column(UTCDateTime)
    # The reply that it answers, and the alert that it tells of. Without foreign keys, because those tables
    # name messages too.
    reply_id: Mapped[int | None] = mapped_column(BigId)
    alert_id: Mapped[int | None] = mapped_column(BigId)


class Attempt(Base):
    """One try to hand a message to a provider. Written before the call, finished after it, then final."""

    __tablename__ = "attempts"
    __table_args__ = (
        UniqueConstraint("message_id", "number"),
        Index("ix_attempts_provider_id", "provider_id"),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = _id()
    message_id: Mapped[int] = _ref("messages.id")
    number: Mapped[int] = mapped_column(Integer)
    channel: Mapped[str] = mapped_column(String(10))
    address: Mapped[str] = mapped_column(String(254))
    sender: Mapped[str] = mapped_column(String(254), default="")
    subject: Mapped[str] = mapped_column(Text, default="")
    words: Mapped[str] = mapped_column(Text)
    encoding: Mapped[str] = mapped_column(String(8), default="")
    segments: Mapped[int] = mapped_column(Integer, default=0)
    claimed_at: Mapped[datetime] = mapped_column(UTCDateTime)  # plan time
    worker: Mapped[str] = mapped_column(String(80), default="")
    # Empty while it is under way; then the status it gave the message, or "released".
    outcome: Mapped[str] = mapped_column(String(12), default="")
    finished_at: Mapped[datetime | None] = mapped_column(UTCDateTime)  # plan time
    provider: Mapped[str] = mapped_column(String(20), default="")
    provider_id: Mapped[str | None] = mapped_column(String(254))
    error_class: Mapped[str] = mapped_column(String(20), default="")
    error_code: Mapped[str] = mapped_column(String(20), default="")
    error: Mapped[str] = mapped_column(Text, default="")


class MessageEvent(Base):
    """One move of a message: when, from, to, why, who. A claim's own record is its attempt."""

    __tablename__ = "message_events"
    __table_args__ = (Index("ix_message_events_message_id", "message_id"),)

    id: Mapped[int] = _id()
    message_id: Mapped[int] = _ref("messages.id")
    at: Mapped[datetime] = mapped_column(UTCDateTime)
    from_status: Mapped[str] = mapped_column(String(12), default="")
    to_status: Mapped[str] = mapped_column(String(12))
    reason: Mapped[str] = mapped_column(Text, default="")
    actor: Mapped[str] = mapped_column(String(254), default="")
    attempt: Mapped[int | None] = mapped_column(Integer)


class DeliveryReportRow(Base):
    """What a provider later said, kept as it came, whether or not it changed anything."""

    __tablename__ = "delivery_reports"
    __table_args__ = (
        Index("ix_delivery_reports_provider_id", "provider_id"),
        # The same word again is not kept twice.
        Index("uq_delivery_reports_said", "provider", "provider_id", "provider_status", "code", unique=True),
    )

    id: Mapped[int] = _id()
    message_id: Mapped[int | None] = _ref("messages.id", nullable=True, index=True)
    attempt: Mapped[int | None] = mapped_column(Integer)
    provider: Mapped[str] = mapped_column(String(20))
    provider_id: Mapped[str] = mapped_column(String(254))
    status: Mapped[str] = mapped_column(String(12))
    provider_status: Mapped[str] = mapped_column(String(40))
    code: Mapped[str] = mapped_column(String(20), default="")
    received_at: Mapped[datetime] = mapped_column(UTCDateTime)
    raw: Mapped[dict[str, Any]] = mapped_column(Json, default=dict)


class Reply(Base):
    """What a patient sent back."""

    __tablename__ = "replies"
    __table_args__ = (
        # A stranger's words to a number of several clinics are seen by each of them.
        UniqueConstraint("clinic_id", "channel", "provider_id"),
        Index("ix_replies_clinic_id_received_at", "clinic_id", "received_at"),
        # A conversation, also of those whom nobody knows or whose phone is shared.
        Index("ix_replies_from", "clinic_id", "from_address", "received_at"),
        # The inbox: what needs a person, the most serious first.
        Index(
            "ix_replies_open",
            "clinic_id",
            "rank",
            "received_at",
            sqlite_where=text("handled_at IS NULL AND rank < 9"),
            postgresql_where=text("handled_at IS NULL AND rank < 9"),
        ),
        Index("ix_replies_patient_id", "patient_id"),
    )

    id: Mapped[int] = _id()
    clinic_id: Mapped[int | None] = _ref("clinics.id", nullable=True)
    patient_id: Mapped[int | None] = _ref("patients.id", nullable=True)
    treatment_id: Mapped[int | None] = _ref("treatments.id", nullable=True)
    message_id: Mapped[int | None] = _ref("messages.id", nullable=True)
    channel: Mapped[str] = mapped_column(String(10))
    provider_id: Mapped[str] = mapped_column(String(254))
    from_address: Mapped[str] = mapped_column(String(254))
    to_address: Mapped[str] = mapped_column(String(254))
    body: Mapped[str] = mapped_column(Text)
    received_at: Mapped[datetime] = mapped_column(UTCDateTime)
    intent: Mapped[str] = mapped_column(String(20), default="")
    red_flags: Mapped[list[str]] = mapped_column(Json, default=list)
    score: Mapped[int | None] = mapped_column(Integer)
    assigned_to: Mapped[int | None] = _ref("staff.id", nullable=True)
    handled_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    handled_by: Mapped[str] = mapped_column(String(254), default="")
    handled_how: Mapped[str] = mapped_column(String(40), default="")
    sender_id: Mapped[int | None] = mapped_column(BigId)  # of ours, that it came to
    subject: Mapped[str] = mapped_column(Text, default="", server_default="")
    keyword: Mapped[str] = mapped_column(String(40), default="", server_default="")
    negated: Mapped[bool] = mapped_column(Boolean, default=False, server_default=false())
    # Written by a program: an out-of-office mail, or the same words again and again.
    automatic: Mapped[bool] = mapped_column(Boolean, default=False, server_default=false())
    # How serious it is to a person: 0 emergency, 1 urgent, 2 soon, 3 to be read; 9: nobody is needed.
    rank: Mapped[int] = mapped_column(Integer, default=3, server_default="3")
    task: Mapped[str] = mapped_column(String(40), default="", server_default="")  # what to do: call_back …
    # When somebody at the clinic first had it open.
    seen_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    note: Mapped[str] = mapped_column(Text, default="", server_default="")
    # The name of the automatic answer it got; empty: none.
    answer: Mapped[str] = mapped_column(String(40), default="", server_default="")
    # Which phrases the rules found, for those who wonder.
    matched: Mapped[list[str]] = mapped_column(Json, default=list, server_default="[]")


class ScoreRow(Base):
    """A soreness score, 0–10, against the treatment it was about."""

    __tablename__ = "scores"
    __table_args__ = (
        CheckConstraint("value BETWEEN 0 AND 10", name="value"),
        Index("ix_scores_treatment_id_at", "treatment_id", "at"),
    )

    id: Mapped[int] = _id()
    clinic_id: Mapped[int] = _ref("clinics.id")
    treatment_id: Mapped[int] = _ref("treatments.id")
    reply_id: Mapped[int | None] = _ref("replies.id", nullable=True)
    message_id: Mapped[int | None] = _ref("messages.id", nullable=True)
    value: Mapped[int] = mapped_column(Integer)
    at: Mapped[datetime] = mapped_column(UTCDateTime)
    source: Mapped[str] = mapped_column(String(20), default="reply")  # reply, page, desk
    withdrawn_at: Mapped[datetime | None] = mapped_column(UTCDateTime)  # entered or read wrongly


class Alert(Base):
    """Something a person at the clinic must see and acknowledge."""

    __tablename__ = "alerts"
    __table_args__ = (
        # Who texts a code means the open alert.
        Index(
            "uq_alerts_code",
            "clinic_id",
            "code",
            unique=True,
            sqlite_where=text("acknowledged_at IS NULL"),
            postgresql_where=text("acknowledged_at IS NULL"),
        ),
        Index("ix_alerts_clinic_id_acknowledged_at", "clinic_id", "acknowledged_at"),
        Index(
            "ix_alerts_open",
            "escalate_at",
            sqlite_where=text("acknowledged_at IS NULL"),
            postgresql_where=text("acknowledged_at IS NULL"),
        ),
    )

    id: Mapped[int] = _id()
    clinic_id: Mapped[int] = _ref("clinics.id")
    patient_id: Mapped[int | None] = _ref("patients.id", nullable=True)
    treatment_id: Mapped[int | None] = _ref("treatments.id", nullable=True)
    reply_id: Mapped[int | None] = _ref("replies.id", nullable=True)
    message_id: Mapped[int | None] = _ref("messages.id", nullable=True)
    sender_id: Mapped[int | None] = _ref("senders.id", nullable=True)
    kind: Mapped[str] = mapped_column(String(40))
    severity: Mapped[str] = mapped_column(String(20))
    code: Mapped[str] = mapped_column(String(12))
    summary: Mapped[str] = mapped_column(Text)
    raised_at: Mapped[datetime] = mapped_column(UTCDateTime)
    round: Mapped[int] = mapped_column(Integer, default=0)
    escalate_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    acknowledged_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    acknowledged_by: Mapped[str] = mapped_column(String(254), default="")
    acknowledged_how: Mapped[str] = mapped_column(String(20), default="", server_default="")
    # The contact whose turn is next, counted from 0 in the order of the list.
    next_contact: Mapped[int] = mapped_column(Integer, default=0, server_default="0")


class Receiver(Base):
    """One way by which replies and reports are fetched: how far it got, and who is at it. Real time."""

    __tablename__ = "receivers"

    name: Mapped[str] = mapped_column(String(80), primary_key=True)
    cursor: Mapped[dict[str, Any]] = mapped_column(Json, default=dict)
    lease_until: Mapped[datetime | None] = mapped_column(UTCDateTime)
    worker: Mapped[str] = mapped_column(String(80), default="")
    worked_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    problem: Mapped[str] = mapped_column(Text, default="")


class Chore(Base):
    """Work that runs once per installation, claimed like messages."""

    __tablename__ = "chores"

    name: Mapped[str] = mapped_column(String(60), primary_key=True)
    due_at: Mapped[datetime] = mapped_column(UTCDateTime)
    lease_until: Mapped[datetime | None] = mapped_column(UTCDateTime)
    worker: Mapped[str] = mapped_column(String(80), default="")


class RetentionWalk(Base):
    """How far the rows of a table were gone through for words that are older than they are kept."""

    __tablename__ = "retention_walks"

    name: Mapped[str] = mapped_column(String(20), primary_key=True)
    # {"after": the last row looked at, "open": the first that had to stay}
    cursor: Mapped[dict[str, Any]] = mapped_column(Json, default=dict)


class AuditEntry(Base):
    __tablename__ = "audit"
    __table_args__ = (
        Index("ix_audit_clinic_id_at", "clinic_id", "at"),
        Index("ix_audit_subject", "subject", "subject_id"),
        # Entries that name many patients in their detail.
        Index(
            "ix_audit_listed",
            "clinic_id",
            "at",
            sqlite_where=text("action = 'patients.listed'"),
            postgresql_where=text("action = 'patients.listed'"),
        ),
    )

    id: Mapped[int] = _id()
    clinic_id: Mapped[int | None] = _ref("clinics.id", nullable=True)
    at: Mapped[datetime] = mapped_column(UTCDateTime)
    actor: Mapped[str] = mapped_column(String(254))
    action: Mapped[str] = mapped_column(String(60))
    subject: Mapped[str] = mapped_column(String(40), default="")
    subject_id: Mapped[int | None] = mapped_column(BigId)
    detail: Mapped[dict[str, Any]] = mapped_column(Json, default=dict)
