"""The file that the demo imports: a week of a clinic that people recognise."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from importlib import resources
from pathlib import Path

import pytest
from sqlalchemy import Engine, select

from notifier import clinics, db, plans
from notifier.importing import ImportReport, import_file, report_text
from notifier.models import Clinic, Message, Patient, Treatment
from notifier.planfiles import shipped_plans
from notifier.rules import recipients
from notifier.rules.zones import to_instant, zone

NEW_YORK = zone("America/New_York")
FILE = Path(str(resources.files("notifier"))) / "demo_data" / "treatments.csv"
NOW = datetime(2026, 3, 3, 22, 0, tzinfo=UTC)  # 17:00 in New York


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    engine = db.open_engine(f"sqlite:///{tmp_path_factory.mktemp('demo') / 'demo.db'}")
    db.upgrade(engine)
    with db.transaction(engine) as session:
        clinic = clinics.create(
            session,
            name="Northside Physio",
            phone="(212) 555-0199",
            timezone="America/New_York",
            country="US",
            language="en",
            now=NOW,
        )
        clinics.ensure_senders(session, clinic)
        for folder in shipped_plans():
            plans.load_folder(session, clinic, folder, now=NOW, actor="set-up")
    yield engine
    engine.dispose()


@pytest.fixture(scope="module")
def report(demo: Engine) -> ImportReport:
    return import_file(demo, None, FILE, now=NOW, actor="demo")


@pytest.fixture(scope="module")
def treatments(demo: Engine, report: ImportReport) -> list[tuple[Treatment, Patient, str]]:
    with db.reading(demo) as session:
        rows = session.scalars(select(Treatment).order_by(Treatment.ended_at))
        found = [(row, row.patient, row.plan.key) for row in rows]
        session.expunge_all()
    return found


def test_the_report_shows_its_worth(report: ImportReport) -> None:
    assert report_text(report).splitlines() == [
        "47 treatments added, 1 stands in the file twice, 2 rows left out:",
        "  row 50, phone: '(212) 555-01' cannot be a phone number in US: it has too few digits.",
        (
            '  row 51, plan: There is no plan "hot-stone". '
            "There are: cupping, dry-needling, shockwave, sports-massage."
        ),
    ]


def test_nobody_real_can_be_reached() -> None:
    """Only numbers and domains that are set aside for stories: 555-01xx, Ofcom's for drama, RFC 2606."""
    with FILE.open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if len(row["phone"]) != len("(212) 555-01")]
    for row in rows:
        if row["phone"]:
            number = recipients.phone(row["phone"], region="US")
            assert (number[:2] == "+1" and number[5:10] == "55501") or number.startswith("+442079460")
        assert not row["email"] or row["email"].split("@")[1] in {"example.com", "example.org", "example.net"}


def test_several_plans_languages_and_zones(
    report: ImportReport, treatments: list[tuple[Treatment, Patient, str]]
) -> None:
    assert report.added == len(treatments) >= 40
    by_plan = Counter(plan for _, _, plan in treatments)
    assert set(by_plan) == {"dry-needling", "sports-massage", "cupping", "shockwave"}
    assert min(by_plan.values()) >= 5
    people = {patient.id: patient for _, patient, _ in treatments}.values()
    spanish = sum(patient.language == "es" for patient in people)
    assert 0.3 <= spanish / len(people) <= 0.4
    assert {patient.timezone for patient in people} == {
        None,
        "America/New_York",
        "America/Chicago",
        "America/Los_Angeles",
    }
    assert any(patient.phone is None for patient in people)
    assert any(patient.email is None for patient in people)
    assert any(patient.name_treatment for patient in people)


def test_treatments_end_in_the_days_before_the_import(
    treatments: list[tuple[Treatment, Patient, str]],
) -> None:
    ends = [treatment.ended_at for treatment, _, _ in treatments]
    assert ends[0] >= to_instant(datetime(2026, 2, 27), NEW_YORK)  # noqa: DTZ001
    assert ends[-1] == to_instant(datetime(2026, 3, 3, 16, 45), NEW_YORK)  # noqa: DTZ001
    late = [NOW - end for end in ends if NOW - end > timedelta(days=1)]
    assert len(late) >= 10
    assert max(late) > timedelta(days=4)
    visits = [treatment.next_visit_at for treatment, _, _ in treatments]
    assert sum(visit is not None and visit < NOW + timedelta(days=7) for visit in visits) >= 10


def test_people_come_twice_and_families_share_a_phone(
    treatments: list[tuple[Treatment, Patient, str]],
) -> None:
    by_person: dict[int, list[tuple[str, datetime]]] = {}
    for treatment, patient, plan in treatments:
        by_person.setdefault(patient.id, []).append((plan, treatment.ended_at))
    twice = [visits for visits in by_person.values() if len(visits) == 2]
    assert any(one[0] == two[0] and two[1] - one[1] > timedelta(days=1) for one, two in twice)
    assert any(one[0] != two[0] and two[1] - one[1] < timedelta(hours=1) for one, two in twice)
    phones = {patient.id: patient.phone for _, patient, _ in treatments if patient.phone}
    assert [count for count in Counter(phones.values()).values() if count > 1] == [2]


def test_every_reason_not_to_send_is_there_to_be_seen(demo: Engine, report: ImportReport) -> None:
    with db.reading(demo) as session:
        rows = session.execute(
            select(Message.status, Message.reason_code, Message.reason, Message.channel, Message.due_at)
        ).all()
        country = session.scalars(select(Clinic.country)).one()
    assert country == "US"
    codes = {row.reason_code for row in rows}
    assert {"superseded", "same_visit", "unreachable"} <= codes
    assert {row.channel for row in rows if row.status == "scheduled"} == {"sms", "email"}
    reasons = " ".join(row.reason for row in rows)
    assert "landline" in reasons
    assert "consent" in reasons
    # The week of the demo crosses the morning of 8 March, when the clocks of the US go forward.
    due = [row.due_at for row in rows if row.due_at is not None]
    assert min(due) < datetime(2026, 3, 8, 7, tzinfo=UTC) < max(due)
