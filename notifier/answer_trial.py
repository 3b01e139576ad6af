"""What the rules would make of a sentence that nobody has sent: for admins who want to see it first."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from notifier import answer_texts, answer_words, clinics
from notifier.answer_names import BY_NAME, Answer
from notifier.config import Settings
from notifier.errors import RenderError
from notifier.models import Clinic
from notifier.rules import soreness
from notifier.rules.answering import Circumstances, Decision, Rank, decide
from notifier.rules.triage import RANK, Triage

_LONGEST = 1600  # characters; no phone sends more at once
_READ_AS = {
    "opt_out": "asks for no more messages",
    "opt_in": "wants messages again",
    "help": "asks for help about the messages",
    "red_flag": "has a warning sign in it",
    "score": "gives a soreness score",
    "keyword": "asks for a tip",
    "wrong_number": "says that we have the wrong number",
    "essentials": "wants the safety messages only",
    "essentials_undo": "wants all messages again",
    "other": "fits no rule, so a person reads it",
}


@dataclass(frozen=True, slots=True)
class Tried:
    words: str
    triage: Triage
    decision: Decision
    answer: Answer | None
    text: str
    told: str  # who is told, and how soon

    @property
    def read_as(self) -> str:
        return _READ_AS[self.triage.intent]

    @property
    def classes(self) -> list[str]:
        return [name for name in RANK if name in self.triage.red_flags]


def tried(
    session: Session,
    clinic: Clinic,
    words: str,
    *,
    language: str,
    asked: bool,
    settings: Settings,
    now: datetime,
) -> Tried:
    """From somebody who gets messages, has no warning open, and has not written for a while."""
    words = words[:_LONGEST]
    triage = answer_words.found_by(clinic, words, language=language, score_asked=asked)
    band = soreness.band(triage.score) if triage.score is not None else ""
    decision = decide(
        triage,
        Circumstances(
            band=band,
            asked=asked,
            stopped=triage.intent == "opt_in",
            provider_answers=_answers_itself(words, settings),
        ),
    )
    text = _rendered(clinic, decision.answer, language, now)
    return Tried(
        words, triage, decision, BY_NAME.get(decision.answer), text, _told(session, clinic, decision)
    )


def _answers_itself(words: str, settings: Settings) -> bool:
    return bool(settings.sms.account_sid) and words.strip().upper() in settings.sms.provider_answers


def _rendered(clinic: Clinic, name: str, language: str, now: datetime) -> str:
    if name not in BY_NAME:
        return ""
    try:
        return answer_texts.render(clinic, name, language=language, now=now)
    except RenderError as error:
        return f"This answer cannot be written: {error}"


def _told(session: Session, clinic: Clinic, decision: Decision) -> str:
    if decision.alert:
        names = [contact.name for contact in clinics.alert_contacts(session, clinic)]
        who = ", then ".join(names) or "nobody, because there is no alert contact"
        when = "At once, at any hour" if decision.severity == "emergency" else "At once while you are open"
        return f"{when}: {who}."
    return {
        Rank.SOON: "Nobody is woken. It stands high in the inbox.",
        Rank.READ: "Nobody is woken. It waits in the inbox to be read.",
    }.get(decision.rank, "Nobody has to do anything.")
