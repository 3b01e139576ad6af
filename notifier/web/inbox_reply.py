"""What a person does about a reply: answers it, calls, takes it on, deals with it, says who wrote it."""

from __future__ import annotations

from fastapi import APIRouter, Response
from sqlalchemy.orm import Session

from notifier import inbox, inbox_handling, patients, pausing, quick_answers, staff_answers
from notifier.errors import ConflictError, InputError
from notifier.models import Clinic, Message, Patient, Reply
from notifier.web.auth import Desk
from notifier.web.forms import Fields, Posted, Problems
from notifier.web.inbox_page import Typed, language_of, show_reply
from notifier.web.visit import Undo, Visit

router = APIRouter(prefix="/inbox/{reply_id:int}")


def _refused(visit: Visit, reply_id: int, posted: Fields, error: InputError | ConflictError) -> Response:
    """The conversation again, with what was typed and why nothing happened."""
    problems = Problems()
    if isinstance(error, InputError):
        problems.take(error)
    else:
        problems[""] = str(error)
    typed = Typed(posted.raw("words"), posted.text("channel"), posted.text("note"))
    status = 422 if isinstance(error, InputError) else 409
    return show_reply(visit, reply_id, typed=typed, problems=problems, status=status)


def _patient(session: Session, reply: Reply) -> Patient | None:
    return session.get(Patient, reply.patient_id) if reply.patient_id is not None else None


def _called(session: Session, clinic: Clinic, reply: Reply) -> str:
    """Whom it is about, as a toast says it."""
    patient = _patient(session, reply)
    return f"{patient.first_name} {patient.last_name}".strip() if patient is not None else "This number"


@router.post("/answer")
def answer(visit: Desk, posted: Posted, reply_id: int) -> Response:
    """In free words, or by one click in words that were ready; it leaves in a few seconds."""
    now, actor, is_done = visit.now(), visit.actor, posted.text("then") == "done"
    try:
        with visit.transaction() as session:
            clinic = visit.clinic(session)
            reply = inbox.get(session, clinic, reply_id)
            message = _written(visit, session, clinic, reply, posted)
            if is_done and reply.handled_at is None:
                inbox_handling.done(
                    session,
                    reply,
                    how=inbox_handling.ANSWERED,
                    now=now,
                    actor=actor,
                    through=posted.whole("through"),
                )
            else:
                inbox_handling.take_alerts(session, reply, now=now, actor=actor)
            message_id = message.id
    except (InputError, ConflictError) as error:
        return _refused(visit, reply_id, posted, error)
    seconds = int(staff_answers.TAKE_BACK.total_seconds())
    undo = Undo(
        f"/inbox/{reply_id}/take-back",
        fields={"message": str(message_id), "reopen": "1" if is_done else ""},
    )
    path = "/inbox" if is_done else f"/inbox/{reply_id}"
    return visit.go(path, toast=f"Your answer leaves in {seconds} seconds.", undo=undo)


def _written(visit: Visit, session: Session, clinic: Clinic, reply: Reply, posted: Fields) -> Message:
    now, patient, words = visit.now(), _patient(session, reply), posted.raw("words")
    key = posted.text("quick")
    if key:
        worried = staff_answers.is_worrying(session, inbox.writers(session, clinic, reply), reply)
        language = language_of(clinic, patient)
        words = quick_answers.find(clinic, key, language, worried=worried, now=now).words
    return staff_answers.write(
        session,
        clinic,
        patient,
        posted.text("channel"),
        words,
        token=posted.text("token")[:64],
        reply=reply,
        was_open=posted.flag("was_open"),
        now=now,
        actor=visit.actor,
    )


@router.post("/take-back")
def take_back(visit: Desk, posted: Posted, reply_id: int) -> Response:
    """Undo of an answer: its words are in the form again, and the reply is open again where it was closed."""
    now, message_id = visit.now(), posted.whole("message") or 0
    try:
        with visit.transaction() as session:
            clinic = visit.clinic(session)
            reply = inbox.get(session, clinic, reply_id)
            staff_answers.take_back(session, clinic, message_id, now=now, actor=visit.actor)
            if posted.flag("reopen") and reply.handled_at is not None:
                inbox_handling.reopen(session, reply, now=now, actor=visit.actor)
    except ConflictError as error:
        return _refused(visit, reply_id, posted, error)
    return visit.go(f"/inbox/{reply_id}?draft={message_id}", toast="Taken back: it was not sent.")


@router.post("/done")
def done(visit: Desk, posted: Posted, reply_id: int) -> Response:
    now, actor = visit.now(), visit.actor
    try:
        with visit.transaction() as session:
            clinic = visit.clinic(session)
            reply = inbox.get(session, clinic, reply_id)
            inbox_handling.done(
                session,
                reply,
                how=posted.text("how"),
                words=posted.text("note"),
                now=now,
                actor=actor,
                through=posted.whole("through"),
            )
            said = _go_on(visit, session, reply, posted)
            words = f"Done: {_called(session, clinic, reply)}. {said}".strip()
    except (InputError, ConflictError) as error:
        return _refused(visit, reply_id, posted, error)
    return visit.go("/inbox", toast=words, undo=Undo(f"/inbox/{reply_id}/reopen"))


def _go_on(visit: Visit, session: Session, reply: Reply, posted: Fields) -> str:
    """Paused messages go on where the person says so; else it is said that they do not."""
    writers = inbox.writers(session, visit.clinic(session), reply)
    paused = [patient for patient in writers if patient.paused_at is not None]
    if not paused:
        return ""
    if not posted.flag("resume"):
        return "The planned messages are still paused."
    effects = [
        pausing.resume(session, patient, now=visit.now(), actor=visit.actor).in_words() for patient in paused
    ]
    return " ".join(["The planned messages go on.", *filter(None, effects)])


@router.post("/reopen")
def reopen(visit: Desk, posted: Posted, reply_id: int) -> Response:
    with visit.transaction() as session:
        reply = inbox.get(session, visit.clinic(session), reply_id)
        inbox_handling.reopen(session, reply, now=visit.now(), actor=visit.actor)
    return visit.go(f"/inbox/{reply_id}", toast="It is in the inbox again.")


@router.post("/called")
def called(visit: Desk, posted: Posted, reply_id: int) -> Response:
    """A call that was made; who was not reached stays in the inbox."""
    reached = posted.text("reached") == "yes"
    try:
        with visit.transaction() as session:
            clinic = visit.clinic(session)
            reply = inbox.get(session, clinic, reply_id)
            inbox_handling.called(
                session,
                reply,
                reached=reached,
                words=posted.text("note"),
                now=visit.now(),
                actor=visit.actor,
                through=posted.whole("through"),
            )
            said = _go_on(visit, session, reply, posted) if reached else ""
            name = _called(session, clinic, reply)
    except (InputError, ConflictError) as error:
        return _refused(visit, reply_id, posted, error)
    if reached:
        words = f"Noted: you talked with {name}. {said}".strip()
        return visit.go("/inbox", toast=words, undo=Undo(f"/inbox/{reply_id}/reopen"))
    return visit.go(f"/inbox/{reply_id}", toast="Noted: nobody answered. It stays in the inbox.")


@router.post("/assign")
def assign(visit: Desk, posted: Posted, reply_id: int) -> Response:
    """To the person with this number; to nobody where there is none."""
    try:
        with visit.transaction() as session:
            reply = inbox.get(session, visit.clinic(session), reply_id)
            before = inbox_handling.assign(
                session, reply, posted.whole("staff"), now=visit.now(), actor=visit.actor
            )
            name = inbox.names_of(session, [reply]).get(str(reply.assigned_to), "")
    except ConflictError as error:
        return _refused(visit, reply_id, posted, error)
    undo = Undo(f"/inbox/{reply_id}/assign", fields={"staff": str(before or "")})
    words = f"{name} has it now." if name else "Nobody in particular has it now."
    return visit.go(f"/inbox/{reply_id}", toast=words, undo=undo)


@router.post("/take")
def take(visit: Desk, posted: Posted, reply_id: int) -> Response:
    """It is mine, and nobody else is called about it."""
    try:
        with visit.transaction() as session:
            reply = inbox.get(session, visit.clinic(session), reply_id)
            inbox_handling.take_on(
                session, reply, staff_id=visit.staff_id, now=visit.now(), actor=visit.actor
            )
    except ConflictError as error:
        return _refused(visit, reply_id, posted, error)
    return visit.go(f"/inbox/{reply_id}", toast="It is yours. Nobody else is called about it.")


@router.post("/resume")
def resume(visit: Desk, posted: Posted, reply_id: int) -> Response:
    """The planned messages of the patient go on."""
    try:
        with visit.transaction() as session:
            reply = inbox.get(session, visit.clinic(session), reply_id)
            number = posted.whole("patient") or reply.patient_id or 0
            patient = patients.get(session, visit.clinic(session), number)
            why = patient.paused_reason
            effect = pausing.resume(session, patient, now=visit.now(), actor=visit.actor)
    except ConflictError as error:
        return _refused(visit, reply_id, posted, error)
    undo = Undo(f"/patients/{patient.id}/pause", fields={"why": why})
    return visit.go(f"/inbox/{reply_id}", toast=f"The messages go on. {effect.in_words()}".strip(), undo=undo)


@router.post("/link")
def link(visit: Desk, posted: Posted, reply_id: int) -> Response:
    """All that came from this address is this patient's."""
    try:
        with visit.transaction() as session:
            clinic = visit.clinic(session)
            reply = inbox.get(session, clinic, reply_id)
            patient = patients.get(session, clinic, posted.whole("patient") or 0)
            rows = inbox_handling.link(session, reply, patient, now=visit.now(), actor=visit.actor)
            ids = ",".join(str(row.id) for row in rows)
    except ConflictError as error:
        return _refused(visit, reply_id, posted, error)
    undo = Undo(f"/inbox/{reply_id}/unlink", fields={"replies": ids})
    return visit.go(f"/inbox/{reply_id}", toast=f"It is {patient.first_name} who wrote this.", undo=undo)


@router.post("/unlink")
def unlink(visit: Desk, posted: Posted, reply_id: int) -> Response:
    ids = [int(part) for part in posted.text("replies").split(",") if part.strip().isdecimal()]
    with visit.transaction() as session:
        clinic = visit.clinic(session)
        first = inbox.get(session, clinic, reply_id)
        rows = [inbox.get(session, clinic, number) for number in ids[:500]]
        same = [row for row in rows if row.from_address == first.from_address]
        inbox_handling.unlink(session, same, now=visit.now(), actor=visit.actor)
    return visit.go(f"/inbox/{reply_id}", toast="It is open again who wrote this.")
