"""One message to oneself: what came of it, in words, for every way a provider may answer."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.cli_cast import Home, Program, Said, ago, open_home
from tests.servers.smtp_server import MailFault, SmtpServer
from tests.servers.twilio_server import ACCOUNT, TOKEN, Fault, TwilioServer

MINE, MY_MAIL = "+12125550188", "me@example.com"


@pytest.fixture
def twilio() -> Iterator[TwilioServer]:
    with TwilioServer() as server:
        yield server


@pytest.fixture
def mail() -> Iterator[SmtpServer]:
    with SmtpServer() as server:
        yield server


def sms(twilio: TwilioServer, **changes: Any) -> dict[str, Any]:
    given = {
        "account_sid": ACCOUNT,
        "auth_token": TOKEN,
        "from_number": "+12125550199",
        "api_base_url": twilio.url,
        "timeout": "5s",
    }
    return given | changes


def email(mail: SmtpServer, **changes: Any) -> dict[str, Any]:
    given = {
        "host": mail.host,
        "port": mail.port,
        "security": "none",
        "from_address": "aftercare@riverside.example",
        "timeout": "5s",
    }
    return given | changes


LISTED = {"mode": "allowlist", "allowlist": [MINE, MY_MAIL]}


def texting(folder: Path, twilio: TwilioServer, **changes: Any) -> Home:
    return open_home(folder, delivery=LISTED, sms=sms(twilio, **changes))


def mailing(folder: Path, mail: SmtpServer, **changes: Any) -> Home:
    return open_home(folder, delivery=LISTED, email=email(mail, **changes))


def explained(said: Said) -> str:
    (line,) = said.out.splitlines()
    return line


@contextmanager
def later(twilio: TwilioServer, status: str, code: int | None = None) -> Iterator[None]:
    """The network beyond the provider: once it has taken the message, this becomes of it."""
    over = threading.Event()

    def watch() -> None:
        while not over.wait(0.02):
            if twilio.messages:
                twilio.advance(twilio.messages[0]["sid"], status, error_code=code)
                return

    thread = threading.Thread(target=watch)
    thread.start()
    yield
    over.set()
    thread.join()


# SMS


def test_a_delivered_text_is_told_with_the_providers_id(tmp_path: Path, twilio: TwilioServer) -> None:
    home = texting(tmp_path, twilio)
    with later(twilio, "delivered"):
        said = home.run("send-test", "sms", "(212) 555-0188")
    (taken,) = twilio.messages
    assert explained(said) == f"Twilio took it as {taken['sid']}, and it was delivered."
    assert taken["to"] == MINE
    assert taken["body"].startswith("Riverside Physio: This is a test of our aftercare messages.")
    (message,) = home.messages()
    assert (message["kind"], message["status"], message["provider_id"]) == ("test", "accepted", taken["sid"])


def test_a_text_that_the_carrier_dropped_did_not_arrive(tmp_path: Path, twilio: TwilioServer) -> None:
    with later(twilio, "undelivered", 30006):
        said = texting(tmp_path, twilio).run("send-test", "sms", MINE, code=1)
    assert explained(said).endswith(
        "but it was not delivered (code 30006, see https://www.twilio.com/docs/errors/30006)."
    )


REFUSED: list[tuple[Fault, str]] = [
    (Fault.refuse(21211), "21211"),
    (Fault.refuse(21610), "opted out"),
    (Fault.refuse(20003, 401), "20003"),
    (Fault.too_many(), "20429"),
]


@pytest.mark.parametrize(("fault", "about"), REFUSED, ids=[about for _, about in REFUSED])
def test_a_refused_text_says_why_and_is_not_tried_again(
    tmp_path: Path, twilio: TwilioServer, fault: Fault, about: str
) -> None:
    home = texting(tmp_path, twilio)
    twilio.next(fault)
    said = home.run("send-test", "sms", MINE, "--json", code=1).json
    assert said["explanation"].startswith("It did not go out. ")
    assert said["status"] in ("failed", "cancelled")
    (attempt,) = said["attempts"]
    assert attempt["error"] in said["explanation"]
    assert about in f"{attempt['error_code']} {attempt['error']}"
    home.run("worker", "--once")
    assert twilio.messages == []


def test_a_wrong_token_is_found_out_and_the_next_test_finds_it_put_right(
    tmp_path: Path, twilio: TwilioServer
) -> None:
    home = texting(tmp_path, twilio, auth_token="not the token")
    assert "Twilio" in explained(home.run("send-test", "sms", MINE, code=1))
    home.configure(delivery=LISTED, sms=sms(twilio))
    with later(twilio, "delivered"):
        assert explained(home.run("send-test", "sms", MINE)).endswith("and it was delivered.")


def test_a_lost_answer_leaves_it_open_whether_it_went_out(tmp_path: Path, twilio: TwilioServer) -> None:
    home = texting(tmp_path, twilio, timeout="1s")
    twilio.next(Fault.accept_then_hang())
    said = explained(home.run("send-test", "sms", MINE, code=1))
    assert said.startswith("It is not known whether it went out. ")
    assert f"Look whether it arrives at {MINE}" in said
    assert said.endswith("notifier messages --why 1")
    assert home.messages()[0]["status"] == "unknown"


def test_a_provider_that_cannot_be_reached_is_named(tmp_path: Path, twilio: TwilioServer) -> None:
    home = texting(tmp_path, twilio, api_base_url="http://127.0.0.1:9")
    said = explained(home.run("send-test", "sms", MINE, code=1))
    assert said.startswith("It did not go out. ")
    assert said.endswith("It was a test and is not tried again.")


# E-mail


def test_an_e_mail_that_was_taken_says_where_to_look(tmp_path: Path, mail: SmtpServer) -> None:
    said = explained(mailing(tmp_path, mail).run("send-test", "email", "Me@example.com", "--language", "es"))
    assert said.startswith("The mail server took it for ")
    assert said.endswith("look at your inbox, and in its spam folder.")
    (received,) = mail.mails
    assert "Riverside Physio" in str(received.message["From"])
    assert "prueba" in received.message.get_body(("plain",)).get_content().lower()  # type: ignore[union-attr]


def test_a_refused_e_mail_gives_the_servers_words(tmp_path: Path, mail: SmtpServer) -> None:
    mail.next(MailFault.refuse("RCPT", "550 5.1.1 No such user here"))
    said = explained(mailing(tmp_path, mail).run("send-test", "email", MY_MAIL, code=1))
    assert "It did not go out." in said
    assert "No such user here" in said


def test_an_e_mail_whose_answer_was_lost_may_have_arrived(tmp_path: Path, mail: SmtpServer) -> None:
    mail.next(MailFault.hang("DATA", keep=True))
    said = explained(mailing(tmp_path, mail, timeout="2s").run("send-test", "email", MY_MAIL, code=1))
    assert said.startswith("It is not known whether it went out. ")


# Without a provider


def test_the_outbox_says_that_it_reached_nobody_and_how_it_would(tmp_path: Path) -> None:
    home = open_home(tmp_path)
    said = explained(home.run("send-test", "sms", MINE))
    assert said.startswith("It was kept in the outbox and reached nobody")
    assert 'set mode = "allowlist"' in said
    assert "This is a test of our aftercare messages." in said


def test_who_is_not_on_the_allowlist_gets_nothing(tmp_path: Path, twilio: TwilioServer) -> None:
    said = explained(texting(tmp_path, twilio).run("send-test", "sms", "212 555 0177"))
    assert said.startswith("It was kept in the outbox and reached nobody")
    assert twilio.forms == []


def test_a_channel_that_is_not_set_up_is_named(tmp_path: Path, twilio: TwilioServer) -> None:
    home = open_home(tmp_path, delivery={"mode": "live"}, sms=sms(twilio))
    assert home.refused("send-test", "email", MY_MAIL) == (
        "email is not set up: fill in [email] in config.toml, then run notifier doctor."
    )


@pytest.mark.parametrize(
    ("words", "about"), [(("sms", "555"), "too few digits"), (("email", "me@"), "has no domain")]
)
def test_an_address_that_cannot_be_is_refused(tmp_path: Path, words: tuple[str, str], about: str) -> None:
    home = open_home(tmp_path)
    assert about in home.refused("send-test", *words)
    assert home.messages() == []


# Beside others


def test_nothing_else_that_is_due_goes_out_with_it(tmp_path: Path, twilio: TwilioServer) -> None:
    home = texting(tmp_path, twilio)
    home.log("Ana", "--phone", MINE, "--consent-sms", "--ended-at", ago(minutes=30))
    with later(twilio, "delivered"):
        home.run("send-test", "sms", MINE)
    assert len(twilio.forms) == 1


def test_beside_a_running_worker_it_goes_out_once_and_its_outcome_is_told(
    tmp_path: Path, twilio: TwilioServer
) -> None:
    twilio.choose = lambda form: Fault.slow(0.3)
    home = texting(tmp_path, twilio)
    worker = Program(home, "worker")
    worker.says("worker started")
    with later(twilio, "delivered"):
        said = home.run("send-test", "sms", MINE)
    worker.stop()
    assert explained(said).endswith("and it was delivered.")
    assert len(twilio.messages) == 1
