"""What is done about replies: taken on, called about, dealt with, and all of it taken back."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from notifier import alerts, audit, inbox
from notifier.errors import ConflictError, InputError, NotFoundError
from notifier.models import Alert, Clinic, Membership, Patient, Reply, Staff
from notifier.rules import timing
from notifier.rules.zones import zone

ANSWERED, CALLED, NO_NEED = "answered", "called", "no answer needed"
HOWS = (ANSWERED, CALLED, NO_NEED)
# Alerts that are over once somebody deals with the patient.
ABOUT_A_PATIENT = ("red_flag", "crisis", "score", "call_back", "unread", "unreadable")
_LONGEST_NOTE = 1000


def done(
    session: Session,
    reply: Reply,
    *,
    how: str,
    now: datetime,
    actor: str,
    words: str = "",
    through: int | None = None,
) -> list[Reply]:
    """Deal with all that this person has written; `through`: as far as it was on the screen.

    Raises ConflictError, which says who was quicker. An alert about them is taken with it.
    """
    if how not in HOWS:
        raise InputError("Choose how it was dealt with.", field="how")
    group = _locked(session, reply, through)
    for row in group:
        row.handled_at, row.handled_by, row.handled_how = now, actor, how
    _write_down(session, reply, words, now, actor)
    session.flush()
    for row in group:
        _note(session, row, "reply.handled", now, actor, how=how)
    take_alerts(session, reply, now=now, actor=actor)
    return group


def _locked(session: Session, reply: Reply, through: int | None = None) -> list[Reply]:
    if reply.patient_id is not None:
        # The patient first, as everybody does who locks more than one row of theirs.
        session.execute(
            select(Patient.id).where(Patient.id == reply.patient_id).with_for_update(key_share=True)
        )
    group = inbox.open_of(session, reply, lock=True)
    session.refresh(reply)
    if reply.handled_at is not None:
        raise ConflictError(dealt_with(session, reply))
    return [row for row in group if through is None or row.id <= through or row.id == reply.id]


def dealt_with(session: Session, reply: Reply) -> str:
    """Who dealt with it, in a sentence for whoever comes second."""
    assert reply.handled_at is not None
    clinic = session.get_one(Clinic, reply.clinic_id)
    name = inbox.names_of(session, [reply]).get(reply.handled_by, reply.handled_by)
    at = timing.say(reply.handled_at, zone(clinic.timezone))
    return f"{name or 'Somebody'} has dealt with it already, {at}: {reply.handled_how}."


def reopen(session: Session, reply: Reply, *, now: datetime, actor: str) -> list[Reply]:
    """Undo: what was dealt with in the same go is on the list again. An alert that was taken stays taken."""
    if reply.handled_at is None:
        raise ConflictError("It is on the list already.")
    rows = session.scalars(
        select(Reply)
        .where(
            inbox.same_person(reply),
            Reply.clinic_id == reply.clinic_id,
            Reply.handled_at == reply.handled_at,
            Reply.handled_by == reply.handled_by,
        )
        .with_for_update(key_share=True)
    ).all()
    for row in rows:
        row.handled_at, row.handled_by, row.handled_how = None, "", ""
    session.flush()
    for row in rows:
        _note(session, row, "reply.reopened", now, actor)
    return list(rows)


def called(
    session: Session,
    reply: Reply,
    *,
    reached: bool,
    words: str,
    now: datetime,
    actor: str,
    through: int | None,
) -> list[Reply]:
    """A call that was made. Nobody answered: it stays open, and says so."""
    said = f"{'Called' if reached else 'Called, no answer'}{f': {words}' if words else '.'}"
    if reached:
        return done(session, reply, how=CALLED, words=said, now=now, actor=actor, through=through)
    _locked(session, reply)
    _write_down(session, reply, said, now, actor)
    session.flush()
    _note(session, reply, "reply.called", now, actor)
    return []


def _write_down(session: Session, reply: Reply, words: str, now: datetime, actor: str) -> None:
    """Below what was noted before, with when and who."""
    words = " ".join(words.split())
    if not words:
        return
    if len(words) > _LONGEST_NOTE:
        raise InputError(f"Keep the note under {_LONGEST_NOTE} characters.", field="note")
    clinic = session.get_one(Clinic, reply.clinic_id)
    name = session.scalar(select(Staff.name).where(Staff.email == actor)) or actor
    line = f"{timing.say(now, zone(clinic.timezone))}, {name}: {words}"
    reply.note = "\n".join(filter(None, [reply.note, line]))


def assign(session: Session, reply: Reply, staff_id: int | None, *, now: datetime, actor: str) -> int | None:
    """To somebody of this clinic, or to nobody. Returns who had it before."""
    if staff_id is not None and staff_id not in {person.id for person in staff_of(session, reply.clinic_id)}:
        raise NotFoundError("This person does not work here.")
    group, before = _locked(session, reply), reply.assigned_to
    for row in group:
        row.assigned_to = staff_id
    session.flush()
    _note(session, reply, "reply.assigned", now, actor, to=staff_id)
    return before


def staff_of(session: Session, clinic_id: int | None) -> Sequence[Staff]:
    """Those who may be asked to deal with a reply."""
    return session.scalars(
        select(Staff)
        .join(Membership, Membership.staff_id == Staff.id)
        .where(Membership.clinic_id == clinic_id, Staff.disabled_at.is_(None))
        .order_by(Staff.name, Staff.id)
    ).all()


def take_on(session: Session, reply: Reply, *, staff_id: int, now: datetime, actor: str) -> int | None:
    """It is this person's now, and nobody else is called about it. Returns who had it before."""
    before = assign(session, reply, staff_id, now=now, actor=actor)
    take_alerts(session, reply, now=now, actor=actor)
    return before


def take_alerts(session: Session, reply: Reply, *, now: datetime, actor: str) -> None:
    for alert in open_alerts(session, reply):
        alerts.acknowledge(session, alert, by=actor, how="inbox", now=now)


def open_alerts(session: Session, reply: Reply) -> Sequence[Alert]:
    """What rings because of whoever wrote this."""
    about = Alert.reply_id == reply.id
    if reply.patient_id is not None:
        about |= (Alert.patient_id == reply.patient_id) & Alert.kind.in_(ABOUT_A_PATIENT)
    else:
        theirs = select(Reply.id).where(inbox.same_person(reply))
        about |= Alert.patient_id.is_(None) & Alert.reply_id.in_(theirs)
    query = select(Alert).where(Alert.clinic_id == reply.clinic_id, Alert.acknowledged_at.is_(None), about)
    return session.scalars(query.order_by(Alert.id)).all()


def seen(session: Session, reply: Reply, *, now: datetime, actor: str) -> None:
    """Somebody has it open for the first time; what else this person wrote stands beside it."""
    fresh = unseen(session, reply)
    if not fresh:
        return
    session.execute(
        update(Reply)
        .where(Reply.id.in_([row.id for row in fresh]), Reply.seen_at.is_(None))
        .values(seen_at=now)
        .execution_options(synchronize_session=False)
    )
    for row in fresh:
        if row.rank < 9:
            _note(session, row, "reply.seen", now, actor)


def unseen(session: Session, reply: Reply) -> Sequence[Reply]:
    return session.scalars(
        select(Reply).where(
            inbox.same_person(reply), Reply.clinic_id == reply.clinic_id, Reply.seen_at.is_(None)
        )
    ).all()


def link(session: Session, reply: Reply, patient: Patient, *, now: datetime, actor: str) -> list[Reply]:
    """All that came from this address, and that nobody was known to have written, is this patient's."""
    if reply.patient_id is not None:
        raise ConflictError("It is known already who wrote this.")
    rows = session.scalars(
        select(Reply).where(inbox.same_person(reply)).with_for_update(key_share=True)
    ).all()
    for row in rows:
        row.patient_id = patient.id
    session.flush()
    _note(session, reply, "reply.linked", now, actor, count=len(rows))
    return list(rows)


def unlink(session: Session, rows: Iterable[Reply], *, now: datetime, actor: str) -> None:
    """Undo of `link`."""
    for row in rows:
        _note(session, row, "reply.unlinked", now, actor)
        row.patient_id = None
    session.flush()


def _note(session: Session, reply: Reply, action: str, now: datetime, actor: str, **detail: object) -> None:
    audit.note(
        session,
        clinic_id=reply.clinic_id,
        at=now,
        actor=actor,
        action=action,
        subject="reply",
        subject_id=reply.id,
        patient_id=reply.patient_id,
        **detail,
    )
