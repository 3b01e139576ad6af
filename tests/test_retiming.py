"""What becomes of pending messages when a plan changes, and what is said of it."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from notifier import retiming, treatments
from notifier.models import AuditEntry, Clinic, Message, MessageEvent, Treatment
from notifier.retiming_batches import batches
from notifier.retiming_deed import advance, target
from tests.cast import (
    BOB,
    DAY0,
    DAY1,
    DESK,
    ENDED,
    LEO,
    LOGGED,
    MIA,
    SCORE,
    WEEK,
    at,
    attempted,
    events,
    log,
    messages,
    plan_of,
    replanned,
    save_cupping,
)
from tests.retiming_cast import ADMIN, begun, carry_out, later, retimed, save, step, with_step, without

DAY, HOUR = timedelta(days=1), timedelta(hours=1)
NOW = LOGGED + HOUR


def test_pending_messages_move_and_say_when_they_were_due(session: Session, clinic: Clinic) -> None:
    treatment = log(session, clinic)
    retimed(session, clinic, later(DAY1, "24h"), now=NOW)
    assert plan_of(session, treatment) == WEEK | {DAY1: "2026-02-04 15:30"}
    event = events(session, messages(session, treatment)[DAY1])[-1]
    assert event.reason == ("Dry needling aftercare was changed (version 2). It was due Wed 4 Feb 13:30.")
    assert (event.actor, event.from_status, event.to_status) == (ADMIN, "scheduled", "scheduled")


def test_what_stays_as_it_was_has_no_event_but_names_the_new_version(
    session: Session, clinic: Clinic
) -> None:
    treatment = log(session, clinic)
    version = save(session, clinic, later(DAY1, "24h"), now=NOW)
    done = carry_out(session, begun(session, clinic, version, NOW), NOW)
    rows = messages(session, treatment)
    assert {row.plan_version_id for row in rows.values()} == {version.id}
    assert len(events(session, rows[SCORE])) == 1
    assert (done.total, done.done, done.changed) == (1, 1, 1)


def test_new_treatments_only_leaves_pending_messages_alone(session: Session, clinic: Clinic) -> None:
    older = log(session, clinic)
    save(session, clinic, later(DAY1, "24h"), now=NOW)
    replanned(session, older.patient, NOW)
    assert plan_of(session, older) == WEEK
    newer = log(session, clinic, MIA)
    assert plan_of(session, newer)[DAY1] == "2026-02-04 15:30"


def test_what_was_attempted_is_untouched(session: Session, clinic: Clinic) -> None:
    treatment = log(session, clinic)
    attempted(messages(session, treatment)[DAY0])
    session.flush()
    columns = Message.__table__.columns
    wanted = select(*columns).where(Message.treatment_id == treatment.id, Message.attempts > 0)
    before = session.execute(wanted).all()
    retimed(session, clinic, later(DAY0, "3h"), later(DAY1, "24h"), now=at("2026-02-03 18:00"))
    assert session.execute(wanted).all() == before
    assert plan_of(session, treatment)[DAY1] == "2026-02-04 15:30"


def test_what_is_held_waits_on_for_its_person(session: Session, clinic: Clinic) -> None:
    treatment = log(session, clinic)
    row = messages(session, treatment)[SCORE]
    row.status, row.reason, row.reason_code = "held", "A score of 8.", "paused"
    retimed(session, clinic, later(SCORE, "50h"), now=NOW)
    held = messages(session, treatment)[SCORE]
    assert (held.status, held.reason, held.due_at) == ("held", "A score of 8.", at(WEEK[SCORE]))


def test_a_new_step_adds_messages_and_a_gone_one_cancels(session: Session, clinic: Clinic) -> None:
    treatment = log(session, clinic)
    done = retimed(session, clinic, without(SCORE), with_step("day4-ask", "98h", useful_for="6d"), now=NOW)
    assert plan_of(session, treatment)["day4-ask"] == "2026-02-07 17:30"
    rows = messages(session, treatment)
    assert (rows[SCORE].status, rows[SCORE].reason) == (
        "cancelled",
        "The step is no longer part of the plan.",
    )
    assert [event.reason for event in events(session, rows["day4-ask"])] == [
        "Dry needling aftercare was changed (version 2)."
    ]
    assert events(session, rows[SCORE])[-1].reason == (
        "Dry needling aftercare was changed (version 2). The step is no longer part of the plan. "
        "It was due Thu 5 Feb 13:30."
    )
    assert done.changed == 2


def test_a_step_that_is_switched_off_is_cancelled_and_comes_back(session: Session, clinic: Clinic) -> None:
    treatment = log(session, clinic)
    retimed(session, clinic, lambda content: step(content, SCORE).update(on=False), now=NOW)
    assert messages(session, treatment)[SCORE].reason == "The step is switched off in the plan."
    retimed(session, clinic, lambda content: step(content, SCORE).update(on=True), now=NOW + HOUR)
    assert plan_of(session, treatment) == WEEK


def test_what_is_past_by_the_new_time_is_skipped_or_leaves_at_once(session: Session, clinic: Clinic) -> None:
    treatment = log(session, clinic)
    now = at("2026-02-04 12:00")
    retimed(
        session,
        clinic,
        later(DAY1, "10h"),
        lambda content: step(content, SCORE).update(after="3h", useful_for="5h"),
        now=now,
    )
    planned = plan_of(session, treatment)
    assert (planned[DAY1], planned[SCORE]) == ("2026-02-04 12:00", "skipped too_late")


def test_a_treatment_that_is_over_is_not_brought_back(session: Session, clinic: Clinic) -> None:
    """Else a new step without a limit would go out to everybody ever treated."""
    treatment = log(session, clinic)
    for row in messages(session, treatment).values():
        if row.status == "scheduled":
            attempted(row)
    session.flush()
    done = retimed(session, clinic, with_step("day6-ask", "6d"), now=ENDED + 30 * DAY)
    assert (done.total, done.finished_at) == (0, ENDED + 30 * DAY)
    assert "day6-ask" not in messages(session, treatment)


def test_what_was_skipped_and_is_still_of_use_follows_the_new_version(
    session: Session, clinic: Clinic
) -> None:
    """So that consent given tomorrow brings back what the plan says by then."""
    treatment = log(session, clinic, BOB)
    version = save(session, clinic, later(DAY1, "24h"), now=NOW)
    carry_out(session, begun(session, clinic, version, NOW), NOW)
    assert session.get_one(Treatment, treatment.id).plan_version_id == version.id


def test_an_undo_after_it_follows_the_new_version(session: Session, clinic: Clinic) -> None:
    treatment = log(session, clinic)
    treatments.void(session, treatment, reason="Mistake.", now=LOGGED, actor=DESK)
    retimed(session, clinic, later(DAY1, "24h"), now=NOW)
    treatments.unvoid(session, session.get_one(Treatment, treatment.id), now=NOW, actor=DESK)
    assert plan_of(session, treatment)[DAY1] == "2026-02-04 15:30"


def test_other_plans_of_the_patient_give_way(session: Session, clinic: Clinic) -> None:
    save_cupping(session, clinic, {"key": "day3-marks", "after": "3d"}, max_per_week=0)
    needling = log(session, clinic)
    cupping = log(session, clinic, plan="cupping")
    without_checks = (without("day3-check-in"), without("day3-still-sore"))
    moved = {"after": "70h", "useful_for": "90h"}
    retimed(session, clinic, lambda content: step(content, SCORE).update(moved), *without_checks, now=NOW)
    assert plan_of(session, needling)[SCORE] == "2026-02-06 13:30"
    # Due at 15:30 by itself, and twelve hours apart is after the window.
    assert plan_of(session, cupping) == {"day3-marks": "2026-02-07 09:00"}
    event = events(session, messages(session, cupping)["day3-marks"])[-1]
    assert event.reason.startswith("Dry needling aftercare was changed (version 2). Moved from ")


def test_a_newer_retiming_ends_the_older_one_and_takes_over_the_rest(
    session: Session, clinic: Clinic
) -> None:
    first, second = log(session, clinic), log(session, clinic, MIA)
    older = begun(session, clinic, save(session, clinic, later(DAY1, "24h"), now=NOW), NOW)
    aim = target(session, older.id)
    batch = batches(session, aim.plan_id, aim.version_id, now=NOW, after=0, size=1)[0]
    advance(session, aim, batch, now=NOW)
    session.expire_all()
    version = save(session, clinic, later(DAY1, "25h"), now=NOW)
    newer = begun(session, clinic, version, NOW)
    assert older.finished_at == NOW
    assert retiming.running(session, clinic) == [newer]
    assert newer.total == 2
    carry_out(session, newer, NOW)
    assert plan_of(session, first)[DAY1] == plan_of(session, second)[DAY1] == "2026-02-04 16:30"


def test_it_is_in_the_audit_trail(session: Session, clinic: Clinic) -> None:
    log(session, clinic)
    done = retimed(session, clinic, later(DAY1, "24h"), now=NOW)
    entries = session.scalars(
        select(AuditEntry)
        .where(AuditEntry.subject == "plan", AuditEntry.actor == ADMIN)
        .order_by(AuditEntry.id)
    ).all()
    assert [(entry.action, entry.detail) for entry in entries] == [
        ("plan.saved", {"plan": "dry-needling", "number": 2}),
        ("plan.retiming", {"number": 2, "treatments": 1}),
        ("plan.retimed", {"treatments": 1, "messages": 1, "left": 0}),
    ]
    assert {entry.subject_id for entry in entries} == {done.plan_id}


def test_doing_it_twice_changes_nothing(session: Session, clinic: Clinic) -> None:
    log(session, clinic)
    done = retimed(session, clinic, later(DAY1, "24h"), now=NOW)
    count = session.scalar(select(func.count(MessageEvent.id)))
    carry_out(session, done, NOW)
    assert session.scalar(select(func.count(MessageEvent.id))) == count


def test_a_family_is_in_one_batch_wherever_it_would_end(session: Session, clinic: Clinic) -> None:
    mia, _, leo = log(session, clinic, MIA), log(session, clinic), log(session, clinic, LEO)
    version = save(session, clinic, later(DAY1, "24h"), now=NOW)
    found = batches(session, version.plan_id, version.id, now=NOW, after=0, size=1)
    assert [len(batch.treatments) for batch in found] == [2, 1]
    assert found[0].treatments == {mia.id, leo.id}


def test_another_clinic_is_not_touched(session: Session, clinic: Clinic, other_clinic: Clinic) -> None:
    log(session, clinic)
    version = save(session, clinic, later(DAY1, "24h"), now=NOW)
    begun(session, clinic, version, NOW)
    assert retiming.running(session, other_clinic) == []
    assert len(retiming.running(session, clinic)) == 1
