"""A mail server pipes in what came for us: bounces and replies, once and again."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.channels.test_mail_words import MAILS, OURS
from tests.cli_cast import ago, open_home
from tests.servers.smtp_server import SmtpServer

ANA = "ana.nunez@mail.example"


@pytest.fixture
def server() -> Iterator[SmtpServer]:
    with SmtpServer() as server:
        yield server


def raw(name: str, server: SmtpServer) -> bytes:
    """As if it were about the mail that the server has got."""
    sent = str(server.mails[0].message["Message-ID"])
    return (MAILS / f"{name}.eml").read_bytes().replace(OURS.encode(), sent.encode())


def test_a_reply_and_a_bounce_are_taken_in_once_each(tmp_path: Path, server: SmtpServer) -> None:
    email = {
        "host": server.host,
        "port": server.port,
        "security": "none",
        "from_address": "care@clinic.example",
    }
    home = open_home(tmp_path, delivery={"mode": "allowlist", "allowlist": [ANA]}, email=email)
    home.log("Ana", "--email", ANA, "--consent-email", "--ended-at", ago(minutes=6))
    home.run("worker", "--once")

    bounced = raw("postfix-no-such-user", server)
    assert home.run("bounce", stdin=bounced).out.startswith(
        "A mail server's report about a mail of ours. Message 1 is now failed: The mail came back: "
    )
    assert home.messages()[0]["status"] == "failed"
    with closing(sqlite3.connect(home.folder / "notifier.db")) as database:
        (problem,) = database.execute("SELECT email_problem FROM patients").fetchone()
    assert problem.startswith("The mail came back: nobody is reached at this address")
    again = home.run("bounce", "--json", stdin=bounced).json
    assert [about["changed"] for about in again["messages"]] == [False]

    stop = raw("iphone-english", server)
    assert home.run("bounce", stdin=stop).out == "A reply, which was taken in.\n"
    assert {row["status"] for row in home.messages() if row["step"] == "two-days-on"} == {"cancelled"}
    assert home.run("bounce", stdin=stop).out == "A reply, which was taken in before; nothing changed.\n"


def test_what_is_not_about_us_changes_nothing(tmp_path: Path) -> None:
    home = open_home(tmp_path)
    strange = home.run("bounce", stdin=(MAILS / "qmail.eml").read_bytes()).out
    assert strange.endswith(" mail of ours, but not one that was sent from here; nothing changed.\n")
    receipt = home.run("bounce", "--json", stdin=(MAILS / "read-receipt.eml").read_bytes()).json
    assert receipt == {"kind": "receipt", "messages": [], "replies": []}


def test_without_a_mail_it_says_how_it_is_used(tmp_path: Path) -> None:
    assert "notifier bounce < message" in open_home(tmp_path).run("bounce", stdin=b" \n", code=2).err
