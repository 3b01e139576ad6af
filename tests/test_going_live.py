from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from notifier import answer_texts, clinics, going_live, plans, staff
from notifier.config import EmailSettings, Settings, SmsSettings, WebSettings
from notifier.db import RealTime
from notifier.errors import InputError, NotFoundError
from notifier.going_live import Item
from notifier.going_live_seen import LOOK
from notifier.going_live_steps import BY_KEY, GROUPS, STEPS
from notifier.models import AlertContact, AuditEntry, Clinic, PlanRow, Receiver, Staff
from tests.cast import DESK, LOGGED, on_sqlite

MAIL = EmailSettings(host="mail.riverside.example", from_address="care@riverside.example")
SMS = SmsSettings(account_sid="AC1", auth_token="t", from_number="+12125550100")


def seen(session: Session, clinic: Clinic, key: str, **sections: Any) -> Item:
    found = going_live.items(session, clinic, Settings(**sections))
    return next(item for item in found if item.step.key == key)


def test_every_step_is_looked_at_and_stands_in_a_group() -> None:
    assert list(LOOK) == list(BY_KEY) == [step.key for step in STEPS]
    assert {step.group for step in STEPS} == set(GROUPS)
    assert all(step.guide or step.href for step in STEPS)
    # What blocks has to be something that the program can see for itself.
    assert not [step.key for step in STEPS if step.blocks and step.by_hand]


@on_sqlite
def test_what_rows_and_settings_show_ticks_itself(session: Session, clinic: Clinic) -> None:
    def is_done(key: str, **sections: Any) -> bool:
        return seen(session, clinic, key, **sections).is_done

    keys = ("hours", "people", "plans", "answers", "contacts", "price", "channel", "address", "mode")
    assert [key for key in keys if is_done(key)] == []
    assert is_done("numbers")
    clinic.emergency_number = ""
    assert seen(session, clinic, "numbers").seen.lacks == "Not entered: the emergency number."

    clinic.opening_hours = {"mon": [["09:00", "18:00"]]}
    clinic.sms_price = 0.0083
    said = {"by": "Dr Ana Ruiz, PT 12345", "on": "2026-02-03", "digest": answer_texts.digest(clinic)}
    clinic.reply_approval = said
    for version in plans.current_versions(session, clinic).values():
        plans.approve(session, version, by="Dr Ana Ruiz, PT", now=LOGGED, actor=DESK)
    contact = AlertContact(clinic_id=clinic.id, position=1, name="Dr Ruiz", phone="+12125550150")
    session.add_all([contact])
    staff.add(
        session,
        clinic,
        email=DESK,
        name="Fern",
        role="admin",
        password=None,
        now=LOGGED,
        actor="set-up",
    )
    session.flush()
    assert seen(session, clinic, "contacts").seen.lacks.endswith("yet by Dr Ruiz.")
    assert seen(session, clinic, "people").seen.lacks == "Without a password: Fern."
    contact.tested_at = LOGGED
    session.scalars(select(Staff)).one().password_hash = "x"
    session.flush()
    there: dict[str, Any] = {
        "email": MAIL,
        "web": WebSettings(base_url="https://riverside.example", secret_key="k" * 32),
        "delivery": {"mode": "live"},
    }
    assert [key for key in keys if not is_done(key, **there)] == []

    # An edit of an answer makes all of them drafts again.
    clinic.reply_texts = {"fallback.en": {"sms": "{{ clinic.name }}: Thank you."}}
    assert not is_done("answers")
    # So does a new version of a plan.
    row = session.scalars(select(PlanRow).where(PlanRow.key == "cupping")).one()
    plans.save(session, clinic, content(session, row), now=LOGGED, actor=DESK)
    assert "cupping" in seen(session, clinic, "plans").seen.lacks


def content(session: Session, row: PlanRow) -> dict[str, Any]:
    known = plans.current_version(session, row).content
    return {**known, "plan": {**known["plan"], "window": ["10:00", "18:00"]}}


@pytest.mark.parametrize(("ago", "is_heard"), [(None, False), (60.0, True), (3600.0, False)])
def test_replies_come_in_as_long_as_somebody_fetches_them(
    ago: float | None, is_heard: bool, session: Session, clinic: Clinic
) -> None:
    worked = RealTime(-ago) if ago is not None else None
    for name in ("twilio", "imap"):
        session.add(Receiver(name=name, problem="It does not answer."))
        session.flush()
        session.execute(update(Receiver).where(Receiver.name == name).values(worked_at=worked))
    session.expire_all()
    inbound = {"host": "mail", "username": "u", "password": "p"}
    set_up: dict[str, Any] = {"sms": SMS, "email": MAIL, "inbound_mail": inbound}
    for key in ("receiving-sms", "receiving-mail"):
        found = seen(session, clinic, key, **set_up)
        assert found.is_done is is_heard
        assert found.seen.lacks.endswith("" if is_heard else " It does not answer.")
    # After a night without power it has to begin again, before anything can be fetched.
    assert seen(session, clinic, "receiving-sms", **set_up).blocks is (ago is None)


@on_sqlite
def test_without_a_mailbox_of_its_own_a_person_reads_what_is_mailed(session: Session, clinic: Clinic) -> None:
    assert not seen(session, clinic, "receiving-mail", email=MAIL).is_done
    with_person = MAIL.model_copy(update={"reply_to": "desk@riverside.example"})
    found = seen(session, clinic, "receiving-mail", email=with_person)
    assert (found.is_done, "desk@riverside.example" in found.seen.has) == (True, True)


@on_sqlite
@pytest.mark.parametrize(
    ("sections", "unneeded"),
    [
        ({"email": MAIL}, {"receiving-sms", "calls", "price", "submitted", "registered", "sms-agreement"}),
        ({"sms": SMS}, {"receiving-mail", "dns", "mail-agreement"}),
        ({"sms": SMS, "email": MAIL}, set()),
        ({}, set()),  # either may still come
    ],
)
def test_what_a_channel_alone_needs_is_asked_only_where_there_is_that_channel(
    sections: dict[str, Any], unneeded: set[str], session: Session, clinic: Clinic
) -> None:
    found = going_live.items(session, clinic, Settings(**sections))
    assert {item.step.key for item in found if not item.counts} == unneeded
    assert going_live.progress(found).total == len(STEPS) - len(unneeded)


def test_what_only_people_know_is_ticked_by_them_with_who_when_and_a_note(
    session: Session, clinic: Clinic
) -> None:
    def tick(key: str, note: str = "") -> None:
        going_live.tick(
            session,
            clinic,
            key,
            by="Ada Okoye",
            on=date(2026, 2, 1),
            note=note,
            now=LOGGED,
            actor=DESK,
        )

    before, version = going_live.progress(going_live.items(session, clinic, Settings())).done, clinic.version
    tick("submitted", "  BN12  and  CM34 ")
    found = seen(session, clinic, "submitted")
    assert found.is_done
    assert clinic.version == version  # whoever edits the clinic meanwhile is not in the way
    assert found.tick == going_live.Tick("Ada Okoye", date(2026, 2, 1), "BN12 and CM34")
    assert going_live.progress(going_live.items(session, clinic, Settings())).done == before + 1
    with pytest.raises(InputError):
        tick("submitted", "x" * 201)
    for key in ("plans", "nothing-of-the-sort"):
        with pytest.raises(NotFoundError):
            tick(key)
    assert going_live.untick(session, clinic, "submitted", now=LOGGED, actor=DESK) == found.tick
    assert not seen(session, clinic, "submitted").is_done
    noted = session.scalars(select(AuditEntry).where(AuditEntry.action.like("going_live.%")))
    assert [(entry.action, entry.detail) for entry in noted] == [
        ("going_live.done", {"step": "The number's registration is submitted"}),
        ("going_live.undone", {"step": "The number's registration is submitted"}),
    ]


def test_drafts_are_found_without_reading_them(session: Session, clinic: Clinic) -> None:
    for approved in (None, "cupping", "shockwave"):
        if approved:
            version = plans.current_versions(session, clinic)[approved]
            plans.approve(session, version, by="Dr Ana Ruiz, PT", now=LOGGED, actor=DESK)
        known = sorted(version.plan.key for _, version in plans.drafts(session, [clinic]))
        assert plans.draft_keys(session, clinic) == known
    row = session.scalars(select(PlanRow).where(PlanRow.key == "cupping")).one()
    plans.save(session, clinic, content(session, row), now=LOGGED, actor=DESK)
    assert plans.draft_keys(session, clinic) == ["cupping", "dry-needling", "sports-massage"]


@on_sqlite
def test_a_second_clinic_is_asked_for_itself_and_the_installation_once(
    session: Session, clinic: Clinic, other_clinic: Clinic
) -> None:
    found = list(going_live.blocking(session, Settings()))
    assert sum("Neither SMS nor e-mail" in words for words in found) == 1
    assert sum("no alert contact" in words for words in found) == 2
    assert any("--clinic riverside-physio" in words for words in found)
    clinics.add_alert_contact(session, other_clinic, name="Sam", phone=None, email="sam@harbour.example")
    found = list(going_live.blocking(session, Settings()))
    assert next(words for words in found if "no alert contact" in words).startswith("Riverside Physio: ")
    assert any(words.startswith("Harbour Osteopathy: No test alert") for words in found)
