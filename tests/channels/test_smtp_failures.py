"""Each way a conversation with a mail server can fail, and the class that decides what follows."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from typing import Literal

import pytest

from notifier.channels.deadline import DeadlinePassed, Watchdog
from notifier.channels.smtp_email import SmtpEmail
from notifier.channels.smtp_pool import Pool
from notifier.rules.delivery import ErrorClass
from tests.channels.cast import MAIL, email_settings, mail, refusal
from tests.servers.smtp_server import MailFault, SmtpServer

E = ErrorClass
refuse, hang, cut = MailFault.refuse, MailFault.hang, MailFault.cut


@pytest.fixture
def server() -> Iterator[SmtpServer]:
    with SmtpServer() as server:
        yield server


@pytest.fixture
def channel(server: SmtpServer) -> Iterator[SmtpEmail]:
    """With a time-out that only a fault can use up, however busy this machine is."""
    channel = SmtpEmail(email_settings(server, timeout=5.0), threads=1)
    yield channel
    channel.close()


@pytest.fixture
def hasty(server: SmtpServer) -> Iterator[SmtpEmail]:
    channel = SmtpEmail(email_settings(server, timeout=0.3), threads=1)
    yield channel
    channel.close()


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        (refuse("CONNECT", "554 5.7.1 blocked"), E.CONFIGURATION),
        (refuse("CONNECT", "421 4.3.2 busy"), E.TRANSIENT),
        (refuse("CONNECT", "not a mail server"), E.TRANSIENT),
        (cut("CONNECT"), E.TRANSIENT),
        (cut("EHLO"), E.TRANSIENT),
        (refuse("MAIL", "550 5.1.8 sender refused"), E.CONFIGURATION),
        (refuse("MAIL", "530 5.7.0 authentication required"), E.CONFIGURATION),
        (refuse("MAIL", "451 4.7.1 try later"), E.TRANSIENT),
        (refuse("MAIL", "421 4.3.2 closing"), E.TRANSIENT),
        (cut("MAIL"), E.TRANSIENT),
        (refuse("RCPT", "550 5.1.1 no such user"), E.ADDRESS),
        (refuse("RCPT", "552 5.2.2 mailbox full"), E.ADDRESS),
        (refuse("RCPT", "553 5.1.3 bad address"), E.ADDRESS),
        (refuse("RCPT", "450 4.2.1 greylisted"), E.TRANSIENT),
        (refuse("RCPT", "452 4.2.2 mailbox full"), E.TRANSIENT),
        (refuse("RCPT", "421 4.3.2 closing"), E.TRANSIENT),
        (refuse("RCPT", "554 5.7.1 Relay access denied"), E.CONFIGURATION),
        (refuse("RCPT", "535 5.7.8 sign in again"), E.CONFIGURATION),
        (refuse("RCPT", "gibberish"), E.TRANSIENT),
        (cut("RCPT"), E.TRANSIENT),
        (refuse("DATA", "554 5.7.1 looks like spam"), E.CONTENT),
        (refuse("DATA", "552 5.3.4 too big"), E.CONTENT),
        (refuse("DATA", "451 4.3.0 try later"), E.TRANSIENT),
        (refuse("DATA", "452 4.3.1 disk full"), E.TRANSIENT),
        (refuse("DATA", "421 4.3.2 closing"), E.TRANSIENT),
        (refuse("DATA", "gibberish"), E.AMBIGUOUS),
        (refuse("DATA", "354 go on"), E.AMBIGUOUS),
        (cut("DATA", keep=True), E.AMBIGUOUS),
    ],
)
def test_each_failure_gets_its_class(
    server: SmtpServer, channel: SmtpEmail, fault: MailFault, expected: ErrorClass
) -> None:
    server.next(fault)
    error = refusal(channel, MAIL)
    assert error.error_class is expected, str(error)
    assert str(error)[0].isupper()
    assert str(error).endswith(".")


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ("550 5.1.1 no such user", "(550 5.1.1 no such user)"),
        ("550-first line\r\n550 second line", "(550 first line second line)"),
        ("550 \x1b[31mred\x07", "(550 [31mred)"),
    ],
)
def test_the_servers_own_words_are_told_on_one_line(
    server: SmtpServer, channel: SmtpEmail, answer: str, words: str
) -> None:
    server.next(refuse("RCPT", answer))
    error = refusal(channel, MAIL)
    assert words in str(error)
    assert error.code == "550"


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        (hang("CONNECT"), E.TRANSIENT),
        (hang("MAIL"), E.TRANSIENT),
        (hang("RCPT"), E.TRANSIENT),
        (hang("DATA", keep=True), E.AMBIGUOUS),
        # Every byte comes well within the time-out; only all of them together do not.
        (MailFault.dribble("RCPT"), E.TRANSIENT),
        (MailFault.dribble("DATA"), E.AMBIGUOUS),
    ],
)
def test_a_server_that_does_not_answer_in_time_is_in_doubt_only_after_the_last_byte(
    server: SmtpServer, hasty: SmtpEmail, fault: MailFault, expected: ErrorClass
) -> None:
    server.next(fault)
    began = time.monotonic()
    error = refusal(hasty, MAIL)
    assert error.error_class is expected, str(error)
    assert "within 0.3 s" in str(error)
    assert 0.28 <= time.monotonic() - began < 1.5
    assert len(server.mails) == (1 if expected is E.AMBIGUOUS else 0)


def test_the_whole_time_out_counts_on_a_connection_used_before_too(
    server: SmtpServer, hasty: SmtpEmail
) -> None:
    hasty.send(MAIL)
    server.next(MailFault.dribble("DATA"))
    began = time.monotonic()
    refusal(hasty, MAIL)
    assert time.monotonic() - began < 1.5
    assert server.connections == 1


@pytest.mark.parametrize("step", ["MAIL", "RCPT", "DATA"])
def test_a_refused_mail_leaves_the_connection_for_the_next(
    server: SmtpServer, channel: SmtpEmail, step: Literal["MAIL", "RCPT", "DATA"]
) -> None:
    server.next(refuse(step, "550 no"))
    refusal(channel, MAIL)
    channel.send(mail(to="bo@example.com"))
    assert server.mails[-1].recipients == ("bo@example.com",)
    assert (server.connections, server.commands) == (1, ["RSET"])


def test_the_next_mail_after_a_broken_one_gets_through(server: SmtpServer, channel: SmtpEmail) -> None:
    for fault in (cut("DATA"), cut("RCPT"), refuse("DATA", "gibberish"), refuse("RCPT", "421 bye")):
        server.next(fault)
        refusal(channel, MAIL)
        channel.send(MAIL)
    assert len(server.mails) == 4


def test_a_refused_connection_is_no_send_at_all(server: SmtpServer) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    channel = SmtpEmail(email_settings(server, port=port))
    error = refusal(channel, MAIL)
    channel.close()
    assert error.error_class is E.TRANSIENT
    assert "refused" in str(error)


def test_tls_where_the_server_waits_to_be_asked_for_it_ends_in_time_and_says_what_to_try(
    server: SmtpServer,
) -> None:
    channel = SmtpEmail(email_settings(server, security="tls", timeout=0.5))
    began = time.monotonic()
    error = refusal(channel, MAIL)
    channel.close()
    assert error.error_class is E.TRANSIENT
    assert "email.security" in str(error)
    assert time.monotonic() - began < 1.5


def test_whoever_waits_for_a_busy_connection_waits_no_longer_than_the_time_out(server: SmtpServer) -> None:
    pool, dog = Pool(email_settings(server), threads=1, tls=None, ask_after=30.0), Watchdog()
    with dog.limit(5) as long, dog.limit(0.1) as short, pool.place(long):
        began = time.monotonic()
        with pytest.raises(DeadlinePassed), pool.place(short):
            raise AssertionError("there was only one place")
        assert 0.08 <= time.monotonic() - began < 1.5
