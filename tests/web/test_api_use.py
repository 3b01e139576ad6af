"""Tokens, many programs at once, and a database that is gone: what changes while the API is used."""

from __future__ import annotations

import threading
from datetime import timedelta

import httpx2
import pytest
from sqlalchemy import Engine, select, text

from notifier import api_tokens, db
from notifier.models import ApiToken, Clinic, Treatment
from tests import cast
from tests.web.api_cast import TREATMENT, program
from tests.web.cast import Installation
from tests.web.conftest import serving


def test_a_revoked_token_is_refused_at_once(site: Installation) -> None:
    ehr = program(site)
    assert ehr.get("").json["token"] == {"name": "EHR", "scope": "write"}
    with site.change() as session:
        clinic = session.get_one(Clinic, site.clinic.id)
        api_tokens.revoke(session, clinic, 1, now=cast.LOGGED, actor="ada")
    assert ehr.get("").problem == (401, "unauthorized")


def test_when_a_token_was_last_used_is_noted(site: Installation) -> None:
    ehr = program(site)
    for minutes, noted in ((0, 0), (4, 0), (6, 6)):
        site.clock.jump(cast.LOGGED + timedelta(minutes=minutes))
        ehr.get("/plans")
        with site.look() as session:
            used = session.scalars(select(ApiToken)).one().last_used_at
            assert used == cast.LOGGED + timedelta(minutes=noted)


def test_a_database_that_is_gone_is_503_and_a_fault_is_500(site: Installation) -> None:
    ehr = program(site)
    ehr.get("/plans")  # so that no use has to be noted
    with site.change() as session:
        session.execute(text("ALTER TABLE plans RENAME TO gone"))
    refused = ehr.get("/plans")
    assert refused.problem == (503, "unavailable")
    assert refused.headers["retry-after"] == "5"


@pytest.mark.parametrize("backend", ["sqlite", "postgresql"], indirect=True)
def test_one_treatment_sent_by_many_at_once_is_logged_once(site: Installation, engine: Engine) -> None:
    secret, answers = program(site).secret, []
    with serving(site) as base:

        def send(key: str) -> None:
            headers = {"Authorization": f"Bearer {secret}", "Idempotency-Key": key}
            sent = TREATMENT | {"external_id": "" if key == "same" else "appt-9"}
            answers.append(httpx2.post(f"{base}/api/v1/treatments", json=sent, headers=headers, timeout=30))

        threads = [threading.Thread(target=send, args=(key,)) for key in ("same",) * 4 + ("k1", "k2", "k3")]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert {answer.status_code for answer in answers} <= {200, 201}
    assert len({answer.json()["id"] for answer in answers}) == 1
    assert len([answer for answer in answers if "idempotency-replayed" in answer.headers]) == 3
    with db.reading(engine) as session:
        assert len(session.scalars(select(Treatment)).all()) == 1
