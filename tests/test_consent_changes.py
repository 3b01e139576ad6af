"""What a patient says at the desk about being written to."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from notifier import consent, consent_changes
from notifier.consent_changes import Said
from notifier.effects import Effect
from notifier.errors import InputError
from notifier.models import AuditEntry, Clinic, Patient, Suppression
from tests.cast import BOB, DESK, EDWARD, LEO, MIA, WEEK, at, channels, log, messages

NOW = at("2026-02-03 16:00")
LATER = NOW + timedelta(minutes=5)
YES = Said(("sms",), True, "at the desk", "May we text you?")
NO = Said(("sms",), False, "by phone")


def says(session: Session, patient: Patient, said: Said, now: object = NOW) -> Effect:
    return consent_changes.record(session, patient, said, now=now, actor=DESK)  # type: ignore[arg-type]


def test_a_yes_brings_back_what_is_still_useful_and_says_so(session: Session, clinic: Clinic) -> None:
    treatment = log(session, clinic, BOB)
    effect = says(session, treatment.patient, YES)
    assert channels(session, treatment).keys() == {step for step, when in WEEK.items() if "skip" not in when}
    assert [message.id for message in effect.back] == [
        row.id for row in messages(session, treatment).values() if row.status == "scheduled"
    ]
    assert effect.in_words().startswith("6 messages will be sent after all (Day 0: what you may feel; ")
    (line,) = consent.history(session, treatment.patient)
    assert (line.channel, line.granted, line.method, line.wording, line.recorded_by) == (
        "sms",
        True,
        "at the desk",
        "May we text you?",
        DESK,
    )


def test_a_no_stops_what_waits_and_both_are_in_the_audit(session: Session, clinic: Clinic) -> None:
    treatment = log(session, clinic)
    effect = says(session, treatment.patient, Said(("sms", "email"), False, "by phone"))
    assert len(effect.stopped) == 6
    assert channels(session, treatment) == {}
    says(session, treatment.patient, YES, LATER)
    actions = session.scalars(select(AuditEntry.action).where(AuditEntry.action.startswith("consent")))
    assert list(actions) == ["consent.withdrawn", "consent.granted"]
    assert set(channels(session, treatment).values()) == {"sms"}


def test_a_stop_of_the_number_binds_all_who_use_it(session: Session, clinic: Clinic) -> None:
    mia, leo = log(session, clinic, MIA), log(session, clinic, LEO)
    assert consent_changes.sharing(session, clinic, mia.patient)["sms"] == [leo.patient]
    says(session, mia.patient, Said(("sms",), False, "by phone", stop_address=True))
    assert channels(session, leo) == channels(session, mia) == {}
    assert consent_changes.standing_suppressions(session, leo.patient)["sms"].address == leo.patient.phone


def test_a_later_yes_lifts_a_stop_of_an_email_but_not_of_a_phone(session: Session, clinic: Clinic) -> None:
    edward, mia = log(session, clinic, EDWARD), log(session, clinic, MIA)
    for treatment, channel in ((edward, "email"), (mia, "sms")):
        says(session, treatment.patient, Said((channel,), False, "by phone", stop_address=True))
        says(session, treatment.patient, Said((channel,), True, "at the desk", "May we?"), LATER)
    standing = session.scalars(select(Suppression.channel).where(Suppression.lifted_at.is_(None)))
    assert list(standing) == ["sms"]


@pytest.mark.parametrize(
    ("said", "field"),
    [
        (Said((), True, "at the desk", "May we?"), "channels"),
        (Said(("fax",), True, "at the desk", "May we?"), "channels"),
        (Said(("sms",), False, " "), "method"),
        (Said(("sms",), True, "at the desk"), "wording"),
    ],
)
def test_a_line_needs_channel_method_and_for_a_yes_the_words(
    session: Session, clinic: Clinic, said: Said, field: str
) -> None:
    patient = log(session, clinic, BOB).patient
    with pytest.raises(InputError) as refused:
        says(session, patient, said)
    assert refused.value.field == field
    assert consent.history(session, patient) == []
