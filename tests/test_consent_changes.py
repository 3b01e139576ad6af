"""What a patient says at the desk about being written to."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from notifier import consent, consent_changes
from notifier.consent_changes import Said
from notifier.effects import Effect
from notifier.errors import ConflictError, InputError
from notifier.models import AuditEntry, Clinic, Patient, Suppression
from tests.cast import BOB, DESK, EDWARD, LEO, MIA, WEEK, at, channels, log, messages, stop

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


# What was recorded by mistake is taken back


def takes_back(session: Session, patient: Patient, channel: str = "sms", now: object = LATER) -> Effect:
    return consent_changes.take_back(session, patient, (channel,), NOW, now=now, actor=DESK)  # type: ignore[arg-type]


def standing(session: Session, patient: Patient, channel: str = "sms") -> bool:
    return consent.standings(session, [patient.id])[patient.id, channel].granted


def test_a_no_by_mistake_leads_back_to_the_yes_before_it(session: Session, clinic: Clinic) -> None:
    patient = log(session, clinic).patient
    says(session, patient, NO)
    assert consent_changes.said_yes_before(session, patient, ("sms",), NOW)
    takes_back(session, patient)
    newest = consent.history(session, patient)[0]
    assert (newest.granted, newest.method, newest.wording) == (True, "Entered by mistake", "You may text me.")


def test_taking_back_a_no_makes_no_yes_of_what_never_was_one(session: Session, clinic: Clinic) -> None:
    bob = log(session, clinic, BOB).patient
    says(session, bob, NO)
    assert not consent_changes.said_yes_before(session, bob, ("sms",), NOW)
    takes_back(session, bob)
    assert not standing(session, bob)


def test_nothing_is_taken_back_over_what_was_said_since(session: Session, clinic: Clinic) -> None:
    patient = log(session, clinic).patient
    says(session, patient, NO)
    says(session, patient, NO, NOW + timedelta(minutes=1))
    with pytest.raises(ConflictError, match="has said something else since then"):
        takes_back(session, patient)
    assert not standing(session, patient)


def test_nothing_is_taken_back_over_a_stop_since(session: Session, clinic: Clinic) -> None:
    alice = log(session, clinic).patient
    says(session, alice, YES)
    stop(session, alice, LATER)
    with pytest.raises(ConflictError):
        takes_back(session, alice)


def test_a_yes_by_mistake_does_not_leave_an_address_open_that_was_stopped(
    session: Session, clinic: Clinic
) -> None:
    edward = log(session, clinic, EDWARD).patient
    earlier = NOW - timedelta(minutes=5)
    says(session, edward, Said(("email",), False, "by phone", stop_address=True), earlier)
    says(session, edward, Said(("email",), True, "by phone", "May we?"))
    assert consent_changes.standing_suppressions(session, edward) == {}
    takes_back(session, edward, "email")
    assert list(consent_changes.standing_suppressions(session, edward)) == ["email"]
    assert not standing(session, edward, "email")
