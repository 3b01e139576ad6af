"""The inbox in the browser: read, answered, taken on, dealt with, taken back; by two people at once."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy import select

from notifier import clinics, db
from notifier.models import Alert, AuditEntry, Clinic, Message, Patient, Reply
from tests import cast
from tests.databases import SqliteFiles
from tests.replies_cast import EMERGENCY, WROTE, patient_named, rings, wrote
from tests.web.browser import Browser
from tests.web.cast import FERN, Installation


@pytest.fixture(scope="module")
def inbox(_sqlite: SqliteFiles, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """Alice, and the Rossis who share a phone; each test writes replies of its own."""
    with _sqlite.database(with_clinic=True) as engine:
        with db.reading(engine) as session:
            clinic = clinics.only(session)
            session.expunge(clinic)
        site = Installation(engine, clinic, tmp_path_factory.mktemp("inbox"), now=WROTE)
        for patient in (cast.ALICE, cast.MIA, cast.LEO, cast.BOB):
            site.log(patient)
        yield site


@pytest.fixture
def site(inbox: Installation) -> Iterator[Installation]:
    """With nothing in it that another test wrote."""
    yield inbox
    with inbox.change() as session:
        session.query(Alert).delete()
        session.query(Message).filter(Message.kind == "staff").update({"reply_id": None})
        session.query(Reply).delete()
        for patient in session.scalars(select(Patient)):
            patient.paused_at, patient.paused_reason = None, ""


def written(site: Installation, body: str, who: str = "Alice", **columns: object) -> int:
    with site.change() as session:
        clinic = session.get_one(Clinic, site.clinic.id)
        patient = patient_named(session, who) if who else None
        return wrote(session, clinic, patient, body, **columns).id  # type: ignore[arg-type]


def at_reply(site: Installation, reply_id: int) -> Browser:
    browser = site.as_desk()
    browser.get(f"/inbox/{reply_id}")
    return browser


def row(site: Installation, reply_id: int) -> Reply:
    with site.look() as session:
        return session.get_one(Reply, reply_id)


def answers(site: Installation, reply_id: int) -> list[Message]:
    with site.look() as session:
        rows = session.scalars(select(Message).where(Message.reply_id == reply_id).order_by(Message.id))
        return [message for message in rows if message.kind == "staff"]


def test_the_list_says_who_waits_the_most_serious_first(site: Installation) -> None:
    browser = site.as_desk()
    assert "Nobody is waiting for you." in browser.get("/inbox").text
    written(site, "May I run again?")
    written(site, "Which of us?", "", sender="+12125550104")
    written(site, "And may I swim?")
    urgent = written(site, "My face is numb", "Bob", rank=1, task="call_back")
    page = browser.get("/inbox")
    assert page.words(".letter strong") == ["Bob Tanaka", "Alice Moreau", "Leo Rossi or Mia Rossi"]
    assert "1 more" in page.words(".letter-signs")[1]
    assert page.words("#inbox-badge .tag.bad") == ["3 waiting, one of them with a warning"]
    assert "Nothing is assigned to you" in browser.get("/inbox?show=mine").text
    seen = str(page.one("#inbox-list")["hx-get"])
    assert browser.fragment(seen).status == 204
    browser.get(f"/inbox/{urgent}")
    assert row(site, urgent).seen_at == WROTE
    news = browser.fragment(seen)
    assert news.words(".letter strong")[0] == "Bob Tanaka"
    assert "new" not in news.words(".letter-signs")[0]


def test_an_answer_waits_so_that_it_can_be_taken_back(site: Installation) -> None:
    reply_id = written(site, "May I run again?")
    browser = at_reply(site, reply_id)
    form = browser.page.form(f"/inbox/{reply_id}/answer") if browser.page else {}
    typed = form | {"words": "Yes, gently – from tomorrow.", "then": "done", "through": str(reply_id)}
    page = browser.post(f"/inbox/{reply_id}/answer", typed)
    assert page.toast == "Your answer leaves in 10 seconds."
    browser.post(f"/inbox/{reply_id}/answer", typed)  # a second click
    (message,) = answers(site, reply_id)
    assert (message.status, message.to, message.words) == ("scheduled", "+12125550101", typed["words"])
    assert message.due_at is not None
    assert (message.due_at - WROTE).total_seconds() == 10
    assert row(site, reply_id).handled_how == "answered"
    page = browser.post(f"/inbox/{reply_id}/take-back", {"message": str(message.id), "reopen": "1"})
    assert page.one("#f-words").get_text().strip() == "Yes, gently – from tomorrow."
    assert answers(site, reply_id)[0].status == "cancelled"
    assert row(site, reply_id).handled_at is None
    with site.change() as session:
        session.get_one(Message, message.id).status = "sent"
    page = browser.post(f"/inbox/{reply_id}/take-back", {"message": str(message.id)})
    assert page.status == 409
    assert "it has left already" in page.one("main [role=alert]").get_text()


def test_one_click_answers_reassure_only_where_no_warning_is_open(site: Installation) -> None:
    calm = written(site, "Still a bit stiff")
    browser = at_reply(site, calm)
    assert browser.page is not None
    assert "That is common, keep moving gently" in browser.page.words(".quick button")
    warned = written(site, "I can’t breathe", **EMERGENCY)
    with site.change() as session:
        rings(session, session.get_one(Clinic, site.clinic.id), session.get_one(Reply, warned))
    page = browser.get(f"/inbox/{calm}")
    assert page.words(".quick button") == ["We will call you today", "Please call us"]
    assert page.words("mark") == ["can’t breathe"]
    refused = browser.submit(f"/inbox/{warned}/answer", {"quick": "keep-moving"})
    assert refused.status == 409
    assert "a warning came in" in refused.one("main [role=alert]").get_text()
    page = browser.submit(f"/inbox/{warned}/answer", {"quick": "please-call", "then": "open"})
    assert answers(site, warned)[0].words.startswith("We would like to talk with you")
    with site.look() as session:
        assert session.scalars(select(Alert.acknowledged_by)).one() == FERN


def test_who_said_no_is_called_instead(site: Installation) -> None:
    reply_id = written(site, "Hello?", "Bob")
    browser = at_reply(site, reply_id)
    assert browser.page is not None
    assert browser.page.all("#answer") == []
    assert "No consent to SMS is on record." in browser.page.text
    assert browser.page.all("a[href='tel:+12125550102']")
    page = browser.post(f"/inbox/{reply_id}/answer", {"words": "Hello", "channel": "sms"})
    assert page.status == 409
    assert answers(site, reply_id) == []


def test_it_is_taken_on_dealt_with_and_opened_again(site: Installation) -> None:
    reply_id = written(site, "I can’t breathe", **EMERGENCY)
    with site.change() as session:
        rings(session, session.get_one(Clinic, site.clinic.id), session.get_one(Reply, reply_id))
        alice = patient_named(session, "Alice")
        alice.paused_at, alice.paused_reason = WROTE, "a reply may be a warning sign"
    browser = at_reply(site, reply_id)
    page = browser.submit(f"/inbox/{reply_id}/take")
    assert page.toast == "It is yours. Nobody else is called about it."
    assert page.words("#ringing .notice.bad") == []
    assert "Alice Moreau" in browser.get("/inbox?show=mine").words(".letter strong")
    browser.get(f"/inbox/{reply_id}")
    page = browser.submit(f"/inbox/{reply_id}/called", {"reached": "no", "note": "Voice mail"})
    assert page.words(".noted") == ["Tue 3 Feb 19:00, Fern Quist: Called, no answer: Voice mail"]
    browser.get(f"/inbox/{reply_id}")
    page = browser.submit(f"/inbox/{reply_id}/called", {"reached": "yes", "note": "At the ER", "resume": "1"})
    assert page.toast.startswith("Noted: you talked with Alice Moreau. The planned messages go on.")
    assert (row(site, reply_id).handled_how, row(site, reply_id).handled_by) == ("called", FERN)
    assert "called" in browser.get("/inbox?show=done").words(".letter-signs")[0]
    browser.post(f"/inbox/{reply_id}/reopen")
    assert row(site, reply_id).handled_at is None


def test_the_second_of_two_people_is_told_who_was_quicker(site: Installation) -> None:
    reply_id = written(site, "May I run again?")
    fern, ada = at_reply(site, reply_id), site.as_admin()
    ada.get(f"/inbox/{reply_id}")
    later = written(site, "Or swim?")
    ada.submit(f"/inbox/{reply_id}/done", {"how": "no answer needed", "through": str(reply_id)})
    page = fern.submit(f"/inbox/{reply_id}/done", {"how": "answered", "through": str(reply_id)})
    assert page.status == 409
    told = page.one("main [role=alert]").get_text()
    assert "Ada Okoye has dealt with it already, Tue 3 Feb 19:00: no answer needed." in told
    assert row(site, later).handled_at is None  # nobody had it on the screen
    fern.get(f"/inbox/{later}")
    ada.get(f"/inbox/{later}")
    ada.submit(f"/inbox/{later}/answer", {"words": "Yes.", "then": "done"})
    page = fern.submit(f"/inbox/{later}/answer", {"words": "No.", "then": "done"})
    assert page.status == 409
    assert "Your answer was not sent" in page.one("main [role=alert]").get_text()
    fern.submit(f"/inbox/{later}/answer")  # having read that
    assert [message.words for message in answers(site, later)] == ["Yes.", "No."]


def test_a_shared_phone_stands_with_each_until_somebody_says_who(site: Installation) -> None:
    reply_id = written(site, "Is that normal?", "", sender="+12125550104")
    browser = at_reply(site, reply_id)
    with site.look() as session:
        mia, leo = (patient_named(session, name).id for name in ("Mia", "Leo"))
    assert browser.page is not None
    people = [tag["value"] for tag in browser.page.all(".inbox-beside input[name=patient]")]
    assert people == [str(leo), str(mia)]
    page = browser.post(f"/inbox/{reply_id}/link", {"patient": str(mia)})
    assert page.toast == "It is Mia who wrote this."
    assert row(site, reply_id).patient_id == mia
    browser.undo()
    assert row(site, reply_id).patient_id is None


def test_a_warning_from_a_shared_phone_lets_both_go_on(site: Installation) -> None:
    reply_id = written(site, "I can’t breathe", "", sender="+12125550104", **EMERGENCY)
    with site.change() as session:
        for name in ("Mia", "Leo"):
            patient = patient_named(session, name)
            patient.paused_at, patient.paused_reason = WROTE, "a reply may be a warning sign"
    browser = at_reply(site, reply_id)
    assert browser.page is not None
    assert [words.partition(" are ")[0] for words in browser.page.words("#ringing .notice.warn")] == [
        "Leo’s planned messages",
        "Mia’s planned messages",
    ]
    page = browser.submit(f"/inbox/{reply_id}/done", {"how": "answered", "resume": "1"})
    assert "The planned messages go on." in page.toast
    with site.look() as session:
        assert [patient_named(session, name).paused_at for name in ("Mia", "Leo")] == [None, None]


def test_a_stranger_is_found_among_the_patients(site: Installation) -> None:
    first = written(site, "It is Alice, new phone", "", sender="+12125550188")
    second = written(site, "Hello?", "", sender="+12125550188")
    browser = at_reply(site, first)
    found = browser.fragment(f"/inbox/{first}/who?who=moreau")
    assert found.words("strong") == ["Alice Moreau"]
    assert browser.get(f"/inbox/{first}?who=moreau").words("#who-found strong") == ["Alice Moreau"]
    browser.post(f"/inbox/{first}/link", {"patient": str(found.one("input[name=patient]")["value"])})
    assert row(site, first).patient_id == row(site, second).patient_id is not None


def test_the_conversation_renews_itself_and_counts_what_is_typed(site: Installation) -> None:
    reply_id = written(site, "May I run again?")
    browser = at_reply(site, reply_id)
    assert browser.page is not None
    seen = str(browser.page.one("#talk")["hx-get"])
    assert browser.fragment(seen).status == 204
    second = written(site, "Or swim?")
    news = browser.fragment(seen)
    assert news.words(".theirs-said .bubble") == ["May I run again?", "Or swim?"]
    assert {tag["value"] for tag in news.all("input[name=through]")} == {str(second)}
    assert news.all("textarea") == []
    counted = browser.post(
        f"/inbox/{reply_id}/count", {"words": "ż" + "a" * 160, "channel": "sms"}, htmx=True
    )
    assert "2 parts" in counted.text


def test_looking_and_doing_leave_their_traces(site: Installation) -> None:
    reply_id = written(site, "May I run again?")
    browser = at_reply(site, reply_id)
    browser.get(f"/inbox/{reply_id}")
    browser.submit(f"/inbox/{reply_id}/assign", {"staff": ""})
    browser.submit(f"/inbox/{reply_id}/done", {"how": "answered"})
    with site.look() as session:
        query = select(AuditEntry.action).where(
            AuditEntry.subject == "reply", AuditEntry.subject_id == reply_id
        )
        done = list(session.scalars(query.order_by(AuditEntry.id)))
    assert done[-3:] == ["reply.seen", "reply.assigned", "reply.handled"]
    trail = site.as_admin().get("/audit?kind=replies").text
    assert "dealt with a reply of patient" in trail
    assert "answered" in trail
