"""What a clinic pastes into the forms of its SMS provider and shows its counsel, from its own texts.

Reviewers compare samples with what is really sent, so nothing here is made up but the patient's first name.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from notifier import answer_texts, consent_words, plans, rendering, text_samples
from notifier.errors import NotifierError
from notifier.models import Clinic, PlanVersion
from notifier.rules.plan import Plan
from notifier.rules.templating import TextTemplate

_SAMPLES = 4
# Campaigns in another language come back: the reviewers read English.
_FORMS = "en"


@dataclass(frozen=True, slots=True)
class Piece:
    """`field`: what the forms call it. `about`: for the person who pastes it."""

    key: str
    title: str
    field: str
    text: str
    about: str = ""
    language: str = _FORMS


def pieces(session: Session, clinic: Clinic, now: datetime) -> list[Piece]:
    return [
        *_campaign(clinic),
        *_samples(session, clinic, now),
        *_keywords(clinic, now),
        *_forms(clinic),
    ]


def _campaign(clinic: Clinic) -> Iterator[Piece]:
    first = (
        " The first message says who writes, how often, that message and data rates may apply, and how to "
        "get help and to stop."
    )
    yield Piece(
        "use-case",
        "Use case",
        "Use case",
        "Customer Care",
        "For a toll-free number choose Healthcare where the form has it.",
    )
    yield Piece(
        "description",
        "What the campaign is for",
        "Campaign description",
        f"{clinic.name} is a health care clinic. After a visit, patients who agreed at the front desk "
        "receive up to 5 messages in the following week: what they may feel, what helps, when to call the "
        "clinic and when to call emergency services. Some messages ask for a number from 0 to 10, and "
        "patients may answer. There is no marketing, no advertising for others, and no diagnosis or "
        "treatment is named.",
    )
    yield Piece(
        "how-people-agree",
        "How people agree",
        "Message flow / How do end-users consent to receive messages?",
        f"Patients of {clinic.name} agree in person at the front desk, or on the paper intake form, "
        f"separately from every other consent. Staff read out: “{consent_words.words(clinic, _FORMS)}” The "
        "answer is recorded with the date, the time, the words and the name of who asked. Consent is not a "
        f"condition of treatment. Nobody is added from a purchased list.{first if clinic.first_text else ''}",
        "Attach a picture of the consent form below, filled in with a made-up name.",
    )


def _samples(session: Session, clinic: Clinic, now: datetime) -> Iterator[Piece]:
    version = _most_used(session, clinic)
    said = [] if version is None else _planned(session, clinic, version, now)
    for number, text in enumerate(said[:_SAMPLES], 1):
        yield Piece(f"sample-{number}", f"Sample message {number}", f"Sample message #{number}", text)


def _most_used(session: Session, clinic: Clinic) -> PlanVersion | None:
    """The plan with most to say stands for the others."""
    known = plans.current_versions(session, clinic).values()
    return max(known, key=lambda version: len(version.content["texts"]), default=None)


def _planned(session: Session, clinic: Clinic, version: PlanVersion, now: datetime) -> list[str]:
    definition = plans.definition(version)
    made_up = text_samples.made_up(session, clinic, definition.plan, _FORMS, now=now)
    return [
        text for step in _told(definition.plan) if (text := _rendered(definition.text(step, _FORMS), made_up))
    ]


def _told(plan: Plan) -> list[str]:
    return [step.key for step in plan.steps if not step.channels or "sms" in step.channels]


def _rendered(template: TextTemplate | None, context: rendering.Context) -> str:
    """Nothing where there are no words for an SMS, or where they cannot be read."""
    if template is None or template.sms is None:
        return ""
    try:
        return rendering.render(template, context, channel="sms").text
    except NotifierError:
        return ""


_KEYWORDS = (
    ("first-after-consent", "The first message", "Opt-in message", "Opt-in keywords: START"),
    (
        "opt-out",
        "The answer to STOP",
        "Opt-out message",
        "Opt-out keywords: STOP, UNSUBSCRIBE, CANCEL, END, QUIT",
    ),
    (
        "opt-in",
        "The answer to START",
        "Opt-in confirmation",
        "Paste it where the console asks what START is answered.",
    ),
    ("help", "The answer to HELP", "Help message", "Help keywords: HELP, INFO"),
)


def _keywords(clinic: Clinic, now: datetime) -> Iterator[Piece]:
    for name, title, field, about in _KEYWORDS:
        said = answer_texts.render(clinic, name, language=_FORMS, now=now)
        yield Piece(name, title, field, said, about)


def _forms(clinic: Clinic) -> Iterator[Piece]:
    for language, title, blank in (
        ("en", "Consent form", _BLANK_EN),
        ("es", "Consent form in Spanish", _BLANK_ES),
    ):
        yield Piece(
            f"consent-{language}",
            title,
            "For the intake form",
            f"{consent_words.words(clinic, language)}\n\n{blank}",
            "These are the words of consent of the page Clinic; they are kept with every yes and no.",
            language,
        )
    yield Piece(
        "privacy",
        "Privacy paragraph",
        "For the privacy notice on your website; the forms ask for its address",
        f"Text messages. If you agree, {clinic.name} sends you text messages or e-mails about your care "
        "after a visit. We keep your number or address, what we sent, what you answered and when you agreed "
        "or stopped. No mobile information is sold, or shared with third parties or affiliates for "
        "marketing or promotional purposes; text messaging consent is not shared with anyone. Those who "
        "carry the messages for us may use them for that alone. Texts are not encrypted on the way and can "
        "be seen on a locked phone. You can end them at any time by replying STOP or by telling us; reply "
        "HELP for help. Message and data rates may apply.",
    )


_BLANK_EN = (
    "[  ] Yes, by text message to: ______________________\n"
    "[  ] Yes, by e-mail to: ______________________\n"
    "[  ] No\n\n"
    "I know that texts and e-mails are not encrypted and that others may see them on my phone, and I want "
    "them all the same.\n\n"
    "Name: ______________________   Date: ______________   Signature: ______________________"
)
_BLANK_ES = (
    "[  ] Sí, por SMS al número: ______________________\n"
    "[  ] Sí, por correo electrónico a: ______________________\n"
    "[  ] No\n\n"
    "Sé que los SMS y los correos no van cifrados y que otras personas podrían verlos en mi teléfono, y aun "
    "así los quiero.\n\n"
    "Nombre: ______________________   Fecha: ______________   Firma: ______________________"
)
