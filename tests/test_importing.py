from __future__ import annotations

import shutil
import threading
from collections.abc import Iterator
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, func, select, text

from notifier import clinics, consent, db, plans, treatments
from notifier.cli_output import echo_json
from notifier.errors import InputError, NotFoundError
from notifier.importing import BATCH, ImportReport, import_file, report_text
from notifier.models import Base, Clinic, ConsentEntry, Patient, Treatment
from notifier.planfiles import shipped_plans
from notifier.rules.zones import to_instant, zone

NOW = datetime(2026, 3, 3, 22, 0, tzinfo=UTC)  # 17:00 in New York
DESK = "desk@northside.example"
HEADER = (
    "external_id,record_number,first_name,last_name,phone,email,plan,ended_at,next_visit,"
    "consent_sms,consent_email,consent_at"
)


@pytest.fixture(scope="session")
def _schema(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("importing") / "northside.db"
    engine = db.open_engine(f"sqlite:///{path}")
    db.upgrade(engine)
    engine.dispose()
    return path


@pytest.fixture
def northside(_schema: Path, tmp_path: Path) -> Iterator[Engine]:
    """A database with Northside Physio in New York, its senders and the shipped plans."""
    engine = db.open_engine(f"sqlite:///{shutil.copyfile(_schema, tmp_path / 'northside.db')}")
    with db.transaction(engine) as session:
        open_clinic(session, "Northside Physio", "America/New_York", "US")
    yield engine
    engine.dispose()


def open_clinic(session: Any, name: str, timezone: str, country: str) -> Clinic:
    clinic = clinics.create(
        session,
        name=name,
        phone="(212) 555-0199",
        timezone=timezone,
        country=country,
        language="en",
        now=NOW - timedelta(days=99),
    )
    clinics.ensure_senders(session, clinic)
    for folder in shipped_plans():
        plans.load_folder(session, clinic, folder, now=clinic.created_at, actor="set-up")
    return clinic


def row(name: str, number: int = 100, **changes: str) -> str:
    """A good row of today, ten in the morning; each name has a number of its own."""
    values = {
        "first_name": name,
        "phone": f"(212) 555-0{number}",
        "plan": "dry-needling",
        "ended_at": "2026-03-03 10:00",
    } | changes
    return ",".join(values.get(column, "") for column in HEADER.split(","))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "visits.csv"


def bring(engine: Engine, file: Path, *rows: str, now: datetime = NOW, **options: Any) -> ImportReport:
    if rows:
        file.write_text("\n".join([HEADER, *rows]), "utf-8")
    return import_file(engine, None, file, now=now, actor=DESK, **options)


def counts(engine: Engine) -> dict[str, int]:
    with db.reading(engine) as session:
        return {
            table.name: session.scalar(select(func.count()).select_from(table)) or 0
            for table in Base.metadata.sorted_tables
        }


def found(engine: Engine, query: Any) -> list[Any]:
    with db.reading(engine) as session:
        return list(session.scalars(query))


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


def test_good_rows_become_treatments_with_their_messages(northside: Engine, file: Path) -> None:
    report = bring(northside, file, row("Ana", 100, external_id="NP-1", consent_sms="yes"), row("Bea", 101))
    assert (report.rows, report.added, report.known, report.left_out) == (2, 2, 0, 0)
    ana, _ = found(northside, select(Treatment).order_by(Treatment.id))
    assert (ana.external_id, ana.source, ana.logged_by, ana.logged_at) == ("NP-1", "import", DESK, NOW)
    assert ana.ended_at == to_instant(datetime(2026, 3, 3, 10, 0), zone("America/New_York"))  # noqa: DTZ001
    with db.reading(northside) as session:
        rows = session.execute(
            text("SELECT p.first_name, m.status FROM messages m JOIN patients p ON p.id = m.patient_id")
        ).all()
    assert ("Ana", "scheduled") in rows
    assert ("Bea", "skipped") in rows
    assert ("Bea", "scheduled") not in rows


def test_bad_rows_are_reported_and_left_out_while_the_good_ones_go_in(northside: Engine, file: Path) -> None:
    report = bring(
        northside,
        file,
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
    assert {patient.first_name for patient in found(northside, select(Patient))} == {"Ana", "Edward"}


def test_an_unusual_time_needs_a_word_from_a_person(northside: Engine, file: Path) -> None:
    rows = (
        row("Ana", 100, ended_at="2026-03-04 10:00"),
        row("Bea", 101, ended_at="2026-01-20 10:00"),
        row("Carol", 102),
    )
    report = bring(northside, file, *rows)
    assert (report.added, report.left_out) == (1, 2)
    assert "would end in the future" in report.problems[0].message
    assert "ended 42 days ago" in report.problems[1].message  # 20 January to 3 March: 11 + 28 + 3
    for problem in report.problems:
        assert problem.column == "ended_at"
        assert problem.message.endswith("Importing the file again with --confirm lets it in.")
    again = bring(northside, file, confirmed=True)
    assert (again.added, again.known, again.left_out) == (2, 1, 0)


def test_importing_a_file_again_adds_nothing(northside: Engine, file: Path) -> None:
    rows = (
        row("Ana", 100, external_id="NP-1", consent_sms="yes", consent_email="no"),
        row("Bea", 101, consent_sms="yes"),
        row("Bea", 101, plan="cupping"),
    )
    bring(northside, file, *rows)
    before = counts(northside)
    report = bring(northside, file, now=NOW + timedelta(hours=3))
    assert (report.added, report.known, report.repeated, report.problems) == (0, 3, 0, [])
    assert counts(northside) == before


def test_a_row_without_an_id_is_known_again_whatever_the_desk_did_since(
    northside: Engine, file: Path
) -> None:
    bring(northside, file, row("Ana", 100), row("Bea", 101))
    with db.transaction(northside) as session:
        ana, bea = session.scalars(select(Treatment).order_by(Treatment.id))
        ana.patient.phone, ana.patient.last_name = "+12125550177", "Ruiz"
        treatments.void(session, bea, reason="Not Bea.", now=NOW, actor=DESK)
    before = counts(northside)
    assert bring(northside, file).known == 2
    assert counts(northside) == before


def test_rows_that_stand_twice_in_a_file_are_one_treatment(northside: Engine, file: Path) -> None:
    # The desk saw Ana leave at ten, the booking program at five past.
    rows = (
        row("Ana", 100),
        row("Ana", 100, ended_at="2026-03-03 10:05"),
        row("Bea", 101, external_id="NP-1"),
        row("Bea", 101, external_id="NP-1"),
    )
    report = bring(northside, file, *rows)
    assert (report.added, report.known, report.repeated) == (2, 2, 2)
    assert counts(northside)["treatments"] == 2


def test_two_treatments_of_a_visit_are_both_recorded(northside: Engine, file: Path) -> None:
    report = bring(northside, file, row("Ana", 100, external_id="1"), row("Ana", 100, external_id="2"))
    assert (report.added, counts(northside)["patients"]) == (2, 1)


def test_a_family_shares_a_phone_and_stays_several_people(northside: Engine, file: Path) -> None:
    bring(northside, file, row("Mia", 104), row("Leo", 104), row("leo", 104, plan="cupping"))
    assert [patient.first_name for patient in found(northside, select(Patient))] == ["Mia", "Leo"]


def test_an_id_that_means_another_treatment_is_noted_and_changes_nothing(
    northside: Engine, file: Path
) -> None:
    bring(northside, file, row("Ana", 100, external_id="NP-1"))
    before = counts(northside)
    report = bring(
        northside, file, row("Bea", 101, external_id="NP-1", plan="cupping", ended_at="2026-03-03 11:00")
    )
    assert (report.added, report.known, report.problems) == (0, 1, [])
    (note,) = report.notes
    assert (note.row, note.column, note.value) == (2, "external_id", "NP-1")
    assert "there already with another patient and plan and ended_at" in note.message
    assert counts(northside) == before
    assert "Worth a look:\n  row 2, external_id" in report_text(report)


def test_a_dry_run_reports_the_same_and_changes_nothing(northside: Engine, file: Path) -> None:
    bring(northside, file, row("Zoe", 199, external_id="NP-0"))
    # Rows of one patient stand further apart than a batch is long.
    rows = [row("Zoe", 199, external_id="NP-0"), row("Ana", 100), row("Bad", 101, phone="5")]
    rows += [row(f"P{n}", 0, phone=f"(646) 555-{1000 + n}") for n in range(BATCH + 20)]
    rows += [
        row("Ana", 100),
        row("Ana", 100, record_number="7", plan="cupping"),
        row("Luz", 102, record_number="7"),
    ]
    before = counts(northside)
    dry = bring(northside, file, *rows, dry_run=True)
    assert counts(northside) == before
    wet = bring(northside, file)
    assert asdict(dry) | {"dry_run": False} == asdict(wet)
    assert (wet.added, wet.known, wet.repeated, wet.left_out) == (BATCH + 22, 2, 1, 2)
    assert "belongs to Ana here, not to Luz" in wet.problems[1].message
    assert counts(northside)["treatments"] == before["treatments"] + wet.added


def test_after_a_crash_between_batches_importing_again_brings_in_the_rest(
    northside: Engine, file: Path
) -> None:
    rows = [row(f"P{n}", 0, phone=f"(646) 555-{1000 + n}", consent_sms="yes") for n in range(BATCH + 30)]

    def pull_the_plug(done: int, total: int) -> None:
        assert (done, total) == (BATCH, BATCH + 30)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        bring(northside, file, *rows, progress=pull_the_plug)
    assert counts(northside)["treatments"] == BATCH
    steps: list[tuple[int, int]] = []
    report = bring(northside, file, progress=lambda done, total: steps.append((done, total)))
    assert (report.added, report.known, report.repeated) == (30, BATCH, 0)
    assert steps == [(BATCH, BATCH + 30), (BATCH + 30, BATCH + 30)]
    assert counts(northside)["consents"] == BATCH + 30


def test_one_row_that_the_database_refuses_stops_no_other(northside: Engine, file: Path) -> None:
    with northside.begin() as connection:
        connection.exec_driver_sql("CREATE UNIQUE INDEX one_of_a_kind ON patients (last_name)")
    rows = [row(f"P{n}", 100 + n, last_name="Twin" if n in (2, 5) else f"L{n}") for n in range(8)]
    report = bring(northside, file, *rows)
    assert (report.added, report.left_out) == (7, 1)
    (problem,) = report.problems
    assert (problem.row, problem.column) == (7, "")
    assert problem.message.startswith("The database did not accept this row:")


def test_two_imports_of_one_file_at_once_add_every_row_once(northside: Engine, file: Path) -> None:
    rows = [row(f"P{n}", 0, phone=f"(646) 555-{1000 + n}", external_id=f"NP-{n}") for n in range(60)]
    file.write_text("\n".join([HEADER, *rows]), "utf-8")
    reports: list[ImportReport] = []
    both = [threading.Thread(target=lambda: reports.append(bring(northside, file))) for _ in range(2)]
    for thread in both:
        thread.start()
    for thread in both:
        thread.join()
    assert sorted(report.added + report.known for report in reports) == [60, 60]
    assert sum(report.added for report in reports) == 60
    assert (counts(northside)["treatments"], counts(northside)["patients"]) == (60, 60)


def test_importing_again_does_not_undo_a_withdrawal(northside: Engine, file: Path) -> None:
    bring(northside, file, row("Ana", 100, consent_sms="yes"))
    withdraw(northside, "Ana", "sms", NOW + timedelta(hours=1))
    bring(northside, file, now=NOW + timedelta(hours=2))
    assert standing(northside, "Ana", "sms") is False


def test_a_later_visit_with_an_undated_yes_does_not_undo_a_withdrawal(northside: Engine, file: Path) -> None:
    bring(northside, file, row("Ana", 100, email="ana@example.org", consent_sms="yes", consent_email="yes"))
    withdraw(northside, "Ana", "email", NOW + timedelta(hours=1))
    later = row("Ana", 100, ended_at="2026-03-05 10:00", consent_sms="yes", consent_email="yes")
    report = bring(northside, file, later, now=NOW + timedelta(days=3))
    assert report.added == 1
    (note,) = report.notes
    assert (note.row, note.column, note.value) == (2, "consent_email", "yes")
    assert "withdrew this consent on 2026-03-03" in note.message
    assert standing(northside, "Ana", "email") is False
    assert standing(northside, "Ana", "sms") is True


def test_a_yes_with_a_newer_date_does_undo_a_withdrawal(northside: Engine, file: Path) -> None:
    bring(northside, file, row("Ana", 100, consent_sms="yes"))
    withdraw(northside, "Ana", "sms", NOW + timedelta(hours=1))
    dated = {"ended_at": "2026-03-05 10:00", "consent_sms": "yes"}
    older = row("Ana", 100, **dated, consent_at="2026-02-01")
    newer = row("Ana", 100, **dated, plan="cupping", consent_at="2026-03-05 09:30")
    assert bring(northside, file, older, now=NOW + timedelta(days=3)).notes == []
    assert standing(northside, "Ana", "sms") is False
    assert bring(northside, file, newer, now=NOW + timedelta(days=3)).notes == []
    assert standing(northside, "Ana", "sms") is True


def test_a_withdrawal_binds_that_patient_and_nobody_beside(northside: Engine, file: Path) -> None:
    bring(northside, file, row("Mia", 104, consent_sms="yes"))
    withdraw(northside, "Mia", "sms", NOW + timedelta(hours=1))
    report = bring(northside, file, row("Leo", 104, consent_sms="yes"), now=NOW + timedelta(hours=2))
    assert (report.added, report.notes) == (1, [])
    assert standing(northside, "Leo", "sms") is True


def test_within_a_file_the_newer_treatment_has_the_last_word(northside: Engine, file: Path) -> None:
    rows = (
        row("Ana", 100, plan="cupping", ended_at="2026-03-02 10:00", consent_sms="no"),
        row("Ana", 100, consent_sms="yes"),
        row("Bea", 101, consent_sms="no"),
        row("Bea", 101, plan="cupping", ended_at="2026-03-02 10:00", consent_sms="yes"),
    )
    assert bring(northside, file, *rows).notes == []
    assert (standing(northside, "Ana", "sms"), standing(northside, "Bea", "sms")) == (True, False)


def test_times_without_a_zone_are_the_clinics_and_its_country_orders_the_day(
    northside: Engine, file: Path
) -> None:
    with db.transaction(northside) as session:
        open_clinic(session, "Harbour Osteopathy", "Europe/London", "GB")
    file.write_text(
        f"{HEADER}\n{row('Ana', 100, phone='020 7946 0001', ended_at='2/3/2026 10:00')}\n", "utf-8"
    )
    report = import_file(northside, "harbour-osteopathy", file, now=NOW, actor=DESK)
    assert report.problems == []
    (treatment,) = found(northside, select(Treatment))
    assert treatment.ended_at == datetime(2026, 3, 2, 10, 0, tzinfo=UTC)
    with pytest.raises(NotFoundError, match="say which with --clinic"):
        import_file(northside, None, file, now=NOW, actor=DESK)


def test_a_file_that_cannot_be_used_changes_nothing(northside: Engine, file: Path) -> None:
    before = counts(northside)
    file.write_text(f'{HEADER}\n{row("Ana", 100)}\n"Bea', "utf-8")
    with pytest.raises(InputError, match="nothing was imported"):
        bring(northside, file)
    assert counts(northside) == before


def test_the_report_reads_as_sentences(
    northside: Engine, file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bring(northside, file, row("Ana", 100), row("Bea", 101))
    report = bring(
        northside,
        file,
        row("Ana", 100),
        row("Bea", 101),
        row("Carol", 102),
        row("Carol", 102),
        row("Dora", 103, consent_sms="maybe", record_number='="7'),
    )
    assert report_text(report).splitlines() == [
        "1 treatment added, 2 were there already, 1 stands in the file twice, 1 row left out:",
        "  row 6, consent_sms: 'maybe' is neither yes nor no; leave it empty where nothing was said.",
    ]
    dry = bring(northside, file, dry_run=True)
    assert report_text(dry).splitlines()[:2] == [
        "Nothing was changed; this was a dry run.",
        "0 treatments would be added, 4 were there already, 1 row would be left out:",
    ]
    echo_json(report)
    assert '"message": "\'maybe\' is neither yes nor no' in capsys.readouterr().out


def test_a_long_report_stops_somewhere(northside: Engine, file: Path) -> None:
    report = bring(northside, file, *(row(f"P{n}", 100 + n, plan="?") for n in range(8)))
    lines = report_text(report, most=3).splitlines()
    assert (len(lines), lines[-1]) == (5, "  … and 5 more.")


def test_columns_that_were_ignored_are_named(northside: Engine, file: Path) -> None:
    file.write_text(f"Room;{HEADER.replace(',', ';')}\n4;{row('Ana', 100).replace(',', ';')}\n", "utf-8")
    report = bring(northside, file)
    assert report.added == 1
    assert report_text(report).endswith("Columns that mean nothing here were ignored: Room.")


def test_consent_carries_how_and_to_which_words(northside: Engine, file: Path) -> None:
    file.write_text(
        "name,phone,plan,ended,consent_sms,consent_at,consent_method,consent_wording\n"
        'Ana Ruiz,(212) 555-0100,Cupping,3/3/2026 10:00 AM,x,1/5/2026,form,"Yes, text me."\n',
        "utf-8",
    )
    assert bring(northside, file).problems == []
    (line,) = found(northside, select(ConsentEntry))
    assert (line.channel, line.granted, line.method, line.wording) == ("sms", True, "form", "Yes, text me.")
    assert (line.at, line.recorded_at) == (datetime(2026, 1, 5, 5, 0, tzinfo=UTC), NOW)
