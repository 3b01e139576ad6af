from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from notifier import patients
from notifier.errors import ConflictError, InputError, NotFoundError
from notifier.models import AuditEntry, Clinic, Patient
from notifier.patients import PatientBook, PatientEntry
from tests.cast import ALICE, DESK, EDWARD, ENDED, LEO, LOGGED, MIA, without


def enter(session: Session, clinic: Clinic, *entries: PatientEntry) -> list[Patient]:
    """As one visit to the desk after another."""
    return [enter_together(session, clinic, entry)[0] for entry in entries]


def enter_together(session: Session, clinic: Clinic, *entries: PatientEntry) -> list[Patient]:
    """As in one file."""
    clean = [patients.clean(entry, clinic) for entry in entries]
    book = PatientBook(session, clinic, clean)
    found = [book.find_or_add(entry, now=LOGGED, actor=DESK) for entry in clean]
    session.flush()
    return found


# What is entered


def test_an_entry_is_brought_into_one_form(clinic: Clinic) -> None:
    entry = PatientEntry(
        "  Ana  María ", " O’Brien ", record_number=" 7 ", phone="212.555.0107", email=" Ana@Example.COM "
    )
    clean = patients.clean(entry, clinic)
    assert (clean.first_name, clean.last_name, clean.record_number) == ("Ana María", "O’Brien", "7")
    assert (clean.phone, clean.email) == ("+12125550107", "ana@example.com")


@pytest.mark.parametrize(
    ("entry", "field", "words"),
    [
        (PatientEntry(" "), "first_name", "first name is missing"),
        (replace(ALICE, language="de"), "language", 'no texts in "de"; write en or es'),
        (replace(ALICE, preferred_channel="fax"), "preferred_channel", "write sms or email"),
        (replace(ALICE, timezone="Amerika/New_York"), "timezone", "Did you mean America/New_York?"),
        (replace(ALICE, phone="555"), "phone", "digits"),
        (replace(ALICE, email="alice"), "email", "name@example.com"),
    ],
)
def test_an_entry_that_cannot_be_is_refused_with_its_field(
    clinic: Clinic, entry: PatientEntry, field: str, words: str
) -> None:
    with pytest.raises(InputError) as caught:
        patients.clean(entry, clinic)
    assert caught.value.field == field
    assert words in str(caught.value)


def test_a_new_patient_speaks_the_clinics_language_and_prefers_sms(session: Session, clinic: Clinic) -> None:
    (alice,) = enter(session, clinic, ALICE)
    assert (alice.language, alice.timezone, alice.preferred_channel) == ("en", None, "sms")
    assert (alice.name_treatment, alice.essentials, alice.record_number) == (False, False, None)
    assert alice.folded_name == "alice moreau"


def test_who_cannot_be_reached_at_all_is_not_added(session: Session, clinic: Clinic) -> None:
    with pytest.raises(InputError, match="Alice cannot be reached: enter a phone number or an e-mail"):
        enter(session, clinic, without(ALICE, "phone", "email"))


# The same patient


NUMBERED = replace(ALICE, record_number="A-7")


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (ALICE, ALICE),
        (ALICE, without(ALICE, "email")),
        (ALICE, without(ALICE, "phone")),
        (ALICE, replace(ALICE, first_name="ALICE", last_name="  Moréau", phone="+1 212 555 0101")),
        (ALICE, replace(ALICE, email="ALICE@Example.com", phone="")),
        (replace(ALICE, email="Alice@Example.com"), without(ALICE, "phone")),
        (ALICE, replace(ALICE, phone="(212) 555-0199")),  # a new phone, the old e-mail
        (NUMBERED, NUMBERED),
        (NUMBERED, replace(NUMBERED, phone="(212) 555-0199", email="new@example.com")),
        (NUMBERED, replace(NUMBERED, last_name="Moreau-Smith")),  # she married
        (NUMBERED, replace(NUMBERED, last_name="")),
        (NUMBERED, ALICE),  # nobody asked for the number this time
        (ALICE, NUMBERED),
        (NUMBERED, without(NUMBERED, "phone", "email")),
    ],
)
def test_a_patient_is_found_again(
    session: Session, clinic: Clinic, first: PatientEntry, second: PatientEntry
) -> None:
    one, same = enter(session, clinic, first, second)
    assert same.id == one.id


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (MIA, LEO),  # a family on one phone
        (ALICE, replace(ALICE, phone="(212) 555-0199", email="")),  # only the name in common
        (NUMBERED, replace(ALICE, record_number="A-8")),  # the clinic tells them apart
        (ALICE, replace(ALICE, first_name="Alicia")),
    ],
)
def test_two_people_stay_two(
    session: Session, clinic: Clinic, first: PatientEntry, second: PatientEntry
) -> None:
    one, other = enter(session, clinic, first, second)
    assert other.id != one.id


@pytest.mark.parametrize(
    "entries", [(MIA, LEO, MIA, LEO), (ALICE, NUMBERED, replace(NUMBERED, phone="(212) 555-0199", email=""))]
)
def test_in_one_file_as_one_after_the_other(
    session: Session, clinic: Clinic, entries: tuple[PatientEntry, ...]
) -> None:
    together = enter_together(session, clinic, *entries)
    apart = enter(session, clinic, *entries)
    assert [patient.id for patient in together] == [patient.id for patient in apart]


def test_a_number_that_came_with_a_known_patient_is_known_to_the_next_row(
    session: Session, clinic: Clinic
) -> None:
    enter(session, clinic, ALICE)
    moved = replace(NUMBERED, phone="(212) 555-0199", email="")
    first, second = enter_together(session, clinic, NUMBERED, moved)
    assert first is second
    assert second.phone == "+12125550199"


def test_a_record_number_of_somebody_else_is_refused(session: Session, clinic: Clinic) -> None:
    enter(session, clinic, NUMBERED)
    with pytest.raises(
        ConflictError,
        match=r"Record number A-7 belongs to Alice Moreau here, not to Edward Okafor\. Correct the number",
    ):
        enter(session, clinic, replace(EDWARD, record_number="A-7"))


def test_clinics_do_not_share_patients(session: Session, clinic: Clinic, other_clinic: Clinic) -> None:
    (here,) = enter(session, clinic, NUMBERED)
    (there,) = enter(session, other_clinic, replace(NUMBERED, phone="+1 212 555 0101"))
    assert here.id != there.id
    with pytest.raises(NotFoundError, match="There is no patient"):
        patients.get(session, other_clinic, here.id)
    assert patients.get(session, clinic, here.id) is here


def test_an_erased_patient_is_not_found_again(session: Session, clinic: Clinic) -> None:
    (alice,) = enter(session, clinic, ALICE)
    alice.erased_at = LOGGED
    session.flush()
    (again,) = enter(session, clinic, ALICE)
    assert again.id != alice.id


# What is said anew


def audit(session: Session) -> list[dict[str, Any]]:
    rows = session.scalars(select(AuditEntry).where(AuditEntry.action == "patient.changed"))
    return [row.detail for row in rows]


def test_a_new_phone_is_taken_over_and_what_was_said_of_the_old_one_is_forgotten(
    session: Session, clinic: Clinic
) -> None:
    (alice,) = enter(session, clinic, ALICE)
    alice.phone_problem, alice.email_problem = "The number does not exist.", "The mailbox is full."
    enter(session, clinic, replace(ALICE, phone="(212) 555-0199"))
    assert alice.phone == "+12125550199"
    assert (alice.phone_problem, alice.email_problem) == ("", "The mailbox is full.")
    enter(session, clinic, replace(ALICE, phone="", email="Alice@example.com", record_number="A-7"))
    assert alice.email_problem == "The mailbox is full."  # the same mailbox
    patients.update(session, alice, PatientEntry("Alice", email="alice@new.example"), now=LOGGED, actor=DESK)
    assert alice.email_problem == ""
    # Which fields changed, and nothing of what they say.
    assert audit(session) == [{"fields": ["phone"]}, {"fields": ["record_number"]}, {"fields": ["email"]}]


def test_what_is_not_said_changes_nothing(session: Session, clinic: Clinic) -> None:
    full = replace(
        NUMBERED, language="es", timezone="America/Chicago", preferred_channel="email", name_treatment=True
    )
    (alice,) = enter(session, clinic, full)
    enter(session, clinic, PatientEntry("Alice", "Moreau", record_number="A-7"))
    assert (alice.phone, alice.email) == ("+12125550101", "alice@example.com")
    assert (alice.language, alice.timezone, alice.preferred_channel) == ("es", "America/Chicago", "email")
    assert alice.name_treatment is True
    assert audit(session) == []


def test_a_wish_can_be_taken_back(session: Session, clinic: Clinic) -> None:
    (alice,) = enter(session, clinic, replace(ALICE, name_treatment=True))
    enter(session, clinic, replace(ALICE, name_treatment=False))
    assert alice.name_treatment is False


# Looking for one


@pytest.fixture
def people(session: Session, clinic: Clinic) -> list[Patient]:
    jose = PatientEntry("José", "Núñez de León", record_number="B-12", phone="(917) 555-0142")
    return enter(session, clinic, NUMBERED, jose, MIA, LEO, EDWARD)


@pytest.mark.parametrize(
    ("words", "names"),
    [
        ("alice", ["Alice"]),
        ("ALI", ["Alice"]),
        ("mor", ["Alice"]),
        ("ros", ["Leo", "Mia"]),
        ("jose nu", ["José"]),
        ("nu jos", ["José"]),  # in any order
        ("jose ros", []),  # but each of them
        ("leon", ["José"]),
        ("leo", ["José", "Leo"]),
        ("B-12", ["José"]),
        ("0104", ["Leo", "Mia"]),
        ("(917) 555-0142", ["José"]),
        ("Edward@Example.com", ["Edward"]),
        ("  edward  ", ["Edward"]),
        ("osé", []),  # the beginning of a name
        ("%", []),
        ("_lice", []),
        ("104", []),  # too few digits to mean a phone
        ("", []),
    ],
)
@pytest.mark.usefixtures("people")
def test_a_patient_is_looked_for_by_name_number_or_address(
    session: Session, clinic: Clinic, words: str, names: list[str]
) -> None:
    assert [patient.first_name for patient in patients.search(session, clinic, words)] == names


@pytest.mark.usefixtures("people")
def test_a_search_has_an_end_and_stays_in_the_clinic(
    session: Session, clinic: Clinic, other_clinic: Clinic
) -> None:
    assert len(patients.search(session, clinic, "ros", limit=1)) == 1
    assert patients.search(session, other_clinic, "ros") == []


def test_a_search_leaves_out_the_erased(session: Session, clinic: Clinic, people: list[Patient]) -> None:
    people[0].erased_at = ENDED
    session.flush()
    assert patients.search(session, clinic, "alice") == []


def test_a_patient_chosen_by_number_is_that_one_whatever_the_name_says(
    session: Session, clinic: Clinic
) -> None:
    alice, namesake = enter(session, clinic, ALICE, replace(ALICE, phone="(212) 555-0199", email=""))
    assert namesake is not alice
    assert enter(session, clinic, PatientEntry("Alice", id=namesake.id)) == [namesake]


def test_a_patient_of_another_clinic_cannot_be_chosen(
    session: Session, clinic: Clinic, other_clinic: Clinic
) -> None:
    (alice,) = enter(session, clinic, ALICE)
    with pytest.raises(NotFoundError, match="no patient"):
        enter(session, other_clinic, PatientEntry("Alice", id=alice.id))
