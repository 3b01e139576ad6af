"""What one reply changes: scores, pauses, stops and starts, the number that was wrong."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import replace
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from notifier import answers, opting, patient_edits, pausing, reach, scores, suppressions
from notifier.config import Settings
from notifier.envelope import InboundMessage
from notifier.in_flight import Place
from notifier.models import Alert, Patient, Reply, ScoreRow, Sender, Treatment
from notifier.planning import replan
from notifier.reply_origin import Origin
from notifier.rules import answering, soreness
from notifier.rules.answering import Circumstances, Decision
from notifier.rules.triage import Intent, Triage

_CONCERNS = ("red_flag", "crisis", "score", "unreadable")
# Of Twilio's Advanced Opt-Out: it has acted on the word, whatever we make of it.
_OPT_OUT_TYPES: dict[str, Intent] = {"STOP": "opt_out", "START": "opt_in", "HELP": "help"}
# These ask for silence on all channels at once.
_ALL = frozenset({"stopall", "stop all"})
_WRONG = "Somebody else answered there and said that it is a wrong number."


def as_provider_says(triage: Triage, inbound: InboundMessage) -> Triage:
    """Twilio's own reading of STOP and START counts, because it has blocked the number, or no longer."""
    meant = _OPT_OUT_TYPES.get(inbound.raw.get("OptOutType", "").upper())
    if meant is None or triage.intent == meant:
        return triage
    return replace(triage, intent=meant, opt_out=meant == "opt_out")


def graver(body: Triage, subject: Triage) -> Triage:
    """What a mail asks for where its subject says something too: a warning or a stop in either counts."""
    flags = body.red_flags | subject.red_flags
    opt_out = body.opt_out or subject.opt_out
    warned = [each for each in (body, subject) if each.red_flags]
    intent: Intent = "opt_out" if opt_out else "red_flag" if flags else body.intent
    return replace(
        body,
        intent=intent,
        red_flags=flags,
        opt_out=opt_out,
        negated=bool(warned) and all(each.negated for each in warned),
        matched=(*body.matched, *subject.matched),
        score=body.score if body.score is not None else subject.score,
    )


def in_order(session: Session, reply: Reply, triage: Triage) -> Triage:
    """A START that arrives after a later STOP lifts nothing: the last word is the no."""
    if triage.intent != "opt_in":
        return triage
    later = select(Reply.id).where(
        Reply.channel == reply.channel,
        Reply.from_address == reply.from_address,
        Reply.clinic_id == reply.clinic_id,
        Reply.intent == "opt_out",
        Reply.received_at > reply.received_at,
    )
    return triage if session.scalar(later.limit(1)) is None else replace(triage, intent="other")


def score_of(session: Session, origin: Origin, reply: Reply, triage: Triage) -> ScoreRow | None:
    """The score that the words say, against the treatment they are about."""
    reply.score = triage.score
    if triage.score is None or origin.treatment is None:
        return None
    source = "page" if reply.channel == "page" else "reply"
    return scores.record(
        session,
        origin.treatment,
        triage.score,
        at=reply.received_at,
        reply=reply,
        message=origin.question,
        source=source,
    )


def score_told(session: Session, treatment: Treatment, value: int, now: datetime) -> tuple[ScoreRow, str]:
    """A score by word of mouth; and why messages have to pause, empty where they need not."""
    row = scores.record(session, treatment, value, at=now, source="desk")
    if soreness.band(value) == "high":
        return row, "the soreness score is high"
    return row, "the soreness score went up" if _is_rising(session, treatment, row) else ""


def _is_rising(session: Session, treatment: Treatment, row: ScoreRow) -> bool:
    points = scores.of_treatment(session, treatment)
    earlier = [(point.hours, point.value) for point in points if point.at < row.at]
    return soreness.is_rising(earlier, scores.hours_since(treatment, row.at), row.value)


def circumstances(
    session: Session,
    origin: Origin,
    reply: Reply,
    triage: Triage,
    score: ScoreRow | None,
    inbound: InboundMessage,
    settings: Settings,
    now: datetime,
) -> Circumstances:
    lately = answers.lately(session, reply, now)
    question = origin.question
    return Circumstances(
        band=soreness.band(triage.score) if triage.score is not None else "",
        rising=score is not None
        and origin.treatment is not None
        and _is_rising(session, origin.treatment, score),
        asked=origin.asked,
        asked_again=question is not None and answers.was_unclear(session, reply, question),
        concern=has_concern(session, origin),
        stopped=_is_stopped(session, origin, reply.from_address),
        robot=inbound.automatic or answering.is_loop(reply.body, lately.bodies),
        answered_lately=lately.answered,
        fallback_lately=lately.fallback,
        provider_answers=_provider_answers(inbound, settings),
    )


def has_concern(session: Session, origin: Origin) -> bool:
    """Whether a warning of anybody who may have written is open, or their messages are paused."""
    if any(patient.paused_at is not None for patient in origin.patients):
        return True
    ids = [patient.id for patient in origin.patients]
    query = select(Alert.id).where(
        Alert.clinic_id == origin.clinic.id,
        Alert.acknowledged_at.is_(None),
        Alert.patient_id.in_(ids),
        Alert.kind.in_(_CONCERNS),
    )
    return session.scalar(query.limit(1)) is not None


def _is_stopped(session: Session, origin: Origin, address: str) -> bool:
    return origin.sender is not None and suppressions.standing(session, origin.sender, address) is not None


def _provider_answers(inbound: InboundMessage, settings: Settings) -> bool:
    """Whether Twilio has answered this very word by itself, so that ours would be the second."""
    sms = settings.sms
    if inbound.channel != "sms" or not sms.account_sid or settings.delivery.mode == "outbox":
        return False
    word = inbound.body.strip().strip(".!").upper()
    return word in {answer.upper() for answer in sms.provider_answers} or "OptOutType" in inbound.raw


def bring_about(
    session: Session,
    origin: Origin,
    reply: Reply,
    triage: Triage,
    inbound: InboundMessage,
    known: Circumstances,
    now: datetime,
) -> list[Place]:
    """What the words ask for, beside an answer. The places where nothing may go any more."""
    if inbound.automatic:
        return []
    actor = _who(origin, reply)
    if triage.opt_out:
        return _stop(session, origin, reply, now, actor)
    if triage.intent == "opt_in":
        opting.start(
            session, origin.binding, reply.from_address, wording=reply.body.strip(), now=now, actor=actor
        )
    elif triage.intent == "wrong_number" and origin.sender is not None:
        return _wrong_number(session, origin, reply, now, actor)
    elif triage.intent in ("essentials", "essentials_undo"):
        _essentials(session, origin, triage.intent == "essentials", now, actor)
    return []


def _who(origin: Origin, reply: Reply) -> str:
    return f"patient {origin.patient.id}" if origin.patient is not None else reply.from_address


def _stop(session: Session, origin: Origin, reply: Reply, now: datetime, actor: str) -> list[Place]:
    stopped: list[Place] = []
    by_mail = reply.channel == "email"
    method = "wrote STOP" if by_mail or reply.channel == "page" else opting.BY_TEXT
    for senders, address in _meant(session, origin, reply):
        reason = f"The reader of this address asked to stop: “{reply.body.strip()[:60]}”."
        opting.stop(session, senders, address, method=method, reason=reason, now=now, actor=actor)
        stopped.append((senders[0].channel, address))
    return stopped


def _written_from(origin: Origin, reply: Reply) -> list[str]:
    """The address it came from; and where the mail went that it answers, which was passed on to there."""
    return list(dict.fromkeys(filter(None, (reply.from_address, origin.wrote_to)))) if origin.binding else []


def _meant(session: Session, origin: Origin, reply: Reply) -> Iterator[tuple[tuple[Sender, ...], str]]:
    """The addresses that fall silent: the one it came from; all of the patient's where that is asked."""
    yield from ((origin.binding, address) for address in _written_from(origin, reply))
    said = " ".join(reply.body.casefold().split()).strip(".! ")
    if origin.patient is None or (origin.binding and said not in _ALL):
        return
    known = reach.load(session, [origin.patient])
    for channel in ("sms", "email"):
        sender, address = known.sender(origin.patient, channel), reach.address_of(origin.patient, channel)
        if (
            sender is not None
            and address is not None
            and address not in (reply.from_address, origin.wrote_to)
        ):
            yield (sender,), address


def _wrong_number(session: Session, origin: Origin, reply: Reply, now: datetime, actor: str) -> list[Place]:
    """That number hears from us no more; the patients' own wishes are as they were, their number is not."""
    wrong = _written_from(origin, reply)
    for address in wrong:
        opting.stop(
            session,
            origin.binding,
            address,
            method="wrong number",
            reason=_WRONG,
            now=now,
            actor=actor,
            patients=(),
        )
    for patient in origin.patients:
        if reply.channel == "sms" and patient.phone in wrong:
            patient.phone_problem = _WRONG
        elif reply.channel == "email" and patient.email in wrong:
            patient.email_problem = _WRONG
    session.flush()
    if origin.patients:
        replan(session, origin.patients, now=now, actor=actor)
    return [(reply.channel, address) for address in wrong]


def _essentials(session: Session, origin: Origin, wanted: bool, now: datetime, actor: str) -> None:
    changed = [patient for patient in origin.patients if patient.essentials != wanted]
    for patient in changed:
        patient.essentials = wanted
        patient_edits.note(session, patient, "patient.changed", now, actor, fields=["essentials"])
    session.flush()
    if changed:
        replan(session, changed, now=now, actor=actor)


def pause(session: Session, origin: Origin, why: str, now: datetime, actor: str = "reply") -> None:
    """Of everybody who may have written it; who is paused already stays so, for the first reason."""
    for patient in _unpaused(origin.patients):
        pausing.pause(session, patient, why, now=now, actor=actor)


def _unpaused(patients: Collection[Patient]) -> list[Patient]:
    return [patient for patient in patients if patient.paused_at is None]


_SUMMARIES = {
    "crisis": "A reply sounds as if the patient may harm themselves.",
    "score": "The soreness score is high or has gone up.",
}
_OF_FLAGS = {
    "emergency": "A reply may be an emergency.",
    "urgent": "A reply names a warning sign.",
    "normal": "A reply names a warning sign, as something that is not there.",
}


def summary(reply: Reply, decision: Decision, known: Circumstances, origin: Origin) -> str:
    """For the pages, without a name or a word of the patient's."""
    said = _SUMMARIES.get(decision.alert) or _OF_FLAGS[decision.severity]
    if decision.alert == "score" and reply.score is not None:
        said = f"The soreness score is {reply.score} of 10{', and going up' if known.rising else ''}."
    if reply.negated and decision.severity == "urgent" and decision.alert == "red_flag":
        said = "A reply names signs of an emergency, as something that is not there."
    notes = [said]
    if len(origin.patients) > 1 and origin.patient is None:
        notes.append("Several patients share this phone.")
    if not origin.patients:
        notes.append("Nobody is on record with this number.")
    if known.stopped:
        notes.append("This number opted out, so no automatic answer was sent. Call.")
    return " ".join(notes)
