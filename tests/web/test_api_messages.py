"""Messages and plans by the API: read to the last one, and acted on as at the desk."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest
from sqlalchemy import select

from notifier.models import Message, PlanVersion
from tests import cast
from tests.web.api_cast import ALICE, OtherProgram, program
from tests.web.cast import Installation

BOB = {"first_name": "Bob", "phone": "(212) 555-0102"}


@pytest.fixture
def ehr(site: Installation) -> OtherProgram:
    return program(site)


def message(ehr: OtherProgram, step: str = cast.DAY1) -> int:
    """One that waits to be sent."""
    rows = ehr.log()["messages"]
    return int(next(row["id"] for row in rows if row["step"] == step and row["status"] == "scheduled"))


def leaves(site: Installation, number: int, status: str = "sent") -> None:
    """As if the worker had handed it to a provider, which said no more than this."""
    with site.change() as session:
        row = session.get_one(Message, number)
        row.status, row.attempts, row.claimed_at = status, 1, row.due_at
        row.reason = "It is not known whether it arrived." if status == "unknown" else ""


# Reading


def test_a_message_tells_its_story_and_what_may_be_done(ehr: OtherProgram) -> None:
    found = ehr.get(f"/messages/{message(ehr)}")
    assert found["actions"] == ["cancel", "send-now"]
    assert [(each["what"], each["who"]) for each in found["story"]] == [("planned: scheduled", "api:EHR")]
    assert ehr.get("/messages/999").problem == (404, "not-found")


def test_a_list_is_filtered_by_status_patient_treatment_and_time(ehr: OtherProgram) -> None:
    one = ehr.log()
    two = ehr.log(external_id="b", plan="cupping", patient=BOB, consents=[])

    def steps(query: str) -> set[tuple[int, str]]:
        return {(row["treatment_id"], row["step"]) for row in ehr.get(f"/messages{query}")["data"]}

    mine = {(one["id"], row["step"]) for row in one["messages"]}
    assert steps(f"?treatment_id={one['id']}") == steps(f"?patient_id={one['patient']['id']}") == mine
    assert steps(f"?status=scheduled&status=held&treatment_id={two['id']}") == set()
    assert steps("?until=2026-02-04T00:00&status=scheduled") == {(one["id"], cast.DAY0)}
    # The visit that was not booked was never due: it stands where that was found.
    assert (one["id"], "before-next-visit") in steps("?until=2026-02-03T16:00")
    assert steps("?since=2026-02-03T17:31&until=2026-02-04 13:31") == {(one["id"], cast.DAY1)}
    assert set(ehr.get("/messages?status=lost").wrong) == {"status.0"}


@pytest.mark.parametrize("size", [1, 3, 50])
def test_pages_show_everything_once_in_order(ehr: OtherProgram, site: Installation, size: int) -> None:
    for number in range(3):
        ehr.log(
            external_id=f"t{number}",
            patient=ALICE | {"record_number": f"R-{number}", "first_name": f"Al{number}"},
        )
    for path, table in (("messages", Message), ("treatments", None), ("patients", None)):
        whole = [number for page in ehr.everything(f"/{path}?limit=200") for number in page]
        pages = ehr.everything(f"/{path}?limit={size}")
        assert [number for page in pages for number in page] == whole
        assert all(len(page) == size for page in pages[:-1])
        assert len(whole) == len(set(whole)) >= 3
        if table is not None:
            with site.look() as session:
                assert len(whole) == len(session.scalars(select(table)).all())


def test_the_next_page_is_linked_with_its_filters(ehr: OtherProgram) -> None:
    ehr.log()
    first = ehr.get("/messages?limit=2&status=scheduled&status=skipped")
    link = first.headers["link"]
    assert link.endswith('>; rel="next"')
    second = ehr.get(link[1:].partition(">")[0])
    assert not {row["id"] for row in first["data"]} & {row["id"] for row in second["data"]}
    assert {row["status"] for row in second["data"]} <= {"scheduled", "skipped"}


def test_a_cursor_of_another_list_or_of_nobody_is_refused(ehr: OtherProgram) -> None:
    ehr.log()
    theirs = ehr.get("/messages?limit=1")["next"]
    for path in (
        f"/patients?cursor={theirs}",
        "/messages?cursor=x",
        "/messages?cursor=WzEsMl0",
        "/treatments?cursor=é",
    ):
        assert set(ehr.get(path).wrong) == {"cursor"}
    assert set(ehr.get("/messages?limit=0").wrong) == {"limit"}


# Acting


def test_a_cancelled_message_comes_back(ehr: OtherProgram) -> None:
    path = f"/messages/{message(ehr)}"
    cancelled = ehr.post(f"{path}/cancel", {"reason": "She was called."})
    assert (cancelled["status"], cancelled["reason"]) == (
        "cancelled",
        "Cancelled at the desk: She was called.",
    )
    assert ehr.post(f"{path}/cancel").problem == (409, "conflict")
    assert ehr.post(f"{path}/restore")["status"] == "scheduled"
    assert ehr.post(f"{path}/restore").problem == (409, "conflict")


def test_a_message_is_sent_now_and_what_would_delay_it_is_said_first(
    ehr: OtherProgram, site: Installation
) -> None:
    path = f"/messages/{message(ehr)}"
    sent = ehr.post(f"{path}/send-now")
    assert sent["due_at"] == "2026-02-03T20:40:00Z"
    other = ehr.log(
        external_id="b", plan="cupping", patient=ALICE | {"first_name": "Al", "record_number": ""}
    )
    waiting = [row["id"] for row in other["messages"] if row["status"] == "scheduled"]
    site.clock.jump(cast.at("2026-02-03 22:00"))
    asked = ehr.post(f"/messages/{waiting[-1]}/send-now")
    assert asked.problem in ((422, "needs-confirmation"), (409, "conflict"))
    assert "cannot leave" in asked["detail"]


def test_a_message_in_doubt_is_settled_by_a_person(ehr: OtherProgram, site: Installation) -> None:
    number = message(ehr, cast.DAY0)
    leaves(site, number, "unknown")
    assert ehr.get(f"/messages/{number}")["actions"] == ["resend", "settle"]
    assert set(ehr.post(f"/messages/{number}/settle", {}).wrong) == {"arrived"}
    assert ehr.post(f"/messages/{number}/settle", {"arrived": True})["status"] == "delivered"
    assert ehr.post(f"/messages/{number}/release").problem == (409, "conflict")


def test_a_message_is_sent_again_to_an_address_that_was_put_right(
    ehr: OtherProgram, site: Installation
) -> None:
    number = message(ehr, cast.DAY0)
    leaves(site, number)
    assert ehr.post(f"/messages/{number}/resend").problem == (422, "needs-confirmation")
    again = ehr.post(f"/messages/{number}/resend", {"to": "(212) 555-0177", "confirmed": True})
    assert (again.status, again["to"], again["status"]) == (201, "+12125550177", "scheduled")
    assert again.headers["location"] == f"/api/v1/messages/{again['id']}"


# Plans


def test_plans_are_listed_and_read_in_full(ehr: OtherProgram) -> None:
    listed = ehr.get("/plans")["data"]
    assert [plan["key"] for plan in listed] == sorted(plan["key"] for plan in listed)
    plan = ehr.get("/plans/dry-needling")
    assert (plan["version"], plan["names"]["en"]) == (1, "Dry needling aftercare")
    assert {step["step"] for step in plan["steps"]} == set(cast.WEEK)
    assert f"{cast.DAY0}.es" in plan["texts"]
    assert ehr.get("/plans/reiki").problem == (404, "not-found")


def test_an_earlier_version_stays_readable(ehr: OtherProgram, site: Installation) -> None:
    with site.change() as session:
        cupping = session.scalars(select(PlanVersion)).all()
        content: dict[str, Any] = next(dict(v.content) for v in cupping if v.content["key"] == "cupping")
        cast.save_cupping(session, site.clinic, content["plan"]["steps"][0], window=["10:00", "18:00"])
    assert ehr.get("/plans/cupping")["window"] == ["10:00", "18:00"]
    assert ehr.get("/plans/cupping/versions/1")["window"] == ["09:00", "20:00"]
    assert [each["version"] for each in ehr.get("/plans/cupping")["versions"]] == [2, 1]
    assert ehr.get("/plans/cupping/versions/3").problem == (404, "not-found")


def test_a_preview_says_what_would_be_sent_and_logs_nothing(ehr: OtherProgram) -> None:
    steps = ehr.get("/plans/dry-needling/preview?ended_at=2026-02-03T15:30&next_visit=2026-02-17T15:00")[
        "data"
    ]
    planned = {step["step"]: step["due_at"] for step in steps}
    assert planned[cast.DAY0] == "2026-02-03T22:30:00Z"
    assert planned["before-next-visit"] is not None
    spanish = ehr.get("/plans/dry-needling/preview?ended_at=2026-02-03T15:30&language=es")["data"]
    assert spanish[0]["sms"]["text"] != steps[0]["sms"]["text"]
    abroad = ehr.get("/plans/dry-needling/preview?ended_at=2026-02-03T15:30&timezone=America/Denver")["data"]
    assert datetime.fromisoformat(abroad[0]["local_time"]).hour == 15
    for query, field in (
        ("", "ended_at"),
        ("?ended_at=x", "ended_at"),
        ("?ended_at=2026-02-03 15:30&timezone=X", "timezone"),
    ):
        assert set(ehr.get(f"/plans/dry-needling/preview{query}").wrong) == {field}
    assert ehr.get("/treatments")["data"] == []
