from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pytest

from notifier.channels.outbox import Entry, Outbox
from notifier.rules.delivery import ErrorClass, Status
from tests.channels.cast import mail, refusal, text

NOW = datetime(2026, 3, 7, 17, 30, tzinfo=UTC)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "outbox.jsonl"


def test_a_kept_message_reads_back_with_everything_that_would_have_been_sent(path: Path) -> None:
    accepted = Outbox(path, clock=lambda: NOW).send(mail(sender="care@clinic.example"))
    [entry] = Outbox(path).entries()
    assert entry == {
        "message_id": 8,
        "attempt": 1,
        "reference": "m-8-77b1",
        "channel": "email",
        "to": "ana@example.com",
        "sender": "care@clinic.example",
        "subject": "Después de tu visita",
        "text": mail().text,
        "html": mail().html,
        "kept_at": "2026-03-07T17:30:00+00:00",
        "provider_id": accepted.provider_id,
    }
    assert (accepted.provider, accepted.status) == ("outbox", Status.SENT)


def test_a_text_message_has_no_html(path: Path) -> None:
    Outbox(path).send(text())
    assert "html" not in Outbox(path).entries()[0]


def test_an_outbox_that_never_kept_anything_is_empty(path: Path) -> None:
    assert Outbox(path).entries() == []
    assert Outbox(path).find(text(), NOW) == []


def test_the_listener_hears_of_a_message_that_is_already_in_the_file(path: Path) -> None:
    heard: list[tuple[Entry, int]] = []
    outbox = Outbox(path, on_keep=lambda entry: heard.append((entry, len(path.read_text().splitlines()))))
    outbox.send(text())
    outbox.send(text(message_id=9))
    assert [(entry["message_id"], lines) for entry, lines in heard] == [(7, 1), (9, 2)]


def test_threads_never_mix_their_lines(path: Path) -> None:
    outbox = Outbox(path)
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda n: outbox.send(text(message_id=n, text="ñ" * 20_000)), range(200)))
    assert sorted(entry["message_id"] for entry in outbox.entries()) == list(range(200))


WRITER = """
import sys
from pathlib import Path
from notifier.channels.outbox import Outbox
from notifier.envelope import OutboundMessage

outbox, first = Outbox(Path(sys.argv[1])), int(sys.argv[2])
for number in range(first, first + 60):
    outbox.send(OutboundMessage(number, 1, "r", "sms", "+15035550123", "x" * 30_000))
"""


def test_processes_never_mix_their_lines(path: Path) -> None:
    writers = [
        subprocess.Popen([sys.executable, "-c", WRITER, str(path), str(first)]) for first in (0, 100, 200)
    ]
    assert [writer.wait(20) for writer in writers] == [0, 0, 0]
    kept = sorted(entry["message_id"] for entry in Outbox(path).entries())
    assert kept == [first + n for first in (0, 100, 200) for n in range(60)]


def test_half_a_character_is_kept_too(path: Path) -> None:
    Outbox(path).send(text(text="broken \ud83d"))
    assert Outbox(path).entries()[0]["text"] == "broken \ud83d"


@pytest.mark.parametrize("torn", [b'{"message_id": 9, "te', b'{"message_id": 9, "text": "\xc3', b'"half'])
def test_a_line_cut_short_by_a_crash_is_passed_over_and_spoils_no_later_one(path: Path, torn: bytes) -> None:
    outbox = Outbox(path)
    outbox.send(text(message_id=1))
    with path.open("ab") as file:
        file.write(torn)
    assert [entry["message_id"] for entry in outbox.entries()] == [1]
    outbox.send(text(message_id=2))
    assert [entry["message_id"] for entry in outbox.entries()] == [1, 2]


def test_a_crashed_run_finds_the_attempt_it_had_kept(path: Path) -> None:
    outbox = Outbox(path)
    accepted = outbox.send(text(attempt=2))
    outbox.send(text(message_id=9, attempt=2))
    [found] = outbox.find(text(attempt=2), NOW) or []
    assert (found.provider_id, found.status) == (accepted.provider_id, Status.SENT)


@pytest.mark.parametrize("other", [{"attempt": 2}, {"message_id": 9}, {"reference": "of-an-older-database"}])
def test_another_attempt_message_or_database_is_not_found(path: Path, other: dict[str, object]) -> None:
    outbox = Outbox(path)
    outbox.send(text())
    assert outbox.find(text(**other), NOW) == []


def test_a_file_that_cannot_be_written_says_what_to_do(tmp_path: Path) -> None:
    error = refusal(Outbox(tmp_path), text())
    assert error.error_class is ErrorClass.CONFIGURATION
    assert str(tmp_path) in str(error)
    assert "delivery.outbox_file" in str(error)


def test_a_file_that_cannot_be_read_cannot_be_asked(tmp_path: Path) -> None:
    assert Outbox(tmp_path).find(text(), NOW) is None


def test_the_file_is_for_its_owner_only_and_its_folder_is_made(tmp_path: Path) -> None:
    path = tmp_path / "new" / "outbox.jsonl"
    Outbox(path).send(text())
    assert path.stat().st_mode & 0o077 == 0
