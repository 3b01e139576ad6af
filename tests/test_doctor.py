from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import typer
from sqlalchemy import Engine, text, update
from typer.testing import CliRunner, Result

from notifier import (
    clinics,
    db,
    doctor_database,
    doctor_host,
    doctor_receiving,
    doctor_sending,
    doctor_web,
    plans,
)
from notifier.channels.mailbox import ImapMailbox
from notifier.channels.smtp_email import SmtpEmail
from notifier.channels.twilio_inbox import TwilioInbox
from notifier.channels.twilio_sms import TwilioSms
from notifier.cli_doctor import doctor
from notifier.clock import SystemClock
from notifier.config import (
    DeliverySettings,
    EmailSettings,
    InboundMailSettings,
    Settings,
    SmsSettings,
    WebSettings,
)
from notifier.doctor import Check, Finding, Installation, examine, is_ill, report_text
from notifier.doctor_database import postgresql_version
from notifier.doctor_findings import Provider
from notifier.doctor_host import disk_space, zone_data
from notifier.models import Clinic, Patient, PlanVersion, Sender
from notifier.rules.delivery import Status
from notifier.web.app import create_app
from notifier.web.server import listen, serving
from tests import cast
from tests.cast import on_postgresql, on_sqlite
from tests.channels.cast import email_settings, sms_settings
from tests.servers.imap_server import NAME, PASSWORD, ImapServer
from tests.servers.smtp_server import SmtpServer
from tests.servers.twilio_server import TwilioServer

NOW = cast.at("2026-02-10 12:00")  # a week after Alice was treated
LIVE = DeliverySettings(mode="live", unready="warn")
MAIL = EmailSettings(host="mail.riverside.example", from_address="care@riverside.example")
SMS = SmsSettings(account_sid="AC1", auth_token="t", from_number="+12125550100")


def look(
    engine: Engine,
    *checks: Check,
    now: datetime = NOW,
    providers: Mapping[str, Provider] | None = None,
    config_file: Path | None = None,
    **sections: Any,
) -> list[Finding]:
    """By these checks; by all of them, as the command does, where none is named."""
    it = Installation(Settings(**sections), engine, now, config_file, providers or {})
    return [finding for check in checks for finding in check(it)] if checks else examine(it)


def said(findings: list[Finding], area: str, level: str = "") -> list[str]:
    return [finding.message for finding in findings if finding.area == area and level in ("", finding.level)]


def test_a_new_installation_is_well_and_says_that_nothing_reaches_anyone(
    engine: Engine, clinic: Clinic
) -> None:
    findings = look(engine)
    assert not is_ill(findings)
    assert any(
        words.startswith("Mode outbox: nothing reaches anyone;") for words in said(findings, "Sending")
    )
    assert said(findings, "Plans", "ok") == [
        "Riverside Physio has cupping, dry-needling, shockwave, sports-massage."
    ]
    assert said(findings, "Messages") == ["None needs a person."]
    assert said(findings, "Patients' data", "ok") == [
        "Words of messages are kept for 730 days, replies for 730 days, the audit trail for 2190 days."
    ]
    assert said(findings, "Time zones", "ok")[-1] == "Known: America/New_York."
    drafts = said(findings, "Before patients are written to", "note")
    assert any("Texts are drafts until a named clinician approves them" in words for words in drafts)
    assert drafts[-1].startswith("Riverside Physio: 1 of 22 steps to going live are done")


# The host


@on_sqlite
def test_the_configuration_file_is_named_and_its_absence_too(
    engine: Engine, clinic: Clinic, tmp_path: Path
) -> None:
    (finding,) = look(engine, doctor_host.configuration)
    assert (finding.level, finding.message.partition(";")[0]) == ("note", "There is no configuration file")
    file = tmp_path / "config.toml"
    file.touch(mode=0o600)
    assert [found.message for found in look(engine, doctor_host.configuration, config_file=file)] == [
        f"Read from {file}."
    ]
    file.chmod(0o644)
    _, warned = look(engine, doctor_host.configuration, config_file=file)
    assert (warned.level, warned.advice) == ("warning", f"Run: chmod o-rwx {file}")


@pytest.mark.parametrize(
    ("release", "level"), [("2026.1", "ok"), ("2025.2", "ok"), ("2024.2", "warning"), ("2019.3", "warning")]
)
def test_old_zone_data_are_a_warning(release: str, level: str) -> None:
    assert zone_data(release, NOW).level == level


@pytest.mark.parametrize(
    ("free", "level"), [(50_000_000_000, "ok"), (999_000_000, "warning"), (99_000_000, "error")]
)
def test_a_disk_that_fills_up_is_noticed_in_time(free: int, level: str) -> None:
    finding = disk_space(free, Path("clinic"))
    assert (finding.level, finding.message) == (level, f"{free / 1e9:.1f} GB are free in clinic.")


@on_sqlite
def test_the_disk_of_the_database_is_looked_at(engine: Engine) -> None:
    (finding,) = look(engine, doctor_host.disk)
    assert finding.message.endswith(f"are free in {Path(engine.url.database or '').parent}.")


@on_sqlite
def test_an_outbox_that_cannot_be_written_is_an_error(engine: Engine, clinic: Clinic, tmp_path: Path) -> None:
    for file, ill in ((tmp_path / "new" / "outbox.jsonl", False), (tmp_path, True)):
        findings = look(engine, doctor_host.outbox, delivery=DeliverySettings(outbox_file=file))
        assert bool(said(findings, "Sending", "error")) is ill
    assert not (tmp_path / "new").exists()


# The database


def test_a_database_that_is_not_there_is_not_made_by_looking(tmp_path: Path) -> None:
    file = tmp_path / "notifier.db"
    findings = look(db.open_engine(f"sqlite:///{file}"))
    assert findings[-1] == Finding(
        "error", "Database", f"There is no database {file} yet.", "Run: notifier init"
    )
    assert not file.exists()


def test_a_database_that_does_not_answer_is_told_once() -> None:
    findings = look(db.open_engine("postgresql+psycopg://clinic:secret@127.0.0.1:1/clinic"))
    (words,) = [finding.message for finding in findings if finding.level == "error"]
    assert words.startswith("The database at 127.0.0.1:1 cannot be reached:")
    assert "secret" not in report_text(findings)


def test_an_empty_database_says_how_to_begin(empty_engine: Engine) -> None:
    with empty_engine.begin() as connection:
        connection.execute(text("CREATE TABLE something (id INTEGER)"))
    assert look(empty_engine)[-1].message == "There is no clinic in this database yet. Run: notifier init"


def test_the_schema_of_a_newer_version_is_an_error(engine: Engine, clinic: Clinic) -> None:
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    assert look(engine)[-1].message.startswith("The database is newer than this program (it has 9999,")


@on_sqlite
def test_the_settings_and_the_soundness_of_a_sqlite_file_are_told(engine: Engine, clinic: Clinic) -> None:
    told = said(look(engine, doctor_database.reachable), "Database", "ok")
    assert any(words.endswith("WAL, synchronous FULL, foreign keys on.") for words in told)
    assert "The file is sound (quick_check)." in told


@on_sqlite
def test_a_database_without_wal_is_a_warning(engine: Engine, clinic: Clinic) -> None:
    engine.dispose()
    with closing(sqlite3.connect(engine.url.database or "")) as connection:
        connection.execute("PRAGMA journal_mode=DELETE")
    # Locks by files, as on a network share: SQLite then cannot have the memory that WAL shares.
    share = db.open_engine(f"sqlite:///file:{engine.url.database}?vfs=unix-dotfile&uri=true")
    findings = look(share, doctor_database.reachable)
    share.dispose()
    assert said(findings, "Database", "warning") == [
        "SQLite did not take its settings: journal_mode is delete."
    ]


@on_sqlite
def test_a_damaged_file_is_an_error(engine: Engine, clinic: Clinic) -> None:
    engine.dispose()
    file = Path(engine.url.database or "")
    whole = bytearray(file.read_bytes())
    whole[len(whole) // 2 : len(whole) // 2 + 20_000] = b"\xff" * 20_000
    file.write_bytes(whole)
    findings = look(engine)
    assert any("damaged" in words for words in said(findings, "Database", "error"))


@on_sqlite
def test_looking_changes_nothing(engine: Engine, clinic: Clinic) -> None:
    file = Path(engine.url.database or "")
    engine.dispose()
    before = file.read_bytes()
    look(engine)
    engine.dispose()
    assert file.read_bytes() == before


@pytest.mark.parametrize(("major", "level"), [(18, "ok"), (14, "ok"), (13, "warning")])
def test_a_postgresql_that_nobody_mends_any_more_is_a_warning(major: int, level: str) -> None:
    assert postgresql_version(major, f"{major}.4").level == level


@on_postgresql
def test_postgresql_tells_its_version_and_agrees_on_the_time(engine: Engine, clinic: Clinic) -> None:
    findings = look(engine, doctor_database.reachable, doctor_database.clocks, now=SystemClock().now())
    assert any(words.startswith("PostgreSQL 1") for words in said(findings, "Database", "ok"))
    assert said(findings, "Clocks") == ["This host and PostgreSQL agree on the time."]


@on_postgresql
@pytest.mark.parametrize(("seconds", "side"), [(90, "ahead of"), (-90, "behind")])
def test_a_clock_that_goes_wrong_is_a_warning(
    seconds: int, side: str, engine: Engine, clinic: Clinic
) -> None:
    now = SystemClock().now() + timedelta(seconds=seconds)
    (words,) = said(look(engine, doctor_database.clocks, now=now), "Clocks", "warning")
    assert f"s {side} PostgreSQL's" in words


def test_a_zone_that_the_data_do_not_know_is_an_error(engine: Engine, clinic: Clinic) -> None:
    with db.transaction(engine) as session:
        cast.log(session, session.merge(clinic))
        session.execute(update(Patient).values(timezone="America/Atlantis"))
    (words,) = said(look(engine, doctor_database.zones), "Time zones", "error")
    assert "America/Atlantis" in words


# Providers, senders and our own address


@pytest.fixture
def twilio() -> Iterator[TwilioServer]:
    with TwilioServer() as server:
        yield server


@pytest.fixture
def mail_server() -> Iterator[SmtpServer]:
    with SmtpServer() as server:
        yield server


@on_sqlite
def test_credentials_are_tried_without_sending(
    engine: Engine, clinic: Clinic, twilio: TwilioServer, mail_server: SmtpServer
) -> None:
    sms, email = TwilioSms(sms_settings(twilio)), SmtpEmail(email_settings(mail_server))
    findings = look(
        engine,
        doctor_sending.providers,
        doctor_sending.senders,
        providers={"sms": sms, "email": email},
        sms=sms_settings(twilio),
        email=email_settings(mail_server),
    )
    sms.close()
    email.close()
    assert said(findings, "Sending", "ok") == [
        "Twilio takes our sign-in; nothing was sent.",
        "The mail server takes our sign-in; nothing was sent.",
    ]
    assert said(findings, "Senders") == [
        "SMS of Riverside Physio goes out from +15035550199.",
        "E-mail of Riverside Physio goes out from care@clinic.example.",
    ]
    assert (twilio.messages, mail_server.mails) == ([], [])


@on_sqlite
@pytest.mark.parametrize(("mode", "level"), [("outbox", "warning"), ("live", "error")])
def test_refused_credentials_are_an_error_where_something_is_to_be_sent(
    mode: str, level: str, engine: Engine, clinic: Clinic, twilio: TwilioServer
) -> None:
    sms = TwilioSms(sms_settings(twilio, auth_token="wrong"))
    delivery = DeliverySettings.model_validate({"mode": mode, "unready": "warn"})
    findings = look(engine, doctor_sending.providers, providers={"sms": sms}, delivery=delivery)
    sms.close()
    (words,) = said(findings, "Sending", level)
    assert words.startswith("SMS: ")
    assert "wrong" not in report_text(findings)


@on_sqlite
def test_the_mailbox_of_replies_is_tried_without_reading(engine: Engine, clinic: Clinic) -> None:
    email = EmailSettings(host="smtp.example", from_address="care@clinic.example")
    with ImapServer() as server:
        findings = []
        for password in (PASSWORD, "wrong"):
            inbound = InboundMailSettings(
                host=server.host, port=server.port, username=NAME, password=password
            )
            box = ImapMailbox(Settings(inbound_mail=inbound), tls=server.client_tls)
            findings += look(
                engine,
                doctor_sending.mailbox,
                providers={"mailbox": box},
                email=email,
                inbound_mail=inbound,
            )
            box.close()
    assert said(findings, "Receiving", "ok") == [f"The mailbox {NAME} lets us read INBOX."]
    (refused,) = said(findings, "Receiving", "warning")
    assert refused.startswith("E-mail: The mailbox server refused our sign-in")
    (unread,) = said(look(engine, doctor_sending.mailbox, email=email), "Receiving", "note")
    assert "a person has to read care@clinic.example" in unread


def test_a_stopped_sender_is_told_with_its_reason_since_when_and_what_waits(
    engine: Engine, clinic: Clinic
) -> None:
    with db.transaction(engine) as session:
        cast.log(session, session.merge(clinic))
        stopped = update(Sender).where(Sender.channel == "sms")
        since = datetime(2026, 2, 3, 21, 0, tzinfo=UTC)
        session.execute(stopped.values(stopped_at=since, stopped_reason="Twilio refused the token."))
    findings = look(engine, doctor_sending.senders, doctor_sending.waiting)
    (words,) = said(findings, "Senders", "error")
    assert words.startswith("SMS of Riverside Physio is stopped since 2026-02-03 21:00 UTC, and ")
    assert words.endswith("due messages wait: Twilio refused the token.")
    assert not any("should have left" in words for words in said(findings, "Messages"))


@on_sqlite
def test_a_channel_without_a_sender_is_named(engine: Engine, clinic: Clinic) -> None:
    with db.transaction(engine) as session:
        session.execute(update(Sender).where(Sender.channel == "email").values(active=False))

    class Silent:
        def check(self) -> None: ...

        def close(self) -> None: ...

    findings = look(engine, doctor_sending.senders, providers={"email": Silent()})
    assert said(findings, "Senders", "warning") == [
        "Riverside Physio has no sender in use for E-mail: none goes out."
    ]


@on_sqlite
@pytest.mark.parametrize(
    ("web", "levels"),
    [
        (WebSettings(), ["ok"]),
        (WebSettings(base_url="http://localhost:8000"), ["ok"]),
        (WebSettings(host="0.0.0.0"), ["warning"]),
        (WebSettings(base_url="http://10.0.0.5:8000", secret_key="k" * 32), ["warning"]),
        (WebSettings(base_url="https://a.example", secret_key="k" * 32), ["ok"]),
        (WebSettings(base_url="https://a.example", secret_key="short"), ["ok", "warning"]),
        (WebSettings(base_url="https://a.example"), ["ok", "warning"]),
    ],
)
def test_pages_that_could_be_overheard_or_links_that_could_be_forged_are_told(
    web: WebSettings, levels: list[str], engine: Engine, clinic: Clinic
) -> None:
    findings = look(engine, doctor_web.address, web=web, email=MAIL, delivery=LIVE)
    assert [finding.level for finding in findings if finding.area == "Pages"] == levels


def answering(engine: Engine, port: int) -> list[tuple[str, str]]:
    findings = look(engine, doctor_web.answering, web=WebSettings(port=port))
    return [(finding.level, finding.message) for finding in findings]


@on_sqlite
def test_whether_the_pages_are_served_is_told(engine: Engine, clinic: Clinic) -> None:
    with listen("127.0.0.1", 0) as listening:
        port = listening.getsockname()[1]
        with serving(create_app(Settings(), engine, SystemClock()), listening) as address:
            assert answering(engine, port) == [("ok", f"They are served at {address}.")]
    assert answering(engine, port) == [("note", f"Nothing answers at http://127.0.0.1:{port}.")]
    assert answering(engine, 0) == []


@on_sqlite
def test_another_program_at_their_port_is_told(engine: Engine, clinic: Clinic) -> None:
    class Another(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_error(404)

        def log_message(self, *_: object) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), Another) as other:
        threading.Thread(target=other.serve_forever, daemon=True).start()
        port = other.server_address[1]
        expected = ("warning", f"Another program answers at http://127.0.0.1:{port}.")
        assert answering(engine, port) == [expected]
        other.shutdown()


# Plans and messages


def test_a_clinic_without_plans_and_a_plan_that_cannot_be_read_are_told(
    engine: Engine, clinic: Clinic
) -> None:
    with db.transaction(engine) as session:
        clinics.create(
            session,
            name="Harbour",
            phone="",
            timezone="Europe/London",
            country="GB",
            language="en",
            now=cast.OPENED,
        )
        version = plans.current_versions(session, session.merge(clinic))["cupping"]
        broken = {**version.content, "plan": {"name": "Cupping"}}
        session.execute(update(PlanVersion).where(PlanVersion.id == version.id).values(content=broken))
    findings = look(engine, doctor_sending.plans_loaded)
    assert said(findings, "Plans", "warning") == ["Harbour has no plan, so no treatment can be logged."]
    assert said(findings, "Plans", "error")[0].startswith("Riverside Physio, cupping: steps:")
    assert said(findings, "Plans", "ok") == ["Riverside Physio has dry-needling, shockwave, sports-massage."]


def change(engine: Engine, clinic: Clinic, status: Status, claimed: datetime | None = None) -> None:
    """Alice's first message, as it would be after some trouble; her others are due tomorrow."""
    with db.transaction(engine) as session:
        treatment = cast.log(session, session.merge(clinic))
        for step, message in cast.messages(session, treatment).items():
            if step == "day0-what-you-may-feel":
                message.status, message.reason, message.claimed_at = status, "It was so.", claimed
            else:
                message.due_at = NOW + timedelta(days=1)


def test_messages_that_should_have_left_ask_for_the_worker(engine: Engine, clinic: Clinic) -> None:
    change(engine, clinic, Status.SCHEDULED)
    (words,) = said(look(engine, doctor_sending.waiting), "Messages", "warning")
    assert words == "1 should have left already, the oldest at 2026-02-03 22:30 UTC."
    soon = cast.at("2026-02-03 17:35")
    assert said(look(engine, doctor_sending.waiting, now=soon), "Messages", "ok") == ["None needs a person."]


@pytest.mark.parametrize(
    ("status", "claimed", "words"),
    [
        (Status.HELD, None, "1 held until a person decides."),
        (Status.UNKNOWN, NOW, "1 in doubt: we cannot tell whether the provider took them."),
        (Status.FAILED, NOW - timedelta(days=6), "1 failed in the last 7 days."),
        (Status.UNDELIVERED, NOW - timedelta(days=6), "1 not delivered in the last 7 days."),
        (Status.FAILED, NOW - timedelta(days=8), None),
        (Status.DELIVERED, NOW, None),
    ],
)
def test_messages_that_need_a_person_are_counted(
    status: Status, claimed: datetime | None, words: str | None, engine: Engine, clinic: Clinic
) -> None:
    change(engine, clinic, status, claimed)
    assert said(look(engine, doctor_sending.waiting), "Messages", "warning") == ([words] if words else [])


@pytest.mark.parametrize(
    ("mode", "stance", "level"),
    [("outbox", "refuse", "note"), ("live", "warn", "warning"), ("live", "refuse", "error")],
)
def test_what_is_not_ready_weighs_as_much_as_the_mode_makes_it(
    mode: str, stance: str, level: str, engine: Engine, clinic: Clinic
) -> None:
    delivery = DeliverySettings.model_validate({"mode": mode, "unready": stance})
    findings = look(engine, doctor_sending.readiness, delivery=delivery, email=MAIL)
    found = [
        words for words in said(findings, "Before patients are written to", level) if "steps" not in words
    ]
    assert len(found) == 3


# The report


def test_the_report_says_each_level_in_words_and_counts() -> None:
    findings = [
        Finding("ok", "Database", "It answers."),
        Finding("error", "Sending", "SMS: refused.", "Check the [sms] section."),
        Finding("warning", "Database", "Little room."),
        Finding("note", "Sending", "E-mail is not configured."),
    ]
    assert report_text(findings).splitlines() == [
        "Database",
        "  + ok       It answers.",
        "  ! warning  Little room.",
        "",
        "Sending",
        "  ✗ ERROR    SMS: refused.",
        "             Check the [sms] section.",
        "  · note     E-mail is not configured.",
        "",
        "1 error and 1 warning.",
    ]
    assert report_text(findings[:1]).endswith("All is well.")


def test_long_sentences_are_wrapped_beside_their_marks() -> None:
    lines = report_text([Finding("note", "Sending", "word " * 50)]).splitlines()[1:-2]
    assert len(lines) == 3
    assert all(len(line) <= 110 and line[13:].startswith("word") for line in lines)


@on_sqlite
def test_a_check_that_breaks_is_a_finding_and_the_others_go_on(engine: Engine, clinic: Clinic) -> None:
    class Broken:
        def check(self) -> None:
            raise ZeroDivisionError("oh")

        def close(self) -> None: ...

    findings = look(engine, providers={"sms": Broken()})
    assert said(findings, "Sending", "error") == ["This could not be looked at. ZeroDivisionError: oh"]
    assert said(findings, "Messages")


# The command

app = typer.Typer()
app.command()(doctor)


@pytest.fixture
def run(engine: Engine, clinic: Clinic, tmp_path: Path) -> Callable[..., Result]:
    url = engine.url.render_as_string(hide_password=False)

    def command(*arguments: str, more: str = "") -> Result:
        file = tmp_path / "config.toml"
        file.write_text(f'[database]\nurl = "{url}"\n{more}', encoding="utf-8")
        return CliRunner().invoke(app, ["--config", str(file), *arguments])

    return command


@on_sqlite
def test_the_command_ends_well_and_prints_json(run: Callable[..., Result]) -> None:
    ended = run("--json")
    assert ended.exit_code == 0
    levels = {finding["level"] for finding in json.loads(ended.stdout)}
    assert levels <= {"ok", "note", "warning"}


@on_sqlite
def test_the_command_tries_a_provider_that_the_mode_keeps_from_being_used(
    run: Callable[..., Result], twilio: TwilioServer
) -> None:
    chosen = sms_settings(twilio)
    section = (
        f'[sms]\naccount_sid = "{chosen.account_sid}"\nauth_token = "{chosen.auth_token}"\n'
        f'from_number = "{chosen.from_number}"\napi_base_url = "{twilio.url}"\n'
    )
    assert "Twilio takes our sign-in" in run(more=section).stdout
    assert run(more=section + '[delivery]\nmode = "live"\n').exit_code == 1
    assert twilio.messages == []


@on_sqlite
def test_the_command_tells_wrong_settings_as_findings(run: Callable[..., Result]) -> None:
    ended = run("--json", more='[sms]\naccount_sid = "AC1"\n[web]\nport = "x"\n')
    assert ended.exit_code == 1
    found = json.loads(ended.stdout)
    assert len(found) > 1
    assert {finding["area"] for finding in found} == {"Configuration"}


def test_receiving_is_tried_and_the_texts_for_twilio_are_printed(engine: Engine, clinic: Clinic) -> None:
    checks = doctor_receiving.sms, doctor_receiving.provider_texts
    web = WebSettings(base_url="https://care.example", secret_key="s" * 40)

    def found(sms: SmsSettings, **sections: Any) -> list[Finding]:
        inbox = TwilioInbox(Settings(sms=sms))
        with closing(inbox):
            return look(engine, *checks, providers={"inbox": inbox}, sms=sms, **sections)

    with TwilioServer() as twilio:
        settings = sms_settings(twilio)
        (way, *texts) = found(settings)
        assert (way.level, "so no public address is needed" in way.message) == ("ok", True)
        assert [text.message.split(" by itself")[0] for text in texts] == [
            "Twilio answers STOP",
            "Twilio answers START",
            "Twilio answers HELP",
        ]
        assert "(en) Riverside Physio: You will get no more automatic texts" in texts[0].message
        assert "(es) Riverside Physio: No le enviaremos otros mensajes" in texts[0].message
        assert "Emergency or chest pain" in texts[2].message
        called = settings.model_copy(update={"receive": "webhook", "provider_answers": ("STOP",)})
        _, address, stop = found(called, web=web)
        assert "https://care.example/webhooks/twilio/inbound" in address.message
        assert "Twilio answers STOP" in stop.message
        wrong = settings.model_copy(update={"auth_token": "another", "provider_answers": ()})
        (refused,) = found(wrong, delivery=LIVE)
        assert (refused.level, refused.message[:5]) == ("error", "SMS: ")
    (unfetched,) = look(engine, doctor_receiving.lately, sms=SMS, delivery=LIVE)
    assert "nothing has asked for them since the set-up" in unfetched.message
