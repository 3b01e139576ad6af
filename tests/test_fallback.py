"""One channel cannot take a step, so the other one does: a row that names the one it stands in for."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, select, update

from notifier import plans
from notifier.channels.outbox import Outbox
from notifier.envelope import Accepted, OutboundMessage
from notifier.errors import ChannelError
from notifier.models import Clinic, Message
from notifier.planfiles import find_folder, read_content
from notifier.rules.delivery import ErrorClass
from notifier.worker import open_dispatcher
from tests import cast
from tests.worker_cast import Answering, Shift, is_honest, sender_of

DAY0 = "day0-what-you-may-feel"
DUE0 = "2026-02-03 17:30"


@pytest.fixture
def shift(engine: Engine, clinic: Clinic, tmp_path: Path) -> Shift:
    return Shift(engine, clinic, tmp_path)


def refuse(outbound: OutboundMessage) -> Accepted:
    raise ChannelError(ErrorClass.ADDRESS, "This number is not in use.", code="30005")


def sms_fails(shift: Shift, when: str = DUE0, **channels: Any) -> list[str]:
    """Returns the channels that the outbox got something on."""
    kept = shift.drain(when, channels={"sms": Answering(refuse), **channels})
    return [entry["channel"] for entry in kept]


def saved(shift: Shift, **steps: Any) -> None:
    """The plan with some of its first step said otherwise."""
    content = read_content(find_folder("dry-needling"))
    content["plan"]["steps"][0] |= steps
    with shift.change() as session:
        clinic = session.merge(shift.clinic, load=False)
        plans.save(session, clinic, content, now=cast.OPENED, actor=cast.DESK)


def test_the_email_names_the_sms_that_it_stands_in_for_and_why(shift: Shift) -> None:
    treatment = shift.log()
    assert sms_fails(shift) == ["email"]
    rows = shift.rows(treatment)
    sms, mail = rows[f"{DAY0}/sms"], rows[f"{DAY0}/email"]
    assert (sms.status, mail.status) == ("failed", "sent")
    assert mail.fallback_of_id == sms.id
    assert (mail.useful_until, mail.safety, mail.priority) == (sms.useful_until, True, sms.priority)
    assert mail.dedup_key == f"plan:{treatment}:{DAY0}:email"
    with shift.look() as session:
        born, left = cast.events(session, session.get_one(Message, mail.id))
    assert (born.from_status, born.to_status) == ("", "scheduled")
    assert born.reason == "Instead of the SMS: This number is not in use."
    assert left.to_status == "sent"
    is_honest(shift.engine)


def test_when_the_other_one_fails_too_it_ends_there(shift: Shift) -> None:
    treatment = shift.log()
    assert sms_fails(shift, email=Answering(refuse)) == []
    assert {row.status for step, row in shift.rows(treatment).items() if DAY0 in step} == {"failed"}


@pytest.mark.parametrize(
    ("patient", "changes"),
    [
        (cast.without(cast.ALICE, "email"), {}),
        (cast.ALICE, {"consents": cast.yes("sms")}),
        (cast.ALICE, {"consents": cast.yes("sms") + cast.no("email")}),
    ],
)
def test_nobody_is_written_to_on_a_channel_that_they_did_not_allow(
    shift: Shift, patient: Any, changes: dict[str, Any]
) -> None:
    treatment = shift.log(patient, **changes)
    assert sms_fails(shift) == []
    assert shift.rows(treatment)[DAY0].status == "failed"


def test_a_step_for_one_channel_or_for_each_needs_no_stand_in(shift: Shift) -> None:
    saved(shift, channels=["sms"])
    shift.log()
    assert sms_fails(shift) == []
    saved(shift, channels=["sms", "email"], deliver="each")
    treatment = shift.log(cast.CAROL)
    assert sms_fails(shift, when="2026-02-03 17:31") == ["email"]
    assert shift.rows(treatment)[f"{DAY0}/email"].fallback_of_id is None


def test_a_text_without_words_for_email_stays_what_it_is(shift: Shift) -> None:
    content = read_content(find_folder("dry-needling"))
    content["texts"][f"{DAY0}.en"] = "{% block sms %}{{ clinic.name }}: Hi. STOP to end.{% endblock %}"
    with shift.change() as session:
        clinic = session.merge(shift.clinic, load=False)
        plans.save(session, clinic, content, now=cast.OPENED, actor=cast.DESK)
    shift.log()
    assert sms_fails(shift) == []


def test_words_that_name_the_treatment_need_the_patients_wish(shift: Shift) -> None:
    saved(shift, detail={"email": "treatment"})
    shift.log()
    assert sms_fails(shift) == []
    shift.log(replace(cast.CAROL, name_treatment=True))
    assert sms_fails(shift, when="2026-02-03 17:31") == ["email"]


def test_a_row_that_gave_way_before_is_used_again(shift: Shift) -> None:
    """She preferred e-mail, then SMS: the e-mail row is there, cancelled, and nobody wants a second one."""
    treatment = shift.log(replace(cast.ALICE, preferred_channel="email"))
    with shift.change() as session:
        clinic = session.merge(shift.clinic, load=False)
        patient = session.merge(shift.patient(), load=True)
        patient.preferred_channel = "sms"
        assert clinic.id == patient.clinic_id
        cast.replanned(session, patient, cast.LOGGED)
    before = shift.rows(treatment)[f"{DAY0}/email"]
    assert before.status == "cancelled"
    assert sms_fails(shift) == ["email"]
    after = shift.rows(treatment)[f"{DAY0}/email"]
    assert (after.id, after.status, after.reason) == (before.id, "sent", "")
    assert shift.moves(after.id) == [
        "scheduled → cancelled",
        "cancelled → scheduled",
        "sending → sent",
    ]


def beside(shift: Shift, treatment: int, **columns: Any) -> None:
    """Day 0 has a row for e-mail already."""
    with shift.change() as session:
        sms = session.scalars(select(Message).where(Message.step == DAY0)).one()
        same = {c.key: getattr(sms, c.key) for c in Message.__table__.columns if c.key != "id"}
        mail = sender_of(session, shift.clinic, "email")
        by_mail = {"channel": "email", "to": "alice@example.com", "sender_id": mail.id}
        key = {"dedup_key": f"plan:{treatment}:{DAY0}:email"}
        session.add(Message(**same | by_mail | key | columns))


def test_what_a_person_cancelled_no_machine_brings_back(shift: Shift) -> None:
    treatment = shift.log()
    beside(shift, treatment, status="cancelled", reason="By Ruth.", reason_code="person", due_at=None)
    assert sms_fails(shift) == []


def test_an_email_that_waits_already_is_enough(shift: Shift) -> None:
    treatment = shift.log()
    beside(shift, treatment, due_at=cast.at("2026-02-03 19:00"))
    assert sms_fails(shift) == []
    mail = shift.rows(treatment)[f"{DAY0}/email"]
    assert (mail.status, cast.wall(mail.due_at)) == ("scheduled", "2026-02-03 19:00")


def test_what_comes_too_late_for_one_channel_comes_too_late_for_the_other(shift: Shift) -> None:
    treatment = shift.log()

    def linger(outbound: OutboundMessage) -> Accepted:
        shift.clock.jump(cast.at("2026-02-04 09:31"))
        return refuse(outbound)

    assert shift.drain("2026-02-04 09:29", channels={"sms": Answering(linger)}) == []
    assert shift.rows(treatment)[DAY0].status == "failed"


def test_when_the_first_one_arrives_after_all_the_stand_in_stays_at_home(shift: Shift) -> None:
    treatment = shift.log()
    shift.clock.jump(cast.at(DUE0))
    dispatcher = open_dispatcher(shift.engine, shift.clock, {"sms": Answering(refuse)}, shift.settings)
    dispatcher.drain()
    dispatcher.close()
    mail = shift.rows(treatment)[f"{DAY0}/email"]
    assert mail.status == "scheduled"
    with shift.change() as session:
        sms = Message.id == mail.fallback_of_id
        session.execute(update(Message).where(sms).values(status="delivered"))
    assert shift.drain() == []
    mail = shift.message(mail.id)
    assert (mail.status, mail.reason) == (
        "skipped",
        "The message it was to stand in for arrived after all.",
    )


def test_outside_the_window_the_stand_in_waits_for_the_morning(shift: Shift) -> None:
    """Refused at 20:10, ten minutes after the window closed; by 20:20 it is too late for an e-mail."""
    treatment = shift.log(ended_at=cast.at("2026-02-03 18:00"))

    def linger(outbound: OutboundMessage) -> Accepted:
        shift.clock.jump(cast.at("2026-02-03 20:20"))
        return refuse(outbound)

    assert shift.drain("2026-02-03 20:10", channels={"sms": Answering(linger)}) == []
    mail = shift.rows(treatment)[f"{DAY0}/email"]
    assert (mail.status, cast.wall(mail.due_at)) == ("scheduled", "2026-02-04 09:00")
    assert [entry["channel"] for entry in shift.drain("2026-02-04 09:00")] == ["email"]


def test_other_kinds_have_no_step_to_fall_back_with(shift: Shift) -> None:
    shift.log()
    patient = shift.patient()
    shift.write(to=str(patient.phone), patient_id=patient.id, due=shift.clock.now() - timedelta(minutes=1))
    assert sms_fails(shift, when="") == []
    assert isinstance(shift.channels["email"], Outbox)
