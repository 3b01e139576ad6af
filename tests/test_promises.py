"""The three promises, whatever happens in whatever order: replies, reports, edits, failures, jumps of clocks.

A machine does to a real database what patients, staff, providers and the worker do, and after each step
looks whether a warning got through, nothing was sent twice, and nobody was written to who had said no.
"""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from notifier import alerts, consent_changes, db, patient_edits, pausing, replies, reports, treatments
from notifier.consent_changes import Said
from notifier.envelope import Accepted, DeliveryReport, InboundMessage, OutboundMessage
from notifier.errors import ChannelError, ConflictError, InputError
from notifier.models import Alert, AlertContact, Attempt, Clinic, Message, Patient, Reply, Treatment
from notifier.outcomes import Policy
from notifier.rules.delivery import ErrorClass, Kind, RetryPolicy, Status
from tests import cast
from tests.databases import PostgresDatabases, SqliteFiles
from tests.worker_cast import Answering, Shift, is_honest

ALICE, FAMILY, NEW_NUMBER = "+12125550101", "+12125550104", "+12125550188"
DOCTOR = "+12125550190"
PHONES = st.sampled_from([ALICE, FAMILY, NEW_NUMBER])
TO_PATIENTS = (Kind.PLANNED, Kind.ANSWER, Kind.STAFF)
POLICY = Policy(RetryPolicy(), lookup_after=timedelta(seconds=1), breaker_probe=timedelta(seconds=1))
WORDS = st.sampled_from(
    [
        *("STOP", "please stop texting me", "START", "help", "less", "more", "who is this", "cancel"),
        *("2", "8", "about 5", "soreness is up to a 7", "42", "thanks!", "can I run tomorrow?", "heat"),
        *("I cant breathe", "stop. my chest hurts", "no chest pain", "I have a fever", "quiero morir"),
    ]
)
# What a provider does with one call: it takes it, refuses it in one way or another, or leaves us in doubt.
FATES = st.sampled_from(
    [
        *("taken",) * 12,
        *("lost",) * 4,
        *(ErrorClass.TRANSIENT, ErrorClass.ADDRESS, ErrorClass.CONTENT, ErrorClass.OPT_OUT),
        *(ErrorClass.AMBIGUOUS, ErrorClass.CONFIGURATION),
    ]
)


class Promises(RuleBasedStateMachine):
    """`databases` is set by the test: each run of the machine begins with a new one."""

    databases: Any = None

    @initialize()
    def open(self) -> None:
        self.closing = ExitStack()
        engine = self.closing.enter_context(self.databases.database(with_clinic=True))
        with db.reading(engine) as session:
            clinic = session.scalars(select(Clinic)).one()
            session.expunge(clinic)
        self.folder = tempfile.TemporaryDirectory()
        self.shift = Shift(engine, clinic, Path(self.folder.name))
        self.reached: list[OutboundMessage] = []  # what a provider has really taken
        self.fates: list[Any] = []
        self.silent: dict[str, int] = {}  # a number that said no → how much had reached it by then
        self.through: Counter[str] = Counter()  # the one answer that the stop itself may get
        self.inbound: list[InboundMessage] = []
        with self.shift.change() as session:
            contact = AlertContact(clinic_id=clinic.id, position=1, name="Dr Ruiz", phone=DOCTOR)
            session.add(contact)
            session.get_one(Clinic, clinic.id).first_text = True
        for who in (cast.ALICE, cast.MIA, cast.LEO):
            self.shift.log(who)

    def teardown(self) -> None:
        if hasattr(self, "closing"):
            is_honest(self.shift.engine)
            self.closing.close()
            self.folder.cleanup()

    # What happens

    @rule(hours=st.sampled_from([0.1, 1, 3, 12, 26]))
    def time_passes(self, hours: float) -> None:
        self.shift.clock.jump(self.shift.clock.now() + timedelta(hours=hours))

    @rule(rounds=st.integers(1, 4), fates=st.lists(FATES, min_size=4, max_size=8))
    def the_worker_works(self, rounds: int, fates: list[Any]) -> None:
        """So many times: from one due message to the next."""
        self.fates = list(fates)
        for _ in range(rounds):
            self._work()
            with self.shift.look() as session:
                due = session.scalar(select(func.min(Message.due_at)).where(Message.status == "scheduled"))
            if due is not None and due > self.shift.clock.now():
                self.shift.clock.jump(due)

    def _work(self) -> None:
        channel = Answering(self._call)
        dispatcher = self.shift.dispatcher({"sms": channel, "email": channel}, threads=1)
        try:
            dispatcher.drain()
        finally:
            dispatcher.close()

    def _call(self, message: OutboundMessage) -> Accepted:
        fate = self.fates.pop() if self.fates else "taken"
        if fate in ("taken", "lost"):
            self.reached.append(message)
        if fate == "lost":
            raise ChannelError(ErrorClass.AMBIGUOUS, "The connection broke before the answer.")
        if isinstance(fate, ErrorClass):
            raise ChannelError(fate, f"refused: {fate}", code="1")
        return Accepted(f"id-{message.message_id}-{message.attempt}", Status.ACCEPTED, "twilio")

    @rule(phone=PHONES)
    def somebody_says_stop(self, phone: str) -> None:
        self.somebody_writes(phone, "Stop")

    @rule(phone=PHONES, words=WORDS)
    def somebody_writes(self, phone: str, words: str) -> None:
        number = f"in-{len(self.inbound)}"
        self._hear(InboundMessage(number, "sms", phone, "", words, self.shift.clock.now()))

    @precondition(lambda self: self.inbound)
    @rule(data=st.data())
    def the_same_comes_in_again(self, data: st.DataObject) -> None:
        self._hear(data.draw(st.sampled_from(self.inbound)), again=True)

    def _hear(self, inbound: InboundMessage, *, again: bool = False) -> None:
        self.inbound.append(inbound)
        with self.shift.change() as session:
            now = self.shift.clock.now()
            received = replies.receive(session, inbound, settings=self.shift.settings, now=now)
            intents = {reply.intent for reply in received.replies}
        assert not (again and received.replies), "a reply was taken in twice"
        for _, address in received.stopped:
            if address not in self.silent:
                self.silent[address] = self._count(address)
                self.through[address] += 1
        if "opt_in" in intents:
            self.silent.pop(inbound.from_address, None)

    @rule(data=st.data(), said=st.sampled_from(["sent", "delivered", "undelivered", "failed"]))
    def a_report_comes_in(self, data: st.DataObject, said: str) -> None:
        if not self.reached:
            return
        about = data.draw(st.sampled_from(self.reached))
        code = "30003" if said in ("undelivered", "failed") else None
        now = self.shift.clock.now()
        report = DeliveryReport(
            f"id-{about.message_id}-{about.attempt}",
            Status(said),
            said,
            now,
            code=code,
            message_id=about.message_id,
            attempt=about.attempt,
            provider="twilio",
            error_class=ErrorClass.ADDRESS if said == "failed" else ErrorClass.FEW_TRIES,
            said="The phone is switched off or out of reach.",
        )
        with self.shift.change() as session:
            reports.apply(session, report, policy=POLICY, now=now, actor="twilio")

    @rule(
        name=st.sampled_from(["Alice", "Mia"]), channel=st.sampled_from(["sms", "email"]), yes=st.booleans()
    )
    def the_desk_records_consent(self, name: str, channel: str, yes: bool) -> None:
        with self._patient(name) as (session, patient):
            said = Said((channel,), yes, "at the desk", "May we text you?")
            consent_changes.record(session, patient, said, now=self.shift.clock.now(), actor=cast.DESK)

    @rule()
    def the_desk_corrects_the_number(self) -> None:
        with self._patient("Alice") as (session, patient):
            new = NEW_NUMBER if patient.phone == ALICE else ALICE
            clinic = session.get_one(Clinic, patient.clinic_id)
            now = self.shift.clock.now()
            patient_edits.correct_address(session, clinic, patient, "sms", new, now=now, actor=cast.DESK)

    @rule(name=st.sampled_from(["Alice", "Mia"]))
    def the_desk_lets_messages_go_on(self, name: str) -> None:
        with self._patient(name) as (session, patient):
            pausing.resume(session, patient, now=self.shift.clock.now(), actor=cast.DESK)

    @rule(name=st.sampled_from(["Alice", "Mia"]))
    def another_treatment_is_logged(self, name: str) -> None:
        who = {"Alice": cast.ALICE, "Mia": cast.MIA}[name]
        now = self.shift.clock.now()
        with self.shift.change() as session:
            clinic = session.get_one(Clinic, self.shift.clinic.id)
            entry = cast.entry(who, ended_at=now - timedelta(minutes=20), consents=())
            treatments.record(session, clinic, entry, now=now, actor=cast.DESK)

    @rule(data=st.data(), back=st.booleans())
    def a_treatment_is_voided_or_brought_back(self, data: st.DataObject, back: bool) -> None:
        with self.shift.look() as session:
            ids = session.scalars(select(Treatment.id).order_by(Treatment.id)).all()
        chosen, now = data.draw(st.sampled_from(ids)), self.shift.clock.now()
        with self.shift.change() as session:
            treatment = session.get_one(Treatment, chosen)
            if back and treatment.voided_at is not None:
                treatments.unvoid(session, treatment, now=now, actor=cast.DESK)
            elif not back and treatment.voided_at is None:
                treatments.void(session, treatment, reason="test", now=now, actor=cast.DESK)

    @rule()
    def somebody_takes_an_alert(self) -> None:
        with self.shift.change() as session:
            found = alerts.open_alerts(session, self.shift.clinic.id)
            if found:
                alerts.acknowledge(session, found[0], by="Fern", how="inbox", now=self.shift.clock.now())

    @contextmanager
    def _patient(self, name: str) -> Iterator[tuple[Session, Patient]]:
        """What is refused with a sentence changes nothing."""
        try:
            with self.shift.change() as session:
                yield session, session.scalars(select(Patient).where(Patient.first_name == name)).one()
        except (InputError, ConflictError):
            pass

    # What always holds

    @invariant()
    def a_warning_gets_through(self) -> None:
        if not hasattr(self, "shift"):
            return
        with self.shift.look() as session:
            warned = session.scalars(select(Reply)).all()
            raised = session.scalars(select(Alert)).all()
            rang = session.execute(select(Message.alert_id, Message.status)).all()
        for reply in warned:
            if not reply.red_flags:
                continue
            mine = [
                alert
                for alert in raised
                if alert.kind in ("red_flag", "crisis") and alert.patient_id == reply.patient_id
            ]
            assert mine, f"nobody is told of reply {reply.id}"
            assert reply.rank <= 2
        for alert in raised:
            # What says that another alert did not arrive stands on the pages and rings nowhere itself.
            if alert.acknowledged_at is None and alert.kind in ("red_flag", "crisis"):
                told = [status for alert_id, status in rang if alert_id == alert.id]
                waits = alert.escalate_at is not None
                assert told or waits, f"alert {alert.id} rings nowhere"

    @invariant()
    def nothing_goes_out_twice(self) -> None:
        if not hasattr(self, "shift"):
            return
        seen = Counter((message.message_id, message.attempt) for message in self.reached)
        assert max(seen.values(), default=0) <= 1
        copies = Counter(message.message_id for message in self.reached)
        with self.shift.look() as session:
            for message_id, count in copies.items():
                if count > 1:
                    self._explains(session, session.get_one(Message, message_id), count)

    def _explains(self, session: Session, message: Message, count: int) -> None:
        """A second copy only where the first is known not to have arrived, or twice beats never."""
        if message.priority == 0 or message.channel == "email":
            return
        query = select(Attempt).where(Attempt.message_id == message.id).order_by(Attempt.number)
        settled = {attempt.number: attempt.outcome for attempt in session.scalars(query)}
        reached = sorted(sent.attempt for sent in self.reached if sent.message_id == message.id)
        for number in reached[:-1]:
            assert settled[number] in ("undelivered", "failed"), (
                f"message {message.id} went out {count} times"
            )

    @invariant()
    def nobody_who_said_no_is_written_to(self) -> None:
        if not hasattr(self, "shift"):
            return
        for address, before in self.silent.items():
            since = self._count(address) - before
            assert since <= self.through[address], f"{address} said no and was written to"

    def _count(self, address: str) -> int:
        with self.shift.look() as session:
            ids = {message.message_id for message in self.reached if message.to == address}
            kinds = session.execute(select(Message.id, Message.kind).where(Message.id.in_(ids))).all()
        to_patients = {message_id for message_id, kind in kinds if kind in TO_PATIENTS}
        return sum(
            1 for message in self.reached if message.to == address and message.message_id in to_patients
        )


def play(databases: SqliteFiles | PostgresDatabases, *, examples: int, steps: int) -> None:
    class Played(Promises):
        pass

    Played.databases = databases
    run_state_machine_as_test(
        Played,
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            suppress_health_check=list(HealthCheck),
            deadline=None,
        ),
    )


@pytest.mark.parametrize(("kind", "examples", "steps"), [("sqlite", 8, 25), ("postgresql", 2, 20)])
def test_no_sequence_of_events_breaks_a_promise(
    kind: str, examples: int, steps: int, request: pytest.FixtureRequest
) -> None:
    play(request.getfixturevalue(f"_{kind}"), examples=examples, steps=steps)
