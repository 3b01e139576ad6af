from __future__ import annotations

import logging
import threading
import traceback
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Literal

import pytest

from notifier.channels.smtp_email import SmtpEmail
from notifier.errors import ChannelError
from notifier.rules.delivery import ErrorClass, Status
from tests.channels.cast import ANA_MAIL, MAIL, email_settings, mail, refusal
from tests.servers.certificates import Certificates
from tests.servers.smtp_server import MailFault, SmtpServer

E = ErrorClass
Secured = Literal["starttls", "tls"]


@pytest.fixture
def server() -> Iterator[SmtpServer]:
    with SmtpServer() as server:
        yield server


@pytest.fixture
def channel(server: SmtpServer) -> Iterator[SmtpEmail]:
    channel = SmtpEmail(email_settings(server), threads=2)
    yield channel
    channel.close()


@pytest.fixture(scope="module")
def certificates() -> Certificates:
    return Certificates()


def test_a_mail_arrives_under_the_id_that_we_gave_it(server: SmtpServer, channel: SmtpEmail) -> None:
    accepted = channel.send(MAIL)
    [received] = server.mails
    assert (received.sender, received.recipients) == ("care@clinic.example", (ANA_MAIL,))
    assert (accepted.status, accepted.provider) == (Status.SENT, "smtp")
    assert accepted.provider_id == received.message["Message-ID"] == "<m-8-77b1@clinic.example>"
    assert accepted.note == "2.0.0 queued"


def test_a_line_that_is_a_single_dot_does_not_end_the_mail(server: SmtpServer, channel: SmtpEmail) -> None:
    text = ".\n..\n.hidden\n\n.\nthe end"
    channel.send(mail(text=text, html=""))
    assert server.mails[0].message.get_content().replace("\r\n", "\n") == text + "\n"


@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_the_mail_is_encrypted_and_signed_in_for(certificates: Certificates, security: Secured) -> None:
    with SmtpServer(security=security, tls=certificates.server(), users={"care": "secret"}) as server:
        settings = email_settings(server, security=security, username="care", password="secret")
        channel = SmtpEmail(settings, tls=certificates.client())
        channel.send(MAIL)
        channel.send(MAIL)
        channel.close()
        assert [(received.encrypted, received.user) for received in server.mails] == [(True, "care")] * 2
        assert server.connections == 1


def test_the_systems_store_and_its_environment_variable_decide_whom_to_trust(
    certificates: Certificates, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    certificates.write_authority(tmp_path / "authority.pem")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "authority.pem"))
    with SmtpServer(security="starttls", tls=certificates.server()) as server:
        channel = SmtpEmail(email_settings(server, security="starttls"))
        channel.send(MAIL)
        channel.close()
        assert server.mails[0].encrypted


@pytest.mark.parametrize("security", ["starttls", "tls"])
@pytest.mark.parametrize("names", [("localhost", "127.0.0.1"), ("elsewhere.example",)])
def test_a_certificate_that_is_not_trusted_or_anothers_stops_the_sender(
    certificates: Certificates, security: Secured, names: tuple[str, ...]
) -> None:
    theirs = Certificates(*names)
    trusted = certificates.client() if names[0] == "localhost" else theirs.client()
    with SmtpServer(security=security, tls=theirs.server()) as server:
        channel = SmtpEmail(email_settings(server, security=security), tls=trusted)
        error = refusal(channel, MAIL)
        channel.close()
        assert error.error_class is E.CONFIGURATION
        assert "certificate" in str(error)
        assert server.mails == []


def test_a_server_that_offers_no_tls_never_sees_the_password_or_the_mail(server: SmtpServer) -> None:
    settings = email_settings(server, security="starttls", username="care", password="secret")
    channel = SmtpEmail(settings)
    error = refusal(channel, MAIL)
    channel.close()
    assert error.error_class is E.CONFIGURATION
    assert "STARTTLS" in str(error)
    assert server.mails == []


@pytest.mark.parametrize(
    ("user", "password"), [("care", "wrong"), ("nobody", "secret"), ("care", "contraseña")]
)
def test_a_refused_sign_in_stops_the_sender(certificates: Certificates, user: str, password: str) -> None:
    with SmtpServer(security="starttls", tls=certificates.server(), users={"care": "secret"}) as server:
        settings = email_settings(server, security="starttls", username=user, password=password)
        channel = SmtpEmail(settings, tls=certificates.client())
        error = refusal(channel, MAIL)
        channel.close()
        assert error.error_class is E.CONFIGURATION
        assert "email.username" in str(error)
        assert password not in str(error)


def test_signing_in_where_it_is_needed_but_not_configured(certificates: Certificates) -> None:
    with SmtpServer(security="starttls", tls=certificates.server(), users={"care": "secret"}) as server:
        channel = SmtpEmail(email_settings(server, security="starttls"), tls=certificates.client())
        error = refusal(channel, MAIL)
        channel.close()
        assert (error.error_class, error.code) == (E.CONFIGURATION, "530")


def test_one_connection_serves_mail_after_mail(server: SmtpServer, channel: SmtpEmail) -> None:
    for _ in range(5):
        channel.send(MAIL)
    assert (len(server.mails), server.connections) == (5, 1)


def test_threads_never_open_more_connections_than_allowed(server: SmtpServer, channel: SmtpEmail) -> None:
    with ThreadPoolExecutor(6) as threads:
        list(threads.map(lambda n: channel.send(mail(message_id=n, reference=f"m-{n}")), range(30)))
    assert len({received.message["Message-ID"] for received in server.mails}) == 30
    assert server.connections <= 2


def test_a_connection_dropped_while_idle_is_replaced_without_a_word(
    server: SmtpServer, channel: SmtpEmail
) -> None:
    channel.send(MAIL)
    server.drop_connections()
    channel.send(MAIL)
    assert (len(server.mails), server.connections) == (2, 2)


def test_a_server_that_says_goodbye_at_the_next_mail_is_asked_again(
    server: SmtpServer, channel: SmtpEmail
) -> None:
    channel.send(MAIL)
    server.next(MailFault.refuse("MAIL", "421 4.4.2 too many mails on this connection"))
    channel.send(MAIL)
    assert (len(server.mails), server.connections) == (2, 2)


def test_a_new_connection_that_breaks_is_not_tried_again(server: SmtpServer, channel: SmtpEmail) -> None:
    server.next(MailFault.cut("MAIL"), MailFault.cut("MAIL"))
    assert refusal(channel, MAIL).error_class is E.TRANSIENT
    assert server.connections == 1


def test_a_connection_idle_for_long_is_asked_first(server: SmtpServer) -> None:
    channel = SmtpEmail(email_settings(server), ask_after=0.0)
    channel.send(MAIL)
    assert server.commands == []
    channel.send(MAIL)
    assert server.commands == ["NOOP"]
    server.drop_connections()
    channel.send(MAIL)
    channel.close()
    assert (len(server.mails), server.connections) == (3, 2)


def test_closing_says_goodbye_and_leaves_no_thread(server: SmtpServer, channel: SmtpEmail) -> None:
    channel.send(MAIL)
    channel.close()
    assert server.commands == ["QUIT"]
    assert not any(thread.name == "deadlines" for thread in threading.enumerate())


def test_closing_does_not_wait_for_a_server_that_is_gone(server: SmtpServer, channel: SmtpEmail) -> None:
    channel.send(MAIL)
    server.drop_connections()
    channel.close()
    assert server.commands == []


def test_an_address_outside_ascii_is_used_where_the_server_takes_it(
    server: SmtpServer, channel: SmtpEmail
) -> None:
    channel.send(mail(to="dolores.ñ@bücher.example"))
    channel.send(MAIL)
    assert [received.recipients for received in server.mails] == [
        ("dolores.ñ@xn--bcher-kva.example",),
        (ANA_MAIL,),
    ]
    assert "SMTPUTF8" in server.mails[0].options
    assert server.mails[1].options == ()


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"to": "dolores.ñ@example.com"}, E.ADDRESS),
        ({"sender": "clínica@clinic.example"}, E.CONFIGURATION),
    ],
)
def test_elsewhere_it_is_a_clear_refusal(changes: dict[str, str], expected: ErrorClass) -> None:
    with SmtpServer(smtputf8=False) as server:
        channel = SmtpEmail(email_settings(server))
        error = refusal(channel, mail(**changes))
        channel.close()
        assert error.error_class is expected
        assert "ASCII" in str(error)
        assert server.mails == []


def test_check_signs_in_and_sends_nothing(certificates: Certificates) -> None:
    with SmtpServer(security="starttls", tls=certificates.server(), users={"care": "secret"}) as server:
        settings = email_settings(server, security="starttls", username="care", password="secret")
        channel = SmtpEmail(settings, tls=certificates.client())
        channel.check()
        channel.close()
        assert (server.mails, server.commands, server.connections) == ([], ["NOOP", "QUIT"], 1)


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        (MailFault.refuse("CONNECT", "554 5.7.1 your address is blocked"), E.CONFIGURATION),
        (MailFault.refuse("CONNECT", "421 4.3.2 try later"), E.TRANSIENT),
        (MailFault.hang("CONNECT"), E.TRANSIENT),
        (MailFault.cut("EHLO"), E.TRANSIENT),
    ],
)
def test_check_tells_what_is_wrong(server: SmtpServer, fault: MailFault, expected: ErrorClass) -> None:
    server.next(fault)
    channel = SmtpEmail(email_settings(server, timeout=0.3))
    with pytest.raises(ChannelError) as caught:
        channel.check()
    channel.close()
    assert caught.value.error_class is expected


def test_no_address_and_no_word_reaches_a_log_or_a_traceback(
    server: SmtpServer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, logger="notifier")
    channel = SmtpEmail(email_settings(server, timeout=0.3))
    server.next(MailFault.refuse("RCPT", f"550 5.1.1 <{ANA_MAIL}>: no such user"), MailFault.hang("DATA"))
    told = [refusal(channel, MAIL) for _ in range(2)]
    channel.close()
    seen = "".join("".join(traceback.format_exception(error)) for error in told)
    seen += "".join(record.getMessage() for record in caplog.records if record.name.startswith("notifier"))
    assert "a•••@example.com" in seen
    assert ANA_MAIL not in seen
    assert "dolor" not in seen
