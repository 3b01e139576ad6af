"""What stands in a conversation, and which of a patient's words are marked."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy.orm import Session

from notifier import conversation
from notifier.models import Attempt, Clinic, Message, Patient
from tests.cast import ALICE, DAY0, DAY1, LEO, MIA, attempted, log, messages
from tests.replies_cast import WROTE, wrote
from tests.worker_cast import sender_of

HOUR = timedelta(hours=1)


def said(session: Session, patient: Patient) -> list[str]:
    session.flush()
    return [f"{turn.who}: {turn.words}" for turn in conversation.of_patient(session, patient)]


def answer(session: Session, clinic: Clinic, patient: Patient, kind: str, words: str, **more: Any) -> Message:
    sender = sender_of(session, clinic, "sms")
    given: dict[str, Any] = {"status": "scheduled", "priority": 1, "attempts": 0, "due_at": WROTE + HOUR}
    given |= {"clinic_id": clinic.id, "sender_id": sender.id, "channel": "sms", "created_at": WROTE + HOUR}
    given |= {"patient_id": patient.id, "kind": kind, "dedup_key": f"{kind}:{words}", "words": words}
    message = Message(**(given | more))
    session.add(message)
    session.flush()
    return message


def test_it_is_what_went_to_and_fro_in_the_order_of_time(session: Session, clinic: Clinic) -> None:
    treatment = log(session, clinic, ALICE)
    rows = messages(session, treatment)
    attempted(rows[DAY0], "delivered")
    session.add(
        Attempt(message_id=rows[DAY0].id, number=1, channel="sms", address="", words="Hi", claimed_at=WROTE)
    )
    alice = treatment.patient
    reply = wrote(session, clinic, alice, "May I run?")
    answer(session, clinic, alice, "answer", "We will read it.", reply_id=reply.id)
    answer(session, clinic, alice, "staff", "Yes.", due_at=WROTE + 2 * HOUR)
    answer(session, clinic, alice, "staff", "Taken back.", status="cancelled")
    answer(session, clinic, alice, "alert", "A reply at Riverside.")
    assert said(session, alice) == [
        "Day 0: what you may feel: Hi",
        "patient: May I run?",
        "automatic answer: We will read it.",
        "the clinic: Yes.",
    ]
    assert rows[DAY1].status == "scheduled"


def test_what_came_from_a_shared_phone_stands_with_each(session: Session, clinic: Clinic) -> None:
    mia, leo = log(session, clinic, MIA).patient, log(session, clinic, LEO).patient
    alice = log(session, clinic, ALICE).patient
    wrote(session, clinic, mia, "Mia is fine")
    open_one = wrote(session, clinic, None, "Who?", sender=mia.phone or "", when=WROTE + HOUR)
    assert said(session, mia) == ["patient: Mia is fine", "patient: Who?"]
    assert said(session, leo) == ["patient: Who?"]
    assert [turn.is_shared for turn in conversation.of_patient(session, mia)] == [False, True]
    assert [turn.words for turn in conversation.of_reply(session, clinic, open_one)] == ["Who?"]
    assert said(session, alice) == []


@pytest.mark.parametrize(
    ("body", "matched", "marked"),
    [
        ("I can’t breathe!", ["Breathing: cant breathe"], ["can’t breathe"]),
        ("No puedo RESPIRÁR bien", ["Respiración: puedo respirar"], ["puedo RESPIRÁR"]),
        ("chest pain and numb arm", ["Heart: chest pain", "Arm: numb arm"], ["chest pain", "numb arm"]),
        ("cannot breathe", ["Breathing: cant breathe"], []),
        ("elephant on my chest", ["Chest: elephant on my", "Chest: on my chest"], ["elephant on my chest"]),
    ],
)  # fmt: skip
def test_the_words_that_made_it_a_warning_are_marked(
    body: str, matched: list[str], marked: list[str]
) -> None:
    parts = list(conversation.parts(body, [entry.partition(": ")[2] for entry in matched]))
    assert "".join(part.text for part in parts) == body
    assert [part.text for part in parts if part.is_found] == marked


def test_what_made_it_a_warning_is_said_once() -> None:
    matched = ["Published list: chest", "Chest: elephant on my chest", "Chest: chest", "Breathing: my breath"]
    assert conversation.telling(matched) == ["Chest: elephant on my chest", "Breathing: my breath"]
    assert conversation.telling(["List: sob", "Breathing: sob"]) == ["List: sob"]
