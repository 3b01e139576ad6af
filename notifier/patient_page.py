"""The patient's own page: whose link it is, where they are on the way, and what they may change themselves.

It says no more than a message may: nothing names the treatment until its reader asks for that. Whoever has
the link is taken for the patient; it ends 30 days after the treatment, and the desk can revoke it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from notifier import (
    answer_texts,
    known_plans,
    patient_edits,
    plan_questions,
    reach,
    reply_effects,
    reply_origin,
    scores,
    wording,
)
from notifier.clinic_edits import hours_of
from notifier.effects import Effect, Watch, follow
from notifier.errors import InputError, NotFoundError, NotifierError
from notifier.links import Links
from notifier.models import Clinic, Patient, PlanVersion, Reply, Treatment
from notifier.page_words import Block, blocks_of
from notifier.plan_questions import Question
from notifier.planfiles import Definition
from notifier.rules.plan import CHANNELS, LANGUAGES
from notifier.rules.zones import zone
from notifier.scores import Point

# What was answered is shown for a while; then it may no longer be true.
_ANSWER_SHOWN = timedelta(hours=6)
# These must not be read while a warning is open, whenever they were written.
_REASSURING = ("score-low", "score-medium", "score-unclear", "keyword-", "fallback", "help", "essentials")
_CONCERNED = "red-flag-urgent"


class GoneError(NotifierError):
    """The link was ours, and is good no more. Whom to call is empty where nothing may be said."""

    def __init__(self, language: str, clinic: str = "", phone: str = "", emergency: str = "") -> None:
        self.language, self.clinic, self.phone, self.emergency = language, clinic, phone, emergency
        super().__init__("This link is no longer good.")


def find(session: Session, links: Links, token: str, now: datetime) -> Patient:
    """Whose page it is. Raises NotFoundError for what we never made, GoneError for what is over."""
    link = links.read_page_token(token)
    patient = session.get(Patient, link.patient_id) if link is not None else None
    if link is None or patient is None:
        raise NotFoundError("This link is not one of ours, or it is incomplete.")
    if not links.is_genuine(link, [patient.link_epoch]):
        if not links.is_genuine(link, range(patient.link_epoch)):
            raise NotFoundError("This link is not one of ours, or it is incomplete.")
        raise _gone(session, patient)
    if patient.erased_at is not None or link.is_over(now) or treatment_of(session, patient, now) is None:
        raise _gone(session, patient)
    return patient


def _gone(session: Session, patient: Patient) -> GoneError:
    if patient.erased_at is not None:
        return GoneError(patient.language)
    at = session.get_one(Clinic, patient.clinic_id)
    return GoneError(patient.language, at.name, at.phone, at.emergency_number)


def treatment_of(session: Session, patient: Patient, now: datetime) -> Treatment | None:
    """The latest that has ended and was not voided: what the page is about."""
    return session.scalar(
        select(Treatment)
        .where(Treatment.patient_id == patient.id, Treatment.voided_at.is_(None), Treatment.ended_at <= now)
        .order_by(Treatment.ended_at.desc(), Treatment.id.desc())
        .limit(1)
    )


@dataclass(frozen=True, slots=True)
class Shown:
    """`is_warned`: a warning is open, so that nothing here may reassure. `answer`: to what was just sent.

    `is_usual`: whether the plan reckons with soreness and its usual hours, and nothing speaks against them;
    `may_score`: whether a number would still be about this treatment. `channels`: on which messages may go.
    """

    patient: Patient
    clinic: Clinic
    treatment: Treatment
    hours: int
    told: Sequence[Point]
    may_score: bool
    is_warned: bool
    is_usual: bool
    is_open: bool | None  # None: nobody has entered opening hours
    opens_next: str
    blocks: Sequence[Block]
    questions: Sequence[Question]
    more_questions: bool
    channels: Sequence[str]
    answer: str
    answer_text: str


def look(
    session: Session,
    clinic: Clinic,
    patient: Patient,
    now: datetime,
    *,
    reply_id: int = 0,
    about: bool = False,
) -> Shown:
    """`about`: the reader asked for what names the treatment."""
    treatment = treatment_of(session, patient, now)
    assert treatment is not None, "`find` looked for it"
    hours, told = scores.hours_since(treatment, now), scores.of_treatment(session, treatment)
    warned = reply_effects.has_concern(session, reply_origin.on_page(session, patient, treatment))
    definition = _definition(session, treatment)
    asked = plan_questions.of_plan(definition.plan.key, patient.language) if definition else ()
    names = about or patient.name_treatment
    known, opening = reach.load(session, [patient]), hours_of(clinic)
    answer = _answer(session, patient, reply_id, now, warned)
    return Shown(
        patient,
        clinic,
        treatment,
        int(hours),
        told,
        now - treatment.ended_at < scores.ABOUT_WITHIN,
        warned,
        not warned and definition is not None and any(step.ask == "score" for step in definition.plan.steps),
        opening.is_open(now) if opening else None,
        opening.opens_next(now, patient.language),
        () if warned or definition is None else _blocks(clinic, patient, treatment, definition, now, told),
        [each for each in asked if names or not each.names_treatment],
        not names and any(each.names_treatment for each in asked),
        [channel for channel in CHANNELS if known.obstacle(patient, channel) is None],
        answer,
        _said(clinic, patient, answer, now) if answer else "",
    )


def _definition(session: Session, treatment: Treatment) -> Definition | None:
    version = session.get_one(PlanVersion, treatment.plan_version_id)
    try:
        return known_plans.definition(session, version.id, version.digest)
    except NotifierError:
        return None  # the desk sees what is wrong with it; the numbers to call stand without it


def _blocks(
    clinic: Clinic,
    patient: Patient,
    treatment: Treatment,
    definition: Definition,
    now: datetime,
    told: Sequence[Point],
) -> Sequence[Block]:
    tz = zone(patient.timezone or clinic.timezone)
    context = wording.context_of(clinic, patient, treatment, definition.plan, tz)
    score = told[-1].value if told else None
    return blocks_of(definition, context, now - treatment.ended_at, score)


def _answer(session: Session, patient: Patient, reply_id: int, now: datetime, warned: bool) -> str:
    """The name of what this reply was answered; never one that reassures while a warning is open."""
    reply = session.get(Reply, reply_id) if reply_id else None
    if reply is None or reply.patient_id != patient.id or reply.channel != "page":
        return ""
    if now - reply.received_at > _ANSWER_SHOWN:
        return ""
    if warned and (not reply.answer or reply.answer.startswith(_REASSURING)):
        return _CONCERNED
    return reply.answer or "kept"


def reply_by(session: Session, patient: Patient, token: str) -> int:
    """The number of what the patient sent by this form, now or at an earlier click; 0 for none."""
    found = session.scalar(
        select(Reply.id).where(
            Reply.clinic_id == patient.clinic_id, Reply.channel == "page", Reply.provider_id == token
        )
    )
    return found or 0


def _said(clinic: Clinic, patient: Patient, answer: str, now: datetime) -> str:
    """The clinic's words of an answer; empty for one that only says that it was kept."""
    if answer not in answer_texts.names():
        return ""
    words = answer_texts.render(clinic, answer, language=patient.language, now=now, patient=patient)
    return words.removeprefix(f"{clinic.name}: ")


def set_language(session: Session, patient: Patient, language: str, *, now: datetime) -> Effect:
    if language not in LANGUAGES:
        raise InputError("There are no texts in this language.", field="language")
    return _change(session, patient, "language", language, now)


def prefer(session: Session, patient: Patient, channel: str, *, now: datetime) -> Effect:
    """Only what the patient may be written to on: a wish is no consent."""
    if channel not in CHANNELS or reach.load(session, [patient]).obstacle(patient, channel) is not None:
        raise InputError("Messages cannot go that way.", field="channel")
    return _change(session, patient, "preferred_channel", channel, now)


def _change(session: Session, patient: Patient, field: str, value: str, now: datetime) -> Effect:
    """By the patient themselves; what waits follows."""
    patient_edits.lock(session, patient)
    if getattr(patient, field) == value:
        return Effect()
    watch, actor = Watch(session, patient), actor_of(patient)
    setattr(patient, field, value)
    session.flush()
    patient_edits.note(session, patient, "patient.changed", now, actor, fields=[field])
    return follow(session, patient, watch, now=now, actor=actor)


def actor_of(patient: Patient) -> str:
    return f"patient {patient.id}"


def revoke(session: Session, patient: Patient, *, now: datetime, actor: str) -> None:
    """All links that were given out are good no more; the next message carries a new one."""
    patient_edits.lock(session, patient)
    patient.link_epoch += 1
    session.flush()
    patient_edits.note(session, patient, "patient.page_revoked", now, actor)


def link_for_desk(session: Session, links: Links, patient: Patient, now: datetime) -> str | None:
    """As the patient's messages carry it; None where there is nothing for it to show."""
    treatment = treatment_of(session, patient, now)
    if treatment is None or patient.erased_at is not None or now > treatment.ended_at + wording.PAGE_IS_GOOD:
        return None
    return links.patient_page(patient.id, patient.link_epoch, treatment.ended_at + wording.PAGE_IS_GOOD)
