"""The patient's page: who gets to see it, what it says when, and that what is sent from it arrives."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine, func, select, update

from notifier.links import local_links
from notifier.models import (
    Alert,
    AuditEntry,
    Clinic,
    Message,
    Patient,
    Reply,
    ScoreRow,
    Suppression,
    Treatment,
)
from notifier.web.pages import STATIC
from tests import cast
from tests.web.browser import Browser
from tests.web.cast import Installation, common_app

OPEN = {day: [["09:00", "18:00"]] for day in ("mon", "tue", "wed", "thu", "fri")}


@pytest.fixture
def public(engine: Engine, clinic: Clinic, tmp_path: Path) -> Installation:
    web = {"base_url": "https://riverside.example", "secret_key": "k" * 32}
    site = Installation(engine, clinic, tmp_path, app=common_app(), web=web)
    with site.change() as session:
        session.get_one(Clinic, clinic.id).opening_hours = OPEN
    return site


def link(site: Installation, name: str = "Alice") -> str:
    """The path in this patient's messages."""
    with site.look() as session:
        patient = session.scalars(select(Patient).where(Patient.first_name == name)).one()
        until = cast.ENDED + timedelta(days=30)
        return f"/p/{local_links(site.settings).page_token(patient.id, patient.link_epoch, until)}"


def visit(site: Installation, hours: float = 26) -> tuple[Browser, str]:
    """Alice's browser, with her page open so many hours after the treatment; Wednesday 17:30 at first."""
    site.log(cast.ALICE)
    site.clock.jump(cast.ENDED + timedelta(hours=hours))
    browser, there = site.anonymous(), link(site)
    assert browser.get(there).status == 200
    return browser, there


def test_it_says_where_she_is_and_whom_to_call_and_names_nothing(public: Installation) -> None:
    browser, there = visit(public)
    page = browser.page
    assert page is not None
    assert page.words(".hour") == ["Hour 26 of the usual 24 to 48."]
    assert page.one(".way")["aria-label"] == "Hour 26. Usual soreness, 24 to 48 hours."
    first, clinics = page.all("a[href^='tel:']")[:1], page.all(".phone a")
    assert [str(tag["href"]) for tag in (*first, *clinics)] == ["tel:911", "tel:2125550100"]
    assert "Open now." in page.text
    assert "It often feels like the day after a hard workout." in page.text
    assert page.words("h3") == ["Things to try", "Leave for now"]
    said = page.response.text.lower()
    for word in ("alice", "moreau", "needl", "555-0101", "alice@", "ruiz"):
        assert word not in said, word
    assert "alice" not in there.lower()


def test_it_is_kept_nowhere_found_nowhere_and_asks_for_nothing(public: Installation) -> None:
    browser, there = visit(public)
    answer = browser.client.get(there)
    headers = answer.headers
    assert headers["Referrer-Policy"] == "no-referrer"
    assert headers["Cache-Control"] == "no-store"
    assert "noindex" in headers["X-Robots-Tag"]
    assert headers["Content-Security-Policy"].startswith("default-src 'none'; script-src 'self'")
    assert "set-cookie" not in headers
    for tag in browser.page.all("[src], link[href]") if browser.page else []:
        assert str(tag.get("src") or tag.get("href")).startswith(("/static/p.", "data:,"))
    assert "style=" not in answer.text
    whole = len(answer.content) + sum((STATIC / name).stat().st_size for name in ("p.css", "p.js"))
    assert whole < 30_000, whole


@pytest.mark.parametrize(
    ("hours", "hour", "words"),
    [
        (1, "Hour 1 Soreness is usual for 24 to 48 hours.", "Many people call it a “good hurt”"),
        (60, "Hour 60 The usual 24 to 48 hours are over.", "For some it takes up to 72 hours."),
        (80, "Day 3 The usual 24 to 48 hours are over.", "Most people feel close to normal by now."),
        (300, "Day 12 The usual 24 to 48 hours are over.", "Write to the clinic"),
    ],
)
def test_the_words_are_those_of_the_plan_for_the_hour(
    public: Installation, hours: int, hour: str, words: str
) -> None:
    browser, _ = visit(public, hours)
    assert browser.page is not None
    assert browser.page.words(".hour") == [hour]
    assert words.replace("“", '"').replace("”", '"') in browser.page.text


def test_a_plan_that_reckons_with_no_soreness_names_no_usual_hours(public: Installation) -> None:
    public.log(cast.ALICE, plan="cupping")
    public.clock.jump(cast.ENDED + timedelta(hours=26))
    page = public.anonymous().get(link(public))
    assert page.words(".hour") == ["Hour 26"]
    assert page.all(".usual") == []
    assert "Fine: round marks, mild soreness, slight itch." in page.text
    assert "cupping" not in page.response.text.lower()


def test_at_night_it_says_until_when_the_clinic_is_closed(public: Installation) -> None:
    browser, _ = visit(public, 32)  # 23:30
    assert browser.page is not None
    assert "Closed until tomorrow 9:00 AM. If it cannot wait, go to urgent care." in browser.page.text


@pytest.mark.parametrize("token", ["x", "CM0BdJBCY9rMF7qjiNc_yAicXA", "%00", "a" * 300])
def test_a_link_that_is_not_ours_is_a_kind_404(public: Installation, token: str) -> None:
    visit(public)
    for answer in (
        public.anonymous().client.get(f"/p/{token}"),
        public.anonymous().client.post(f"/p/{token}/stop", data={"channel": "all"}),
    ):
        assert answer.status_code == 404
    with public.look() as session:
        assert session.scalars(select(Suppression)).all() == []


def test_a_link_ends_with_its_time_its_treatment_its_revocation_and_its_patient(public: Installation) -> None:
    browser, there = visit(public)
    with public.change() as session:
        session.execute(update(Treatment).values(voided_at=cast.LOGGED))
    assert browser.get(there).status == 410
    with public.change() as session:
        session.execute(update(Treatment).values(voided_at=None))

    desk = public.as_desk()
    desk.get("/patients/1")
    toast = desk.submit("/patients/1/page/revoke").toast
    assert "links" in toast
    assert browser.get(there).status == 410
    assert browser.client.post(f"{there}/score", data={"value": "9"}).status_code == 410
    fresh = link(public)
    assert fresh != there
    assert browser.get(fresh).status == 200
    assert fresh in desk.get("/patients/1").response.text
    with public.look() as session:
        assert session.scalars(
            select(AuditEntry.action).where(AuditEntry.action == "patient.page_revoked")
        ).all()

    public.clock.jump(cast.ENDED + timedelta(days=32))
    over = browser.get(fresh)
    assert over.status == 410
    assert "Call Riverside Physio (212) 555-0100" in over.text

    with public.change() as session:
        session.scalars(select(Patient)).one().erased_at = cast.LOGGED
    gone = browser.get(fresh)
    assert gone.status == 410
    assert "Riverside" not in gone.text


def test_a_score_is_kept_once_and_answered_at_once(public: Installation) -> None:
    browser, there = visit(public)
    form = browser.page.form(f"{there}/score#answer") if browser.page else {}
    for _ in range(2):
        page = browser.post(f"{there}/score", {**form, "value": "2"})
        assert page.status == 200
        assert "That is on track and should keep easing." in page.words("#answer p")[0]
    assert "You told us: 2 (hour 26)." in page.text
    with public.look() as session:
        (row,) = session.scalars(select(ScoreRow))
        assert (row.value, row.source) == (2, "page")


def test_a_high_score_is_answered_seriously_and_nothing_reassures_after_it(public: Installation) -> None:
    browser, there = visit(public)
    low = browser.submit(f"{there}/score#answer", {"value": "1"})
    page = browser.submit(f"{there}/score#answer", {"value": "8"})
    assert "That is more than we expect now." in page.one("#answer").get_text()
    assert page.all(".serious")
    for page in (browser.get(there), browser.get(low.path)):
        assert "Please call" in page.words(".serious")[0]
        assert "on track" not in page.text
        assert "common" not in page.text
        assert page.words(".hour") == ["Hour 26"]
        assert page.all(".usual, #now-title") == []
        assert page.all("#questions") == []
    with public.look() as session:
        assert session.scalar(select(func.count()).select_from(Alert)) == 1
        assert session.scalars(select(Patient)).one().paused_at is not None


def test_a_red_flag_is_answered_on_the_page_and_rings(public: Installation) -> None:
    browser, there = visit(public, 36)  # half past three at night
    page = browser.submit(f"{there}/write#answer", {"words": "I cant catch my breath"})
    assert "What you wrote may need urgent care." in page.one("#answer").get_text()
    assert page.one("#answer .dial")["href"] == "tel:911"
    with public.look() as session:
        (alert,) = session.scalars(select(Alert))
        assert (alert.kind, alert.severity) == ("red_flag", "emergency")
        (reply,) = session.scalars(select(Reply))
        assert (reply.channel, reply.body) == ("page", "I cant catch my breath")
    page = browser.submit(f"{there}/score#answer", {"value": "1"})
    assert "on track" not in page.text


def test_a_question_reaches_the_clinic(public: Installation) -> None:
    browser, there = visit(public)
    page = browser.submit(f"{there}/write#answer", {"words": "May I go swimming on Friday?"})
    assert "Staff will read it in office hours." in page.one("#answer").get_text()
    with public.look() as session:
        assert session.scalars(select(Reply.rank)).all() == [3]
    assert "Nothing was sent" in browser.post(f"{there}/write", {"words": " "}).text
    assert "Nothing was sent" in browser.post(f"{there}/score", {"value": "11"}).text


def test_another_patients_answer_is_never_shown(public: Installation) -> None:
    browser, there = visit(public)
    page = browser.submit(f"{there}/score#answer", {"value": "2"})
    query = page.path.partition("?")[2]
    public.log(cast.EDWARD)
    other = public.anonymous().get(f"{link(public, 'Edward')}?{query}")
    assert other.status == 200
    assert other.all("#answer") == []


def test_what_she_may_choose_is_done_and_audited_as_hers(public: Installation) -> None:
    browser, there = visit(public)
    page = browser.submit(f"{there}/language")
    assert page.one("html")["lang"] == "es"
    assert page.words(".hour") == ["Hora 26 de las 24 a 48 habituales."]
    assert "Si hoy tiene molestias, es habitual." in page.text
    assert "Enviarlos por correo" in page.text
    browser.submit(f"{there}/channel")
    page = browser.submit(f"{there}/essentials")
    assert "Recibe solo los mensajes de seguridad." in page.text
    with public.look() as session:
        patient = session.scalars(select(Patient)).one()
        assert (patient.language, patient.preferred_channel, patient.essentials) == ("es", "email", True)
        said = session.scalars(select(AuditEntry).where(AuditEntry.actor == f"patient {patient.id}")).all()
        assert [entry.detail.get("fields") for entry in said][:2] == [["language"], ["preferred_channel"]]
    assert "No se pudo hacer" in browser.post(f"{there}/language", {"language": "xx"}).text


def test_stopping_is_a_post_and_stops_one_way_or_all(public: Installation) -> None:
    browser, there = visit(public)

    def waiting() -> set[str]:
        with public.look() as session:
            return set(session.scalars(select(Message.channel).where(Message.status == "scheduled")))

    def stands() -> list[str]:
        with public.look() as session:
            return list(session.scalars(select(Suppression.address).order_by(Suppression.id)))

    assert browser.get(f"{there}/stop").status == 405
    assert waiting() == {"sms"}, "which she prefers"
    page = browser.post(f"{there}/stop", {"channel": "sms"})
    assert "Done. Nothing more is sent there." in page.text
    assert waiting() == set()
    assert stands() == ["+12125550101"]
    assert "Stop the SMS" not in page.text
    assert "Stop the e-mails" in page.text
    page = browser.post(f"{there}/stop", {"channel": "all"})
    assert "No messages are sent to you." in page.text
    assert stands() == ["+12125550101", "alice@example.com"]


def test_who_never_said_yes_to_a_channel_cannot_choose_it(public: Installation) -> None:
    public.log(cast.BOB)
    public.clock.jump(cast.ENDED + timedelta(hours=5))
    browser, there = public.anonymous(), link(public, "Bob")
    assert "No messages are sent to you." in browser.get(there).text
    assert "That did not work" in browser.post(f"{there}/channel", {"channel": "email"}).text


def test_the_treatment_is_named_only_to_who_asks(public: Installation) -> None:
    browser, there = visit(public)
    page = browser.page
    assert page is not None
    shown = len(page.all("#questions details"))
    assert shown > 0
    page = browser.get(f"{there}?about=1")
    assert len(page.all("#questions details")) > shown
    assert "acupuncture" in page.text
    with public.change() as session:
        session.scalars(select(Patient)).one().name_treatment = True
    assert "acupuncture" in browser.get(there).text


def test_an_admin_decides_whether_texts_lead_there(public: Installation) -> None:
    admin = public.as_admin()
    page = admin.get("/clinic")
    assert "one more part" in page.text
    admin.submit("/clinic/page", {"page_in_sms": "1"})
    with public.look() as session:
        assert session.get_one(Clinic, public.clinic.id).page_in_sms
