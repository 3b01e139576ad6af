"""The moment of sending: what was true when a message was planned is looked at again."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, select, update
from sqlalchemy.orm import Session

from notifier import consent, plans
from notifier.channels.outbox import Entry
from notifier.models import Clinic, Message, Patient, PlanVersion, ScoreRow, Suppression, Treatment
from notifier.patients import PatientEntry
from notifier.planfiles import find_folder, read_content
from notifier.rules.delivery import Kind
from tests import cast
from tests.worker_cast import Shift, is_honest, sender_of

DAY0 = "day0-what-you-may-feel"  # Tuesday 17:30, a safety step, useful until Wednesday 09:30
DAY1 = "day1-soreness-is-normal"  # Wednesday 13:30, after a first treatment
DAY2 = "day2-soreness-score"  # Thursday 13:30
DAY5 = "day5-how-it-works"  # Sunday 15:30, useful until Tuesday 15:30
DUE0, DUE1, DUE5 = "2026-02-03 17:30", "2026-02-04 13:30", "2026-02-08 15:30"


@pytest.fixture
def shift(engine: Engine, clinic: Clinic, tmp_path: Path) -> Shift:
    return Shift(engine, clinic, tmp_path)


def steps(kept: list[Entry], shift: Shift) -> list[tuple[str, str]]:
    """What left, as step and channel."""
    return [(str(shift.message(e["message_id"]).step), e["channel"]) for e in kept]


def said(shift: Shift, treatment: int, step: str) -> tuple[str, str]:
    row = shift.rows(treatment)[step]
    return row.status, row.reason


def test_a_message_leaves_when_it_is_due_and_its_words_are_kept(shift: Shift) -> None:
    treatment = shift.log()
    assert shift.drain("2026-02-03 17:29") == []
    (kept,) = shift.drain(DUE0)
    row = shift.rows(treatment)[DAY0]
    (attempt,) = shift.attempts(row.id)
    assert (row.status, row.attempts, row.lease_until) == ("sent", 1, None)
    assert row.claimed_at == attempt.claimed_at == cast.at(DUE0)
    assert (kept["to"], kept["text"]) == ("+12125550101", attempt.words) == (attempt.address, kept["text"])
    assert (attempt.outcome, attempt.provider, attempt.provider_id) == ("sent", "outbox", kept["provider_id"])
    assert attempt.segments == 2
    assert shift.moves(row.id) == ["sending → sent"]


# What changed since planning, without a replan that would have told the rows


def alice(session: Session) -> Patient:
    return session.scalars(select(Patient).where(Patient.first_name == "Alice")).one()


def _void(session: Session) -> None:
    session.execute(update(Treatment).values(voided_at=cast.LOGGED))


def _withdraw(*channels: str) -> Callable[[Session], None]:
    def change(session: Session) -> None:
        for channel in channels:
            consent.record(
                session,
                alice(session),
                channel,
                granted=False,
                at=cast.LOGGED,
                now=cast.LOGGED,
                method="told us",
                wording="",
                actor=cast.DESK,
            )

    return change


def _suppress(session: Session) -> None:
    patient = alice(session)
    clinic = session.get_one(Clinic, patient.clinic_id)
    session.add(
        Suppression(
            clinic_id=clinic.id,
            sender_id=sender_of(session, clinic).id,
            channel="sms",
            address=patient.phone,
            since=cast.LOGGED,
            reason="Replied STOP.",
        )
    )


def _patient(**columns: Any) -> Callable[[Session], Any]:
    return lambda session: session.execute(update(Patient).values(**columns))


def _drop_step(session: Session) -> None:
    """As if the version that the row names had never had the step."""
    session.execute(update(Message).where(Message.step == DAY0).values(step="day0-of-old"))


BY_EMAIL = [(DAY0, "email")]


@pytest.mark.parametrize(
    ("change", "status", "code", "reason", "instead"),
    [
        (_void, "cancelled", "void", "The treatment was voided.", []),
        (_withdraw("sms"), "skipped", "unreachable", "Consent to SMS was withdrawn", BY_EMAIL),
        (_withdraw("sms", "email"), "skipped", "unreachable", "Consent to SMS was withdrawn", []),
        (_suppress, "skipped", "opt_out", "This address opted out.", BY_EMAIL),
        (_patient(phone="+12125550199"), "cancelled", "replanned", "address changed", BY_EMAIL),
        (_patient(phone=None), "cancelled", "replanned", "address changed", BY_EMAIL),
        (_patient(phone_problem="The number is a landline."), "skipped", "unreachable", "landline", BY_EMAIL),
        (_patient(erased_at=cast.LOGGED), "skipped", "unreachable", "erased", []),
        (_patient(paused_at=cast.LOGGED, paused_reason="red flag"), "held", "paused", "paused: red flag", []),
        (_patient(essentials=True), "sent", "", "", [(DAY0, "sms")]),
    ],
)
def test_what_changed_since_planning_is_seen_before_it_leaves(
    shift: Shift,
    change: Callable[[Session], Any],
    status: str,
    code: str,
    reason: str,
    instead: list[tuple[str, str]],
) -> None:
    treatment = shift.log()
    with shift.change() as session:
        change(session)
    kept = shift.drain(DUE0)
    assert steps(kept, shift) == instead
    rows = shift.rows(treatment)
    row = rows.get(DAY0) or rows[f"{DAY0}/sms"]
    assert (row.status, row.reason_code) == (status, code)
    assert reason in row.reason
    if status != "sent":
        assert row.attempts == 0
        assert shift.moves(row.id) == [f"scheduled → {status}"]
    is_honest(shift.engine)


def test_a_step_that_the_plan_no_longer_has_is_cancelled(shift: Shift) -> None:
    treatment = shift.log()
    with shift.change() as session:
        _drop_step(session)
    assert shift.drain(DUE0) == []
    assert said(shift, treatment, "day0-of-old") == ("cancelled", "The step is no longer part of the plan.")


def test_a_patient_on_essentials_gets_only_what_is_for_safety(shift: Shift) -> None:
    treatment = shift.log()
    with shift.change() as session:
        _patient(essentials=True)(session)
    assert shift.drain(DUE1) == []
    assert said(shift, treatment, DAY1) == ("skipped", "This patient gets safety messages only.")


@pytest.mark.parametrize(
    ("score", "leaves", "stays"),
    [
        (None, "day3-check-in", "day3-still-sore"),
        (3, "day3-check-in", "day3-still-sore"),
        (4, "day3-still-sore", "day3-check-in"),
    ],
)
def test_the_latest_score_decides_which_step_leaves(
    shift: Shift, score: int | None, leaves: str, stays: str
) -> None:
    treatment = shift.log()
    if score is not None:
        with shift.change() as session:
            for value, day in ((9, 1), (score, 2)):  # the later of the two counts
                at = cast.ENDED + timedelta(days=day)
                row = ScoreRow(clinic_id=shift.clinic.id, treatment_id=treatment, value=value, at=at)
                session.add(row)
    kept = shift.drain("2026-02-06 15:30")
    assert (leaves, "sms") in steps(kept, shift)
    status, reason = said(shift, treatment, stays)
    assert status == "skipped"
    assert ("No score came" if score is None else f"The latest score is {score}") in reason or not score


def test_a_step_for_first_treatments_is_not_sent_when_it_was_received_meanwhile(shift: Shift) -> None:
    earlier = shift.log(ended_at=cast.ENDED - timedelta(days=60), confirmed=True, consents=cast.BOTH)
    later = shift.log()
    with shift.change() as session:
        row = session.scalars(
            select(Message).where(Message.treatment_id == earlier, Message.step == DAY1)
        ).one()
        cast.attempted(row, on=cast.ENDED - timedelta(days=59))
    assert shift.drain(DUE1) == []
    status, reason = said(shift, later, DAY1)
    assert (status, "first" in reason) == ("skipped", True)


def test_a_step_by_each_channel_is_not_its_own_obstacle(shift: Shift) -> None:
    """For first treatments only, with half a day between messages: the e-mail goes beside the SMS."""
    content = read_content(find_folder("dry-needling"))
    content["plan"]["steps"][1] |= {"deliver": "each", "channels": ["sms", "email"]}
    with shift.change() as session:
        clinic = session.merge(shift.clinic, load=False)
        plans.save(session, clinic, content, now=cast.OPENED, actor=cast.DESK)
    shift.log()
    assert sorted(steps(shift.drain(DUE1), shift)) == [(DAY1, "email"), (DAY1, "sms")]


# One message that cannot be looked at


def _version(session: Session, content: dict[str, Any], digest: str) -> int:
    """A version of the plan that was never checked, as another program or a hand may have left it."""
    plan = session.scalars(select(PlanVersion)).first()
    assert plan is not None
    made = PlanVersion(
        clinic_id=plan.clinic_id,
        plan_id=plan.plan_id,
        number=99,
        digest=digest,
        content=content,
        created_at=cast.OPENED,
    )
    session.add(made)
    session.flush()
    return made.id


def _unrenderable(session: Session) -> dict[str, Any]:
    content = dict(read_content(find_folder("dry-needling")))
    for name in content["texts"]:
        if name.startswith("day0"):
            content["texts"][name] = "{% block sms %}See you {{ next_visit.date }}.{% endblock %}"
    return {"plan_version_id": _version(session, content, "needs a visit")}


def _corrupt(session: Session) -> dict[str, Any]:
    return {"plan_version_id": _version(session, {"key": "x", "plan": {"steps": 7}, "texts": {}}, "corrupt")}


def _foreign(session: Session) -> dict[str, Any]:
    return {"plan_version_id": _version(session, {"other": "program"}, "foreign")}


def _zone(session: Session) -> dict[str, Any]:
    alice(session).timezone = "Mars/Olympus"
    return {}


def _number(session: Session) -> dict[str, Any]:
    alice(session).phone = "12"  # no telephone number, but what both the row and the patient say
    return {"to": "12"}


@pytest.mark.parametrize(
    ("breaks", "reason"),
    [
        (_unrenderable, "The text could not be made: The text needs next_visit.date"),
        (_corrupt, "Version 99 of its plan cannot be read: "),
        (_foreign, "Version 99 of its plan cannot be read: "),
        (_zone, 'It could not be prepared: There is no time zone "Mars/Olympus".'),
        (_number, "It could not be prepared (NumberParseException); the log says more."),
    ],
)
def test_a_message_that_cannot_be_prepared_is_held_and_the_others_go_on(
    shift: Shift, breaks: Callable[[Session], dict[str, Any]], reason: str
) -> None:
    treatment, other = shift.log(cast.ALICE), shift.log(cast.CAROL)
    with shift.change() as session:
        row = cast.messages(session, session.get_one(Treatment, treatment))[DAY0]
        for column, value in breaks(session).items():
            setattr(row, column, value)
    kept = shift.drain(DUE0)
    assert [entry["to"] for entry in kept] == ["+12125550103"]
    assert shift.rows(other)[DAY0].status == "sent"
    held = shift.rows(treatment)[DAY0]
    assert held.status == "held"
    assert held.reason.startswith(reason)
    assert held.reason_code in ("render", "broken")
    is_honest(shift.engine)


# Which checks bind which kind


@pytest.mark.parametrize(
    ("kind", "suppressed", "leaves"),
    [
        (Kind.ANSWER, False, True),
        (Kind.ANSWER, True, False),
        (Kind.STAFF, True, False),
        (Kind.TEST, True, False),
        (Kind.ALERT, True, True),
    ],
)
def test_a_suppression_stops_all_but_alerts(shift: Shift, kind: Kind, suppressed: bool, leaves: bool) -> None:
    shift.log()
    if suppressed:
        with shift.change() as session:
            _suppress(session)
    patient = shift.patient()
    message = shift.write(kind, to=str(patient.phone), patient_id=patient.id)
    # At two in the morning: answers are immediate at any hour.
    shift.clock.jump(cast.at("2026-02-04 02:00"))
    shift.drain()
    row = shift.message(message)
    assert row.status == ("sent" if leaves else "skipped")
    assert leaves or row.reason == "This address opted out."


def test_an_answer_to_a_paused_patient_goes_and_counts_against_no_gap(shift: Shift) -> None:
    shift.log()
    patient = shift.patient()
    with shift.change() as session:
        _patient(paused_at=cast.LOGGED, paused_reason="red flag")(session)
    answer = shift.write(Kind.ANSWER, to=str(patient.phone), patient_id=patient.id)
    shift.drain()
    assert shift.message(answer).status == "sent"
    with shift.change() as session:
        _patient(paused_at=None)(session)
    assert steps(shift.drain(DUE0), shift) == [(DAY0, "sms")]


@pytest.mark.parametrize("granted", [True, False])
def test_words_by_hand_need_consent_like_planned_ones(shift: Shift, granted: bool) -> None:
    shift.log()
    if not granted:
        with shift.change() as session:
            _withdraw("sms")(session)
    patient = shift.patient()
    message = shift.write(Kind.STAFF, to=str(patient.phone), patient_id=patient.id)
    shift.drain()
    assert shift.message(message).status == ("sent" if granted else "skipped")


def test_an_answer_that_came_too_late_is_not_sent(shift: Shift) -> None:
    message = shift.write(Kind.ANSWER, useful_until=cast.LOGGED + timedelta(hours=1))
    shift.drain("2026-02-03 16:41")
    assert shift.message(message).status == "skipped"


def test_a_plan_with_its_own_hours_is_read_from_the_version_that_the_row_names(shift: Shift) -> None:
    """Saving the plan anew changes nothing for a row that still names the version before."""
    treatment = shift.log()
    with shift.change() as session:
        content = read_content(find_folder("dry-needling"))
        content["plan"]["window"] = ["10:00", "12:00"]
        clinic = session.merge(shift.clinic, load=False)
        plans.save(session, clinic, content, now=cast.LOGGED, actor=cast.DESK)
    assert steps(shift.drain(DUE0), shift) == [(DAY0, "sms")]
    assert shift.rows(treatment)[DAY0].plan_version_id != 0


def test_the_wall_clock_is_the_patients_own(shift: Shift) -> None:
    """17:30 in New York is 14:30 in Los Angeles; 20:30 there is still open here."""
    away = PatientEntry(
        "Dana", "Reyes", phone="(213) 555-0108", timezone="America/Los_Angeles", preferred_channel="sms"
    )
    treatment = shift.log(away, ended_at=cast.at("2026-02-03 20:30"))
    assert steps(shift.drain("2026-02-03 22:30"), shift) == [(DAY0, "sms")]
    assert shift.rows(treatment)[DAY0].status == "sent"
