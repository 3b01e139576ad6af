"""A database that was just restored knows nothing of what happened since its backup: it is made safe.

Nothing goes out until what patients wrote since then is fetched from the provider, or a person releases it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import delete, select, text, update
from sqlalchemy.orm import Session

from notifier import audit, restored_messages
from notifier.config import Settings
from notifier.db import database_now, insert_missing, wake_workers
from notifier.envelope import SINCE_BACKUP
from notifier.errors import ConflictError
from notifier.links import links_of
from notifier.models import Chore, Clinic, Receiver, Sender, SignIn, StaffLink
from notifier.restored_messages import Since
from notifier.senders import awaits_release

_BY = {"twilio": "sms", "imap": "email"}
# More than have been made since any backup: ids are in links and in addresses that providers call.
_GAP: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class Safe:
    """`waiting`: a sentence for each sender that waits, with what it waits for."""

    doubtful: int
    waiting: list[str]


def since(settings: Settings, made_at: datetime, now: datetime, *, asks: bool = True) -> Since:
    return Since(
        made_at, now, settings.delivery.lookup_after, links_of(settings), settings.reply_address, asks
    )


def make_safe(session: Session, settings: Settings, made_at: datetime, *, now: datetime, actor: str) -> Safe:
    """In the transaction that restores, so that no worker ever sees it otherwise."""
    _skip_ids(session)
    session.execute(delete(StaffLink))
    session.execute(delete(SignIn))  # somebody may have been signed out for a reason
    session.execute(update(Chore).values(lease_until=None, worker=""))
    _fetch_from(session, made_at)
    waiting = _stop_senders(session, settings, made_at)
    lost = since(settings, made_at, now, asks=settings.delivery.mode == "outbox")
    doubtful = restored_messages.doubt_all(session, lost)
    for clinic in session.scalars(select(Clinic.id)):
        audit.note(
            session,
            clinic_id=clinic,
            at=now,
            actor=actor,
            action="database.restored",
            made_at=made_at.isoformat(),
        )
    return Safe(doubtful, waiting)


def _skip_ids(session: Session) -> None:
    """Rows that were lost had ids too: an old link, or a provider's late report, must not find a new row."""
    if session.get_bind().dialect.name == "sqlite":
        session.execute(
            text(
                "INSERT INTO sqlite_sequence (name, seq) SELECT name, 0 FROM sqlite_master "
                "WHERE sql LIKE '%AUTOINCREMENT%' AND name NOT IN (SELECT name FROM sqlite_sequence)"
            )
        )
        session.execute(text("UPDATE sqlite_sequence SET seq = seq + :gap"), {"gap": _GAP})
        return
    tables = session.execute(
        text(
            "SELECT pg_get_serial_sequence(quote_ident(relname), 'id') FROM pg_class "
            "JOIN pg_attribute ON attrelid = pg_class.oid AND attname = 'id' "
            "WHERE relnamespace = current_schema()::regnamespace AND relkind = 'r'"
        )
    )
    for sequence in [name for name in tables.scalars() if name]:
        session.execute(text("SELECT setval(:name, nextval(:name) + :gap)"), {"name": sequence, "gap": _GAP})


def _fetch_from(session: Session, made_at: datetime) -> None:
    for name in _BY:
        session.execute(insert_missing(session, Receiver).values(name=name, cursor={}, worker="", problem=""))
    for receiver in session.scalars(select(Receiver)):
        receiver.cursor = (
            {"seen": made_at.isoformat()} | receiver.cursor | {SINCE_BACKUP: made_at.isoformat()}
        )
        receiver.lease_until, receiver.worker, receiver.problem = None, "", ""


def _stop_senders(session: Session, settings: Settings, made_at: datetime) -> list[str]:
    real = database_now(session)
    waiting = []
    for sender in session.scalars(select(Sender).order_by(Sender.id)):
        obstacle = _obstacle(settings, sender.channel)
        sender.stopped_at, sender.probe_at, sender.probes = real, None, 0
        sender.next_free_at = None
        sender.stopped_reason = f"Restored from a backup of {made_at:%Y-%m-%d %H:%M} UTC" + (
            f". {obstacle} {_decide(sender.channel)}"
            if obstacle
            else "; replies since then are being fetched."
        )
        if sender.active:
            waiting.append(f"{_CALLED[sender.channel]}: {sender.stopped_reason}")
    return waiting


_CALLED = {"sms": "SMS", "email": "E-mail"}


def _decide(channel: str) -> str:
    return f"When you know who said no since then and it is recorded, run: notifier release {channel}"


def _obstacle(settings: Settings, channel: str) -> str:
    """Why not everything that patients said since can be fetched; empty where it can."""
    if channel == "sms":
        return "" if settings.sms.account_sid else "No Twilio account is set up, so no reply can be fetched."
    if not settings.inbound_mail.host:
        return "No mailbox is set up, so replies by e-mail since then cannot be fetched."
    if links_of(settings) is not None:
        return "Who unsubscribed by a link since then is not known."
    return ""


def fetched(session: Session, settings: Settings, name: str, made_at: str, *, now: datetime) -> None:
    """All that came by this way since the backup is in: its senders go on, unless a person has to decide."""
    channel = _BY.get(name, "")
    if _obstacle(settings, channel):
        return
    waits = select(Sender).where(Sender.channel == channel, awaits_release())
    lost = since(settings, datetime.fromisoformat(made_at), now)
    for sender in session.scalars(waits.with_for_update(key_share=True)):
        _open(session, sender, lost)
    wake_workers(session)


def release(session: Session, sender: Sender, settings: Settings, *, now: datetime, actor: str) -> None:
    """A person says that all who said no since the backup are known. Raises ConflictError."""
    if sender.stopped_at is None or sender.probe_at is not None:
        raise ConflictError(f"{_CALLED[sender.channel]} does not wait to be released.")
    marks = (row.cursor.get(SINCE_BACKUP) for row in session.scalars(select(Receiver)) if _BY.get(row.name))
    made_at = next((datetime.fromisoformat(mark) for mark in marks if mark), sender.stopped_at)
    _open(session, sender, since(settings, made_at, now))
    audit.note(
        session,
        clinic_id=sender.clinic_id,
        at=now,
        actor=actor,
        action="sender.released",
        subject="sender",
        subject_id=sender.id,
    )
    wake_workers(session)


def _open(session: Session, sender: Sender, lost: Since) -> None:
    restored_messages.doubt_answers(session, sender, lost)
    session.flush()
    restored_messages.ask_now(session, sender, lost)
    sender.stopped_at, sender.stopped_reason, sender.probe_at, sender.probes = None, "", None, 0
