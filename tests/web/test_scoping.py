"""No row of one clinic is ever seen or changed from another: every page, with the other's numbers in it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from fastapi.routing import APIRoute
from sqlalchemy import Select, Table, select
from sqlalchemy.orm import Session

from notifier import api_tokens, clinics, db, practitioners, scores
from notifier.models import (
    Alert,
    AlertContact,
    ApiToken,
    Attempt,
    Base,
    Clinic,
    ImportRun,
    Message,
    Patient,
    PlanRow,
    Practitioner,
    Reply,
    ScoreRow,
    Sender,
    Staff,
    Treatment,
)
from tests import cast
from tests.databases import SqliteFiles
from tests.replies_cast import EMERGENCY, patient_named, rings, wrote
from tests.web.cast import FERN, HUGO, Installation
from tests.web.test_routes import PAGES, PUBLIC, methods, named

# Where the numbers in addresses come from: Riverside's rows. A page with another parameter belongs in here.
ROWS = {
    "patient_id": Patient,
    "treatment_id": Treatment,
    "message_id": Message,
    "reply_id": Reply,
    "alert_id": Alert,
    "run_id": ImportRun,
    "sender_id": Sender,
    "contact_id": AlertContact,
    "practitioner_id": Practitioner,
    "token_id": ApiToken,
    "score_id": ScoreRow,
}
# Words that only Riverside's rows hold.
SECRETS = ("Moreau", "Tanaka", "+12125550101", "555-0101", "alice@example.com", "Riverside", "Dr Grey")
# What is the visitor's own, or asked and written without anybody's rows.
UNTOUCHED = {"sign_ins", "throttles", "audit", "staff_links"}


@pytest.fixture(scope="module")
def hugos(_sqlite: SqliteFiles, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """Riverside full of rows, and Harbour, which has none, beside it."""
    with _sqlite.database(with_clinic=True) as engine:
        with db.reading(engine) as session:
            clinic = clinics.only(session)
            session.expunge(clinic)
        site = Installation(engine, clinic, tmp_path_factory.mktemp("hugo"))
        alice = site.log(cast.ALICE, practitioner="Dr Grey")
        site.log(cast.BOB)
        with site.change() as session:
            riverside = session.get_one(Clinic, clinic.id)
            scores.record(session, session.get_one(Treatment, alice), 4, at=cast.LOGGED)
            practitioners.add(session, riverside, "Dr Grey", now=cast.LOGGED, actor=FERN)
            clinics.add_alert_contact(session, riverside, name="Moreau", phone="+12125550199", email=None)
            api_tokens.create(session, riverside, name="Moreau", scope="write", now=cast.LOGGED, actor=FERN)
            moreau = patient_named(session, "Alice")
            reply = wrote(session, riverside, moreau, "Alice Moreau here, at +12125550101.", **EMERGENCY)
            rings(session, riverside, reply)
            message = session.scalars(select(Message).where(Message.to == "+12125550101")).first()
            assert message is not None
            session.add(
                Attempt(
                    message_id=message.id,
                    number=1,
                    channel="email",
                    address="alice@example.com",
                    subject="Riverside",
                    words="Riverside: Hi Alice Moreau.",
                    claimed_at=cast.LOGGED,
                    outcome="sent",
                    provider="outbox",
                )
            )
        site.as_desk().post(
            "/import", files={"file": ("Riverside.csv", b"name,phone\nMoreau,1\n", "text/csv")}
        )
        site.open_other_clinic()
        yield site


def address(route: APIRoute, site: Installation) -> str:
    path = route.path
    with site.look() as session:
        for name in route.param_convertors:
            if name in ROWS:
                row = select(ROWS[name].id).where(ROWS[name].clinic_id == site.clinic.id)  # type: ignore[attr-defined]
                value = str(session.scalars(row.limit(1)).one())
            else:
                value = OTHERS[name](session)
            for form in ("{" + name + "}", "{" + name + ":int}", "{" + name + ":path}"):
                path = path.replace(form, value)
    return path


OTHERS: dict[str, Callable[[Session], str]] = {
    "attempt_id": lambda session: str(
        session.scalars(select(Attempt.id).order_by(Attempt.channel).limit(1)).one()
    ),
    "staff_id": lambda session: str(session.scalars(select(Staff.id).where(Staff.email == FERN)).one()),
    "key": lambda session: session.scalars(select(PlanRow.key).where(PlanRow.key == "dry-needling")).one(),
    "number": lambda session: "1",
    "step": lambda session: cast.DAY0,
    "language": lambda session: "en",
    "month": lambda session: "2026-02",
    "answer": lambda session: "fallback",
}


def everything(site: Installation) -> dict[str, list[tuple[object, ...]]]:
    """All rows of Riverside, and those that no clinic has for itself."""
    with site.look() as session:
        return {
            name: [tuple(row) for row in session.execute(_rows(table, site.clinic.id))]
            for name, table in Base.metadata.tables.items()
            if name not in UNTOUCHED
        }


def _rows(table: Table, clinic_id: int) -> Select[Any]:
    rows = select(table).order_by(*table.primary_key)
    return rows.where(table.c.clinic_id == clinic_id) if "clinic_id" in table.c else rows


MINE = [route for route in PAGES if route.path not in PUBLIC and "{secret}" not in route.path]


@pytest.mark.parametrize("route", [route for route in MINE if route.param_convertors], ids=named)
def test_another_clinics_rows_are_neither_shown_nor_changed(route: APIRoute, hugos: Installation) -> None:
    before, browser = everything(hugos), hugos.signed_in(HUGO)
    path = address(route, hugos)
    for method in methods(route):
        data = {"csrf": browser.csrf} if method != "GET" else None
        answer = browser.client.request(method, path, data=data, follow_redirects=False)
        belongs_to_nobody = {"month", "answer"} >= set(route.param_convertors)
        assert answer.status_code >= 400 or belongs_to_nobody, f"{method} {path}: {answer.status_code}"
        assert answer.status_code < 500, answer.text
        assert [word for word in SECRETS if word in answer.text] == []
    assert everything(hugos) == before


@pytest.mark.parametrize(
    "route", [route for route in MINE if not route.param_convertors and "GET" in methods(route)], ids=named
)
def test_no_list_or_form_shows_another_clinics_rows(route: APIRoute, hugos: Installation) -> None:
    browser = hugos.signed_in(HUGO)
    for query in ("", "?q=moreau", "?words=moreau"):
        answer = browser.client.get(f"{route.path}{query}", follow_redirects=True)
        assert answer.status_code < 500
        assert [word for word in SECRETS if word in answer.text] == []


@pytest.mark.parametrize(
    "route", [route for route in MINE if not route.param_convertors and "GET" in methods(route)], ids=named
)
def test_an_empty_clinic_has_pages_all_the_same(route: APIRoute, hugos: Installation) -> None:
    answer = hugos.signed_in(HUGO).client.get(route.path, follow_redirects=True)
    # A sheet is a plan's, and this clinic has none; only the demo has a clock to move.
    missing = route.path in ("/sheet", "/demo/now")
    assert answer.status_code in ((404,) if missing else (200, 204))
