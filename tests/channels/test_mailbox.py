"""The mailbox of replies and bounces, against a real mailbox server."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Protocol

import pytest

from notifier.channels.mailbox import ImapMailbox
from notifier.config import InboundMailSettings, Settings
from notifier.envelope import SINCE_BACKUP, Batch
from notifier.errors import ChannelError
from notifier.rules.delivery import ErrorClass
from tests.servers.imap_server import NAME, PASSWORD, ImapServer

MAILS = Path(__file__).parent / "mails"


@pytest.fixture(scope="module")
def running() -> Iterator[ImapServer]:
    with ImapServer() as server:
        yield server


@pytest.fixture
def server(running: ImapServer) -> ImapServer:
    """With a folder of this test's own."""
    running.hangs_up_at = b""
    running.make("Réponses & más")
    return running


class Opening(Protocol):
    def __call__(self, *, seconds: float = ..., at_once: int = ..., **changes: Any) -> ImapMailbox: ...


@pytest.fixture
def mailbox(server: ImapServer) -> Iterator[Opening]:
    opened: list[ImapMailbox] = []

    def opening(*, seconds: float = 10.0, at_once: int = 50, **changes: Any) -> ImapMailbox:
        given = {"host": server.host, "port": server.port, "username": NAME, "password": PASSWORD}
        inbound = InboundMailSettings(**given | {"folder": "Réponses & más"} | changes)
        tls = server.client_tls
        opened.append(ImapMailbox(Settings(inbound_mail=inbound), tls=tls, seconds=seconds, at_once=at_once))
        return opened[-1]

    yield opening
    for box in opened:
        box.close()


def words(batch: Batch) -> list[str]:
    return [inbound.body for inbound in batch.inbound]


def mail(words: str) -> bytes:
    return f"From: ana@mail.example\r\nMessage-ID: <{words}@mail.example>\r\n\r\n{words}\r\n".encode()


def test_replies_and_bounces_come_once_oldest_first_and_stay_where_they_are(
    server: ImapServer, mailbox: Opening
) -> None:
    box = mailbox()
    start = box.poll({})
    assert words(start) == []
    for name in ("gmail-english", "qmail", "iphone-english"):
        server.deliver((MAILS / f"{name}.eml").read_bytes())
    found = box.poll(start.cursor)
    assert words(found) == ["It’s about a 6 today, worse on the stairs.", "Stop"]
    assert [report.code for report in found.reports] == ["5.1.1"]
    assert words(box.poll(found.cursor)) == []
    assert server.unread() == 3


def test_a_mail_that_a_person_has_read_already_is_taken_all_the_same(
    server: ImapServer, mailbox: Opening
) -> None:
    box = mailbox()
    start = box.poll({})
    server.deliver(mail("read"), flags=r"(\Seen)")
    assert words(box.poll(start.cursor)) == ["read"]


def test_the_first_look_leaves_what_was_read_and_what_is_old(server: ImapServer, mailbox: Opening) -> None:
    server.deliver(mail("read"), flags=r"(\Seen)")
    server.deliver(mail("old"), at=datetime.now(UTC) - timedelta(days=30))
    server.deliver(mail("new"))
    found = mailbox().poll({})
    assert words(found) == ["new"]


def test_in_a_mailbox_made_anew_the_latest_are_looked_through_again(
    server: ImapServer, mailbox: Opening
) -> None:
    box = mailbox()
    server.deliver(mail("before"))
    before = box.poll({})
    server.make("Réponses & más")
    server.deliver(mail("before"), flags=r"(\Seen)")
    server.deliver(mail("after"))
    found = box.poll(before.cursor)
    assert words(found) == ["before", "after"]
    assert found.cursor["validity"] != before.cursor["validity"]
    assert words(box.poll(found.cursor)) == []


def test_received_is_when_the_server_took_it_and_never_later_than_now(
    server: ImapServer, mailbox: Opening
) -> None:
    took, ahead = datetime.now(UTC) - timedelta(hours=3), datetime.now(UTC) + timedelta(days=1)
    server.deliver(mail("past"), at=took)
    server.deliver(mail("future"), at=ahead)
    past, future = mailbox().poll({}).inbound
    assert abs(past.received_at - took) < timedelta(seconds=1)
    assert future.received_at <= datetime.now(UTC)


def test_a_flood_is_taken_in_portions(server: ImapServer, mailbox: Opening) -> None:
    server.deliver(*(mail(each) for each in "abc"))
    box = mailbox(at_once=2)
    first = box.poll({})
    second = box.poll(first.cursor)
    assert [words(first), words(second)] == [["a", "b"], ["c"]]
    assert [first.complete, second.complete] == [False, True]


def test_after_a_restore_what_somebody_has_read_comes_in_too(server: ImapServer, mailbox: Opening) -> None:
    server.deliver(mail("STOP"), flags=r"(\Seen)")
    assert words(mailbox().poll({SINCE_BACKUP: "2026-01-01T02:00:00+00:00"})) == ["STOP"]


def test_of_an_enormous_mail_the_beginning_is_read(server: ImapServer, mailbox: Opening) -> None:
    picture = b"/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDAAg\r\n" * 40_000
    head = b'Content-Type: multipart/mixed; boundary="b"\r\n\r\n--b\r\n\r\nIs this normal?\r\n--b\r\n'
    server.deliver(head + b"Content-Type: image/jpeg; name=a.jpg\r\n\r\n" + picture + b"\r\n--b--\r\n")
    assert words(mailbox().poll({})) == ["Is this normal?"]


def test_garbage_stops_nothing(server: ImapServer, mailbox: Opening) -> None:
    server.deliver(b"\xff\xfe\x01Content-Type: multipart/\r\n\r\n--\x80")
    server.deliver(mail("words"))
    found = words(mailbox().poll({}))
    assert len(found) == 2
    assert found[1] == "words"


def test_a_mail_over_which_the_server_hangs_up_is_left_after_three_looks(
    server: ImapServer, mailbox: Opening
) -> None:
    box = mailbox()
    start = box.poll({})
    for each in ("first", "fatal", "last"):
        server.deliver(mail(each))
    server.hangs_up_at = b"FETCH 102 "
    found = box.poll(start.cursor)
    assert words(found) == ["first"]
    for _ in range(2):
        with pytest.raises(ChannelError, match=r"The mailbox server hung up"):
            box.poll(found.cursor)
    assert words(box.poll(found.cursor)) == ["last"]


@pytest.mark.parametrize(
    ("changes", "error_class", "match"),
    [
        ({"password": "wrong"}, ErrorClass.CONFIGURATION, r"refused our sign-in .* inbound_mail\.password"),
        ({"password": "contraseña"}, ErrorClass.CONFIGURATION, r"refused our sign-in"),
        ({"folder": "Nowhere"}, ErrorClass.CONFIGURATION, r'no folder "Nowhere" .* inbound_mail\.folder'),
        ({"port": 1}, ErrorClass.TRANSIENT, r"could not be reached"),
    ],
)
def test_what_is_wrong_is_said_in_words(
    server: ImapServer, mailbox: Opening, changes: dict[str, Any], error_class: ErrorClass, match: str
) -> None:
    with pytest.raises(ChannelError, match=match) as refused:
        mailbox(**changes).check()
    assert refused.value.error_class == error_class
    mailbox().check()


def test_a_certificate_that_nobody_vouches_for_is_refused(server: ImapServer) -> None:
    inbound = InboundMailSettings(host=server.host, port=server.port, username=NAME, password=PASSWORD)
    box = ImapMailbox(Settings(inbound_mail=inbound))
    with pytest.raises(ChannelError, match="SSL_CERT_FILE"):
        box.poll({})
    box.close()


def test_a_server_that_says_nothing_holds_us_no_longer_than_allowed(
    server: ImapServer, mailbox: Opening
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        began = time.monotonic()
        with pytest.raises(ChannelError, match=r"did not answer within 0\.3 s"):
            mailbox(host="127.0.0.1", port=silent.getsockname()[1], seconds=0.3).poll({})
    assert time.monotonic() - began < 3
