from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from notifier import clinics, db
from notifier.errors import InputError, NotFoundError
from notifier.models import Clinic, Sender
from tests.cast import OPENED


def found(session: Session, **changes: Any) -> Clinic:
    details = {
        "name": "Sol y Mar",
        "phone": "(305) 555-0100",
        "timezone": "America/New_York",
        "country": "us",
        "language": "es",
    }
    return clinics.create(session, **details | changes, now=OPENED)


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("Sol y Mar", "sol-y-mar"),
        ("  Clínica  Ñandú & Co. ", "clinica-nandu-co"),
        ("診療所", "clinic"),
        ("Riverside Physio", "riverside-physio-2"),  # the first one is there already
        ("x" * 120, "x" * 50),
    ],
)
def test_a_clinic_gets_a_key_that_can_be_typed(session: Session, name: str, key: str) -> None:
    assert found(session, name=name).key == key


def test_two_clinics_of_one_name_get_two_keys(session: Session) -> None:
    assert [found(session).key for _ in range(3)] == ["sol-y-mar", "sol-y-mar-2", "sol-y-mar-3"]


@pytest.mark.parametrize(
    ("changes", "field", "words"),
    [
        ({"name": "  "}, "name", "A clinic needs a name"),
        ({"timezone": "America/New_Yrok"}, "timezone", "Did you mean America/New_York?"),
        ({"timezone": ""}, "timezone", "There is no time zone"),
    ],
)
def test_a_clinic_that_cannot_be_is_refused_in_words(
    session: Session, changes: dict[str, str], field: str, words: str
) -> None:
    with pytest.raises(InputError) as caught:
        found(session, **changes)
    assert words in str(caught.value)
    assert caught.value.field == field


def test_the_only_clinic_need_not_be_named(session: Session, clinic: Clinic) -> None:
    assert clinics.only(session).id == clinic.id
    assert clinics.only(session, "riverside-physio").id == clinic.id


def test_of_several_clinics_one_has_to_be_named(session: Session, other_clinic: Clinic) -> None:
    with pytest.raises(
        NotFoundError, match=r"say which with --clinic\. There are: riverside-physio, harbour-osteopathy\."
    ):
        clinics.only(session)
    assert clinics.only(session, "harbour-osteopathy").id == other_clinic.id


def test_a_clinic_that_is_not_there_is_refused_with_those_that_are(session: Session) -> None:
    with pytest.raises(NotFoundError, match=r'no clinic "rivreside"\. There are: riverside-physio\.'):
        clinics.only(session, "rivreside")


def test_without_any_clinic_it_says_how_to_begin(engine: Engine) -> None:
    with db.reading(engine) as session:
        with pytest.raises(NotFoundError, match=r"There is none yet\."):
            clinics.only(session, "riverside-physio")
        with pytest.raises(NotFoundError, match=r"no clinic yet\. Run: notifier init"):
            clinics.only(session)


def test_a_clinic_has_one_sender_for_each_channel_however_often_it_is_asked_for(
    session: Session, clinic: Clinic
) -> None:
    once = clinics.ensure_senders(session, clinic)
    again = clinics.ensure_senders(session, clinic)
    assert [sender.channel for sender in once] == ["sms", "email"]
    assert [sender.id for sender in again] == [sender.id for sender in once]
    assert {sender.display_name for sender in once} == {"Riverside Physio"}


def test_a_sender_that_is_not_in_use_is_replaced(session: Session, clinic: Clinic) -> None:
    old, email = clinics.ensure_senders(session, clinic)
    old.active, old.identity = False, "+12125550199"
    new, _ = clinics.ensure_senders(session, clinic)
    assert new.id != old.id
    assert {sender.id for sender in clinics.active_senders(session, clinic)} == {new.id, email.id}


def test_of_two_senders_on_a_channel_the_first_one_sends(session: Session, clinic: Clinic) -> None:
    first, _ = clinics.ensure_senders(session, clinic)
    session.add(Sender(clinic_id=clinic.id, channel="sms", identity="+12125550198"))
    session.flush()
    sms = [sender for sender in clinics.active_senders(session, clinic) if sender.channel == "sms"]
    assert sms == [first]


def test_senders_are_the_clinics_own(session: Session, clinic: Clinic, other_clinic: Clinic) -> None:
    mine, theirs = clinics.active_senders(session, clinic), clinics.active_senders(session, other_clinic)
    assert {sender.id for sender in mine}.isdisjoint(sender.id for sender in theirs)


def test_alert_contacts_stand_in_their_order_with_clean_addresses(session: Session, clinic: Clinic) -> None:
    clinics.add_alert_contact(session, clinic, name="Dr Ruiz", phone="212 555 0110", email=None)
    clinics.add_alert_contact(session, clinic, name="Desk", phone=None, email="desk@Riverside.Example")
    contacts = clinics.alert_contacts(session, clinic)
    assert [(contact.position, contact.name, contact.phone, contact.email) for contact in contacts] == [
        (1, "Dr Ruiz", "+12125550110", None),
        (2, "Desk", None, "desk@riverside.example"),
    ]


@pytest.mark.parametrize(
    ("phone", "email", "words"),
    [
        (None, None, "Dr Ruiz needs a phone or an e-mail address."),
        ("12", None, "too few digits"),
        (None, "dr.ruiz", "write it like name@example.com"),
    ],
)
def test_an_alert_contact_that_cannot_be_reached_is_refused(
    session: Session, clinic: Clinic, phone: str | None, email: str | None, words: str
) -> None:
    with pytest.raises(InputError, match=words):
        clinics.add_alert_contact(session, clinic, name="Dr Ruiz", phone=phone, email=email)
    assert clinics.alert_contacts(session, clinic) == []
