"""What reaches the provider: the step's words in the patient's language, with our reference and links."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, select, update

from notifier import plans
from notifier.envelope import Accepted, OutboundMessage, Unsubscribe
from notifier.links import Links
from notifier.models import Attempt, Clinic, Message, Patient, Reply, Sender
from notifier.patients import PatientEntry
from notifier.planfiles import find_folder, read_content
from notifier.rules.delivery import Kind, Status
from notifier.rules.sms_text import measure
from tests import cast
from tests.worker_cast import Answering, Shift

PUBLIC: dict[str, Any] = {"web": {"base_url": "https://care.example", "secret_key": "s" * 40}}
DUE0 = "2026-02-03 17:30"


@pytest.fixture
def shift(engine: Engine, clinic: Clinic, tmp_path: Path) -> Shift:
    return Shift(engine, clinic, tmp_path)


def given_to_provider(shift: Shift, when: str = "", **given: Any) -> list[OutboundMessage]:
    channel = Answering(lambda message: Accepted(f"id-{message.message_id}", Status.SENT, "test"))
    shift.drain(when, channels={"sms": channel, "email": channel}, **given)
    return channel.calls


def test_an_sms_carries_its_reference_its_address_and_how_long_it_is_useful(shift: Shift) -> None:
    treatment = shift.log()
    row = shift.rows(treatment)["day0-what-you-may-feel"]
    (message,) = given_to_provider(shift, DUE0)
    assert (message.message_id, message.attempt, message.to) == (row.id, 1, "+12125550101")
    assert message.text.startswith("Riverside Physio: Hi Alice.")
    assert (message.subject, message.html, message.unsubscribe) == ("", "", None)
    assert message.validity_seconds == timedelta(hours=16).total_seconds()  # from 17:30 to 09:30
    assert message.reference == f"{row.id}.20260203204000000000.riverside-physio"
    assert message.sender_name == "Riverside Physio"


def test_every_try_has_the_same_reference_and_a_number_of_its_own(shift: Shift) -> None:
    shift.write(Kind.ANSWER, channel="email", to="ana@example.com")
    (first,) = given_to_provider(shift)
    with shift.change() as session:
        session.execute(update(Message).values(status="scheduled"))
    (second,) = given_to_provider(shift)
    assert (first.attempt, second.attempt) == (1, 2)
    assert first.reference == second.reference


@pytest.mark.parametrize(
    ("language", "words"), [("es", "Hola Alice"), ("en", "Hi Alice"), ("fr", "Hi Alice")]
)
def test_the_words_are_in_the_patients_language_else_in_english(
    shift: Shift, language: str, words: str
) -> None:
    shift.log()
    with shift.change() as session:
        session.execute(update(Patient).values(language=language))
    (message,) = given_to_provider(shift, DUE0)
    assert words in message.text


def test_an_email_has_a_subject_both_bodies_and_the_clinics_name(shift: Shift) -> None:
    shift.log(cast.EDWARD)
    (message,) = given_to_provider(shift, DUE0)
    assert (message.channel, message.to) == ("email", "edward@example.com")
    assert message.subject
    assert "Edward" in message.text
    assert "<html" in message.html
    assert message.unsubscribe is None, "without a public address there is nothing to click"


def test_who_reads_it_is_greeted(shift: Shift) -> None:
    shift.log(cast.MIA)
    (message,) = given_to_provider(shift, DUE0)
    assert "Hi Paola" in message.text
    assert "Mia" not in message.text


def test_the_sender_is_the_clinics_own_where_it_has_one(shift: Shift) -> None:
    shift.log()
    with shift.change() as session:
        session.execute(
            update(Sender)
            .where(Sender.channel == "sms")
            .values(identity="+12125550000", display_name="Front desk")
        )
    (message,) = given_to_provider(shift, DUE0)
    assert (message.sender, message.sender_name) == ("+12125550000", "Front desk")
    assert shift.attempts(message.message_id)[0].sender == "+12125550000"


def test_dates_and_times_are_on_the_patients_own_wall(shift: Shift) -> None:
    """The visit is at 00:30 in London, which is the evening before in New York."""
    away = PatientEntry("Dana", "Reyes", phone="(213) 555-0108", timezone="Europe/London")
    said = "{{ next_visit.date }}, {{ next_visit.time }}, after {{ treatment.date }}"
    content = read_content(find_folder("dry-needling"))
    content["texts"]["before-next-visit.en"] = f"{{% block sms %}}{said}{{% endblock %}}"
    with shift.change() as session:
        clinic = session.merge(shift.clinic, load=False)
        plans.save(session, clinic, content, now=cast.OPENED, actor=cast.DESK)
    visit = cast.at("2026-02-13 00:30", "Europe/London")
    treatment = shift.log(away, next_visit=visit, ended_at=cast.at("2026-02-04 00:10", "Europe/London"))
    row = shift.rows(treatment)["before-next-visit"]
    with shift.change() as session:
        session.execute(update(Message).where(Message.id != row.id).values(status="skipped", reason="-"))
    assert row.due_at is not None, row.reason
    shift.clock.jump(row.due_at)
    (message,) = given_to_provider(shift)
    assert message.text == "13 Feb, 12:30 AM, after 4 Feb"


# Links


def test_an_email_to_a_patient_can_be_unsubscribed_from_with_one_click(shift: Shift) -> None:
    shift.log(cast.EDWARD)
    (message,) = given_to_provider(shift, DUE0, **PUBLIC)
    links = Links("https://care.example", False, b"s" * 40)
    url = links.unsubscribe(shift.patient("Edward").id, "email", "edward@example.com")
    assert message.unsubscribe == Unsubscribe(str(url))
    assert str(url) in message.text
    assert message.status_callback is None


@pytest.mark.parametrize("kind", [Kind.ALERT, Kind.TEST])
def test_an_email_to_staff_does_not_unsubscribe_the_patient_it_is_about(shift: Shift, kind: Kind) -> None:
    shift.log()
    shift.write(kind, channel="email", to="dr@riverside.example", patient_id=shift.patient().id)
    (message,) = given_to_provider(shift, **PUBLIC)
    assert message.unsubscribe is None
    assert "/u/" not in message.text
    assert "/p/" not in message.text


def test_an_email_leads_to_the_patients_page_in_both_versions(shift: Shift) -> None:
    shift.log(cast.EDWARD)
    (message,) = given_to_provider(shift, DUE0, **PUBLIC)
    url = Links("https://care.example", False, b"s" * 40).patient_page(
        shift.patient("Edward").id, 0, cast.ENDED + timedelta(days=30)
    )
    assert f"your questions:\n{url}\n\n---\n" in message.text
    assert f'href="{url}"' in message.html


def test_so_does_an_answer_by_mail(shift: Shift) -> None:
    shift.log(cast.EDWARD)
    edward = shift.patient("Edward")
    shift.write(Kind.ANSWER, channel="email", to="edward@example.com", patient_id=edward.id)
    (message,) = given_to_provider(shift, **PUBLIC)
    assert "https://care.example/p/" in message.text


def test_an_sms_does_so_only_where_the_clinic_pays_for_it(shift: Shift) -> None:
    shift.log()
    shift.log(replace(cast.ALICE, first_name="Ana", phone="(212) 555-0109", language="es"))
    plain = given_to_provider(shift, "2026-02-03 17:29", **PUBLIC)
    assert plain == []
    with shift.change() as session:
        session.execute(update(Clinic).values(page_in_sms=True))
    english, spanish = sorted(given_to_provider(shift, DUE0, **PUBLIC), key=lambda sent: sent.to)
    assert re.search(r"live\. Your page: https://care\.example/p/[\w-]{26,35} STOP to end\.$", english.text)
    assert re.search(r" Su enlace: https://care\.example/p/[\w-]{26,35} STOP para salir\.$", spanish.text)
    with shift.change() as session:
        for sent in (english, spanish):
            (attempt,) = session.scalars(select(Attempt).where(Attempt.message_id == sent.message_id))
            assert attempt.words == sent.text
            assert attempt.segments == measure(sent.text).segments == 3
            assert attempt.encoding == "GSM-7"


def test_twilio_is_told_where_to_report_the_attempt(shift: Shift) -> None:
    treatment = shift.log()
    row = shift.rows(treatment)["day0-what-you-may-feel"]
    (message,) = given_to_provider(shift, DUE0, sms={"receive": "webhook"}, **PUBLIC)
    assert message.status_callback == f"https://care.example/webhooks/twilio/status/{row.id}/1"


# Replies by e-mail


MAILBOX = {"inbound_mail": {"host": "imap.example", "username": "care@riverside.example", "password": "x"}}


@pytest.mark.parametrize(
    ("settings", "asks"), [({}, False), (MAILBOX, True)], ids=["nobody reads replies", "replies are read"]
)
@pytest.mark.parametrize("language", ["en", "es"])
def test_an_email_asks_for_a_score_only_where_the_answer_is_read(
    shift: Shift, settings: dict[str, Any], asks: bool, language: str
) -> None:
    treatment = shift.log(replace(cast.EDWARD, language=language))
    row = shift.rows(treatment)["day2-soreness-score"]
    with shift.change() as session:
        session.execute(update(Message).where(Message.id != row.id).values(status="skipped", reason="-"))
    shift.clock.jump(row.due_at or cast.OPENED)
    (message,) = given_to_provider(shift, **settings)
    assert ("10" in message.subject, bool(re.search(r"\b10\b", message.text))) == (asks, asks)
    assert "555-0100" in message.text


@pytest.mark.parametrize(("came_by", "joins"), [("email", "<m1@mail.example>"), ("sms", "")])
def test_an_answer_to_an_email_joins_its_conversation(shift: Shift, came_by: str, joins: str) -> None:
    with shift.change() as session:
        reply = Reply(
            clinic_id=shift.clinic.id,
            channel=came_by,
            provider_id="<m1@mail.example>",
            from_address="ana@example.com",
            to_address="care@riverside.example",
            body="Can I swim?",
            received_at=shift.clock.now(),
        )
        session.add(reply)
        session.flush()
        reply_id = reply.id
    shift.write(Kind.ANSWER, channel="email", to="ana@example.com", reply_id=reply_id)
    (message,) = given_to_provider(shift)
    assert message.in_reply_to == joins


# Words that were made before


@pytest.mark.parametrize(
    "words",
    [
        "Call us: {{ 7 * 7 }} {% if x %} {# no #} }} %}",
        "{{{ {%{% raw %}",
        "Braces { and } alone",
        "{",
    ],
)
@pytest.mark.parametrize("channel", ["sms", "email"])
def test_words_made_before_go_out_as_they_are(shift: Shift, words: str, channel: str) -> None:
    to = "+12125550177" if channel == "sms" else "ana@example.com"
    shift.write(Kind.STAFF, channel=channel, to=to, words=words, subject=words if channel == "email" else "")
    (message,) = given_to_provider(shift)
    assert words in message.text
    assert channel == "sms" or message.subject == words


def test_words_without_an_end_are_useful_without_one(shift: Shift) -> None:
    shift.write(Kind.ANSWER)
    (message,) = given_to_provider(shift)
    assert message.validity_seconds is None


def test_at_the_last_moment_it_is_still_worth_a_second(shift: Shift) -> None:
    shift.write(Kind.ANSWER, useful_until=shift.clock.now())
    (message,) = given_to_provider(shift)
    assert message.validity_seconds == 1
