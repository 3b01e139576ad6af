"""The front desk at the keyboard: logging, correcting, consent, and what the answers say."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from notifier.rules.zones import to_local, zone
from tests import cast
from tests.cli_cast import Home, Program, ago, open_home, write_plan

NEW_YORK = zone("America/New_York")
ANA = ("--phone", "(212) 555-0101", "--consent-sms")


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return open_home(tmp_path)


def local(**span: float) -> datetime:
    return to_local(datetime.now(UTC) - timedelta(**span), NEW_YORK)


def steps(rows: list[dict[str, Any]]) -> dict[tuple[str, str], str]:
    return {(row["step"], row["channel"]): row["status"] for row in rows}


# Logging


def test_a_logged_treatment_answers_with_what_will_be_sent_and_when(home: Home) -> None:
    said = home.log("Ana", "--last-name", "Núñez", *ANA, "--ended-at", ago(minutes=1)).out
    first, headers, *rows = said.splitlines()
    assert first.startswith("Logged: treatment 1, Ana Núñez, any-hour, ended ")
    assert first.endswith(" (America/New_York).")
    assert headers.split() == ["when", "(America/New_York)", "step", "by", "status", "why"]
    due = local(minutes=-4)
    assert rows[0].startswith(f"{due:%a %Y-%m-%d %H:%M}")
    assert [row.split()[3:6] for row in rows[:3]] == [
        ["first-words", "sms", "scheduled"],
        ["both-ways", "sms", "scheduled"],
        ["two-days-on", "sms", "scheduled"],
    ]
    assert rows[-1].split()[:3] == ["before-next-visit", "sms", "skipped"]
    assert rows[-1].endswith("No next visit is booked.")


def test_without_a_yes_the_desk_reads_at_once_that_nothing_goes_out_and_what_to_do(home: Home) -> None:
    said = home.log("Bob", "--phone", "2125550102", "--email", "bob@example.com")
    assert said.out.splitlines()[1:] == [
        "Nothing will be sent. No consent to SMS is on record. No consent to e-mail is on record.",
        "As soon as the patient agrees: notifier patient consent 1 sms --yes",
        "As soon as the patient agrees: notifier patient consent 1 email --yes",
    ]
    home.run("patient", "consent", 1, "email", "--yes", "--wording", "May we e-mail you?")
    assert steps(home.messages())["first-words", "email"] == "scheduled"


def test_a_program_reads_the_same_from_json(home: Home) -> None:
    answer = home.log("Bob", "--phone", "2125550102", "--external-id", "T-7", "--json").json
    assert (answer["id"], answer["external_id"], answer["patient_id"]) == (1, "T-7", 1)
    assert answer["is_new"] is True
    assert answer["nothing_because"].startswith("No consent to SMS is on record.")
    assert {row["status"] for row in answer["messages"]} == {"skipped"}
    assert {row["external_id"] for row in answer["messages"]} == {"T-7"}


def test_a_treatment_logged_twice_is_one_and_the_yes_of_the_second_time_counts(home: Home) -> None:
    home.log("Ana", "--phone", "2125550101")
    again = home.log("ana", *ANA)
    assert again.out.startswith("Logged before, and no second one was added: treatment 1, Ana,")
    assert home.log("Ana", *ANA, "--json").json["is_new"] is False
    assert steps(home.messages())["first-words", "sms"] == "scheduled"


@cast.on_postgresql
def test_two_desks_that_log_the_same_treatment_at_once_add_one(empty_engine: Engine, tmp_path: Path) -> None:
    home = Home(tmp_path, database={"url": empty_engine.url.render_as_string(hide_password=False)})
    home.run("init")
    home.run("plan", "import", write_plan(tmp_path))
    words = ("log", "--plan", "any-hour", "--first-name", "Ana", *ANA, "--external-id", "T-1", "--json")
    desks = [Program(home, *words) for _ in range(2)]
    answers = [desk.ends() for desk in desks]
    assert [answer.code for answer in answers] == [0, 0], answers
    assert sorted(answer.json["is_new"] for answer in answers) == [False, True]
    assert len({row["id"] for row in home.messages()}) == len(home.messages()) == 4


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["--phone", "555"], "'555' cannot be a phone number in US: it has too few digits."),
        (["--email", "ana@"], "'ana@' has no domain; write it like name@example.com."),
        ([], "Ana cannot be reached: enter a phone number or an e-mail address."),
        ([*ANA, "--language", "fr"], 'There are no texts in "fr"; write en or es.'),
        (
            [*ANA, "--timezone", "America/Chicgo"],
            'There is no time zone "America/Chicgo". Did you mean America/Chicago?',
        ),
        (
            [*ANA, "--ended-at", "yesterday"],
            "'yesterday' is not a date and time; write it like 2026-03-07 17:30.",
        ),
        ([*ANA, "--ended-at", "2026-03-07"], "'2026-03-07' has no time; write it like 2026-03-07 17:30."),
    ],
)
def test_what_cannot_be_is_refused_in_one_sentence_and_nothing_is_kept(
    home: Home, words: list[str], line: str
) -> None:
    assert home.refused("log", "--plan", "any-hour", "--first-name", "Ana", *words) == line
    assert home.run("patient", "find", "Ana").out == 'Nobody at Riverside Physio matches "Ana".\n'


def test_an_unknown_plan_is_refused_with_those_there_are(home: Home) -> None:
    assert home.refused("log", "--plan", "massage", "--first-name", "Ana", *ANA) == (
        'There is no plan "massage". There are: any-hour, cupping, dry-needling, shockwave, sports-massage.'
    )


@pytest.mark.parametrize("days", [-2, 40])
def test_a_strange_time_has_to_be_confirmed(home: Home, days: int) -> None:
    words = ("log", "--plan", "any-hour", "--first-name", "Ana", *ANA, "--ended-at", ago(days=days))
    assert home.refused(*words).endswith("To confirm, add --confirm.")
    assert home.messages() == []
    home.run(*words, "--confirm")
    assert home.messages()


def test_a_time_of_day_is_todays_on_the_clinics_clock(home: Home) -> None:
    typed = local(minutes=3)
    home.log("Ana", *ANA, "--ended-at", f"{typed:%H:%M}", "--confirm")
    assert (
        f"ended {local():%a %Y-%m-%d} {typed:%H:%M} (America/New_York)"
        in home.run("treatment", "show", 1).out
    )


def test_times_are_told_in_the_patients_zone_where_it_has_one(home: Home) -> None:
    said = home.log("Ana", *ANA, "--timezone", "America/Los_Angeles", "--ended-at", ago(minutes=1)).out
    due = to_local(datetime.now(UTC) + timedelta(minutes=4), zone("America/Los_Angeles"))
    assert f"\n{due:%a %Y-%m-%d %H:%M}" in said
    assert "when (America/Los_Angeles)" in said


def test_a_treatment_too_long_ago_says_that_nothing_more_goes_out(home: Home) -> None:
    said = home.log("Ana", *ANA, "--ended-at", ago(days=20)).out
    assert "Nothing more will be sent:" in said
    assert "It was useful until" in said


# Putting right


def test_voiding_stops_it_and_undoing_brings_it_back(home: Home) -> None:
    home.log("Ana", *ANA, "--external-id", "T-1")
    said = home.run("treatment", "void", "T-1", "--reason", "The wrong Ana.").out
    assert said.startswith("Voided: treatment 1, Ana, any-hour,")
    assert "Nothing more will be sent:" in said
    assert "The treatment was voided. The wrong Ana." in said
    assert set(steps(home.messages()).values()) == {"cancelled"}
    assert "already voided" in home.refused("treatment", "void", "T-1")
    assert home.run("treatment", "unvoid", "T-1").out.startswith("Restored: ")
    assert steps(home.messages())["first-words", "sms"] == "scheduled"
    assert home.refused("treatment", "unvoid", "T-1") == "The treatment is not voided."


def test_a_corrected_time_moves_what_was_not_sent(home: Home) -> None:
    home.log("Ana", *ANA, "--ended-at", ago(hours=3))
    home.run("treatment", "correct", 1, "--ended-at", ago(hours=1))
    (moved,) = [row for row in home.messages() if row["step"] == "two-days-on"]
    due = datetime.now(UTC) - timedelta(hours=1) + timedelta(days=2)
    assert abs(datetime.fromisoformat(moved["due_at"]) - due) < timedelta(hours=1, minutes=1)
    assert "To confirm, add --confirm." in home.refused("treatment", "correct", 1, "--ended-at", ago(days=-9))


def test_a_booked_visit_brings_its_reminder_and_one_called_off_takes_it_away(home: Home) -> None:
    home.log("Ana", *ANA)
    home.run("treatment", "visit", 1, "--at", f"{local(days=-5):%Y-%m-%d} 15:00")
    assert steps(home.messages())["before-next-visit", "sms"] == "scheduled"
    home.run("treatment", "visit", 1, "--at", "")
    assert steps(home.messages())["before-next-visit", "sms"] == "skipped"
    assert "after the treatment" in home.refused("treatment", "visit", 1, "--at", ago(days=9))


def test_a_treatment_that_is_not_there_is_said_to_be_missing(home: Home) -> None:
    for command in (
        ["show"],
        ["void"],
        ["unvoid"],
        ["correct", "--ended-at", "10:00"],
        ["visit", "--at", ""],
    ):
        name, *rest = command
        assert (
            home.refused("treatment", name, "T-9", *rest)
            == 'There is no treatment "T-9" at Riverside Physio.'
        )


# Patients


def test_patients_are_found_by_what_the_desk_knows(home: Home) -> None:
    home.log("Ana", "--last-name", "Núñez", *ANA, "--record-number", "R-12", "--email", "Ana@Example.com")
    for words in ("nunez", "R-12", "0101", "ana@example.com"):
        (found,) = home.run("patient", "find", words, "--json").json
        assert (found["name"], found["phone"]) == ("Ana Núñez", "+12125550101")
    assert (found["by_sms"], found["by_email"]) == ("yes", "No consent to e-mail is on record.")
    table = home.run("patient", "find", "ana").out.splitlines()
    assert table[0].split("  ")[0] == "id"
    assert "No consent to e-mail is on record." in table[1]


def test_a_changed_number_takes_what_waits_along(home: Home) -> None:
    home.log("Ana", *ANA)
    said = home.run("patient", "change", 1, "--phone", "(212) 555-0177", "--language", "es").out
    assert said.splitlines()[1:] == ["SMS: may be sent.", "E-mail: No e-mail address is on record."]
    assert {row["to"] for row in home.messages()} == {"+12125550177"}
    assert "cannot be a phone number" in home.refused("patient", "change", 1, "--phone", "911")
    assert home.refused("patient", "change", 9, "--phone", "2125550101") == (
        "There is no patient 9 at Riverside Physio."
    )


def test_essentials_leave_the_safety_messages(home: Home) -> None:
    home.log("Ana", *ANA)
    home.run("patient", "change", 1, "--essentials")
    assert steps(home.messages())["first-words", "sms"] == "scheduled"
    assert steps(home.messages())["two-days-on", "sms"] == "skipped"
    home.run("patient", "change", 1, "--no-essentials")
    assert steps(home.messages())["two-days-on", "sms"] == "scheduled"


def test_a_no_stops_what_waits_and_says_so(home: Home) -> None:
    home.log("Ana", *ANA, "--email", "ana@example.com", "--consent-email")
    said = home.run("patient", "consent", 1, "sms", "--no", "--method", "phone").out.splitlines()
    assert said[0].startswith("Recorded: no to sms, Ana. ")
    assert said[1].startswith("SMS: Consent to SMS was withdrawn on ")
    assert said[2] == "E-mail: may be sent."
    waiting = {row["channel"] for row in home.messages() if row["status"] == "scheduled"}
    assert waiting == {"email"}


# Messages


def test_the_list_names_patients_masks_addresses_and_tells_clinic_time(home: Home) -> None:
    home.log(
        "Ana", "--last-name", "Núñez", *ANA, "--timezone", "America/Los_Angeles", "--ended-at", ago(minutes=1)
    )
    listed = home.run("messages").out
    headers, *rows = listed.splitlines()
    due = local(minutes=-4)
    assert headers.startswith("id  when (America/New_York)")
    assert any(f"{due:%a %Y-%m-%d %H:%M}" in row for row in rows)
    assert all("Ana Núñez" in row and "+1•••0101" in row for row in rows)
    assert "5550101" not in listed


def test_the_list_can_be_narrowed(home: Home) -> None:
    assert home.run("messages").out.startswith("There are no messages yet. Log a treatment: notifier log")
    home.log("Ana", *ANA)
    home.log("Bob", "--phone", "2125550102")
    assert {row["to"] for row in home.messages("--patient", 2)} == {"+12125550102"}
    both = home.messages("--status", "skipped", "--status", "failed")
    assert {row["status"] for row in both} == {"skipped"}
    assert home.run("messages", "--status", "failed").out == "Riverside Physio has no such messages.\n"


def test_the_story_of_a_message_says_when_it_goes_and_what_happened_to_it(home: Home) -> None:
    home.log("Ana", "--phone", "2125550101")
    home.run("patient", "consent", 1, "sms", "--yes")
    (waiting,) = [row for row in home.messages() if row["step"] == "two-days-on"]
    told = home.run("messages", "--why", waiting["id"]).out.splitlines()
    due = to_local(datetime.fromisoformat(waiting["due_at"]), NEW_YORK)
    assert told[0] == f"Message {waiting['id']}: two-days-on by SMS to +12125550101, Ana, treatment 1."
    assert told[1].startswith(f"Scheduled, due {due:%a %Y-%m-%d %H:%M}, useful until ")
    assert told[3] == "Times in America/New_York:"
    assert "planned: skipped" in told[4]
    assert told[5].strip().startswith("No consent to SMS is on record.")
    assert "skipped → scheduled" in told[6]
    story = home.run("messages", "--why", waiting["id"], "--json").json["story"]
    assert [moment["what"] for moment in story] == ["planned: skipped", "skipped → scheduled"]
    assert home.refused("messages", "--why", 999) == "There is no message 999 at Riverside Physio."


# Import


def test_an_imported_file_says_what_went_in_and_what_was_left_out(home: Home, tmp_path: Path) -> None:
    file = tmp_path / "day.csv"
    file.write_text(
        "external_id,first_name,phone,plan,ended_at,consent_sms\n"
        f"T-1,Ana,2125550101,any-hour,{ago(minutes=30)},yes\n"
        f"T-2,Bo\x1b[2J,555,any-hour,{ago(minutes=30)},yes\n",
        "utf-8",
    )
    dry = home.run("import", file, "--dry-run", code=1)
    assert dry.out.startswith("Nothing was changed; this was a dry run.")
    assert home.messages() == []
    said = home.run("import", file, code=1)
    assert said.out.splitlines()[0] == "1 treatment added, 1 row left out:"
    assert "row 3, phone: '555' cannot be a phone number in US" in said.out
    assert "\x1b" not in said.out
    again = home.run("import", file, "--json", code=1).json
    assert (again["added"], again["known"], again["left_out"]) == (0, 1, 1)
    assert len({row["external_id"] for row in home.messages()}) == 1


def test_a_file_that_is_not_there_is_named(home: Home, tmp_path: Path) -> None:
    assert "nowhere.csv" in home.refused("import", tmp_path / "nowhere.csv")
