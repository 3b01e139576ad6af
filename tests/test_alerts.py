"""An alert is told in the order of the contacts until somebody takes it; nothing about the patient leaves."""

from __future__ import annotations

import threading
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine

from notifier import alerts, alerts_delivery, clinics, db
from notifier.channels.outbox import Outbox
from notifier.envelope import Accepted, OutboundMessage
from notifier.errors import ChannelError
from notifier.models import Alert, Clinic, Reply
from notifier.rules.delivery import ErrorClass
from tests import cast
from tests.alerts_cast import ADA, AT_NIGHT, BEN, Watch
from tests.cast import on_sqlite
from tests.worker_cast import in_parallel


@pytest.fixture
def watch(engine: Engine, clinic: Clinic, tmp_path: Path) -> Watch:
    return Watch(
        engine, clinic, tmp_path, web={"base_url": "https://care.example.com", "secret_key": "k" * 40}
    )


# Told


def test_an_emergency_at_night_goes_to_the_first_contact_at_once_and_names_nobody(watch: Watch) -> None:
    alert = watch.alert(watch.rings())
    sms, mail = watch.sent()
    assert (sms["to"], mail["to"]) == (ADA, "ada@riverside.example")
    link = sms["text"].partition("https://care.example.com/a/")[2].split()[0]
    assert sms["text"] == (
        "Riverside Physio: EMERGENCY. A patient's reply may be a warning sign. "
        f"Code {alert.code}. Take it: https://care.example.com/a/{link} "
        f"or text {alert.code} back to get the phone number."
    )
    assert link in mail["text"]
    assert alert.code in mail["subject"]
    for words in (sms["text"], mail["text"], mail["subject"], mail["html"]):
        for private in ("Alice", "Moreau", "555-0101", "5550101", "May be a warning sign."):
            assert private not in words


@on_sqlite
def test_without_a_public_address_it_says_where_to_look_and_it_speaks_the_clinics_language(
    engine: Engine, clinic: Clinic, tmp_path: Path
) -> None:
    watch = Watch(engine, clinic, tmp_path)
    with watch.change() as session:
        clinics.only(session).language = "es"
    watch.rings("urgent", "crisis")
    watch.passes("2026-02-05 09:00")
    sms, mail = watch.sent()
    assert "Urgente. Un paciente puede estar en crisis." in sms["text"]
    assert "Atender: en Aftercare Notifier" in mail["text"]
    assert "⟨" not in sms["text"] + mail["text"] + mail["html"]


@on_sqlite
def test_who_is_called_when(watch: Watch) -> None:
    alert = watch.rings()
    for minute in range(1, 17):
        watch.passes(f"2026-02-05 03:{minute:02}")
    assert watch.told(alert) == [
        "03:00 Ada sms",
        "03:00 Ada email",
        "03:05 Ben sms",
        "03:10 Cy email",
        "03:15 Ada sms",
        "03:15 Ada email",
    ]
    assert watch.due() == "2026-02-05 03:20"


@on_sqlite
def test_the_time_that_the_configuration_sets_counts_from_the_first_call(
    engine: Engine, clinic: Clinic, tmp_path: Path
) -> None:
    watch = Watch(engine, clinic, tmp_path)
    watch.settings = watch.settings.model_copy(
        update={"alerts": watch.settings.alerts.model_copy(update={"escalate_after": timedelta(minutes=2)})}
    )
    alert = watch.rings()
    watch.passes(AT_NIGHT)
    assert watch.due() == "2026-02-05 03:02"
    watch.passes("2026-02-05 03:02")
    assert watch.told(alert)[-1] == "03:02 Ben sms"


@on_sqlite
def test_after_a_night_without_a_worker_one_contact_is_called_and_not_all_at_once(watch: Watch) -> None:
    alert = watch.rings()
    watch.passes("2026-02-05 07:00")
    watch.passes("2026-02-05 07:01")
    assert watch.told(alert)[2:] == ["07:00 Ben sms"]
    watch.passes("2026-02-05 07:05")
    assert watch.told(alert)[3:] == ["07:05 Cy email"]
    watch.passes("2026-02-05 07:10")
    # What waited for hours is not sent beside what says the same.
    waiting = [m for m in watch.all() if m.alert_id == alert and m.to == ADA and m.status == "scheduled"]
    assert [cast.wall(message.created_at) for message in waiting] == ["2026-02-05 07:10"]


@on_sqlite
def test_when_the_list_changes_meanwhile_nobody_is_called_twice_in_a_round(watch: Watch) -> None:
    alert = watch.rings()
    with watch.change() as session:
        riverside = clinics.only(session)
        ben = clinics.alert_contacts(session, riverside)[1]
        clinics.move_alert_contact(session, riverside, ben.id)  # Ada, who was called, is the second now
    watch.passes("2026-02-05 03:05")
    assert watch.told(alert)[2:] == ["03:05 Cy email"]


@on_sqlite
@pytest.mark.parametrize(
    ("severity", "on_call", "told"),
    [
        ("urgent", [], ["09:00 Ada sms", "09:00 Ada email", "09:15 Ben sms"]),
        ("normal", [], ["09:00 Ada sms", "09:00 Ada email"]),
        ("urgent", ["Ben"], ["03:00 Ben sms"]),
    ],
)
def test_what_can_wait_waits_for_the_clinic_to_open_unless_somebody_is_on_call(
    watch: Watch, severity: str, on_call: list[str], told: list[str]
) -> None:
    watch.contacts(on_call=on_call)
    alert = watch.rings(severity)
    for when in ("2026-02-05 03:00", "2026-02-05 08:59", "2026-02-05 09:00", "2026-02-05 09:15"):
        watch.passes(when)
    assert watch.told(alert)[: len(told)] == told
    assert watch.alert(alert).acknowledged_at is None


@on_sqlite
def test_without_any_contact_the_owner_gets_the_mail_and_the_alert_stands(watch: Watch) -> None:
    watch.contacts(keep=())
    alert = watch.rings()
    watch.passes("2026-02-05 03:30")
    assert watch.told(alert) == ["03:00 olga@riverside.example email"]
    with watch.look() as session:
        assert [row.id for row in alerts.open_alerts(session, watch.clinic.id)] == [alert]
    (mail,) = watch.sent()
    assert "Riverside Physio has no alert contact who can be reached" in mail["text"]


# Again


@on_sqlite
def test_the_same_about_the_same_patient_rings_again_and_not_in_a_burst(watch: Watch) -> None:
    first = watch.rings("urgent")
    assert watch.rings("urgent") == first
    assert watch.told(first) == []  # it is night
    assert watch.rings("emergency") == first  # and now it is worse
    assert watch.rings("emergency") == first
    assert watch.told(first) == ["03:00 Ada sms", "03:00 Ada email"]
    watch.passes("2026-02-05 03:04")
    assert watch.rings("urgent") == first
    assert watch.alert(first).severity == "emergency"
    assert watch.told(first)[2:] == ["03:04 Ada sms", "03:04 Ada email"]
    assert watch.rings("emergency", "crisis") != first
    assert watch.rings("emergency", known=False) != first


def test_a_stranger_who_writes_again_is_the_same_stranger(watch: Watch) -> None:
    def reply(number: str, sid: str) -> Reply:
        with watch.change() as session:
            given = {"channel": "sms", "provider_id": sid, "to_address": "", "body": "", "intent": ""}
            row = Reply(
                clinic_id=watch.clinic.id, from_address=number, received_at=watch.clock.now(), **given
            )
            session.add(row)
        return row

    first = watch.rings(known=False, reply=reply("+12125550155", "SM1"))
    assert watch.rings(known=False, reply=reply("+12125550155", "SM2")) == first
    assert watch.rings(known=False, reply=reply("+12125550166", "SM3")) != first


# Taken


def test_whoever_takes_it_ends_it_and_those_who_were_called_hear_who_it_was(watch: Watch) -> None:
    alert = watch.rings()
    watch.drain()
    watch.passes("2026-02-05 03:05")  # Ben is called, and his text still waits
    assert watch.takes(alert, "Olga")
    assert not watch.takes(alert, "Ben", "link")
    taken = watch.alert(alert)
    assert (taken.acknowledged_by, taken.acknowledged_how, taken.escalate_at) == ("Olga", "inbox", None)
    assert watch.told(alert)[3:] == ["03:05 Ada sms taken-0"]
    assert [m.reason for m in watch.all() if m.to == BEN] == ["Olga took the alert."]
    watch.passes("2026-02-05 06:00")
    assert len(watch.told(alert)) == 4
    (sms,) = watch.sent()
    assert sms["text"] == f"Riverside Physio: Olga took {taken.code}. Nothing more to do."


def test_when_two_take_it_at_once_one_has_it(watch: Watch) -> None:
    alert = watch.rings()
    won: list[str] = []

    def take(number: int, start: threading.Barrier) -> None:
        start.wait()
        name = ("Ada", "Ben")[number]
        with db.transaction(watch.engine) as session:
            row = session.get_one(Alert, alert)
            if alerts.acknowledge(session, row, by=name, how="link", now=watch.clock.now()):
                won.append(name)
            assert row.acknowledged_by in ("Ada", "Ben")

    in_parallel(2, take)
    assert won == [watch.alert(alert).acknowledged_by]


@on_sqlite
def test_who_took_it_by_mistake_gives_it_back_and_the_next_one_is_called(watch: Watch) -> None:
    alert = watch.rings()
    watch.takes(alert)
    with watch.change() as session:
        alerts.reopen(session, session.get_one(Alert, alert), now=watch.clock.now(), actor=cast.DESK)
    watch.passes("2026-02-05 03:05")
    assert watch.told(alert)[-1] == "03:05 Ben sms"


# What does not arrive


class Broken:
    """Refuses these addresses in this way, and hands everything else on."""

    provider = "broken"

    def __init__(self, behind: Outbox, error_class: ErrorClass, *addresses: str) -> None:
        self.behind, self.error_class, self.addresses = behind, error_class, addresses

    def send(self, message: OutboundMessage) -> Accepted:
        if message.to in self.addresses:
            raise ChannelError(self.error_class, "The number is not in use.", code="21211")
        return self.behind.send(message)

    def close(self) -> None:
        """Nothing is open here."""


def test_a_call_that_fails_calls_the_next_contact_at_once(watch: Watch) -> None:
    alert = watch.rings()
    watch.drain(channels={"sms": Broken(watch.outbox, ErrorClass.ADDRESS, ADA)})
    watch.passes("2026-02-05 03:00")
    assert watch.told(alert)[2:] == ["03:00 Ben sms"]
    with watch.look() as session:
        row = session.get_one(Alert, alert)
        assert alerts_delivery.problems(session, row) == [
            "The alert could not reach Ada: The number is not in use."
        ]


@on_sqlite
def test_when_nobody_can_be_reached_the_owner_hears_of_it_once_and_calls_go_on(watch: Watch) -> None:
    watch.contacts(keep=("Ada", "Ben"))
    alert = watch.rings()
    addresses = (ADA, BEN, "ada@riverside.example")
    broken = Broken(watch.outbox, ErrorClass.ADDRESS, *addresses)
    for when in ("03:00", "03:00", "03:00", "03:05", "03:05"):
        watch.drain(f"2026-02-05 {when}", channels={"sms": broken, "email": broken})
        watch.passes(f"2026-02-05 {when}")
    assert watch.told(alert) == [
        "03:00 Ada sms",
        "03:00 Ada email",
        "03:00 Ben sms",
        "03:05 Ada sms",
        "03:05 Ada email",
        "03:05 Ben sms",
    ]
    with watch.look() as session:
        raised = [a for a in alerts.open_alerts(session, watch.clinic.id) if a.kind == "delivery"]
    delivery, *single = raised
    assert sorted(alert.summary for alert in single) == [
        "No alert reaches Ada by SMS: The number is not in use.",
        "No alert reaches Ada by e-mail: The number is not in use.",
        "No alert reaches Ben by SMS: The number is not in use.",
    ]
    assert (delivery.severity, watch.told(delivery.id)) == (
        "emergency",
        ["03:00 olga@riverside.example email"],
    )


@on_sqlite
def test_a_contact_who_texted_stop_is_an_alert(watch: Watch) -> None:
    watch.rings()
    watch.drain(channels={"sms": Broken(watch.outbox, ErrorClass.OPT_OUT, ADA)})
    with watch.look() as session:
        (said,) = [a.summary for a in alerts.open_alerts(session, watch.clinic.id) if a.kind == "delivery"]
    assert said.startswith("Ada texted STOP to the clinic's number")


def test_a_sender_that_stops_is_told_once_and_is_over_when_it_works_again(watch: Watch) -> None:
    watch.clock.jump(cast.at("2026-02-05 10:00"))
    for _ in range(2):
        watch.write(to="+12125550177")
    watch.drain(channels={"sms": Broken(watch.outbox, ErrorClass.CONFIGURATION, "+12125550177")})
    with watch.look() as session:
        (alert,) = alerts.open_alerts(session, watch.clinic.id)
    assert (alert.kind, alert.severity) == ("sender", "urgent")
    with watch.change() as session:
        for sender in clinics.active_senders(session, clinics.only(session)):
            sender.probe_at = sender.stopped_at
    watch.drain()
    watch.drain()
    assert watch.alert(alert.id).acknowledged_how == "resolved"


# Unread


def test_replies_that_nobody_read_an_hour_after_opening_reach_the_owner_once_a_day(watch: Watch) -> None:
    with watch.change() as session:
        for number, rank in enumerate((3, 2, 9)):
            given = {
                "channel": "sms",
                "provider_id": f"SM{number}",
                "to_address": "",
                "body": "",
                "intent": "",
            }
            session.add(
                Reply(
                    clinic_id=watch.clinic.id,
                    from_address=ADA,
                    received_at=watch.clock.now(),
                    rank=rank,
                    **given,
                )
            )
    watch.passes("2026-02-05 03:00")
    assert watch.due("unread") == "2026-02-05 10:00"
    for when in ("2026-02-05 10:00", "2026-02-05 12:00"):
        watch.passes(when)
    with watch.look() as session:
        (alert,) = alerts.open_alerts(session, watch.clinic.id)
    assert (alert.kind, alert.severity, alert.summary[:14]) == ("unread", "normal", "2 replies wait")
    assert watch.told(alert.id) == ["10:00 olga@riverside.example email"]
    with watch.change() as session:
        for row in session.query(Reply):
            row.seen_at = watch.clock.now()
    watch.passes("2026-02-05 13:00")
    assert watch.alert(alert.id).acknowledged_how == "resolved"
