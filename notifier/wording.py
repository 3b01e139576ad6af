"""What a message says: the step's text in the patient's language, filled with this treatment's values."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from notifier import alerts_telling, rendering
from notifier.envelope import OutboundMessage, Unsubscribe
from notifier.models import Clinic, Message, Patient, Treatment
from notifier.rendering import Context, RenderedEmail, RenderedSms
from notifier.rules.delivery import Kind
from notifier.rules.plan import Plan
from notifier.rules.templating import TextTemplate
from notifier.rules.zones import to_local

if TYPE_CHECKING:
    from notifier.cases import Case


# After the treatment ended; by then everybody has had the last message of their plan.
PAGE_IS_GOOD = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class Ready:
    """Rendered and addressed: what goes to the provider, and what the address rests for afterwards."""

    outbound: OutboundMessage
    gap: timedelta
    encoding: str = ""
    segments: int = 0


def ready(case: Case, now: datetime) -> Ready:
    """Render one message for its provider. Raises RenderError."""
    message = case.message
    unsubscribe = _unsubscribe(case)
    words = rendering.render(
        _template(case),
        _context(case),
        channel=message.channel,
        unsubscribe_url=unsubscribe,
        page_url=_page(case),
    )
    is_email = isinstance(words, RenderedEmail)
    attempt = message.attempts + 1
    outbound = OutboundMessage(
        message_id=message.id,
        attempt=attempt,
        reference=reference_of(message, case.clinic),
        channel=message.channel,
        to=message.to,
        text=words.text,
        subject=words.subject if isinstance(words, RenderedEmail) else "",
        html=words.html if isinstance(words, RenderedEmail) else "",
        sender=case.sender.identity,
        sender_name=case.sender.display_name or case.clinic.name,
        validity_seconds=None if message.useful_until is None else _seconds(now, message.useful_until),
        status_callback=case.links.status_callback(message.id, attempt) if case.links else None,
        unsubscribe=Unsubscribe(unsubscribe) if is_email and unsubscribe else None,
        in_reply_to=_answered(case),
    )
    gap = case.plan.pace.min_gap if case.definition is not None else _NO_GAP
    size = words.size if isinstance(words, RenderedSms) else None
    return Ready(outbound, gap, size.encoding if size else "", size.segments if size else 0)


_NO_GAP = timedelta(0)


def _answered(case: Case) -> str:
    """The mail that this one answers, so that mail programs show both as one conversation."""
    reply = case.answers
    by_mail = reply is not None and reply.channel == case.message.channel == "email"
    return reply.provider_id if reply is not None and by_mail else ""


def reference_of(message: Message, clinic: Clinic) -> str:
    """Names the message to its provider, the same in every attempt and unlike any of another clinic."""
    return f"{message.id}.{message.created_at:%Y%m%d%H%M%S%f}.{clinic.key}"


def _seconds(now: datetime, until: datetime) -> int:
    return max(1, int((until - now).total_seconds()))


def _unsubscribe(case: Case) -> str | None:
    """For patients only: an alert to staff may name a patient too."""
    if case.links is None or case.patient is None or case.message.channel != "email":
        return None
    if case.message.kind in (Kind.ALERT, Kind.TEST):
        return None
    return case.links.unsubscribe(case.patient.id, case.message.channel, case.message.to)


def _page(case: Case) -> str | None:
    """The patient's own page: in every e-mail to them, in planned SMS where the clinic pays for it."""
    message, patient = case.message, case.patient
    planned = message.kind == Kind.PLANNED
    by_mail = message.channel == "email" and (planned or message.kind == Kind.ANSWER)
    if patient is None or case.links is None or not (by_mail or (planned and case.clinic.page_in_sms)):
        return None
    since = case.treatment.ended_at if case.treatment is not None else message.created_at
    return case.links.patient_page(patient.id, patient.link_epoch, since + PAGE_IS_GOOD)


def _template(case: Case) -> TextTemplate:
    message = case.message
    if case.definition is None:
        # Its words were made when it was: only Jinja's own signs have to be kept from meaning anything.
        said = alerts_telling.with_link(message, case.links, case.clinic.language)
        words, subject = _literal(said), _literal(message.subject)
        return TextTemplate(sms=words) if message.channel == "sms" else TextTemplate(None, subject, words)
    language = case.patient.language if case.patient is not None else case.clinic.language
    return case.definition.text(message.step or "", language) or TextTemplate()


def _literal(text: str) -> str:
    return "".join("{{ '{' }}" if char == "{" else char for char in text)


def _context(case: Case) -> Context:
    plan = case.definition.plan if case.definition is not None else None
    context = context_of(
        case.clinic, case.patient, case.treatment, plan, case.tz, reply_address=case.reply_address
    )
    return replace(context, to_staff=case.message.kind == Kind.ALERT)


def context_of(
    clinic: Clinic,
    patient: Patient | None,
    treatment: Treatment | None,
    plan: Plan | None,
    tz: ZoneInfo,
    *,
    language: str = "",
    reply_address: str = "",
) -> Context:
    """The values that texts may use; dates and times on the patient's own calendar and clock.

    `language`: another than the patient's own.
    """
    language = language or (patient.language if patient is not None else clinic.language)
    visit = treatment.next_visit_at if treatment is not None else None
    visit_at = to_local(visit, tz) if visit is not None else None
    return rendering.context(
        language=language,
        clinic=clinic_values(clinic) | {"reply_address": reply_address},
        patient={"first_name": _greeted(patient)},
        practitioner={"name": treatment.practitioner if treatment is not None else None},
        treatment={
            "date": to_local(treatment.ended_at, tz).date() if treatment is not None else None,
            "name": plan.treatment.replace("-", " ") if plan is not None else None,
        },
        next_visit={
            "date": visit_at.date() if visit_at is not None else None,
            "time": visit_at.time() if visit_at is not None else None,
        },
    )


def clinic_values(clinic: Clinic) -> dict[str, str]:
    return {
        "name": clinic.name,
        "phone": clinic.phone,
        "emergency_number": clinic.emergency_number,
        "crisis_line": clinic.crisis_line,
    }


def _greeted(patient: Patient | None) -> str | None:
    """The person who reads it: the contact person where there is one."""
    if patient is None:
        return None
    return patient.contact_name.split()[0] if patient.contact_name else patient.first_name
