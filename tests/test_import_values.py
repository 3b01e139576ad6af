from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from notifier.import_table import Row
from notifier.import_values import Reading, RowReader
from notifier.models import Clinic
from notifier.treatments import Entry

NOW = datetime(2026, 3, 3, 22, 0, tzinfo=UTC)
ENDED = datetime(2026, 3, 3, 15, 0, tzinfo=UTC)
GOOD = {
    "first_name": "Ana",
    "phone": "(212) 555-0100",
    "plan": "dry-needling",
    "ended_at": "2026-03-03 10:00",  # + 5 h in New York
}


def read(**values: str) -> Reading:
    clinic = Clinic(timezone="America/New_York", country="US")
    reader = RowReader(clinic, frozenset({"dry-needling", "cupping"}), NOW, confirmed=False)
    return reader.read(Row(7, GOOD | values))


def entry(**values: str) -> Entry:
    reading = read(**values)
    assert reading.problems == []
    assert reading.entry is not None
    return reading.entry


def problems(**values: str) -> list[tuple[str, str, str]]:
    reading = read(**values)
    assert reading.entry is None
    assert {problem.row for problem in reading.problems} == {7}
    return [(problem.column, problem.value, problem.message) for problem in reading.problems]


def test_a_row_says_everything_about_a_treatment() -> None:
    said = entry(
        external_id="NP-1",
        record_number="0042",
        last_name="Ruiz",
        email="Ana@Example.org",
        language="es",
        timezone="America/Chicago",
        preferred_channel="email",
        practitioner="Dr.  Park",
        areas="neck",
        next_visit="2026-03-10 10:00",  # + 4 h, summer time
        consent_sms="yes",
        consent_email="no",
        consent_at="2026-01-02 09:00",
        consent_method="intake form",
        consent_wording="I agree.",
        name_treatment="yes",
    )
    patient = said.patient
    assert (patient.first_name, patient.last_name, patient.record_number) == ("Ana", "Ruiz", "0042")
    assert (patient.phone, patient.email) == ("+12125550100", "Ana@example.org")
    assert (patient.language, patient.timezone) == ("es", "America/Chicago")
    assert (patient.preferred_channel, patient.name_treatment) == ("email", True)
    assert (said.external_id, said.idempotency_key, said.source) == ("NP-1", "", "import")
    assert (said.plan, said.practitioner, said.areas) == ("dry-needling", "Dr. Park", ("neck",))
    assert (said.ended_at, said.next_visit) == (ENDED, datetime(2026, 3, 10, 14, 0, tzinfo=UTC))
    given = datetime(2026, 1, 2, 14, 0, tzinfo=UTC)
    assert [(c.channel, c.granted, c.at, c.method, c.wording) for c in said.consents] == [
        ("sms", True, given, "intake form", "I agree."),
        ("email", False, given, "intake form", "I agree."),
    ]


@pytest.mark.parametrize("word", ["yes", "Y", "TRUE", "1", "sí", "Si", "x"])
def test_yes_in_many_ways(word: str) -> None:
    said = entry(consent_sms=word, name_treatment=word)
    assert [(c.channel, c.granted) for c in said.consents] == [("sms", True)]
    assert said.patient.name_treatment is True


@pytest.mark.parametrize("word", ["no", "N", "False", "0"])
def test_no_in_many_ways(word: str) -> None:
    said = entry(consent_email=word, name_treatment=word)
    assert [(c.channel, c.granted) for c in said.consents] == [("email", False)]
    assert said.patient.name_treatment is False


def test_what_is_left_empty_was_not_said() -> None:
    said = entry()
    assert said.consents == ()
    assert (said.patient.name_treatment, said.patient.language, said.next_visit) == (None, "", None)


def test_consent_without_a_date_was_given_when_the_treatment_ended() -> None:
    (given,) = entry(consent_sms="yes").consents
    assert (given.at, given.method) == (ENDED, "import")


def test_consent_is_never_dated_in_the_future_where_no_withdrawal_could_come_after_it() -> None:
    (given,) = entry(consent_sms="yes", ended_at="2026-03-03 17:10").consents  # ten minutes ahead
    assert given.at == NOW
    ((column, value, message),) = problems(consent_sms="yes", consent_at="2027-01-02")
    assert (column, value) == ("consent_at", "2027-01-02")
    assert message == "Consent cannot have been given in the future. Correct the date."


@pytest.mark.parametrize(
    ("columns", "first", "last"),
    [
        ({"full_name": "Ana María Ruiz"}, "Ana", "María Ruiz"),
        ({"full_name": "Ruiz Peña, Ana  María"}, "Ana María", "Ruiz Peña"),
        ({"full_name": "Ana"}, "Ana", ""),
        ({"full_name": "Ana,"}, "Ana", ""),
        ({"full_name": "Ana", "last_name": "Ruiz"}, "Ana", "Ruiz"),
        ({"full_name": "Someone Else", "first_name": "Ana", "last_name": "Ruiz"}, "Ana", "Ruiz"),
    ],
)
def test_a_name_in_one_column_is_taken_apart(columns: dict[str, str], first: str, last: str) -> None:
    patient = entry(**({"first_name": ""} | columns)).patient
    assert (patient.first_name, patient.last_name) == (first, last)


@pytest.mark.parametrize(
    ("word", "language"),
    [("en", "en"), ("English", "en"), ("en-US", "en"), ("Inglés", "en"), ("es_MX", "es"), ("Español", "es")],
)
def test_a_language_by_its_code_or_its_name(word: str, language: str) -> None:
    assert entry(language=word).patient.language == language


@pytest.mark.parametrize(
    ("word", "channel"), [("SMS", "sms"), ("Text", "sms"), ("E-Mail", "email"), ("email", "email")]
)
def test_a_channel_by_any_of_its_names(word: str, channel: str) -> None:
    assert entry(preferred_channel=word).patient.preferred_channel == channel


@pytest.mark.parametrize(
    ("words", "areas"),
    [
        ("Upper back", ("upper_back",)),
        ("neck, Lower-Back;calf | plantar_fascia", ("neck", "lower_back", "calf", "plantar_fascia")),
        ("; ,", ()),
    ],
)
def test_areas_become_the_words_that_plans_use(words: str, areas: tuple[str, ...]) -> None:
    assert entry(areas=words).areas == areas


@pytest.mark.parametrize("word", ["dry-needling", "Dry Needling", "DRY_NEEDLING"])
def test_a_plan_by_its_key_however_it_is_spelled(word: str) -> None:
    assert entry(plan=word).plan == "dry-needling"


@pytest.mark.parametrize(
    ("values", "column", "said"),
    [
        ({"first_name": ""}, "first_name", "The patient's first name is missing."),
        ({"ended_at": ""}, "ended_at", "The row does not say when the treatment ended."),
        ({"plan": ""}, "plan", "The row does not say the plan."),
        ({"plan": "reiki"}, "plan", 'There is no plan "reiki". There are: cupping, dry-needling.'),
        ({"ended_at": "2026-03-03"}, "ended_at", "has no time; write it like 2026-03-03 17:30."),
        ({"next_visit": "soon"}, "next_visit", "is not a date and time"),
        ({"phone": "555"}, "phone", "cannot be a phone number in US"),
        ({"phone": "1.21256E+10"}, "phone", "The spreadsheet shortened this number to 1.21256E+10"),
        ({"record_number": "8,12E+12"}, "record_number", "its last digits are lost"),
        ({"external_id": "8.12E+12"}, "external_id", "Format the column as text"),
        ({"external_id": "x" * 121}, "external_id", "This is longer than 120 characters."),
        ({"last_name": "x" * 121}, "last_name", "This is longer than 120 characters."),
        ({"consent_method": "x" * 61}, "consent_method", "This is longer than 60 characters."),
        ({"practitioner": "#N/A"}, "practitioner", "This is a spreadsheet's error, not a value."),
        ({"email": "ana"}, "email", "write it like name@example.com"),
        ({"language": "fr"}, "language", 'There are no texts in "fr"; write en or es.'),
        ({"timezone": "America/New York"}, "timezone", "Did you mean America/New_York?"),
        ({"preferred_channel": "fax"}, "preferred_channel", '"fax" is not a channel; write sms or email.'),
        ({"consent_sms": "maybe"}, "consent_sms", "'maybe' is neither yes nor no"),
        ({"name_treatment": "maybe"}, "name_treatment", "'maybe' is neither yes nor no"),
    ],
)
def test_what_is_wrong_is_named_with_its_column_and_value(
    values: dict[str, str], column: str, said: str
) -> None:
    ((where, value, message),) = problems(**values)
    assert (where, value) == (column, values[column])
    assert said in message


def test_everything_that_is_wrong_with_a_row_is_said_at_once() -> None:
    found = problems(phone="555", plan="reiki", ended_at="?", timezone="Mars", consent_sms="?")
    assert sorted(column for column, _, _ in found) == [
        "consent_sms",
        "ended_at",
        "phone",
        "plan",
        "timezone",
    ]


def test_one_wrong_zone_in_every_row_costs_one_search() -> None:
    clinic = Clinic(timezone="America/New_York", country="US")
    reader = RowReader(clinic, frozenset({"dry-needling"}), NOW, confirmed=False)
    said = [reader.read(Row(n, GOOD | {"timezone": "Eastern"})).problems[0].message for n in (2, 3)]
    assert said[0] == said[1]
    assert said[0].startswith('There is no time zone "Eastern".')


def test_a_row_without_an_id_is_known_by_what_it_says() -> None:
    key = entry().idempotency_key
    assert key.startswith("import:")
    assert key == entry(phone="+1 212 555 0100", ended_at="3/3/2026 10:00 AM", areas="neck").idempotency_key
    others = (
        {"first_name": "Bea"},
        {"ended_at": "2026-03-03 10:01"},
        {"plan": "cupping"},
        {"email": "a@b.org"},
    )
    assert len({key, *(entry(**other).idempotency_key for other in others)}) == 5


def test_a_time_zone_of_the_patient_does_not_move_when_the_treatment_ended() -> None:
    assert entry(timezone="America/Los_Angeles").ended_at == ENDED
    assert entry(ended_at="2026-03-03T10:00-08:00").ended_at == ENDED + timedelta(hours=3)
