from __future__ import annotations

import threading
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine, select, text

from notifier import clinics, db, plans, treatments
from notifier.errors import InputError, NotFoundError
from notifier.importing import ImportReport, import_file, report_text
from notifier.models import Patient, Treatment
from notifier.planfiles import shipped_plans
from tests.cast import DESK, at, on_postgresql, on_sqlite
from tests.importing_cast import HEADER, NOW, bring, counts, file_in, found, row

pytestmark = pytest.mark.usefixtures("clinic")


def test_good_rows_become_treatments_with_their_messages(engine: Engine, tmp_path: Path) -> None:
    report = bring(engine, tmp_path, row("Ana", 100, external_id="NP-1", consent_sms="yes"), row("Bea", 101))
    assert (report.rows, report.added, report.known, report.left_out) == (2, 2, 0, 0)
    ana, _ = found(engine, select(Treatment).order_by(Treatment.id))
    assert (ana.external_id, ana.source, ana.logged_by, ana.logged_at) == ("NP-1", "import", DESK, NOW)
    assert ana.ended_at == at("2026-03-03 10:00")
    with db.reading(engine) as session:
        rows = session.execute(
            text("SELECT p.first_name, m.status FROM messages m JOIN patients p ON p.id = m.patient_id")
        ).all()
    assert ("Ana", "scheduled") in rows
    assert ("Bea", "skipped") in rows
    assert ("Bea", "scheduled") not in rows


@on_sqlite
def test_bad_rows_are_reported_and_left_out_while_the_good_ones_go_in(engine: Engine, tmp_path: Path) -> None:
    report = bring(
        engine,
        tmp_path,
        row("Ana", 100),
        row("Bea", 101, phone="555", ended_at="today"),
        row("Carol", 102, phone="", email=""),
        row("Dora", 103, next_visit="2026-03-03 09:00"),
        row("Edward", 104, plan="cupping"),
    )
    assert (report.rows, report.added, report.known, report.left_out) == (5, 2, 0, 3)
    assert [(problem.row, problem.column, problem.value) for problem in report.problems] == [
        (3, "phone", "555"),
        (3, "ended_at", "today"),
        (4, "phone", ""),
        (5, "next_visit", "2026-03-03 09:00"),
    ]
    assert report.problems[2].message == "Carol cannot be reached: enter a phone number or an e-mail address."
    assert {patient.first_name for patient in found(engine, select(Patient))} == {"Ana", "Edward"}


@on_sqlite
def test_an_unusual_time_needs_a_word_from_a_person(engine: Engine, tmp_path: Path) -> None:
    rows = (
        row("Ana", 100, ended_at="2026-03-04 10:00"),
        row("Bea", 101, ended_at="2026-01-20 10:00"),
        row("Carol", 102),
    )
    report = bring(engine, tmp_path, *rows)
    assert (report.added, report.left_out) == (1, 2)
    assert "would end in the future" in report.problems[0].message
    assert "ended 42 days ago" in report.problems[1].message  # 20 January to 3 March: 11 + 28 + 3
    for problem in report.problems:
        assert problem.column == "ended_at"
        assert problem.message.endswith("Importing the file again with --confirm lets it in.")
    again = bring(engine, tmp_path, confirmed=True)
    assert (again.added, again.known, again.left_out) == (2, 1, 0)


def test_importing_a_file_again_adds_nothing(engine: Engine, tmp_path: Path) -> None:
    rows = (
        row("Ana", 100, external_id="NP-1", consent_sms="yes", consent_email="no"),
        row("Bea", 101, consent_sms="yes"),
        row("Bea", 101, plan="cupping"),
    )
    bring(engine, tmp_path, *rows)
    before = counts(engine)
    report = bring(engine, tmp_path, now=NOW + timedelta(hours=3))
    assert (report.added, report.known, report.repeated, report.problems) == (0, 3, 0, [])
    assert counts(engine) == before


@on_sqlite
def test_a_row_without_an_id_is_known_again_whatever_the_desk_did_since(
    engine: Engine, tmp_path: Path
) -> None:
    bring(engine, tmp_path, row("Ana", 100), row("Bea", 101))
    with db.transaction(engine) as session:
        ana, bea = session.scalars(select(Treatment).order_by(Treatment.id))
        ana.patient.phone, ana.patient.last_name = "+12125550177", "Ruiz"
        treatments.void(session, bea, reason="Not Bea.", now=NOW, actor=DESK)
    before = counts(engine)
    assert bring(engine, tmp_path).known == 2
    assert counts(engine) == before


@on_sqlite
def test_rows_that_stand_twice_in_a_file_are_one_treatment(engine: Engine, tmp_path: Path) -> None:
    # The desk saw Ana leave at ten, the booking program at five past.
    rows = (
        row("Ana", 100),
        row("Ana", 100, ended_at="2026-03-03 10:05"),
        row("Bea", 101, external_id="NP-1"),
        row("Bea", 101, external_id="NP-1"),
    )
    report = bring(engine, tmp_path, *rows)
    assert (report.added, report.known, report.repeated) == (2, 2, 2)
    assert counts(engine)["treatments"] == 2


@on_sqlite
def test_two_treatments_of_a_visit_are_both_recorded(engine: Engine, tmp_path: Path) -> None:
    report = bring(engine, tmp_path, row("Ana", 100, external_id="1"), row("Ana", 100, external_id="2"))
    assert (report.added, counts(engine)["patients"]) == (2, 1)


@on_sqlite
def test_a_family_shares_a_phone_and_stays_several_people(engine: Engine, tmp_path: Path) -> None:
    bring(engine, tmp_path, row("Mia", 104), row("Leo", 104), row("leo", 104, plan="cupping"))
    assert [patient.first_name for patient in found(engine, select(Patient))] == ["Mia", "Leo"]


@on_sqlite
def test_an_id_that_means_another_treatment_is_noted_and_changes_nothing(
    engine: Engine, tmp_path: Path
) -> None:
    bring(engine, tmp_path, row("Ana", 100, external_id="NP-1"))
    before = counts(engine)
    report = bring(
        engine, tmp_path, row("Bea", 101, external_id="NP-1", plan="cupping", ended_at="2026-03-03 11:00")
    )
    assert (report.added, report.known, report.problems) == (0, 1, [])
    (note,) = report.notes
    assert (note.row, note.column, note.value) == (2, "external_id", "NP-1")
    assert "there already with another patient and plan and ended_at" in note.message
    assert counts(engine) == before
    assert "Worth a look:\n  row 2, external_id" in report_text(report)


def test_a_dry_run_reports_the_same_and_changes_nothing(engine: Engine, tmp_path: Path) -> None:
    bring(engine, tmp_path, row("Zoe", 199, external_id="NP-0"))
    # Rows of one patient stand further apart than a batch is long.
    rows = [row("Zoe", 199, external_id="NP-0"), row("Ana", 100), row("Bad", 101, phone="5")]
    rows += [row(f"P{n}", 110 + n) for n in range(12)]
    rows += [
        row("Ana", 100),
        row("Ana", 100, record_number="7", plan="cupping"),
        row("Luz", 102, record_number="7"),
    ]
    before = counts(engine)
    dry = bring(engine, tmp_path, *rows, dry_run=True, batch_size=5)
    assert counts(engine) == before
    wet = bring(engine, tmp_path, batch_size=5)
    assert asdict(dry) | {"dry_run": False} == asdict(wet)
    # Ana's two and the twelve; Zoe and the second Ana; the bad phone and Luz with Ana's number.
    assert (wet.added, wet.known, wet.repeated, wet.left_out) == (14, 2, 1, 2)
    assert "belongs to Ana here, not to Luz" in wet.problems[1].message
    assert counts(engine)["treatments"] == before["treatments"] + wet.added


def test_after_a_crash_between_batches_importing_again_brings_in_the_rest(
    engine: Engine, tmp_path: Path
) -> None:
    rows = [row(f"P{n}", 100 + n, consent_sms="yes") for n in range(12)]

    def pull_the_plug(done: int, total: int) -> None:
        assert (done, total) == (5, 12)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        bring(engine, tmp_path, *rows, progress=pull_the_plug, batch_size=5)
    assert counts(engine)["treatments"] == 5
    steps: list[tuple[int, int]] = []
    again = bring(engine, tmp_path, progress=lambda *step: steps.append(step), batch_size=5)
    assert (again.added, again.known, again.repeated) == (7, 5, 0)
    assert steps == [(5, 12), (10, 12), (12, 12)]
    assert counts(engine)["consents"] == 12


@on_postgresql
def test_one_row_that_is_too_long_once_it_is_folded_stops_no_other(engine: Engine, tmp_path: Path) -> None:
    # One letter that unfolds to eighteen: 20 of them are more than the 240 that a folded name may have.
    rows = [
        row("\N{ARABIC LIGATURE SALLALLAHOU ALAYHE WASALLAM}" * 20, 100),
        row("Ana", 101),
        row("Bea", 102),
    ]
    report = bring(engine, tmp_path, *rows)
    assert (report.added, [problem.row for problem in report.problems]) == (2, [2])
    assert "value too long" in report.problems[0].message


@on_sqlite
def test_one_row_that_the_database_refuses_stops_no_other(engine: Engine, tmp_path: Path) -> None:
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE UNIQUE INDEX one_of_a_kind ON patients (last_name)")
    rows = [row(f"P{n}", 100 + n, last_name="Twin" if n in (2, 5) else f"L{n}") for n in range(8)]
    report = bring(engine, tmp_path, *rows)
    assert (report.added, report.left_out) == (7, 1)
    (problem,) = report.problems
    assert (problem.row, problem.column) == (7, "")
    assert problem.message.startswith("The database did not accept this row:")


def test_two_imports_of_one_file_at_once_add_every_row_once(engine: Engine, tmp_path: Path) -> None:
    rows = [row(f"P{n}", 0, phone=f"(646) 555-{1000 + n}", external_id=f"NP-{n}") for n in range(60)]
    file_in(tmp_path).write_text("\n".join([HEADER, *rows]), "utf-8")
    reports: list[ImportReport] = []
    both = [threading.Thread(target=lambda: reports.append(bring(engine, tmp_path))) for _ in range(2)]
    for thread in both:
        thread.start()
    for thread in both:
        thread.join()
    assert [report.problems for report in reports] == [[], []]
    assert sorted(report.added + report.known for report in reports) == [60, 60]
    assert sum(report.added for report in reports) == 60
    assert (counts(engine)["treatments"], counts(engine)["patients"]) == (60, 60)


@on_sqlite
def test_times_without_a_zone_are_the_clinics_and_its_country_orders_the_day(
    engine: Engine, tmp_path: Path
) -> None:
    with db.transaction(engine) as session:
        harbour = clinics.create(
            session,
            name="Harbour Osteopathy",
            phone="+44 20 7946 0000",
            timezone="Europe/London",
            country="GB",
            language="en",
            now=NOW,
        )
        clinics.ensure_senders(session, harbour)
        for folder in shipped_plans():
            plans.load_folder(session, harbour, folder, now=NOW, actor=DESK)
    file_in(tmp_path).write_text(
        f"{HEADER}\n{row('Ana', 100, phone='020 7946 0001', ended_at='2/3/2026 10:00')}\n", "utf-8"
    )
    report = import_file(engine, "harbour-osteopathy", file_in(tmp_path), now=NOW, actor=DESK)
    assert report.problems == []
    (treatment,) = found(engine, select(Treatment))
    assert treatment.ended_at == datetime(2026, 3, 2, 10, 0, tzinfo=UTC)
    with pytest.raises(NotFoundError, match="say which with --clinic"):
        import_file(engine, None, file_in(tmp_path), now=NOW, actor=DESK)


@on_sqlite
def test_a_file_that_cannot_be_used_changes_nothing(engine: Engine, tmp_path: Path) -> None:
    before = counts(engine)
    file_in(tmp_path).write_text(f'{HEADER}\n{row("Ana", 100)}\n"Bea', "utf-8")
    with pytest.raises(InputError, match="nothing was imported"):
        bring(engine, tmp_path)
    assert counts(engine) == before
