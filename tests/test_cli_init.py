"""Setting up: from a configuration without a question, and on a terminal with few."""

from __future__ import annotations

import stat
import tomllib
from pathlib import Path
from typing import Any

import pytest

from notifier import clinics, db, staff
from notifier.cli_questions import ask_for_senders
from notifier.errors import InputError
from tests.cli_cast import CLINIC, Home, Person, open_home

PLANS = ["cupping", "dry-needling", "shockwave", "sports-massage"]
PASSWORD = "correct horse battery"


def set_up(home: Home) -> dict[str, Any]:
    """What is in the database: the clinic, who works there, who hears of alerts."""
    engine = db.open_engine(f"sqlite:///{home.folder / 'notifier.db'}")
    with db.reading(engine) as session:
        (clinic,) = clinics.all_clinics(session)
        found = {name: getattr(clinic, name) for name in ("name", "phone", "timezone", "country", "language")}
        found |= {"emergency": clinic.emergency_number, "crisis": clinic.crisis_line}
        found["staff"] = [(p.email, role) for p, role in staff.of_clinic(session, clinic)]
        found["alerts"] = [(c.name, c.phone, c.email) for c in clinics.alert_contacts(session, clinic)]
        found["senders"] = sorted(sender.channel for sender in clinics.active_senders(session, clinic))
    engine.dispose()
    return found


def test_a_configuration_is_enough(tmp_path: Path) -> None:
    contacts = [{"name": "Dr. Roe", "phone": "+12125550199", "email": "roe@example.com"}]
    home = Home(tmp_path, alerts={"contacts": []})
    home.config.write_text(
        home.config.read_text().replace(
            "contacts = []",
            'contacts = [{ name = "Dr. Roe", phone = "+12125550199", email = "roe@example.com" }]',
        )
    )
    answer = home.run("init", "--admin-email", "Maya@Example.com", "--admin-name", "Maya", "--json").json
    assert answer == {
        "clinic": "riverside-physio",
        "name": "Riverside Physio",
        "is_new": True,
        "plans": PLANS,
    }
    assert set_up(home) == CLINIC | {
        "country": "US",
        "language": "en",
        "emergency": "911",
        "crisis": "988",
        "staff": [("maya@example.com", "admin")],
        "alerts": [tuple(contacts[0].values())],
        "senders": ["email", "sms"],
    }


def test_setting_up_again_adds_nothing(tmp_path: Path) -> None:
    home = open_home(tmp_path)
    before = set_up(home)
    said = home.run("init", "--phone", "(212) 555-0666").out
    assert said.startswith("Riverside Physio was there already; nothing of it was changed.")
    assert home.run("init", "--json").json == {
        "clinic": "riverside-physio",
        "name": "Riverside Physio",
        "is_new": False,
        "plans": [],
    }
    assert set_up(home) == before


def test_a_plan_that_the_clinic_has_made_its_own_is_left_alone(tmp_path: Path) -> None:
    home = open_home(tmp_path)
    home.run("plan", "export", "cupping", tmp_path / "cupping")
    plan = tmp_path / "cupping" / "plan.toml"
    plan.write_text(plan.read_text().replace("max_per_week = 5", "max_per_week = 4"))
    home.run("plan", "import", tmp_path / "cupping")
    home.run("init")
    (cupping,) = [row for row in home.run("plan", "list", "--json").json if row["key"] == "cupping"]
    assert cupping["version"] == 2


def test_a_name_spelt_otherwise_does_not_become_a_second_clinic(tmp_path: Path) -> None:
    home = open_home(tmp_path)
    assert home.refused("init", "--name", "Riverside Fisio") == (
        "Riverside Physio is set up here already. "
        "To add Riverside Fisio as a further clinic, run it again with --another."
    )
    assert home.run("init", "--name", "Riverside Fisio", "--another", "--json").json["is_new"] is True
    assert home.run("init", "--name", "Riverside Fisio", "--another", "--json").json["is_new"] is False


@pytest.mark.parametrize(
    ("clinic", "line"),
    [
        (
            {},
            (
                "A clinic needs clinic.name, clinic.phone, clinic.timezone: set them in config.toml, "
                "or run notifier init on a terminal, which asks for them."
            ),
        ),
        (
            CLINIC | {"timezone": "America/New_Yrok"},
            (
                'clinic.timezone in config.toml: "America/New_Yrok" is not a time zone; did you mean '
                '"America/New_York"?'
            ),
        ),
    ],
)
def test_without_a_terminal_nothing_is_asked_and_what_is_missing_is_named(
    tmp_path: Path, clinic: dict[str, str], line: str
) -> None:
    home = Home(tmp_path, clinic=clinic)
    assert home.refused("init") == line
    assert [path.name for path in tmp_path.iterdir()] == ["config.toml"]


def test_an_admin_who_cannot_be_added_leaves_no_half_clinic(tmp_path: Path) -> None:
    home = Home(tmp_path)
    assert "has no domain" in home.refused("init", "--admin-email", "maya@")
    assert home.refused("messages") == "There is no clinic yet. Run: notifier init"


def test_the_database_is_only_its_owners_to_read(tmp_path: Path) -> None:
    Home(tmp_path).run("init")
    assert stat.S_IMODE((tmp_path / "notifier.db").stat().st_mode) == 0o600


# On a terminal


def test_a_person_is_asked_and_asked_again_where_the_answer_cannot_be(tmp_path: Path) -> None:
    home = Home(tmp_path)
    home.config.unlink()
    person = Person(home, "init")
    person.answers(
        ("Twilio Account SID for SMS (empty: later)", "SK0123"),
        ('begins with "AC"', "AC0123456789abcdef0123456789abcdef"),
        ("Twilio Auth Token", 'a "quoted" token'),
        ("The number to send from", "12"),
        ("cannot be sent from", "+12125550190"),
        ("SMTP host for e-mail (empty: later)", "mail.example.com"),
        ("User name there", "aftercare"),
        ("Password there", "a mail password"),
        ("The address to send from", "aftercare"),
        ("is not an e-mail address", "aftercare@example.com"),
        ("The clinic's name, as patients read it", "Clínica Sol"),
        ("The number that patients call", "020 7946 0000"),
        ("Its time zone, such as America/New_York", "Lodon"),
        ('did you mean "Europe/London"?', "Europe/London"),
        ("Its country, in two letters [US]", "gb"),
        ("in an emergency [911]", "999"),
        ("in a mental-health crisis [988]", "116 123"),
        ("(en or es) [en]", "fr"),
        ('"fr" is not possible; write en or es.', "es"),
        ("E-mail of the first admin (empty: later)", "sol@example.com"),
        ("Their name", "Sol"),
        ("Their password (12 characters or more)", "short"),
        ("Repeat for confirmation", "short"),
        ("That is too short.", PASSWORD),
        ("Repeat for confirmation", PASSWORD),
        ("Name of the alert contact (empty: later)", "Dr Roe"),
        ("Their mobile phone (empty: later)", ""),
        ("Their e-mail (empty: later)", ""),
        ("One of the two is needed", "07700 900123"),
        ("Their e-mail (empty: later)", ""),
        ("Send each alert contact a test alert, as soon as the program runs? [Y/n]", "y"),
    )
    code, screen = person.leaves()
    assert code == 0
    assert "Clínica Sol is set up." in screen
    assert "Patients are told to call 999 in an emergency and 116 123 in a crisis." in screen
    assert 'Messages stay in the outbox and reach nobody: delivery.mode is "outbox".' in screen
    assert PASSWORD not in screen
    assert set_up(home) == {
        "name": "Clínica Sol",
        "phone": "020 7946 0000",
        "timezone": "Europe/London",
        "country": "GB",
        "language": "es",
        "emergency": "999",
        "crisis": "116 123",
        "staff": [("sol@example.com", "admin")],
        "alerts": [("Dr Roe", "+447700900123", None)],
        "senders": ["email", "sms"],
    }
    assert home.run("user", "list", "--json").json[0]["may_sign_in"] is True
    assert [row["to"] for row in home.messages()] == ["+447700900123"]
    written = tomllib.loads(home.config.read_text("utf-8"))
    assert stat.S_IMODE(home.config.stat().st_mode) == 0o600
    assert written["sms"] == {
        "account_sid": "AC0123456789abcdef0123456789abcdef",
        "auth_token": 'a "quoted" token',
        "from_number": "+12125550190",
    }
    assert written["email"]["password"] == "a mail password"


def test_who_presses_ctrl_c_while_being_asked_has_set_nothing_up(tmp_path: Path) -> None:
    home = Home(tmp_path, clinic={})
    person = Person(home, "init")
    person.presses_ctrl_c("The clinic's name")
    code, screen = person.leaves()
    assert code == 1
    assert "Traceback" not in screen
    assert not (tmp_path / "notifier.db").exists()


def test_a_folder_that_is_not_there_is_said_before_anything_is_asked(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=f"There is no folder {tmp_path / 'nowhere'}"):
        ask_for_senders(tmp_path / "nowhere" / "config.toml")


def test_who_is_added_to_the_staff_on_a_terminal_chooses_a_password(tmp_path: Path) -> None:
    home = open_home(tmp_path)
    person = Person(home, "user", "add", "roe@example.com", "--name", "Roe")
    person.answers(("Their password", PASSWORD), ("Repeat for confirmation", PASSWORD))
    code, screen = person.leaves()
    assert (code, "Roe <roe@example.com> is on the staff of Riverside Physio" in screen) == (0, True)
    assert home.run("user", "list", "--json").json[0]["may_sign_in"] is True


def test_a_test_alert_goes_to_the_contact_who_is_named(tmp_path: Path) -> None:
    home = Home(tmp_path)
    home.config.write_text(
        home.config.read_text() + '\n[[alerts.contacts]]\nname = "Dr. Roe"\nphone = "+12125550199"\n'
    )
    home.run("init")
    (sent,) = home.run("alert-test", "dr. roe", "--json").json
    assert sent["name"] == "Dr. Roe"
    assert f"Its code is {sent['code']}" not in (said := home.run("alert-test").out)
    assert said.startswith("A test alert to Dr. Roe leaves as soon as a worker runs.")
    assert [row["to"] for row in home.messages()] == ["+12125550199"] * 2
    assert home.refused("alert-test", "Ben").endswith("There are: Dr. Roe.")
