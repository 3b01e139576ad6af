"""The door of the API: who comes in, as whom and how far; and what is said to whoever does not."""

from __future__ import annotations

from typing import Any

import pytest
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute
from sqlalchemy import select
from starlette.testclient import TestClient

from notifier.models import Message, Patient, Treatment
from notifier.web import api, api_support, auth
from tests.web.api_cast import ALICE, TREATMENT, OtherProgram, program
from tests.web.cast import Installation

ROUTES = [route for router in api.RESOURCES for route in router.routes if isinstance(route, APIRoute)]
# What makes a body complete enough to be judged by who sends it.
BODIES: dict[str, Any] = {
    "log_treatment": TREATMENT,
    "correct": {"ended_at": "2026-02-03 15:00"},
    "book_visit": {"at": "2026-02-17 15:00"},
    "add_patient": ALICE,
    "change_patient": {"version": 1},
    "record_consent": {"channel": "sms", "granted": False, "at": "2026-02-03 15:35", "method": "by phone"},
    "settle": {"arrived": True},
}


def depends(dependant: Dependant, on: object) -> bool:
    return any(each.call is on or depends(each, on) for each in dependant.dependencies)


def method(route: APIRoute) -> str:
    (only,) = set(route.methods or ()) - {"HEAD"}
    return only


def named(route: APIRoute) -> str:
    return f"{method(route)} {route.path}"


def address(route: APIRoute, number: int | str = 1) -> str:
    path = route.path
    for name in route.param_convertors:
        value = "dry-needling" if name == "key" else number
        path = path.replace("{" + name + "}", str(value))
    return path + ("?ended_at=2026-02-03 15:30" if path.endswith("/preview") else "")


@pytest.fixture(scope="module")
def secrets(site_once: Installation) -> dict[str, str]:
    return {scope: program(site_once, scope).secret for scope in ("read", "write")}


# Who comes in


@pytest.mark.parametrize("route", ROUTES, ids=named)
def test_nobody_comes_in_without_a_token(route: APIRoute, site_once: Installation) -> None:
    assert depends(route.dependant, api_support.reader)
    assert not depends(route.dependant, auth.desk)
    browser = site_once.as_admin()  # a cookie is no token, so no page can be made to ask
    refused = browser.client.request(method(route), address(route), json=BODIES.get(route.name))
    assert (refused.status_code, refused.json()["code"]) == (401, "unauthorized")
    assert refused.headers["www-authenticate"].startswith("Bearer ")


@pytest.mark.parametrize("route", [route for route in ROUTES if method(route) != "GET"], ids=named)
def test_a_token_that_may_read_changes_nothing(
    route: APIRoute, site_once: Installation, secrets: dict[str, str]
) -> None:
    assert depends(route.dependant, api_support.writer)
    reports = OtherProgram(site_once, secrets["read"])
    refused = reports.ask(method(route), address(route), BODIES.get(route.name))
    assert refused.problem == (403, "forbidden")
    assert 'scope="write"' in refused.headers["www-authenticate"]


@pytest.mark.parametrize("route", [route for route in ROUTES if method(route) == "GET"], ids=named)
def test_a_token_that_may_write_may_read(
    route: APIRoute, site_once: Installation, secrets: dict[str, str]
) -> None:
    assert not depends(route.dependant, api_support.writer)
    answered = OtherProgram(site_once, secrets["write"]).get(address(route))
    assert answered.status == 200 or answered.problem == (404, "not-found")


@pytest.mark.parametrize(
    "given", ["", "Bearer", "Bearer x", "Basic {}", "Bearer {}x", "{}"], ids=lambda given: given or "none"
)
def test_another_proof_than_a_token_is_none(
    given: str, site_once: Installation, secrets: dict[str, str]
) -> None:
    refused = OtherProgram(site_once, "").get("/plans", Authorization=given.format(secrets["read"]))
    assert refused.problem == (401, "unauthorized")


# How far


def everything_there_is(site: Installation) -> dict[str, list[Any]]:
    with site.look() as session:
        return {
            table.__name__: [
                {column.name: getattr(row, column.name) for column in table.__table__.columns}
                for row in session.scalars(select(table).order_by(table.id))
            ]
            for table in (Patient, Treatment, Message)
        }


@pytest.mark.parametrize("route", [r for r in ROUTES if r.param_convertors], ids=named)
def test_nothing_of_another_clinic_is_reached(route: APIRoute, other_clinics: OtherProgram) -> None:
    site = other_clinics.site
    before = everything_there_is(site)
    for number in (row["id"] for row in before["Message"][:2]) if "message_id" in route.path else (1,):
        refused = other_clinics.ask(method(route), address(route, number), BODIES.get(route.name))
        assert refused.problem == (404, "not-found"), number
    assert everything_there_is(site) == before


@pytest.fixture(scope="module")
def other_clinics(site_once: Installation) -> OtherProgram:
    """A program of Harbour's, while Riverside has patients, treatments and messages."""
    site_once.log()
    return program(site_once, clinic=site_once.open_other_clinic())


def test_its_lists_show_nothing_of_another_clinic(other_clinics: OtherProgram) -> None:
    for path in (
        "patients",
        "patients?q=alice",
        "treatments",
        "treatments?patient_id=1",
        "messages",
        "plans",
    ):
        assert other_clinics.get(f"/{path}")["data"] == [], path
    for query in ("patient_id=1", "treatment_id=1", "status=scheduled"):
        assert other_clinics.get(f"/messages?{query}")["data"] == []
    refused = other_clinics.post("/treatments", {"plan": "dry-needling", "patient_id": 1})
    assert set(refused.wrong) == {"patient_id"}


# What is said to requests that cannot be


@pytest.mark.parametrize(
    ("sent", "headers", "problem"),
    [
        (b"{", {"Content-Type": "application/json"}, (400, "malformed")),
        (b"{}", {"Content-Type": "text/plain"}, (415, "not-json")),
        (b"[]", {"Content-Type": "application/json; charset=utf-8"}, (422, "invalid")),
        (b"", {}, (422, "invalid")),
        (b"{}", {"Content-Type": "application/json", "Content-Length": "5000000"}, (413, "too-large")),
        (iter([b"{}"]), {"Content-Type": "application/json"}, (411, "length-needed")),
    ],
    ids=["no json", "another type", "a list", "nothing", "too much", "in chunks"],
)
def test_a_body_that_cannot_be_read_is_refused_in_words(
    site_once: Installation,
    secrets: dict[str, str],
    sent: Any,
    headers: dict[str, str],
    problem: tuple[int, str],
) -> None:
    client = TestClient(site_once.app, raise_server_exceptions=False)
    given = {"Authorization": f"Bearer {secrets['write']}"} | headers
    refused = client.post("/api/v1/treatments", content=sent, headers=given)
    assert (refused.status_code, refused.json()["code"]) == problem
    assert refused.headers["content-type"] == "application/problem+json"
    assert refused.json()["detail"]


def test_an_address_or_a_method_that_there_is_not(site_once: Installation, secrets: dict[str, str]) -> None:
    ehr = OtherProgram(site_once, secrets["write"])
    assert ehr.get("/invoices").problem == (404, "not-found")
    assert ehr.ask("DELETE", "/patients").problem == (405, "not-allowed")
    assert ehr.get("/patients/0").problem == (422, "invalid")
    assert ehr.get(f"/patients/{10**30}").problem == (422, "invalid")


def test_what_is_answered_stays_out_of_caches_and_other_sites(
    site_once: Installation, secrets: dict[str, str]
) -> None:
    for path in ("/plans", "/patients/999999"):
        answered = OtherProgram(site_once, secrets["read"]).get(path)
        assert answered.headers["cache-control"] == "no-store"
        assert "access-control-allow-origin" not in answered.headers
        assert answered.headers["content-security-policy"].startswith("default-src 'none'")
