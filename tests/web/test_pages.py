from __future__ import annotations

import asyncio
from collections.abc import MutableMapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime
from typing import Any
from urllib.parse import quote

import pytest

from notifier.rules.zones import zone
from notifier.web import pages
from tests.cast import NEW_YORK, at
from tests.web.cast import Installation

TZ = zone(NEW_YORK)
NOW = at("2026-03-03 17:00")


@pytest.mark.parametrize(
    ("moment", "words"),
    [
        ("2026-03-03 17:30", "Today 17:30"),
        ("2026-03-03 00:00", "Today 00:00"),
        ("2026-03-04 09:00", "Tomorrow 09:00"),
        ("2026-03-02 23:59", "Yesterday 23:59"),
        ("2026-03-06 09:05", "Fri 6 Mar 09:05"),
        ("2027-01-04 09:00", "Mon 4 Jan 2027 09:00"),
    ],
)
def test_moments_are_said_as_people_say_them(moment: str, words: str) -> None:
    assert pages.when(at(moment), TZ, NOW) == words


def test_today_is_the_readers_day_and_not_greenwichs() -> None:
    late = datetime(2026, 3, 4, 2, 0, tzinfo=UTC)  # 21:00 in New York
    assert pages.when(late, TZ, NOW) == "Today 21:00"
    assert pages.when(late, zone("Europe/London"), NOW) == "Tomorrow 02:00"


def test_without_a_now_nothing_is_relative() -> None:
    assert pages.when(at("2026-03-03 17:30"), TZ) == "Tue 3 Mar 17:30"
    assert pages.when(None, TZ) == ""


@pytest.mark.parametrize(
    ("e164", "country", "words"),
    [
        ("+12125550101", "US", "(212) 555-0101"),
        ("+12125550101", "GB", "+1 212-555-0101"),
        ("+442079460000", "GB", "020 7946 0000"),
        (None, "US", ""),
        ("not a number", "US", "not a number"),
    ],
)
def test_numbers_are_written_as_at_home(e164: str | None, country: str, words: str) -> None:
    assert pages.phone(e164, country) == words


def test_days_clocks_and_counts() -> None:
    assert pages.day(at("2026-03-03 23:30"), TZ) == "Tue 3 Mar 2026"
    assert pages.day(date(2026, 3, 3)) == "Tue 3 Mar 2026"
    assert pages.clock(at("2026-03-03 09:05"), TZ) == "09:05"
    assert pages.iso(at("2026-03-03 17:30")) == "2026-03-03T22:30:00+00:00"
    assert (pages.number(12345.678, 1), pages.number(None)) == ("12,345.7", "–")
    assert [pages.plural(n, "reply", "replies") for n in (0, 1, 1200)] == [
        "0 replies",
        "1 reply",
        "1,200 replies",
    ]


def test_a_file_has_a_new_address_when_its_content_changes(site: Installation) -> None:
    address = pages.asset("app.css")
    answer = site.anonymous().client.get(address)
    assert answer.status_code == 200
    assert "immutable" in answer.headers["cache-control"]
    assert "immutable" not in site.anonymous().client.get("/static/app.css").headers.get("cache-control", "")


def test_nothing_may_run_or_be_framed_that_is_not_ours(site: Installation) -> None:
    answer = site.anonymous().get("/sign-in")
    policy = answer.response.headers["content-security-policy"]
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    inline = "[style], style, script:not([src]), " + ", ".join(
        f"[on{e}]" for e in ("click", "load", "change")
    )
    assert answer.all(inline) == []
    assert answer.response.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("path", ["/nowhere", "/static/../app.py", "/patients/x y"])
def test_what_is_not_there_is_said_in_words(site: Installation, path: str) -> None:
    page = site.as_desk().get(path)
    assert page.status == 404
    assert "Traceback" not in page.text


def test_a_body_that_no_form_of_ours_has_is_refused_before_it_is_read(site: Installation) -> None:
    browser = site.as_desk()
    page = browser.post("/sign-out", {"words": "x" * (5 * 1024 * 1024)})
    assert page.status == 413
    assert browser.client.post("/sign-out", content=iter([b"x"])).status_code == 413


def test_a_fault_is_told_by_a_number_and_kept_from_people(
    site: Installation, caplog: pytest.LogCaptureFixture
) -> None:
    @site.app.get("/breaks")
    def breaks() -> None:
        raise RuntimeError("the patient is +12125550101")

    page = site.as_desk().get("/breaks")
    assert page.status == 500
    assert "+12125550101" not in page.text
    (fault,) = [word.rstrip(".") for word in page.text.split() if len(word) == 9 and word.endswith(".")]
    assert fault in caplog.text


@pytest.mark.parametrize(
    "path", ["/patients/{}", "/messages/{}", "/treatments/{}/sheet", "/?patient={}", "/phone?before={}"]
)
def test_a_number_that_no_row_can_have_is_nowhere(site: Installation, path: str) -> None:
    assert site.as_desk().get(path.format("9" * 30)).status == 404


@pytest.mark.parametrize("backend", ["postgresql"], indirect=True)
def test_a_text_that_no_column_holds_is_no_fault(site: Installation) -> None:
    page = site.as_admin().post(
        "/people", {"name": "x" * 500, "email": "x@riverside.example", "role": "admin"}
    )
    assert (page.status, "longer than there is room for" in page.text) == (422, True)


def test_a_refusal_that_names_somebody_is_kept_by_nobody(site: Installation) -> None:
    site.log()
    browser = site.as_desk()
    browser.post("/patients/1/pause")
    page = browser.post("/patients/1/pause")
    assert (page.status, "Alice" in page.text) == (409, True)
    assert page.response.headers["cache-control"] == "no-store"
    assert "no-store" not in browser.get("/static/app.css").response.headers.get("cache-control", "")


@pytest.mark.parametrize("back", ["/\t/evil.example", "/a\nb", "/ñandú"])
def test_htmx_is_sent_to_where_a_redirect_leads(site: Installation, back: str) -> None:
    """Browsers leave tabs and ends of lines out of an address, and //evil.example is another site."""
    treatment = site.log()
    page = site.as_desk().post(f"/treatments/{treatment}/void", {"back": back}, htmx=True)
    assert page.response.headers["hx-redirect"] == quote(back)


def test_whoever_leaves_while_posting_is_no_fault(
    site: Installation, caplog: pytest.LogCaptureFixture
) -> None:
    heard = iter(({"type": "http.request", "body": b"csrf=", "more_body": True}, {"type": "http.disconnect"}))
    said: list[MutableMapping[str, Any]] = []

    async def receive() -> MutableMapping[str, Any]:
        return next(heard)

    async def send(message: MutableMapping[str, Any]) -> None:
        said.append(message)

    form = [(b"content-type", b"application/x-www-form-urlencoded"), (b"content-length", b"900")]
    scope = {"type": "http", "method": "POST", "path": "/sign-in", "query_string": b"", "headers": form}
    with ThreadPoolExecutor(1) as thread:  # this one may be a browser's, which has a loop of its own
        thread.submit(asyncio.run, site.app(scope, receive, send)).result()
    assert said[0]["status"] == 400
    assert "fault" not in caplog.text


def test_a_database_that_is_away_is_said_as_such(site: Installation) -> None:
    browser = site.as_desk()
    with site.change() as session:
        session.connection().exec_driver_sql("ALTER TABLE sign_ins RENAME TO elsewhere")
    page = browser.get("/account")
    assert page.status == 503
