from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine, select

from notifier import consent, db
from notifier.models import ConsentEntry, Patient
from tests.cast import DESK, on_sqlite
from tests.importing_cast import NOW, bring, file_in, found, row

pytestmark = [on_sqlite, pytest.mark.usefixtures("clinic")]


def standing(engine: Engine, first_name: str, channel: str) -> bool | None:
    """What the consent ledger says today."""
    with db.reading(engine) as session:
        patient = session.scalars(select(Patient).where(Patient.first_name == first_name)).one()
        said = consent.standings(session, [patient.id]).get((patient.id, channel))
        return None if said is None else said.granted


def withdraw(engine: Engine, first_name: str, channel: str, at: datetime) -> None:
    with db.transaction(engine) as session:
        patient = session.scalars(select(Patient).where(Patient.first_name == first_name)).one()
        consent.record(
            session, patient, channel, granted=False, at=at, now=at, method="told us", wording="", actor=DESK
        )


def test_importing_again_does_not_undo_a_withdrawal(engine: Engine, tmp_path: Path) -> None:
    bring(engine, tmp_path, row("Ana", 100, consent_sms="yes"))
    withdraw(engine, "Ana", "sms", NOW + timedelta(hours=1))
    bring(engine, tmp_path, now=NOW + timedelta(hours=2))
    assert standing(engine, "Ana", "sms") is False


def test_a_later_visit_with_an_undated_yes_does_not_undo_a_withdrawal(engine: Engine, tmp_path: Path) -> None:
    bring(engine, tmp_path, row("Ana", 100, email="ana@example.org", consent_sms="yes", consent_email="yes"))
    withdraw(engine, "Ana", "email", NOW + timedelta(hours=1))
    later = row("Ana", 100, ended_at="2026-03-05 10:00", consent_sms="yes", consent_email="yes")
    report = bring(engine, tmp_path, later, now=NOW + timedelta(days=3))
    assert report.added == 1
    (note,) = report.notes
    assert (note.row, note.column, note.value) == (2, "consent_email", "yes")
    assert "withdrew this consent on 2026-03-03" in note.message
    assert standing(engine, "Ana", "email") is False
    assert standing(engine, "Ana", "sms") is True


def test_a_yes_with_a_newer_date_does_undo_a_withdrawal(engine: Engine, tmp_path: Path) -> None:
    bring(engine, tmp_path, row("Ana", 100, consent_sms="yes"))
    withdraw(engine, "Ana", "sms", NOW + timedelta(hours=1))
    dated = {"ended_at": "2026-03-05 10:00", "consent_sms": "yes"}
    older = row("Ana", 100, **dated, consent_at="2026-02-01")
    newer = row("Ana", 100, **dated, plan="cupping", consent_at="2026-03-05 09:30")
    assert bring(engine, tmp_path, older, now=NOW + timedelta(days=3)).notes == []
    assert standing(engine, "Ana", "sms") is False
    assert bring(engine, tmp_path, newer, now=NOW + timedelta(days=3)).notes == []
    assert standing(engine, "Ana", "sms") is True


def test_a_withdrawal_binds_that_patient_and_nobody_beside(engine: Engine, tmp_path: Path) -> None:
    bring(engine, tmp_path, row("Mia", 104, consent_sms="yes"))
    withdraw(engine, "Mia", "sms", NOW + timedelta(hours=1))
    report = bring(engine, tmp_path, row("Leo", 104, consent_sms="yes"), now=NOW + timedelta(hours=2))
    assert (report.added, report.notes) == (1, [])
    assert standing(engine, "Leo", "sms") is True


def test_within_a_file_the_newer_treatment_has_the_last_word(engine: Engine, tmp_path: Path) -> None:
    rows = (
        row("Ana", 100, plan="cupping", ended_at="2026-03-02 10:00", consent_sms="no"),
        row("Ana", 100, consent_sms="yes"),
        row("Bea", 101, consent_sms="no"),
        row("Bea", 101, plan="cupping", ended_at="2026-03-02 10:00", consent_sms="yes"),
    )
    assert bring(engine, tmp_path, *rows).notes == []
    assert (standing(engine, "Ana", "sms"), standing(engine, "Bea", "sms")) == (True, False)


def test_consent_carries_how_and_to_which_words(engine: Engine, tmp_path: Path) -> None:
    file_in(tmp_path).write_text(
        "name,phone,plan,ended,consent_sms,consent_at,consent_method,consent_wording\n"
        'Ana Ruiz,(212) 555-0100,Cupping,3/3/2026 10:00 AM,x,1/5/2026,form,"Yes, text me."\n',
        "utf-8",
    )
    assert bring(engine, tmp_path).problems == []
    (line,) = found(engine, select(ConsentEntry))
    assert (line.channel, line.granted, line.method, line.wording) == ("sms", True, "form", "Yes, text me.")
    assert (line.at, line.recorded_at) == (datetime(2026, 1, 5, 5, 0, tzinfo=UTC), NOW)
