"""Each way a call to Twilio can fail, and the class that decides what follows."""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from notifier.channels.deadline import Watchdog
from notifier.channels.twilio_errors import broken
from notifier.channels.twilio_http import Call
from notifier.channels.twilio_sms import TwilioSms
from notifier.envelope import Accepted
from notifier.errors import ChannelError
from notifier.rules.delivery import ErrorClass, Status
from tests.channels.cast import TEXT, refusal, sms_settings, text
from tests.servers.twilio_server import Fault, TwilioServer

E = ErrorClass


@pytest.fixture
def twilio() -> Iterator[TwilioServer]:
    with TwilioServer() as server:
        yield server


@pytest.fixture
def channel(twilio: TwilioServer) -> Iterator[TwilioSms]:
    """With a time-out that only a fault can use up, however busy this machine is."""
    channel = TwilioSms(sms_settings(twilio, timeout=5.0))
    yield channel
    channel.close()


@pytest.fixture
def hasty(twilio: TwilioServer) -> Iterator[TwilioSms]:
    channel = TwilioSms(sms_settings(twilio, timeout=0.3))
    yield channel
    channel.close()


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        (Fault.accept_then_cut(), E.AMBIGUOUS),
        (Fault.cut(), E.AMBIGUOUS),
        (Fault.accept_then_error(500), E.AMBIGUOUS),
        (Fault.accept_then_error(502), E.AMBIGUOUS),
        (Fault.refuse(20500, 503), E.AMBIGUOUS),
        (Fault.garbage(), E.AMBIGUOUS),
        (Fault.garbage(b""), E.AMBIGUOUS),
        (Fault.garbage(b"[]"), E.AMBIGUOUS),
        (Fault.garbage(b"null"), E.AMBIGUOUS),
        (Fault.garbage(b"\xff\xfe"), E.AMBIGUOUS),
        (Fault.garbage(b'{"status": "queued"}'), E.AMBIGUOUS),
        (Fault.garbage(b'{"sid": 7, "status": "queued"}'), E.AMBIGUOUS),
        (Fault.garbage(b'{"sid": ""}', 200), E.AMBIGUOUS),
        (Fault.garbage(b"[" * 100_000), E.AMBIGUOUS),
        (Fault.garbage(b"x" * 4_000_001), E.AMBIGUOUS),
        (Fault(accept=True, headers={"Content-Encoding": "gzip"}), E.AMBIGUOUS),
        (Fault.too_many(), E.TRANSIENT),
        (Fault(status=429, body=b"slow down"), E.TRANSIENT),
        (Fault.refuse(20003, 401), E.CONFIGURATION),
        (Fault(status=401, body=b"who?"), E.CONFIGURATION),
        (Fault(status=403, body=b"\xff"), E.CONFIGURATION),
        (Fault.refuse(20107, 403), E.CONFIGURATION),
        (Fault(status=404, body=b"<h1>no such page</h1>"), E.CONFIGURATION),
        (Fault(status=302, body=b"", headers={"Location": "http://localhost:1/"}), E.CONFIGURATION),
        (Fault.refuse(21610), E.OPT_OUT),
        (Fault.refuse(21211), E.ADDRESS),
        (Fault.refuse(21617), E.CONTENT),
        (Fault.refuse(21611), E.TRANSIENT),
        (Fault.refuse(21606), E.CONFIGURATION),
        (Fault.refuse(20404, 404), E.CONFIGURATION),
        (Fault.refuse(12345), E.UNLISTED),
        (Fault(status=400, body=b'{"code": null, "message": null}'), E.UNLISTED),
        (Fault(status=400, body=b'"no"'), E.UNLISTED),
        (
            Fault(
                status=400,
                body=b'{"type": "x", "title": "No", "status": "odd", "code": 21610, "detail": "d"}',
            ),
            E.OPT_OUT,
        ),
        (Fault.garbage(b'{"sid": "SM1", "status": "failed", "error_code": 30005}'), E.ADDRESS),
        (Fault.garbage(b'{"sid": "SM1", "status": "undelivered", "error_code": "30007"}'), E.CONTENT),
        (Fault.garbage(b'{"sid": "SM1", "status": "failed", "error_code": null}'), E.UNLISTED),
        (
            Fault.garbage(b'{"sid": "SM1", "status": "failed", "error_message": {}, "error_code": []}'),
            E.UNLISTED,
        ),
    ],
)
def test_each_failure_gets_its_class(
    twilio: TwilioServer, channel: TwilioSms, fault: Fault, expected: ErrorClass
) -> None:
    twilio.next(fault)
    error = refusal(channel, TEXT)
    assert error.error_class is expected, str(error)
    assert str(error)[0].isupper()


@pytest.mark.parametrize(
    "fault",
    [
        Fault.accept_then_hang(),
        Fault.slow(5.0),
        Fault(accept=True, body=b"short", headers={"Content-Length": "50"}),
        # Every byte comes well within the time-out; only all of them together do not.
        Fault.trickle("head", pause=0.02),
        Fault.trickle("body", pause=0.02),
    ],
)
def test_an_answer_that_does_not_come_whole_within_the_time_out_leaves_us_in_doubt(
    twilio: TwilioServer, hasty: TwilioSms, fault: Fault
) -> None:
    twilio.next(fault)
    began = time.monotonic()
    error = refusal(hasty, TEXT)
    assert error.error_class is E.AMBIGUOUS
    assert 0.28 <= time.monotonic() - began < 1.5
    assert len(twilio.messages) == 1


def test_the_whole_time_out_counts_on_a_connection_used_before_too(
    twilio: TwilioServer, hasty: TwilioSms
) -> None:
    hasty.send(TEXT)
    twilio.next(Fault.trickle("body", pause=0.02))
    began = time.monotonic()
    refusal(hasty, TEXT)
    assert time.monotonic() - began < 1.5
    assert twilio.connections == 1


@pytest.mark.parametrize("fault", [Fault.trickle("body"), Fault.garbage(), Fault.accept_then_cut()])
def test_the_next_message_after_a_broken_one_gets_through(
    twilio: TwilioServer, hasty: TwilioSms, fault: Fault
) -> None:
    twilio.next(fault)
    refusal(hasty, TEXT)
    hasty.send(text(text="the next one"))
    assert twilio.messages[-1]["body"] == "the next one"


def test_an_answer_that_is_slow_but_in_time_counts(twilio: TwilioServer, channel: TwilioSms) -> None:
    twilio.next(Fault.slow(0.2))
    assert channel.send(TEXT).provider_id == twilio.messages[0]["sid"]


@pytest.mark.parametrize("status", ['"teleported"', '["queued"]', "null", "7"])
def test_an_id_is_an_acceptance_whatever_else_the_answer_says(
    twilio: TwilioServer, channel: TwilioSms, status: str
) -> None:
    twilio.next(Fault.garbage(f'{{"sid": "SM1", "status": {status}}}'.encode()))
    assert channel.send(TEXT) == Accepted("SM1", Status.ACCEPTED, "twilio")


def test_a_message_is_never_sent_twice_by_one_call(twilio: TwilioServer, channel: TwilioSms) -> None:
    """A transport that tries again by itself would."""
    channel.send(TEXT)
    twilio.next(Fault.accept_then_cut(), Fault.accept_then_cut())
    refusal(channel, TEXT)
    assert len(twilio.messages) == 2


def test_an_unlisted_code_is_told_with_the_link_to_its_page(twilio: TwilioServer, channel: TwilioSms) -> None:
    twilio.next(Fault.refuse(12345, said="This is new."))
    error = refusal(channel, TEXT)
    assert error.code == "12345"
    assert "This is new" in str(error)
    assert "https://www.twilio.com/docs/errors/12345" in str(error)


def test_a_refusal_without_a_code_tells_its_http_status(twilio: TwilioServer, channel: TwilioSms) -> None:
    twilio.next(Fault(status=418, body=b"teapot"))
    error = refusal(channel, TEXT)
    assert (error.error_class, error.code) == (E.UNLISTED, "HTTP 418")


@pytest.mark.parametrize(("header", "wait"), [("7", 7), ("0", 0), ("999999999", 86400)])
def test_how_long_twilio_wants_to_be_left_alone_is_passed_on(
    twilio: TwilioServer, channel: TwilioSms, header: str, wait: float
) -> None:
    twilio.next(Fault.too_many(header))
    assert refusal(channel, TEXT).retry_after == wait


@pytest.mark.parametrize(("minutes", "least", "most"), [(10, 540, 600), (-10, 0, 0)])
def test_it_may_also_be_told_as_a_date(
    twilio: TwilioServer, channel: TwilioSms, minutes: int, least: float, most: float
) -> None:
    until = datetime.now(UTC) + timedelta(minutes=minutes)
    twilio.next(Fault.too_many(format_datetime(until, usegmt=True)))
    wait = refusal(channel, TEXT).retry_after
    assert wait is not None
    assert least <= wait <= most


@pytest.mark.parametrize("header", [None, "soon", "-1", "1e3", "²"])
def test_a_wish_that_cannot_be_read_is_none(
    twilio: TwilioServer, channel: TwilioSms, header: str | None
) -> None:
    twilio.next(Fault.too_many(header))
    assert refusal(channel, TEXT).retry_after is None


def test_a_refused_connection_is_no_send_at_all() -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    error = failing(f"http://localhost:{port}")
    assert error.error_class is E.TRANSIENT
    assert "refused" in str(error)


def test_a_server_that_never_finishes_the_handshake_has_taken_nothing() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        began = time.monotonic()
        error = failing(f"https://localhost:{silent.getsockname()[1]}", timeout=0.3)
        assert error.error_class is E.TRANSIENT
        assert "within 0.3 s" in str(error)
        assert time.monotonic() - began < 1.5


def test_a_server_that_speaks_no_tls_has_taken_nothing() -> None:
    with socket.create_server(("127.0.0.1", 0)) as plain:
        greeter = threading.Thread(target=greet, args=(plain,))
        greeter.start()
        error = failing(f"https://localhost:{plain.getsockname()[1]}")
        greeter.join()
    assert error.error_class is E.TRANSIENT
    assert "no secure connection" in str(error)


def greet(server: socket.socket) -> None:
    connection, _ = server.accept()
    with connection:
        connection.sendall(b"220 this is a mail server\r\n")
        connection.recv(1000)


def failing(url: str, timeout: float = 5.0) -> ChannelError:
    channel = TwilioSms(sms_settings(url, timeout=timeout))
    error = refusal(channel, TEXT)
    channel.close()
    return error


@pytest.mark.parametrize(
    ("failure", "left", "expected", "words"),
    [
        (socket.gaierror(-2, "Name or service not known"), False, E.TRANSIENT, "name could not be resolved"),
        (OSError(113, "No route to host"), False, E.TRANSIENT, "could not be reached"),
        (RuntimeError("can't start new thread"), False, E.TRANSIENT, "could not be reached"),
        (ssl.SSLCertVerificationError(1, "expired"), False, E.CONFIGURATION, "certificate"),
        (RuntimeError("anything at all"), True, E.AMBIGUOUS, "may have taken"),
        (ssl.SSLError(1, "bad record"), True, E.AMBIGUOUS, "may have taken"),
    ],
)
def test_what_broke_counts_by_whether_anything_had_left(
    failure: Exception, left: bool, expected: ErrorClass, words: str
) -> None:
    dog = Watchdog()
    with dog.limit(5) as deadline:
        error = broken(failure, Call(deadline, left=left))
    assert error.error_class is expected
    assert words in str(error)
