"""The whole way, by command line and with real local servers: set-up, import, sending, what came of it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, select, update

from notifier import db
from notifier.models import Alert, AlertContact, Clinic, Message
from tests import cast
from tests.cli_cast import Home, ago, without_first_text, write_plan
from tests.servers.certificates import Certificates
from tests.servers.smtp_server import ReceivedMail, SmtpServer
from tests.servers.twilio_server import ACCOUNT, TOKEN, TwilioServer

ANA, CARA, DAN, EVE = "+12125550101", "+12125550103", "+12125550104", "+12125550105"
OURS, DOCTOR = "+12125550199", "+12125550190"
CSV = """\
external_id,first_name,last_name,phone,email,language,plan,practitioner,ended_at,consent_sms,consent_email
T-1,Ana,Núñez,(212) 555-0101,,es,any-hour,Dr Ruiz,{ended},yes,
T-2,Ben,Okafor,,ben@example.com,en,any-hour,Dr Ruiz,{ended},,yes
T-3,Cara,Jensen,(212) 555-0103,cara@example.com,en,any-hour,Dr Ruiz,{ended},yes,yes
T-4,Dan,Logged-by-mistake,(212) 555-0104,,en,any-hour,Dr Ruiz,{ended},yes,
T-5,Eve,Never-asked,(212) 555-0105,,en,any-hour,Dr Ruiz,{ended},,
"""


class World:
    """The clinic's installation, and the providers that its messages go to."""

    def __init__(self, home: Home, twilio: TwilioServer, mail: SmtpServer) -> None:
        self.home, self.twilio, self.mail = home, twilio, mail

    def work(self) -> None:
        self.home.run("worker", "--once")

    @property
    def texts(self) -> list[tuple[str, str]]:
        return sorted((form["To"], form["Body"]) for form in self.twilio.forms)

    @property
    def mails(self) -> dict[tuple[str, str], ReceivedMail]:
        return {(mail.recipients[0], str(mail.message["Subject"])): mail for mail in self.mail.mails}

    def messages(self, treatment: str) -> dict[tuple[str, str], dict[str, Any]]:
        rows = self.home.messages()
        return {(row["step"], row["channel"]): row for row in rows if row["external_id"] == treatment}


@pytest.fixture
def world(empty_engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """Live, with what is not ready taken on knowingly; set up, imported, and put right at the desk."""
    certificates = Certificates()
    certificates.write_authority(tmp_path / "authority.pem")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "authority.pem"))
    mail = SmtpServer(security="starttls", tls=certificates.server(), users={"aftercare": "a mail password"})
    with TwilioServer() as twilio, mail:
        home = Home(tmp_path, **_sections(empty_engine, twilio, mail))
        world = World(home, twilio, mail)
        home.run("init")
        without_first_text(empty_engine)
        home.run("plan", "import", write_plan(tmp_path))
        (tmp_path / "day.csv").write_text(CSV.format(ended=ago(minutes=30)), "utf-8")
        assert home.run("import", tmp_path / "day.csv", "--json").json["added"] == 5
        yield world


def _sections(engine: Engine, twilio: TwilioServer, mail: SmtpServer) -> dict[str, Any]:
    return {
        "database": {"url": engine.url.render_as_string(hide_password=False)},
        "delivery": {"mode": "live", "unready": "warn"},
        "sms": {
            "account_sid": ACCOUNT,
            "auth_token": TOKEN,
            "from_number": OURS,
            "api_base_url": twilio.url,
            "max_per_second": 50.0,
        },
        "email": {
            "host": mail.host,
            "port": mail.port,
            "username": "aftercare",
            "password": "a mail password",
            "from_address": "aftercare@riverside.example",
            "reply_to": "desk@riverside.example",
        },
    }


def test_from_a_days_file_to_phones_and_inboxes_and_back_to_the_list(world: World) -> None:
    (cara,) = world.home.run("patient", "find", "Cara", "--json").json
    world.home.run("patient", "consent", cara["id"], "email", "--no", "--method", "phone")
    world.home.run("treatment", "void", "T-4")
    world.work()

    # Each got their own words, in their language, once; Dan and Eve nothing.
    assert world.texts == [
        (ANA, _sms("Hola Ana", "both ways", "para salir")),
        (ANA, _sms("Hola Ana", "first words", "para salir")),
        (CARA, _sms("Hi Cara", "both ways", "to end")),
        (CARA, _sms("Hi Cara", "first words", "to end")),
    ]
    assert sorted(world.mails) == [
        ("ben@example.com", "Hi Ben: both ways"),
        ("ben@example.com", "Hi Ben: first words"),
    ]
    _is_a_proper_mail(world.mails["ben@example.com", "Hi Ben: first words"])

    sent = world.messages("T-1")["first-words", "sms"]
    (taken,) = [m for m in world.twilio.messages if m["to"] == ANA and "first words" in m["body"]]
    assert (sent["status"], sent["to"], sent["provider_id"]) == ("accepted", ANA, taken["sid"])
    (attempt,) = sent["attempts"]
    assert (attempt["number"], attempt["outcome"], attempt["provider"]) == (1, "accepted", "twilio")
    assert attempt["words"] == taken["body"]

    mailed = world.messages("T-2")["first-words", "email"]
    message_id = world.mails["ben@example.com", "Hi Ben: first words"].message["Message-ID"]
    assert (mailed["status"], mailed["provider_id"]) == ("sent", message_id)

    # Who withdrew e-mail in between still got the texts, and the list says why no e-mail went out.
    kept_back = world.messages("T-3")["both-ways", "email"]
    assert (kept_back["status"], kept_back["attempts"]) == ("skipped", [])
    assert "Consent to e-mail was withdrawn" in kept_back["reason"]
    assert {row["status"] for row in world.messages("T-4").values()} <= {"cancelled", "skipped"}
    assert all(
        "No consent to SMS is on record." in row["reason"]
        for (step, _), row in world.messages("T-5").items()
        if step != "before-next-visit"
    )
    assert [row["id"] for row in world.home.messages() if _lacks_its_reason(row)] == []


def test_nothing_goes_out_twice(world: World) -> None:
    world.work()
    texts, mails = world.texts, len(world.mail.mails)
    assert texts
    assert mails
    world.work()
    again = world.home.run("import", world.home.folder / "day.csv", "--json").json
    world.work()
    assert (again["added"], again["known"]) == (0, 5)
    assert (world.texts, len(world.mail.mails)) == (texts, mails)


@cast.on_sqlite
def test_what_changes_after_the_first_messages_binds_the_later_ones(world: World) -> None:
    world.work()
    sent = len(world.twilio.forms)
    (ana,) = world.home.run("patient", "find", "Ana", "--json").json
    world.home.run("patient", "consent", ana["id"], "sms", "--no")
    rows = world.messages("T-1")
    assert rows["first-words", "sms"]["status"] == "accepted"
    assert rows["two-days-on", "sms"]["status"] in ("cancelled", "skipped")
    assert "withdrawn" in rows["two-days-on", "sms"]["reason"]
    # The next treatment is planned, and nothing of it is sent.
    home = world.home
    home.log(
        "Ana", "--last-name", "Núñez", "--phone", "2125550101", "--ended-at", ago(minutes=40), plan="cupping"
    )
    world.work()
    assert len(world.twilio.forms) == sent


@cast.on_sqlite
def test_a_message_can_be_traced_to_the_words_that_left(world: World) -> None:
    world.work()
    message = world.messages("T-1")["first-words", "sms"]
    told = world.home.run("messages", "--why", message["id"]).out
    assert f"to {ANA}, Ana Núñez, treatment T-1." in told
    assert "planned: scheduled" in told
    assert "sending → accepted" in told
    assert "Hola Ana. first words" in told
    assert "Times in America/New_York:" in told


@cast.on_sqlite
def test_live_refuses_to_send_while_something_is_not_ready_and_names_it(world: World) -> None:
    careless = world.home.config.read_text("utf-8")
    world.home.config.write_text(careless.replace('unready = "warn"', 'unready = "refuse"'), "utf-8")
    for words in (("worker", "--once"), ("worker",)):
        refused = world.home.run(*words, code=1).err
        assert "patients should not be written to yet" in refused
        assert "Replies by SMS are not received" in refused
        assert "any-hour" in refused
        assert "Riverside Physio: There is no alert contact" in refused
        assert 'delivery.unready = "warn"' in refused
    assert (world.twilio.forms, world.mail.mails) == ([], [])
    assert {row["status"] for row in world.messages("T-1").values()} == {"scheduled", "skipped"}


@cast.on_sqlite
def test_a_patient_answers_and_a_person_hears_it(world: World, empty_engine: Engine) -> None:
    with db.transaction(empty_engine) as session:
        clinic = session.scalars(select(Clinic)).one()
        session.add(AlertContact(clinic_id=clinic.id, position=1, name="Dr Ruiz", phone=DOCTOR))
    world.work()
    before = len(world.twilio.forms)

    # A warning, fetched from Twilio: answered in Ana's language, and told to a person without her name.
    world.twilio.receive(ANA, "me duele el pecho y me cuesta jalar aire", to=OURS)
    world.twilio.receive(CARA, "please stop texting me", to=OURS)
    world.work()
    said = {form["To"]: form["Body"] for form in world.twilio.forms[before:]}
    assert "llame ya al 911" in said[ANA] or "llame al 911" in said[ANA]
    assert "You will get no more automatic texts" in said[CARA]
    assert "Ana" not in said[DOCTOR]
    assert ANA not in said[DOCTOR]
    rows = [row for name in ("T-1", "T-3") for row in world.messages(name).values()]
    assert {row["status"] for row in rows if row["step"] == "two-days-on"} <= {
        "scheduled",
        "cancelled",
        "skipped",
    }

    # The doctor texts the code back, gets the number to call, and nobody is called again.
    (code,) = re.findall(r"\b[A-Z0-9]{4}\b", said[DOCTOR].replace("SMS", ""))[:1]
    world.twilio.receive(DOCTOR, f"ok {code.lower()}", to=OURS)
    world.work()
    last = world.twilio.forms[-1]
    assert (last["To"], ANA.removeprefix("+1212") in _digits(last["Body"])) == (DOCTOR, True)
    with db.reading(empty_engine) as session:
        alert = session.scalars(select(Alert)).one()
        assert (alert.acknowledged_by, alert.severity) == ("Dr Ruiz", "emergency")

    # What became of the first message is asked for, and stands in the list.
    sent = world.messages("T-1")["first-words", "sms"]
    world.twilio.advance(sent["provider_id"], "delivered")
    with db.transaction(empty_engine) as session:
        session.execute(update(Message).where(Message.id == sent["id"]).values(lookup_at=cast.OPENED))
    world.work()
    assert world.messages("T-1")["first-words", "sms"]["status"] == "delivered"
    assert [row["id"] for row in world.home.messages() if _lacks_its_reason(row)] == []


def _digits(words: str) -> str:
    return "".join(char for char in words if char.isdecimal())


def _sms(hello: str, step: str, end: str) -> str:
    return f"Riverside Physio: {hello}. {step} Emergency? 911. (212) 555-0100. STOP {end}."


def _is_a_proper_mail(mail: ReceivedMail) -> None:
    message = mail.message
    assert (mail.encrypted, mail.user) == (True, "aftercare")
    assert message["From"].addresses[0].addr_spec == "aftercare@riverside.example"
    assert message["From"].addresses[0].display_name == "Riverside Physio"
    assert message["Reply-To"] == "desk@riverside.example"
    assert message["To"] == "ben@example.com"
    assert message["Auto-Submitted"] == "auto-generated"
    kinds = [part.get_content_type() for part in message.walk()]
    assert kinds == ["multipart/alternative", "text/plain", "text/html"]
    for part in message.iter_parts():
        assert "Hi Ben, first words" in part.get_content()
        assert "(212) 555-0100" in part.get_content()


def _lacks_its_reason(row: dict[str, Any]) -> bool:
    stopped = ("failed", "undelivered", "held", "unknown", "skipped", "cancelled")
    return row["status"] in stopped and not row["reason"]
