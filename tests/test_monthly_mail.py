"""The owner's month by e-mail: once to each admin, on the first opening, with no patient in it."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import pytest
from sqlalchemy import Engine

from notifier import clinics, monthly_mail, staff, staff_mail
from notifier.config import Settings
from notifier.errors import ConflictError
from notifier.models import Clinic, Message
from notifier.rules.months import Month
from tests import cast
from tests.cast import ALICE, BOB
from tests.worker_cast import Shift

HOURS = {"mon": [["10:00", "18:00"]], "tue": [["08:30", "18:00"]]}
LINK = Settings.model_validate({"web": {"base_url": "https://aftercare.example.com"}})


@pytest.fixture
def shift(engine: Engine, clinic: Clinic, tmp_path: Path) -> Shift:
    """Two patients in February, an admin, one who left, and somebody at the front desk."""
    with Shift(engine, clinic, tmp_path).change() as session:
        riverside = clinics.only(session)
        for name, role in (("Ada", "admin"), ("Gone", "admin"), ("Finn", "front_desk")):
            staff.add(
                session,
                riverside,
                email=f"{name}@riverside.example",
                name=name,
                role=role,
                password=None,
                now=cast.OPENED,
                actor="test",
            )
        staff.disable(session, riverside, "gone@riverside.example", now=cast.OPENED, actor="test")
        cast.attempted(cast.messages(session, cast.log(session, riverside, ALICE))[cast.DAY0], "delivered")
        cast.log(session, riverside, BOB)
    return Shift(engine, clinic, tmp_path, now=cast.at("2026-02-20 12:00"))


def send(shift: Shift, when: str, settings: Settings = LINK) -> datetime | None:
    with shift.change() as session:
        return monthly_mail.send_due(session, settings, cast.at(when))


def mails(shift: Shift) -> list[Message]:
    return [message for message in shift.all() if message.kind == "alert"]


def test_each_admin_gets_last_month_once_from_nine_on_the_first(shift: Shift) -> None:
    assert cast.wall(send(shift, "2026-02-20 12:00")) == "2026-03-01 09:00"
    assert mails(shift) == []
    assert cast.wall(send(shift, "2026-03-01 09:00")) == "2026-04-01 09:00"
    send(shift, "2026-03-02 09:00")
    (mail,) = mails(shift)
    assert (mail.to, mail.channel, mail.priority, mail.status) == (
        "ada@riverside.example",
        "email",
        1,
        "scheduled",
    )
    assert mail.dedup_key.startswith("alert:monthly:2026-02:")
    assert mail.patient_id is None


def test_it_waits_for_the_first_opening_of_the_month(shift: Shift) -> None:
    with shift.change() as session:
        clinic = clinics.only(session)
        clinic.opening_hours, clinic.closed_dates = HOURS, ["2026-03-02"]
    assert cast.wall(send(shift, "2026-03-02 12:00")) == "2026-03-03 08:30"
    assert mails(shift) == []
    send(shift, "2026-03-03 08:30")
    assert len(mails(shift)) == 1


def test_it_says_what_happened_and_names_nobody(shift: Shift) -> None:
    send(shift, "2026-03-01 09:00")
    (mail,) = mails(shift)
    assert mail.subject == "Riverside Physio: aftercare in February 2026"
    text = mail.words.replace("\\", "")
    for line in (
        "**Treatments: 2**",
        "- With at least one message that may have arrived: 1 (50%)",
        "- Without any: 1",
        "- 1: No consent is on record.",
        "- Sent or delivered: 1",
        "- SMS parts: 0; their price is not set",
        "https://aftercare.example.com/report/2026-02",
    ):
        assert line in text
    assert not {"Alice", "Moreau", "Bob", "Tanaka", "0101"} & set(text.replace("\n", " ").split())


def test_it_speaks_the_clinics_language(shift: Shift) -> None:
    with shift.change() as session:
        clinic = clinics.only(session)
        clinic.language, clinic.sms_price, clinic.currency = "es", 0.01, "EUR"
    send(shift, "2026-03-01 09:00")
    (mail,) = mails(shift)
    text = mail.words.replace("\\", "")
    assert mail.subject == "Riverside Physio: los cuidados en febrero de 2026"
    assert "- 1: No consta el consentimiento." in text
    assert "- Partes de SMS: 0, que costaron €0.00" in text


def test_a_worker_that_was_down_for_weeks_does_not_tell_old_news(shift: Shift) -> None:
    send(shift, "2026-03-20 09:00")
    assert mails(shift) == []


def test_a_month_without_anything_is_not_told(shift: Shift) -> None:
    send(shift, "2026-02-01 09:00")
    assert mails(shift) == []


def test_live_without_a_mail_server_writes_nothing(shift: Shift) -> None:
    send(shift, "2026-03-01 09:00", Settings.model_validate({"delivery": {"mode": "live"}}))
    assert mails(shift) == []


def test_who_asks_gets_it_now_and_twice_is_once(shift: Shift) -> None:
    send(shift, "2026-03-01 09:00")
    with shift.change() as session:
        clinic = clinics.only(session)
        (ada,) = staff_mail.admins(session, clinic)
        now = cast.at("2026-03-05 12:00")
        monthly_mail.send_now(session, clinic, ada, Month(2026, 2), "", now=now)
        with pytest.raises(ConflictError, match="on its way"):
            monthly_mail.send_now(session, clinic, ada, Month(2026, 2), "", now=now)
    asked = mails(shift)[-1]
    assert len(mails(shift)) == 2
    assert "http" not in asked.words
