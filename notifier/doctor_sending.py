"""The doctor looks at what sends: the mode, the providers, the senders, and what waits."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session

from notifier import clinics, db, going_live, plans
from notifier.doctor_findings import Finding, Installation, Level
from notifier.errors import ChannelError, PlanError
from notifier.models import Clinic, Message, Sender
from notifier.readiness import unready
from notifier.rules.delivery import Status

_NAMES = {"sms": "SMS", "email": "E-mail"}
_PROVIDERS = {"sms": "Twilio", "email": "The mail server"}
# A worker takes what is due within seconds; the rate of a sender may keep a crowd waiting for minutes.
_OVERDUE = timedelta(minutes=10)
_LATELY = timedelta(days=7)


def mode(it: Installation) -> Iterator[Finding]:
    delivery = it.settings.delivery
    kept = f"what would be sent is kept in {delivery.outbox_file}"
    if delivery.mode == "outbox":
        yield Finding("note", "Sending", f"Mode outbox: nothing reaches anyone; this is the default; {kept}.")
    elif delivery.mode == "allowlist":
        count = len(delivery.allowlist)
        who = f"the {count} listed recipients are" if count > 1 else "the one listed recipient is"
        yield Finding("note", "Sending", f"Mode allowlist: only {who} really sent to; {kept}.")
    else:
        yield Finding("ok", "Sending", "Mode live: messages really go to patients.")


def providers(it: Installation) -> Iterator[Finding]:
    """Signs in to each and sends nothing."""
    for channel, name in _NAMES.items():
        provider = it.providers.get(channel)
        if provider is None:
            yield Finding("note", "Sending", f"{name} is not configured.")
            continue
        try:
            provider.check()
        except ChannelError as error:
            level: Level = "warning" if it.settings.delivery.mode == "outbox" else "error"
            yield Finding(level, "Sending", f"{name}: {error}", f"Check the [{channel}] section.")
        else:
            yield Finding("ok", "Sending", f"{_PROVIDERS[channel]} takes our sign-in; nothing was sent.")


def mailbox(it: Installation) -> Iterator[Finding]:
    """Signs in, opens the folder and reads nothing."""
    inbound, email = it.settings.inbound_mail, it.settings.email
    provider = it.providers.get("mailbox")
    if provider is None:
        if email.host:
            where = email.reply_to or email.from_address
            words = f"No mailbox is read: e-mails ask for no score, and a person has to read {where}."
            yield Finding("note", "Receiving", words, "Write the [inbound_mail] section to have it read.")
        return
    try:
        provider.check()
    except ChannelError as error:
        level: Level = "warning" if it.settings.delivery.mode == "outbox" else "error"
        yield Finding(level, "Receiving", f"E-mail: {error}", "Check the [inbound_mail] section.")
        return
    yield Finding("ok", "Receiving", f"The mailbox {inbound.username} lets us read {inbound.folder}.")
    to = [address for address in dict.fromkeys((it.settings.reply_address, email.from_address)) if address]
    if email.host and to != [inbound.username]:
        yield Finding(
            "note",
            "Receiving",
            f"Make sure that mail to {' and to '.join(to)} arrives there: replies go to the first, "
            f"bounces to {email.from_address}.",
        )


def senders(it: Installation) -> Iterator[Finding]:
    with db.reading(it.engine) as session:
        for clinic in clinics.all_clinics(session):
            found = {sender.channel: sender for sender in clinics.active_senders(session, clinic)}
            for channel in _NAMES:
                if channel in found:
                    yield from _sender(session, it, clinic, found[channel])
                elif channel in it.providers:
                    yield Finding(
                        "warning",
                        "Senders",
                        f"{clinic.name} has no sender in use for {_NAMES[channel]}: none goes out.",
                    )


def _sender(session: Session, it: Installation, clinic: Clinic, sender: Sender) -> Iterator[Finding]:
    name = f"{_NAMES[sender.channel]} of {clinic.name}"
    if sender.stopped_at is not None:
        waiting = session.scalar(
            select(func.count()).where(
                Message.sender_id == sender.id,
                Message.status == str(Status.SCHEDULED),
                Message.due_at <= it.now,
            )
        )
        yield Finding(
            "error",
            "Senders",
            f"{name} is stopped since {sender.stopped_at:%Y-%m-%d %H:%M} UTC, and {waiting} due messages "
            f"wait: {sender.stopped_reason}",
            "Put that right; one message at a time tries whether it works again, and then the rest follows."
            if sender.probe_at is not None
            else f"Run a worker, which fetches the replies; or, if you know them, notifier release "
            f"{sender.channel}",
        )
    elif sender.channel in it.providers:
        yield Finding("ok", "Senders", f"{name} goes out from {sender.identity or _identity(it, sender)}.")


def _identity(it: Installation, sender: Sender) -> str:
    sms, email = it.settings.sms, it.settings.email
    return (sms.from_number or sms.messaging_service_sid) if sender.channel == "sms" else email.from_address


def plans_loaded(it: Installation) -> Iterator[Finding]:
    with db.reading(it.engine) as session:
        for clinic in clinics.all_clinics(session):
            versions = plans.current_versions(session, clinic)
            if not versions:
                yield Finding(
                    "warning",
                    "Plans",
                    f"{clinic.name} has no plan, so no treatment can be logged.",
                    "Run: notifier plan import dry-needling (or a folder of your own)",
                )
                continue
            broken = []
            for key, version in versions.items():
                try:
                    plans.definition(version)
                except PlanError as error:
                    broken.append(key)
                    yield Finding("error", "Plans", f"{clinic.name}, {key}: {error}", "Import it again.")
            sound = sorted(versions.keys() - set(broken))
            if sound:
                yield Finding("ok", "Plans", f"{clinic.name} has {', '.join(sound)}.")


def waiting(it: Installation) -> Iterator[Finding]:
    """Messages that need a person, or a worker."""
    with db.reading(it.engine) as session:
        counts = _counts(session, it)
        overdue, oldest = session.execute(
            select(func.count(), func.min(Message.due_at))
            .join(Sender, Sender.id == Message.sender_id)
            .where(
                Message.status == str(Status.SCHEDULED),
                Message.due_at <= it.now - _OVERDUE,
                Sender.stopped_at.is_(None),
            )
        ).one()
    if overdue:
        yield Finding(
            "warning",
            "Messages",
            f"{overdue} should have left already, the oldest at {oldest:%Y-%m-%d %H:%M} UTC.",
            "Is a worker running? Start it with: notifier worker",
        )
    for status, (words, advice) in _NEED_A_PERSON.items():
        if number := counts.get(status, 0):
            yield Finding("warning", "Messages", f"{number} {words}.", advice)
    if not overdue and not counts:
        yield Finding("ok", "Messages", "None needs a person.")


_NEED_A_PERSON = {
    Status.HELD: ("held until a person decides", "See each with its reason: notifier messages --status held"),
    Status.UNKNOWN: (
        "in doubt: we cannot tell whether the provider took them",
        "A running worker asks the provider and settles most of them within minutes.",
    ),
    Status.FAILED: ("failed in the last 7 days", "See why: notifier messages --status failed"),
    Status.UNDELIVERED: (
        "not delivered in the last 7 days",
        "See why: notifier messages --status undelivered",
    ),
}


def _counts(session: Session, it: Installation) -> dict[Status, int]:
    lately = [Status.HELD, Status.UNKNOWN]
    rows = session.execute(
        select(Message.status, func.count())
        .where(
            Message.status.in_([str(status) for status in _NEED_A_PERSON]),
            or_(Message.status.in_([str(s) for s in lately]), Message.claimed_at >= it.now - _LATELY),
        )
        .group_by(Message.status)
    )
    return {Status(status): number for status, number in rows}


def readiness(it: Installation) -> Iterator[Finding]:
    delivery = it.settings.delivery
    level: Level = "note"
    if delivery.mode == "live":
        level = "error" if delivery.unready == "refuse" else "warning"
    with db.reading(it.engine) as session:
        for sentence in unready(session, it.settings):
            yield Finding(level, "Before patients are written to", sentence)
        for clinic in clinics.all_clinics(session):
            so_far = going_live.progress(going_live.items(session, clinic, it.settings))
            yield Finding(
                "note",
                "Before patients are written to",
                f"{clinic.name}: {so_far.done} of {so_far.total} steps to going live are done; admins see "
                "them on the page Going live.",
            )
