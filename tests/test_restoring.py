"""The day after the database was lost: nothing goes out twice, and who said no meanwhile is left alone."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, func, select, update

from notifier import backup, claiming, db, plans, restored, wording
from notifier.backup_restoring import Restored, restore
from notifier.channels import Channel
from notifier.channels.smtp_email import SmtpEmail
from notifier.channels.twilio_sms import TwilioSms
from notifier.envelope import Batch
from notifier.errors import ConflictError
from notifier.models import AuditEntry, Clinic, Receiver, SignIn, Staff
from notifier.patients import PatientEntry
from notifier.receiving import Receiving
from notifier.rules.delivery import Kind
from tests import cast
from tests.cast import on_sqlite
from tests.channels.cast import email_settings
from tests.cli_cast import write_plan
from tests.servers.smtp_server import SmtpServer
from tests.servers.twilio_server import ACCOUNT, TOKEN, Fault, TwilioServer
from tests.worker_cast import Shift, is_honest, sender_of

OURS, ALICE, CAROL, MIA = "+12125550199", "+12125550101", "+12125550103", "+12125550104"
FIRST, SECOND = "Riverside Physio: Hi {}. first words", "Riverside Physio: Hi {}. both ways"


class Loss(Shift):
    """Riverside by the real date, since Twilio is asked for what it got since then; and its next database."""

    def __init__(self, engine: Engine, clinic: Clinic, folder: Path, twilio: TwilioServer) -> None:
        sms = {"account_sid": ACCOUNT, "auth_token": TOKEN, "from_number": OURS, "api_base_url": twilio.url}
        super().__init__(
            *(engine, clinic, folder),
            now=datetime.now(UTC),
            mode="live",
            unready="warn",
            sms=sms | {"max_per_second": 100.0},
        )
        self.twilio, self.sms = twilio, TwilioSms(self.settings.sms)
        self.channels: dict[str, Channel] = {"sms": self.sms}
        with self.change() as session:
            mine = session.merge(clinic, load=False)
            plans.load_folder(session, mine, write_plan(folder), now=self.clock.now(), actor="set-up")

    def treat(self, *patients: PatientEntry) -> None:
        for patient in patients:
            self.log(patient, "any-hour", ended_at=self.clock.now(), now=self.clock.now())

    def later(self, minutes: float) -> None:
        self.clock.jump(self.clock.now() + timedelta(minutes=minutes))

    def work(self, rounds: int = 6) -> None:
        """What is asked about again has to wait a moment."""
        for _ in range(rounds):
            self.drain(channels=self.channels)
            threading.Event().wait(0.003)

    def fetch(self) -> None:
        receiving = Receiving(self.engine, self.clock, self.settings)
        receiving.once()
        receiving.stop()

    def keep(self) -> Path:
        return backup.make(self.engine, self.folder).file

    def lose_and_restore(self, file: Path, into: Engine) -> Restored:
        self.engine = into
        return restore(
            *(into, self.clock, self.settings, file),
            made_at=None,
            replace=False,
            tell=backup.nobody_watches,
            actor="cli:root",
        )

    def sent(self) -> list[tuple[str, str]]:
        return [(m["to"], m["body"]) for m in self.twilio.messages if m["direction"] != "inbound"]

    def went_to(self, number: str) -> list[str]:
        """What Twilio sent there, up to where the words of the steps differ."""
        bodies = [m["body"] for m in self.twilio.messages if m["to"] == number]
        return [body.split(" Emergency?")[0].rstrip(".") for body in bodies]


@pytest.fixture
def twilio() -> Iterator[TwilioServer]:
    with TwilioServer() as server:
        yield server


@pytest.fixture
def loss(engine: Engine, clinic: Clinic, tmp_path: Path, twilio: TwilioServer) -> Iterator[Loss]:
    loss = Loss(engine, clinic, tmp_path, twilio)
    yield loss
    loss.sms.close()


def test_nothing_goes_twice_a_stop_binds_and_what_waits_goes_out(loss: Loss, empty_engine: Engine) -> None:
    loss.treat(cast.ALICE, cast.CAROL, cast.MIA)
    file = loss.keep()

    loss.later(6)
    loss.work(1)
    loss.twilio.receive(CAROL, "STOP", to=OURS)
    loss.twilio.receive(ALICE, "can I use heat?", to=OURS)
    loss.fetch()
    loss.work(1)
    before = loss.sent()
    assert loss.went_to(MIA) == [FIRST.format("Paola")]
    assert len([m for m in loss.twilio.messages if m["to"] == ALICE]) == 2, "the step and the answer"
    loss.later(5)  # the second step becomes due, and nothing runs any more

    done = loss.lose_and_restore(file, empty_engine)
    assert done.aside == ""
    assert done.safe.doubtful == 6 + 2  # two steps of three by SMS, and one of two by e-mail
    loss.work()
    assert loss.sent() == before, "nothing goes before the replies are in"

    loss.fetch()
    loss.work()
    assert loss.went_to(CAROL) == [FIRST.format("Carol")]
    assert loss.went_to(MIA) == [FIRST.format("Paola"), SECOND.format("Paola")]
    assert set(Counter(loss.sent()).values()) == {1}
    assert len([m for m in loss.twilio.messages if m["to"] == ALICE]) == 3
    is_honest(loss.engine)


def test_the_senders_wait_say_why_and_nothing_but_the_replies_or_a_person_opens_them(
    loss: Loss, empty_engine: Engine
) -> None:
    done = loss.lose_and_restore(loss.keep(), empty_engine)
    text, mail = done.safe.waiting
    moment = f"{done.about.made_at:%Y-%m-%d %H:%M} UTC"
    assert text == f"SMS: Restored from a backup of {moment}; replies since then are being fetched."
    assert "No mailbox is set up" in mail
    assert mail.endswith("notifier release email")

    loss.twilio.next(Fault(status=500, body=b"oops"), on="list")
    loss.fetch()
    assert loss.sender("sms").stopped_at is not None, "Twilio did not answer"
    loss.write(Kind.STAFF, to=ALICE)
    loss.work(1)
    assert loss.twilio.messages == []
    loss.fetch()
    assert loss.sender("sms").stopped_at is None
    loss.work(1)
    assert [m["to"] for m in loss.twilio.messages] == [ALICE]

    with loss.change() as session:
        sender = sender_of(session, loss.clinic, "email")
        restored.release(session, sender, loss.settings, now=loss.clock.now(), actor="cli:root")
        with pytest.raises(ConflictError, match="does not wait"):
            restored.release(session, sender, loss.settings, now=loss.clock.now(), actor="cli:root")
        actions = session.scalars(select(AuditEntry.action).order_by(AuditEntry.id.desc()).limit(2)).all()
    assert actions == ["sender.released", "database.restored"]
    assert loss.sender("email").stopped_at is None


@on_sqlite
def test_a_number_that_was_told_since_who_writes_is_not_told_again(loss: Loss, empty_engine: Engine) -> None:
    with loss.change() as session:
        session.execute(update(Clinic).values(first_text=True, version=Clinic.version))
    loss.treat(cast.MIA)
    file = loss.keep()
    loss.later(6)
    loss.work(1)
    loss.later(1)
    loss.work(1)
    sent = loss.sent()
    assert len(sent) == 2, "who writes, and then the step"
    loss.lose_and_restore(file, empty_engine)
    loss.fetch()
    loss.work()
    loss.later(5)
    loss.work()
    assert loss.sent()[:2] == sent
    assert loss.went_to(MIA)[2:] == [SECOND.format("Paola")]


@on_sqlite
def test_a_text_that_cannot_be_made_is_held_and_keeps_no_backup_from_coming_back(
    loss: Loss, empty_engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*args: object) -> None:
        raise ZeroDivisionError

    loss.treat(cast.MIA)
    file = loss.keep()
    loss.later(6)
    monkeypatch.setattr(wording, "ready", broken)
    loss.lose_and_restore(file, empty_engine)
    (held,) = [message for message in loss.all() if message.status == "held"]
    assert "Its words cannot be made" in held.reason


class Portions:
    """Gives what it has in two looks."""

    name, every = "imap", timedelta(seconds=30)

    def __init__(self) -> None:
        self.asked: list[dict[str, Any]] = []

    def poll(self, cursor: dict[str, Any]) -> Batch:
        self.asked.append(cursor)
        return Batch((), (), {"uid": len(self.asked)}, complete=len(self.asked) > 1)

    def close(self) -> None:
        """Nothing is open here."""


@on_sqlite
@pytest.mark.parametrize(("base_url", "opens"), [("", True), ("https://care.example", False)])
def test_only_when_all_is_fetched_a_channel_goes_on_and_not_where_links_stopped_it(
    loss: Loss, empty_engine: Engine, base_url: str, opens: bool
) -> None:
    web = loss.settings.web.model_copy(update={"base_url": base_url, "secret_key": "x" * 32})
    mailbox = loss.settings.inbound_mail.model_copy(update={"host": "imap.example"})
    loss.settings = loss.settings.model_copy(update={"web": web, "inbound_mail": mailbox})
    made_at = loss.lose_and_restore(loss.keep(), empty_engine).about.made_at.isoformat()
    source = Portions()
    receiving = Receiving(loss.engine, loss.clock, loss.settings, [source])
    receiving.once()
    assert loss.sender("email").stopped_at is not None, "more waits in the mailbox"
    receiving.once()
    assert [asked["restored"] for asked in source.asked] == [made_at, made_at]
    assert (loss.sender("email").stopped_at is None) == opens
    assert opens or "Who unsubscribed by a link since" in loss.sender("email").stopped_reason
    receiving.stop()


@on_sqlite
def test_what_was_sent_since_in_other_words_is_left_to_a_person(loss: Loss, empty_engine: Engine) -> None:
    """An admin edited the text after the backup, so the words that went out are known to nobody here."""
    loss.treat(cast.MIA)
    file = loss.keep()
    sid = loss.twilio.take({"To": MIA, "From": OURS, "Body": "Hi Paola, in the new words."})["sid"]
    loss.later(6)
    loss.lose_and_restore(file, empty_engine)
    loss.fetch()
    loss.work()
    (held,) = [message for message in loss.all() if message.status == "held"]
    assert sid in held.reason
    assert len(loss.twilio.messages) == 1


@on_sqlite
def test_e_mail_goes_again_under_its_message_id(loss: Loss, empty_engine: Engine) -> None:
    with SmtpServer() as server:
        loss.channels["email"] = mail = SmtpEmail(email_settings(server))
        loss.treat(cast.EDWARD)
        file = loss.keep()
        loss.later(6)
        loss.work(1)
        (first,) = server.mails
        loss.lose_and_restore(file, empty_engine)
        with loss.change() as session:
            sender = sender_of(session, loss.clinic, "email")
            restored.release(session, sender, loss.settings, now=loss.clock.now(), actor="cli:root")
        loss.work()
        assert {m.message["Message-ID"] for m in server.mails} == {first.message["Message-ID"]}
        assert len(server.mails) == 2
        mail.close()


@on_sqlite
def test_what_was_useful_until_now_is_skipped_once_twilio_does_not_know_it(
    loss: Loss, empty_engine: Engine
) -> None:
    loss.treat(cast.MIA)
    file = loss.keep()
    loss.later(60 * 13)
    loss.lose_and_restore(file, empty_engine)
    loss.fetch()
    loss.work()
    first = next(message for message in loss.all() if message.step == "first-words")
    assert first.status == "skipped"
    assert first.reason == "It did not reach the provider, and is no longer useful."
    assert loss.twilio.messages == []


@on_sqlite
def test_in_outbox_mode_the_file_is_asked_and_nobody_has_to_be_waited_for(
    loss: Loss, empty_engine: Engine
) -> None:
    loss.settings = loss.settings.model_copy(
        update={"delivery": loss.settings.delivery.model_copy(update={"mode": "outbox"})}
    )
    loss.channels = {"sms": loss.outbox, "email": loss.outbox}
    loss.treat(cast.ALICE)
    file = loss.keep()
    loss.later(6)
    loss.work(1)
    loss.later(5)
    loss.lose_and_restore(file, empty_engine)
    loss.work()
    kept = Counter((entry["to"], entry["reference"]) for entry in loss.outbox.entries())
    assert len(kept) == 3, "one step by SMS, one both ways"
    assert set(kept.values()) == {1}
    assert loss.sender("sms").stopped_at is not None, "really sending has to wait"


def test_new_rows_take_no_number_that_was_lost_and_nobody_stays_signed_in(
    loss: Loss, empty_engine: Engine
) -> None:
    with loss.change() as session:
        staff = Staff(email="roe@example.com", name="Roe", password_hash="", created_at=loss.clock.now())
        session.add(staff)
        session.flush()
        session.add(
            SignIn(
                staff_id=staff.id,
                clinic_id=loss.clinic.id,
                token_hash="x",
                expires_at=loss.clock.now(),
                created_at=loss.clock.now(),
                seen_at=loss.clock.now(),
            )
        )
    file = loss.keep()
    lost = loss.write(Kind.STAFF, to=ALICE)
    loss.lose_and_restore(file, empty_engine)
    assert loss.write(Kind.STAFF, to=ALICE) > lost + 100_000
    with loss.look() as session:
        assert session.scalar(select(func.count()).select_from(SignIn)) == 0
        cursors = session.execute(select(Receiver.name, Receiver.cursor)).all()
    assert {row.name for row in cursors if row.cursor["restored"]} == {"twilio", "imap"}


def test_what_a_lost_worker_had_in_hand_and_what_was_paused_is_in_doubt_too(
    loss: Loss, empty_engine: Engine
) -> None:
    sending = loss.write(Kind.STAFF, to=ALICE)
    paused = loss.write(Kind.STAFF, to=ALICE, status="held", reason_code="paused", reason="Paused.")
    alert = loss.write(Kind.ALERT, to=ALICE)
    with loss.change() as session:
        claiming.claim_due(session, loss.terms(kinds=frozenset({"staff"})), now=loss.clock.now(), limit=1)
    file = loss.keep()
    loss.lose_and_restore(file, empty_engine)
    statuses = {loss.message(each).status for each in (sending, paused)}
    assert statuses == {"unknown"}
    assert loss.moves(paused) == ["held → scheduled", "sending → unknown"]
    assert loss.message(alert).status == "scheduled", "a warning that comes twice is better than none"
    is_honest(loss.engine)
    with db.reading(loss.engine) as session:
        assert session.scalar(select(func.count()).select_from(Clinic)) == 1
