from __future__ import annotations

import time

import pytest
from sqlalchemy import func, select, update

from notifier import importing_job
from notifier.db import RealTime
from notifier.models import AuditEntry, ImportRun, Treatment
from tests.web.browser import Browser, Page
from tests.web.cast import FERN, HUGO, Installation

# As a booking system writes them: its own headings, day and time apart, what was cancelled still in it.
HEADER = "Patient,Mobile,Service,Date,End time,Status,SMS consent"
ANA = '"Ruiz, Ana",212 555 0111,Dry Needling 30 min,2026-02-03,14:30,Arrived,yes'
BEN = '"Cole, Ben",212 555 0112,Dry Needling 30 min,2026-02-03,15:00,Cancelled,yes'
CARLA = '"Diaz, Carla",212 555 0113,Check-up,2026-02-03,15:00,Arrived,yes'
DAN = '"Ek, Dan",nowhere,Dry Needling 30 min,2026-02-03,15:00,Arrived,yes'
DAY = "\n".join([HEADER, ANA, BEN, CARLA, DAN])
# What our own import has always understood.
OURS = "first_name,phone,plan,ended_at\nAna,212 555 0111,dry-needling,2026-02-03 14:30\n"


def dropped(browser: Browser, text: str = DAY, name: str = "day.csv") -> Page:
    return browser.post("/import", files={"file": (name, text.encode(), "text/csv")})


def number(page: Page) -> int:
    return int(page.path.split("/")[2])


def waited(browser: Browser, run: int) -> Page:
    """Until the thread is through with the file."""
    for _ in range(500):
        page = browser.get(f"/import/{run}")
        if not page.all("#progress"):
            return page
        time.sleep(0.01)
    raise AssertionError("the import did not end")


def treated(site: Installation) -> int:
    with site.look() as session:
        return session.scalars(select(func.count()).select_from(Treatment)).one()


def named(browser: Browser, run: int, check_up: str = "-") -> Page:
    """The columns are understood; what the treatments are called is said once."""
    page = browser.get(f"/import/{run}")
    form = page.form(f"/import/{run}/columns")
    kinds = {value: name.removeprefix("kind.") for name, value in form.items() if name.startswith("kind.")}
    return browser.submit(
        f"/import/{run}/columns",
        {f"plan.{kinds['Dry Needling 30 min']}": "dry-needling", f"plan.{kinds['Check-up']}": check_up},
    )


def test_a_file_is_named_looked_at_and_taken_in(site: Installation) -> None:
    browser = site.as_desk()
    page = dropped(browser)
    run = number(page)
    assert page.words("h1") == ["What do the columns of day.csv mean?"]
    meaning = {
        row.select_one("label").get_text(): row.select_one("option[selected]")["value"]  # type: ignore[union-attr, index]
        for row in page.all("tbody tr")
        if "column" in str(row) and row.select_one("option[selected]")
    }
    assert meaning["Patient"] == "full_name"
    assert (meaning["Date"], meaning["End time"], meaning["Status"]) == (
        "ended_on",
        "ended_time",
        "attendance",
    )
    named(browser, run)
    page = waited(browser, run)
    assert page.words("ul.figures li") == [
        "1 treatment would be added",
        "0 there already",
        "2 without aftercare, or cancelled",
        "1 left out",
    ]
    assert "Nothing has changed yet." in page.text
    assert page.words("tbody tr")[0].startswith("5 Mobile phone nowhere")
    assert treated(site) == 0
    browser.submit(f"/import/{run}/go")
    page = waited(browser, run)
    assert page.words("ul.figures li")[0] == "1 treatment added"
    assert treated(site) == 1
    with site.look() as session:
        treatment = session.scalars(select(Treatment)).one()
        assert treatment.logged_by == FERN
        assert session.scalars(select(ImportRun.content)).one() is None  # full of patients, and not needed
        entry = session.scalars(select(AuditEntry).where(AuditEntry.action == "import.finished")).one()
        assert entry.detail == {"file": "day.csv", "rows": 4, "added": 1, "known": 0, "left_out": 1}


def test_the_next_file_of_the_same_program_is_understood_by_itself(site: Installation) -> None:
    browser = site.as_desk()
    run = number(dropped(browser))
    named(browser, run)
    waited(browser, run)
    page = dropped(browser, DAY.replace("Ruiz, Ana", "Sand, Eve"), "tomorrow.csv")
    page = waited(browser, number(page))
    assert page.words("ul.figures li")[0] == "1 treatment would be added"
    # A kind of treatment that was never seen is asked about, and only that.
    page = dropped(browser, DAY.replace("Check-up", "Cupping 20"), "later.csv")
    assert page.words("h1") == ["What do the columns of later.csv mean?"]


def test_a_file_in_our_own_words_needs_no_questions(site: Installation) -> None:
    browser = site.as_desk()
    page = dropped(browser, OURS)
    page = waited(browser, number(page))
    assert page.words("ul.figures li")[0] == "1 treatment would be added"


def test_a_file_that_went_in_before_adds_nothing(site: Installation) -> None:
    browser = site.as_desk()
    for expected in ("1 treatment added", "0 treatments added"):
        run = number(dropped(browser, OURS))
        waited(browser, run)
        browser.post(f"/import/{run}/go")
        assert waited(browser, run).words("ul.figures li")[0] == expected
    assert treated(site) == 1


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "is empty"),
        (b"PK\x03\x04 a workbook", "is a workbook, not a CSV file"),
        ("name,phone\nJosé,1\n".encode("latin-1"), "is not UTF-8 text"),
        (b"name,phone\n", "no rows below it"),
    ],
)
def test_a_file_that_cannot_be_read_is_refused_in_words(site: Installation, data: bytes, words: str) -> None:
    page = site.as_desk().post("/import", files={"file": ("day.csv", data, "text/csv")})
    assert page.status == 422
    assert words in page.wrong()["file"]


def test_without_a_file_the_page_says_so(site: Installation) -> None:
    page = site.as_desk().post("/import", {})
    assert page.wrong() == {"file": "Choose the CSV file that your booking system exported."}


def test_columns_that_cannot_work_are_refused_and_what_was_chosen_stays(site: Installation) -> None:
    browser = site.as_desk()
    run = number(dropped(browser))
    browser.get(f"/import/{run}")
    page = browser.submit(f"/import/{run}/columns", {"column.1": "", "column.0": "last_name"})
    assert page.status == 422
    assert "No column gives the patient's name, a phone or an e-mail address." in page.text
    assert page.form(f"/import/{run}/columns")["column.0"] == "last_name"
    page = browser.submit(f"/import/{run}/columns", {"column.1": "full_name", "column.0": "full_name"})
    assert "Two columns cannot both be full name" in page.text


def test_a_kind_of_treatment_has_to_be_given_a_plan_or_none(site: Installation) -> None:
    browser = site.as_desk()
    run = number(dropped(browser))
    browser.get(f"/import/{run}")
    page = browser.submit(f"/import/{run}/columns")
    assert (page.status, 'Say which plan "Dry Needling 30 min" goes with' in page.text) == (422, True)


def test_treatments_of_long_ago_are_let_in_by_a_tick(site: Installation) -> None:
    browser = site.as_desk()
    run = number(dropped(browser, OURS.replace("2026-02-03", "2025-11-03")))
    page = waited(browser, run)
    assert "Also those that ended in the future or more than 30 days ago" in page.text
    assert "--confirm" not in page.text
    browser.submit(f"/import/{run}/go", {"confirmed": "1"})
    assert waited(browser, run).words("ul.figures li")[0] == "1 treatment added"


def test_a_dropped_file_is_forgotten(site: Installation) -> None:
    browser = site.as_desk()
    run = number(dropped(browser))
    page = browser.post(f"/import/{run}/drop")
    assert page.toast == "day.csv was dropped; nothing of it was imported."
    assert browser.post(f"/import/{run}/go").status == 409
    with site.look() as session:
        assert session.scalars(select(ImportRun.content)).one() is None


def test_after_a_crash_it_goes_on_and_doubles_nothing(
    site: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    browser = site.as_desk()
    run = number(dropped(browser, OURS))
    waited(browser, run)
    with monkeypatch.context() as broken:
        broken.setattr(importing_job._Job, "run", lambda job: None)  # the process dies at once
        browser.post(f"/import/{run}/go")
    assert browser.get(f"/import/{run}").all("#progress")
    assert browser.post(f"/import/{run}/go").status == 409  # while its lease lasts, nobody else begins
    with site.change() as session:
        session.execute(update(ImportRun).values(lease_until=RealTime(-1)))
    page = browser.get(f"/import/{run}")
    assert "The program was stopped after 0 of 1 rows." in page.text
    browser.submit(f"/import/{run}/go")
    assert waited(browser, run).words("ul.figures li")[0] == "1 treatment added"


def test_progress_is_a_fragment_that_ends_by_showing_the_whole(site: Installation) -> None:
    browser = site.as_desk()
    run = number(dropped(browser, OURS))
    waited(browser, run)
    answer = browser.client.get(f"/import/{run}/progress", headers={"HX-Request": "true"})
    assert answer.headers["HX-Redirect"] == f"/import/{run}"


def test_a_file_is_out_of_another_clinics_sight(site: Installation) -> None:
    run = number(dropped(site.as_desk()))
    site.open_other_clinic()
    hugo = site.signed_in(HUGO)
    assert hugo.get(f"/import/{run}").status == 404
    assert [hugo.post(f"/import/{run}/{what}").status for what in ("columns", "go", "look", "drop")] == [
        404
    ] * 4
    assert "day.csv" not in hugo.get("/import").text


def test_an_open_day_without_a_treatment_is_said(site: Installation) -> None:
    from notifier.models import Clinic

    with site.change() as session:
        clinic = session.get_one(Clinic, site.clinic.id)
        clinic.opening_hours = {day: [["09:00", "15:00"]] for day in ("mon", "tue", "wed", "thu", "fri")}
    page = site.as_desk().get("/import")
    assert "No treatment of Tue 3 Feb 2026 is logged yet" in page.text
    assert "Nothing yet" in page.words(".empty h2")


def test_a_file_is_read_while_somebody_else_writes(site: Installation) -> None:
    """A large one takes seconds, in which on SQLite no message could be sent."""
    browser = site.as_desk()
    browser.get("/import")
    with site.change() as session:
        session.execute(update(ImportRun).values(done=0))
        page = dropped(browser, "no,rows,below\n")
    assert page.status == 422
