"""Whatever happens at the desk, in whatever order: what a replan leaves behind is always in order."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select
from sqlalchemy.orm import Session

from notifier import plans, reach, treatments
from notifier.models import Clinic, Message, MessageEvent, Patient, Treatment
from notifier.planning import replan
from notifier.rules.delivery import NEVER_SENT, Status
from notifier.rules.timing import is_open
from notifier.rules.zones import zone
from tests import cast
from tests.cast import ALICE, DESK, LEO, MIA, at, on_sqlite

START = at("2026-03-05 10:00")  # the clocks change on the Sunday
PEOPLE = (ALICE, MIA, LEO)
PLANS = ("dry-needling", "cupping", "sports-massage")
HOUR = timedelta(hours=1)

Action = tuple[str, int, int]


@dataclass
class Desk:
    """A clinic's days, one action after another, and what has to be true after each of them."""

    session: Session
    clinic: Clinic
    now: datetime = START
    logged: list[Treatment] = field(default_factory=list)
    sent: dict[int, tuple[object, ...]] = field(default_factory=dict)

    def do(self, action: Action) -> None:
        name, who, much = action
        self.now += timedelta(minutes=7)
        act: Callable[[int, int], Patient | None] = getattr(self, name)
        patient = act(who, much)
        self.session.flush()
        if patient is not None:
            self.check(patient)

    # What may happen

    def log(self, who: int, much: int) -> Patient:
        ended = self.now - timedelta(hours=much * 3)
        treatment = cast.log(
            self.session, self.clinic, PEOPLE[who], PLANS[much % 3], ended_at=ended, now=self.now
        )
        if treatment not in self.logged:
            self.logged.append(treatment)
        return treatment.patient

    def wait(self, who: int, much: int) -> None:
        self.now += timedelta(hours=2 + 5 * much)

    def send(self, who: int, much: int) -> None:
        """What a worker would have done by now, as far as it came."""
        due = select(Message).where(Message.status == "scheduled", Message.due_at <= self.now)
        for row in self.session.scalars(due.order_by(Message.due_at).limit(much + 1)).all():
            row.status, row.attempts, row.claimed_at = ("sent", "unknown", "failed")[much % 3], 1, self.now
            self.sent[row.id] = self.columns(row)

    def void(self, who: int, much: int) -> Patient | None:
        return self.change(
            much,
            lambda it: it.voided_at is None,
            lambda it: treatments.void(self.session, it, reason="Mistake.", now=self.now, actor=DESK),
        )

    def unvoid(self, who: int, much: int) -> Patient | None:
        return self.change(
            much,
            lambda it: it.voided_at is not None,
            lambda it: treatments.unvoid(self.session, it, now=self.now, actor=DESK),
        )

    def correct(self, who: int, much: int) -> Patient | None:
        def to(it: Treatment) -> object:
            ended = it.ended_at - (who + 1) * HOUR
            return treatments.correct_end(self.session, it, ended, now=self.now, actor=DESK, confirmed=True)

        return self.change(much, lambda it: True, to)

    def visit(self, who: int, much: int) -> Patient | None:
        def to(it: Treatment) -> object:
            when = None if who == 0 else max(it.ended_at, self.now) + timedelta(days=who * much, hours=1)
            return treatments.book_visit(self.session, it, when, now=self.now, actor=DESK)

        return self.change(much, lambda it: True, to)

    def yes(self, who: int, much: int) -> Patient | None:
        return self.say(who, much, granted=True)

    def no(self, who: int, much: int) -> Patient | None:
        return self.say(who, much, granted=False)

    def essentials(self, who: int, much: int) -> Patient | None:
        return self.alter(who, lambda patient: setattr(patient, "essentials", not patient.essentials))

    def phone(self, who: int, much: int) -> Patient | None:
        return self.alter(who, lambda patient: setattr(patient, "phone", f"+1212555010{much % 6}"))

    def wish(self, who: int, much: int) -> Patient | None:
        return self.alter(who, lambda patient: setattr(patient, "name_treatment", not patient.name_treatment))

    def change(
        self, much: int, may: Callable[[Treatment], bool], act: Callable[[Treatment], object]
    ) -> Patient | None:
        those = [treatment for treatment in self.logged if may(treatment)]
        if not those:
            return None
        act(those[much % len(those)])
        return those[much % len(those)].patient

    def say(self, who: int, much: int, *, granted: bool) -> Patient | None:
        channel = ("sms", "email")[much % 2]
        return self.alter(
            who,
            lambda patient: cast.says(self.session, patient, channel, granted, self.now, now=self.now),
        )

    def alter(self, who: int, act: Callable[[Patient], object]) -> Patient | None:
        patient = next(
            (it.patient for it in self.logged if it.patient.first_name == PEOPLE[who].first_name), None
        )
        if patient is not None:
            act(patient)
            cast.replanned(self.session, patient, self.now)
        return patient

    # What has to be true

    def check(self, patient: Patient) -> None:
        again = replan(self.session, [patient], now=self.now, actor=DESK)
        assert (again.added, again.changed) == (0, 0), "a second run changed something"
        rows = list(self.session.scalars(select(Message).where(Message.patient_id == patient.id)))
        known = reach.load(self.session, [patient])
        for row in rows:
            self.check_row(row, patient, known)
        self.check_steps(patient, rows)

    def check_row(self, row: Message, patient: Patient, known: reach.Reach) -> None:
        tz = zone(patient.timezone or self.clinic.timezone)
        treatment = self.session.get_one(Treatment, row.treatment_id)
        plan = plans.definition(treatment.plan_version).plan
        if row.id in self.sent:
            assert self.columns(row) == self.sent[row.id], "an attempted row was touched"
            return
        assert row.status in NEVER_SENT
        if row.status != Status.SCHEDULED:
            assert row.reason
            assert row.due_at is None
            return
        assert row.due_at is not None
        assert treatment.voided_at is None
        assert known.obstacle(patient, row.channel) is None
        assert (row.to, row.reason_code) == (reach.address_of(patient, row.channel), "")
        assert is_open(row.due_at, plan.window, tz)
        assert row.useful_until is None or row.due_at <= row.useful_until
        assert row.due_at >= max(treatment.ended_at, treatment.logged_at)

    def check_steps(self, patient: Patient, rows: list[Message]) -> None:
        """Each step has its row, and no more than one of them waits."""
        for treatment in self.logged:
            if treatment.patient_id != patient.id:
                continue
            for step in plans.definition(treatment.plan_version).plan.steps:
                mine = [row for row in rows if (row.treatment_id, row.step) == (treatment.id, step.key)]
                assert mine
                assert sum(row.status == Status.SCHEDULED for row in mine) <= 1
        for row in rows:
            last = self.session.scalars(
                select(MessageEvent).where(MessageEvent.message_id == row.id).order_by(MessageEvent.id.desc())
            ).first()
            assert last is not None
            assert row.attempts or (last.to_status, last.reason) == (row.status, row.reason)

    def columns(self, row: Message) -> tuple[object, ...]:
        return tuple(getattr(row, column.key) for column in Message.__table__.columns)


ACTIONS = (
    *("log", "log", "log", "wait", "wait", "send", "send"),
    *("void", "unvoid", "correct", "visit", "yes", "no", "essentials", "phone", "wish"),
)
actions = st.lists(
    st.tuples(st.sampled_from(ACTIONS), st.integers(0, 2), st.integers(0, 8)), min_size=4, max_size=10
)


@on_sqlite
@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(actions)
def test_whatever_happens_the_rows_are_in_order(
    session: Session, clinic: Clinic, actions: list[Action]
) -> None:
    savepoint = session.begin_nested()
    desk = Desk(session, clinic)
    desk.do(("log", 0, 0))
    for action in actions:
        desk.do(action)
    everybody = {it.patient for it in desk.logged}
    replan(session, everybody, now=desk.now, actor=DESK)
    again = replan(session, everybody, now=desk.now, actor=DESK)
    assert (again.added, again.changed) == (0, 0)
    savepoint.rollback()
