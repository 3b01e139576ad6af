"""What people read about a message."""

from __future__ import annotations

import pytest

from notifier import status_words
from notifier.models import Message
from notifier.rules.delivery import Status


def message(status: str, reason: str = "", *, code: str = "", attempts: int = 0) -> Message:
    return Message(status=status, reason=reason, reason_code=code, attempts=attempts)


def test_every_status_has_its_words() -> None:
    labels = [status_words.of_status(status) for status in Status]
    assert all(labels)
    assert len(set(labels)) == len(Status)


@pytest.mark.parametrize(
    ("told", "sentence"),
    [
        (message("scheduled"), "Will be sent"),
        (message("scheduled", "Busy.", attempts=1), "Will be tried again: Busy."),
        (message("skipped", "The number is a landline."), "Not sent: the number is a landline."),
        (message("skipped", "Bob is away."), "Not sent: Bob is away."),
        (message("held", "No clock.", code="paused"), "Paused: no clock."),
        (message("cancelled", "SMS is off."), "Cancelled: SMS is off."),
    ],
)
def test_state_and_reason_make_one_sentence(told: Message, sentence: str) -> None:
    assert status_words.sentence(told) == sentence


@pytest.mark.parametrize(
    ("key", "name"),
    [
        ("day2-soreness-score", "Day 2: soreness score"),
        ("day0", "Day 0"),
        ("before-next-visit", "Before next visit"),
        (None, ""),
    ],
)
def test_a_step_is_called_by_what_its_key_says(key: str | None, name: str) -> None:
    assert status_words.step_name(key) == name


def test_what_has_no_step_is_called_by_its_kind() -> None:
    assert status_words.title("answer", None) == "Automatic answer"
    assert status_words.title("planned", "day0-marks") == "Day 0: marks"
