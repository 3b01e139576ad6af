"""What a patient sends back: read by the rules, and all that follows from it in one transaction.

The warning first: whatever else goes wrong with a reply, it is kept and a person gets to see it.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from notifier import (
    alert_codes,
    alerts,
    alerts_delivery,
    answers,
    opting,
    reply_effects,
    reply_origin,
    reply_rules,
)
from notifier.config import Settings
from notifier.db import insert_missing
from notifier.envelope import InboundMessage
from notifier.errors import DatabaseUnavailable
from notifier.in_flight import Place
from notifier.models import Patient, Reply, ScoreRow, Treatment
from notifier.reply_origin import Origin
from notifier.rules import answering
from notifier.rules.answering import Circumstances, Decision, Rank
from notifier.rules.mail_subjects import own_words
from notifier.rules.plan import CHANNELS
from notifier.rules.recipients import address_key
from notifier.rules.triage import Triage, classify

log = logging.getLogger(__name__)

UNREADABLE = "unreadable"
_ACTOR = "reply"


@dataclass(frozen=True, slots=True)
class Received:
    """`replies` is empty where it was known already, or was no patient's. `stopped`: where nothing may go any
    more; after the commit the caller waits until nothing is in flight there, before it answers.
    `said`: the names of the answers, for a page that shows them itself.
    """

    replies: tuple[Reply, ...] = ()
    stopped: tuple[Place, ...] = ()
    said: tuple[str, ...] = ()


def receive(session: Session, inbound: InboundMessage, *, settings: Settings, now: datetime) -> Received:
    """Take in one message, once, whoever delivers it again. Raises only where the database is not there."""
    if alert_codes.take(session, inbound, settings=settings, now=now):
        return Received()
    found = reply_origin.origins(session, inbound, settings)
    if not found:
        log.error("a reply by %s came in, and no clinic uses that", inbound.channel)
    _lock_everybody(session, inbound, found)
    return _together([take(session, inbound, origin, settings=settings, now=now) for origin in found])


def _lock_everybody(session: Session, inbound: InboundMessage, found: Sequence[Origin]) -> None:
    """Of all clinics that share the number at once: one after the other, two such stops could block each
    other for ever.
    """
    clinic_ids = {sender.clinic_id for origin in found for sender in origin.binding}
    if len(clinic_ids) > 1:
        opting.lock_all(session, opting.there(session, clinic_ids, inbound.channel, _address(inbound)))


def _together(received: Sequence[Received]) -> Received:
    return Received(
        tuple(reply for each in received for reply in each.replies),
        tuple(dict.fromkeys(place for each in received for place in each.stopped)),
        tuple(name for each in received for name in each.said),
    )


def take(
    session: Session, inbound: InboundMessage, origin: Origin, *, settings: Settings, now: datetime
) -> Received:
    """The same where it is known to whom it belongs."""
    reply = _keep(session, inbound, origin)
    if reply is None:
        return Received()
    opting.lock_all(session, origin.patients)
    try:
        # Whatever fails takes back its own half-done work and nothing else.
        with session.begin_nested():
            return _work(session, inbound, origin, reply, settings, now)
    except (OperationalError, DatabaseUnavailable):
        raise
    except Exception:
        log.exception("reply %s could not be read by the rules", reply.id)
        session.refresh(reply)
        return _hand_over(session, origin, reply, now)


def _keep(session: Session, inbound: InboundMessage, origin: Origin) -> Reply | None:
    """The row, written before anything is thought about it. None: it stands there already."""
    values = {
        "clinic_id": origin.clinic.id,
        "channel": inbound.channel,
        "provider_id": inbound.provider_id,
        "patient_id": origin.patient.id if origin.patient is not None else None,
        "treatment_id": origin.treatment.id if origin.treatment is not None else None,
        "message_id": origin.question.id if origin.question is not None else None,
        "sender_id": origin.sender.id if origin.sender is not None else None,
        "from_address": _address(inbound),
        "to_address": inbound.to_address,
        "body": _storable(inbound.body),
        "subject": _storable(inbound.subject),
        "automatic": inbound.automatic,
        "received_at": inbound.received_at,
        "intent": "",
        "red_flags": [],
        "matched": [],
        "rank": Rank.READ,
        "task": "read",
        "handled_by": "",
        "handled_how": "",
    }
    written = session.scalar(insert_missing(session, Reply).values(**values).returning(Reply.id))
    return session.get_one(Reply, written) if written is not None else None


def _storable(words: str) -> str:
    """Without what PostgreSQL takes in no text, and no phone writes."""
    return words.replace("\0", "").encode("utf-8", errors="replace").decode()


def _address(inbound: InboundMessage) -> str:
    known = inbound.channel in CHANNELS
    return address_key(inbound.channel, inbound.from_address) if known else inbound.from_address


def _work(
    session: Session,
    inbound: InboundMessage,
    origin: Origin,
    reply: Reply,
    settings: Settings,
    now: datetime,
) -> Received:
    triage = reply_effects.in_order(session, reply, _read(origin, inbound))
    reply.intent, reply.red_flags = triage.intent, sorted(triage.red_flags)
    reply.keyword, reply.negated, reply.matched = triage.keyword or "", triage.negated, list(triage.matched)
    score = reply_effects.score_of(session, origin, reply, triage)
    known = reply_effects.circumstances(session, origin, reply, triage, score, inbound, settings, now)
    decision = _decide(triage, known, inbound, origin)
    reply.rank, reply.task = decision.rank, decision.task
    stopped = reply_effects.bring_about(session, origin, reply, triage, inbound, known, now)
    said = _follow(session, origin, reply, decision, known, now)
    session.flush()
    return Received((reply,), tuple(stopped), (said,) if said else ())


def _read(origin: Origin, inbound: InboundMessage) -> Triage:
    """The body, and the subject of a mail apart from it: a keyword counts only as all there is."""
    triage = _classified(origin, inbound.body, asked=origin.asked)
    subject = own_words(inbound.subject)
    if subject and subject != inbound.body:
        triage = reply_effects.graver(triage, _classified(origin, subject, asked=False))
    return reply_effects.as_provider_says(triage, inbound)


def _classified(origin: Origin, words: str, *, asked: bool) -> Triage:
    return classify(
        words,
        language=origin.patient.language if origin.patient is not None else origin.clinic.language,
        score_asked=asked,
        rules=reply_rules.for_clinic(origin.clinic),
        names=tuple(patient.first_name for patient in origin.patients),
    )


def _decide(triage: Triage, known: Circumstances, inbound: InboundMessage, origin: Origin) -> Decision:
    if inbound.automatic and not triage.red_flags:
        # An out-of-office mail asks for nothing, and its words are nobody's wish.
        return Decision(Rank.NOBODY)
    if inbound.automatic and not origin.patients:
        # Newsletters name many an illness. A person may read it; nobody is called.
        return Decision(Rank.READ, "read")
    return answering.decide(triage, known)


def _follow(
    session: Session, origin: Origin, reply: Reply, decision: Decision, known: Circumstances, now: datetime
) -> str:
    """Who is told, what is paused, what is answered. The name of the answer, where there is one."""
    if decision.pause:
        reply_effects.pause(session, origin, decision.pause, now)
    if decision.alert:
        _raise(session, origin, reply, decision, known, now)
    if not decision.answer:
        return ""
    session.flush()
    try:
        # Words that cannot be written take back no stop and no warning.
        with session.begin_nested():
            _answer(session, origin, reply, decision, now)
    except (OperationalError, DatabaseUnavailable):
        raise
    except Exception:
        log.exception("reply %s could not be answered", reply.id)
        session.refresh(reply)
        _leave_to_a_person(session, reply)
    return reply.answer


def _answer(session: Session, origin: Origin, reply: Reply, decision: Decision, now: datetime) -> None:
    reply.answer = decision.answer
    if origin.sender is None:
        return
    answers.write(
        session,
        origin.clinic,
        origin.sender,
        reply,
        decision.answer,
        patient=origin.patient,
        urgent=decision.urgent,
        through=decision.through,
        now=now,
    )


def _leave_to_a_person(session: Session, reply: Reply) -> None:
    if reply.rank == Rank.NOBODY:
        reply.rank, reply.task = Rank.READ, "read"
    alerts_delivery.unanswered(session, reply.id)


def _raise(
    session: Session, origin: Origin, reply: Reply, decision: Decision, known: Circumstances, now: datetime
) -> None:
    alerts.raise_alert(
        session,
        origin.clinic,
        kind=decision.alert,
        severity=decision.severity,
        summary=reply_effects.summary(reply, decision, known, origin),
        now=now,
        actor=_ACTOR,
        patient=origin.patient,
        treatment=origin.treatment,
        reply=reply,
    )


def _hand_over(session: Session, origin: Origin, reply: Reply, now: datetime) -> Received:
    """No rule could read it: a person does, at once, because it may be a warning."""
    reply.rank, reply.task, reply.intent = Rank.URGENT, "read", "other"
    alerts.raise_alert(
        session,
        origin.clinic,
        kind=UNREADABLE,
        severity="emergency",
        summary="A reply could not be read by the program. Read it yourself.",
        now=now,
        actor=_ACTOR,
        patient=origin.patient,
        treatment=origin.treatment,
        reply=reply,
    )
    session.flush()
    return Received((reply,))


def on_page(
    session: Session,
    patient: Patient,
    treatment: Treatment | None,
    words: str,
    *,
    token: str,
    settings: Settings,
    now: datetime,
    asked: bool = False,
) -> Received:
    """What the patient wrote on their own page. `token` makes it one of its kind, however often it is posted.

    `asked`: the words are the answer to "how sore are you, from 0 to 10". The page itself shows what it is
    answered, by the names in `Received.said`.
    """
    inbound = InboundMessage(token, "page", f"patient {patient.id}", "", words, now)
    origin = reply_origin.on_page(session, patient, treatment, asked=asked)
    return take(session, inbound, origin, settings=settings, now=now)


def told_at_desk(
    session: Session, patient: Patient, treatment: Treatment, value: int, *, now: datetime, actor: str
) -> ScoreRow:
    """A score that the patient said to a person: stored, and what it pauses is paused; nobody is alerted."""
    origin = reply_origin.on_page(session, patient, treatment, asked=True)
    opting.lock_all(session, origin.patients)
    row, concern = reply_effects.score_told(session, treatment, value, now)
    if concern:
        reply_effects.pause(session, origin, concern, now, actor=actor)
    return row
