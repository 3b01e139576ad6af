"""The unsubscribe link of an e-mail: looking changes nothing, a click or a mail program stops all of it."""

from __future__ import annotations

import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import Engine, select

from notifier.links import links_of
from notifier.models import (
    Attempt,
    AuditEntry,
    Clinic,
    ConsentEntry,
    Message,
    Patient,
    Suppression,
    Treatment,
)
from notifier.patient_edits import correct_address
from tests import cast
from tests.web.cast import Installation


@pytest.fixture
def public(engine: Engine, clinic: Clinic, tmp_path: Path) -> Installation:
    web = {"base_url": "https://riverside.example", "secret_key": "k" * 32}
    return Installation(engine, clinic, tmp_path, web=web)


def link(public: Installation, name: str = "Edward") -> str:
    """The path in this patient's e-mails."""
    links = links_of(public.settings)
    assert links is not None
    with public.look() as session:
        patient = session.scalars(select(Patient).where(Patient.first_name == name)).one()
        url = links.unsubscribe(patient.id, "email", patient.email or "")
    assert url is not None
    return url.removeprefix("https://riverside.example")


def waiting(public: Installation, treatment_id: int) -> dict[str, str]:
    with public.look() as session:
        rows = cast.messages(session, session.get_one(Treatment, treatment_id))
        return {step: row.status for step, row in rows.items() if row.status == "scheduled"}


def stands(public: Installation) -> list[str]:
    with public.look() as session:
        return list(session.scalars(select(Suppression.address).where(Suppression.lifted_at.is_(None))))


def test_looking_changes_nothing_and_names_nobody(public: Installation) -> None:
    treatment_id = public.log(cast.EDWARD)
    page = public.anonymous().get(link(public))
    assert page.status == 200
    assert "Riverside Physio sends aftercare e-mails to e•••@example.com. Stop them?" in page.text
    assert "Edward" not in page.text
    assert waiting(public, treatment_id)
    assert stands(public) == []


def test_one_click_stops_all_that_waits_and_binds_the_address(public: Installation) -> None:
    treatment_id = public.log(cast.EDWARD)
    browser = public.anonymous()
    browser.get(link(public))
    page = browser.submit(link(public))
    assert page.status == 200
    assert "Done. Riverside Physio sends no more aftercare e-mails to e•••@example.com." in page.text
    assert "(212) 555-0100" in page.text
    assert waiting(public, treatment_id) == {}
    assert stands(public) == ["edward@example.com"]
    with public.look() as session:
        last = session.scalars(select(ConsentEntry).order_by(ConsentEntry.id.desc())).first()
        assert last is not None
        assert (last.granted, last.channel, last.method) == (False, "email", "unsubscribe link")
        (entry,) = session.scalars(select(AuditEntry).where(AuditEntry.action == "consent.withdrawn"))
        assert entry.actor == f"patient {last.patient_id}"


def test_whoever_shares_the_address_is_not_written_to_there_either(public: Installation) -> None:
    public.log(cast.EDWARD)
    treatment_id = public.log(replace(cast.ALICE, email="edward@example.com", preferred_channel="email"))
    public.anonymous().client.post(link(public))
    with public.look() as session:
        rows = cast.messages(session, session.get_one(Treatment, treatment_id)).values()
        waiting = {row.channel for row in rows if row.status == "scheduled"}
        assert waiting == {"sms"}, "her phone takes over"
        assert any("by the link in an e-mail" in row.reason for row in rows)


def test_a_mail_program_posts_without_a_page_and_may_do_so_twice(public: Installation) -> None:
    """RFC 8058: no cookie, no origin of ours, no redirect."""
    public.log(cast.EDWARD)
    for _ in range(2):
        answer = public.anonymous().client.post(
            link(public),
            data={"List-Unsubscribe": "One-Click"},
            headers={"Origin": "https://mail.example", "Sec-Fetch-Site": "cross-site"},
            follow_redirects=False,
        )
        assert answer.status_code == 200
    with public.look() as session:
        assert len(session.scalars(select(ConsentEntry).where(ConsentEntry.granted.is_(False))).all()) == 1


def test_texts_go_on(public: Installation) -> None:
    treatment_id = public.log(cast.ALICE)
    public.anonymous().client.post(link(public, "Alice"))
    assert cast.DAY1 in waiting(public, treatment_id)


def test_it_speaks_the_patients_language(public: Installation) -> None:
    public.log(replace(cast.EDWARD, language="es"))
    page = public.anonymous().get(link(public))
    assert "¿Desea que no lleguen más?" in page.text
    assert page.one(".door")["lang"] == "es"


def mail_went_to(public: Installation, address: str) -> None:
    """Edward's first message left to this address, before it was corrected."""
    with public.change() as session:
        message = session.scalars(select(Message).order_by(Message.id)).first()
        assert message is not None
        session.add(
            Attempt(
                message_id=message.id,
                number=1,
                channel="email",
                address=address,
                words="",
                claimed_at=cast.LOGGED,
                outcome="sent",
                provider="smtp",
            )
        )


def old_link(public: Installation) -> str:
    links = links_of(public.settings)
    assert links is not None
    with public.look() as session:
        return f"/u/{links.token(session.scalars(select(Patient.id)).one(), 'email')}"


def test_a_mail_to_an_address_since_corrected_stops_that_one_and_not_the_new(public: Installation) -> None:
    treatment_id = public.log(replace(cast.EDWARD, email="edwin@example.com"))
    mail_went_to(public, "edwin@example.com")
    stray = link(public)
    with public.change() as session:
        patient, at = session.scalars(select(Patient)).one(), session.scalars(select(Clinic)).one()
        right = "edward@example.com"
        correct_address(session, at, patient, "email", right, now=cast.LOGGED, actor=cast.DESK)
    page = public.anonymous().get(stray)
    assert "to e•••@example.com. Stop them?" in page.text
    assert page.all("input[name=all]") == []
    public.anonymous().client.post(stray)
    assert stands(public) == ["edwin@example.com"]
    assert waiting(public, treatment_id)
    with public.look() as session:
        assert session.scalars(select(ConsentEntry).where(ConsentEntry.granted.is_(False))).all() == []


def test_a_link_from_before_links_knew_their_address_works_while_it_is_clear(public: Installation) -> None:
    public.log(cast.EDWARD)
    mail_went_to(public, "edwin@example.com")
    page = public.anonymous().get(old_link(public))
    assert "no longer writes to the address that this link was sent to" in page.text
    assert public.anonymous().client.post(old_link(public)).status_code == 200
    assert stands(public) == [], "it may be a stranger's mail"
    with public.change() as session:
        session.scalars(select(Attempt)).one().address = "edward@example.com"
    public.anonymous().client.post(old_link(public))
    assert stands(public) == ["edward@example.com"]


def test_everything_can_be_stopped_at_once(public: Installation) -> None:
    treatment_id = public.log(cast.ALICE)
    there = link(public, "Alice")
    browser = public.anonymous()
    assert "Stop all messages, texts too" in browser.get(there).text
    page = browser.post(there, {"all": "1"})
    assert "sends you no more aftercare messages" in page.text
    assert sorted(stands(public)) == ["+12125550101", "alice@example.com"]
    assert waiting(public, treatment_id) == {}


@pytest.mark.parametrize("token", ["x", "MS5lbWFpbA.AAAAAAAAAAAAAAAAAAAAAAAA", "a.b.c", "%00"])
def test_a_link_that_is_not_ours_does_nothing(public: Installation, token: str) -> None:
    public.log(cast.EDWARD)
    for method in ("get", "post"):
        answer = getattr(public.anonymous().client, method)(f"/u/{token}")
        assert answer.status_code == 404
    assert stands(public) == []


def test_without_a_public_address_no_link_is_ours(public: Installation) -> None:
    public.log(cast.EDWARD)
    private = Installation(public.engine, public.clinic, public.folder, hired=True)
    assert private.anonymous().get(link(public)).status == 404


def test_the_answer_waits_for_a_call_that_had_begun(public: Installation) -> None:
    public.log(cast.EDWARD)
    with public.change() as session:
        first = session.scalars(select(Message).where(Message.status == "scheduled")).first()
        assert first is not None
        cast.attempted(first, "sending")
        first_id = first.id
    answered = threading.Event()

    def click() -> None:
        public.anonymous().client.post(link(public))
        answered.set()

    clicking = threading.Thread(target=click)
    clicking.start()
    begun = time.monotonic()
    while not stands(public):
        assert time.monotonic() - begun < 10
    assert not answered.wait(0.3), "it is on its way"
    with public.change() as session:
        session.get_one(Message, first_id).status = "sent"
    clicking.join(10)
    assert answered.is_set()
