from __future__ import annotations

import pytest
from twilio.rest.api.v2010.account.message import MessageInstance  # type: ignore[import-untyped]

from notifier.channels.twilio_words import (
    ERROR_CLASSES,
    MEANINGS,
    STATUSES,
    error_class,
    meaning,
    without_numbers,
)
from notifier.rules.delivery import ErrorClass, Status

E = ErrorClass
TABLE = {
    E.OPT_OUT: (21610,),
    E.ADDRESS: (21211, 21214, 21217, 21614, 21635, 21408, 21608, 21612, 30005, 30006),
    E.CONTENT: (30004, 30007, 21617, 30038),
    E.TRANSIENT: (429, 20429, 14107, 30001, 21611, 30022, 30500, 60005),
    E.FEW_TRIES: (30003, 30008, 30017, 30036),
    E.CONFIGURATION: (20003, 20404, 21606, 30002, 30024, 30032, 30034, 63038),
}
ROWS = [(code, expected) for expected, codes in TABLE.items() for code in codes]


@pytest.mark.parametrize(("code", "expected"), ROWS)
def test_each_code_of_the_table_has_its_class_as_number_and_as_text(code: int, expected: ErrorClass) -> None:
    assert error_class(code) is error_class(str(code)) is expected


def test_no_code_is_classed_that_the_table_does_not_have() -> None:
    assert dict(ROWS) == ERROR_CLASSES


@pytest.mark.parametrize("code", [99999, "12345", None, "", "abc", "²", "9" * 5000])
def test_a_code_that_nobody_listed_is_unlisted(code: int | str | None) -> None:
    assert error_class(code) is E.UNLISTED


@pytest.mark.parametrize("code", sorted(MEANINGS))
def test_each_code_is_told_in_a_sentence_with_its_number(code: int) -> None:
    words = meaning(code)
    assert words[0].isupper()
    assert words.endswith(f"(Twilio error {code}).")
    assert ".." not in words


def test_an_unlisted_code_names_its_page() -> None:
    words = meaning(30999, "Something new.")
    assert "30999 (Something new)" in words
    assert words.endswith("https://www.twilio.com/docs/errors/30999")


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("The 'To' number +15035550123 is not valid", "The 'To' number •••23 is not valid"),
        ("whatsapp:(503) 555-0123", "whatsapp:(•••23"),
        ("exceeds the 1600 character limit", "exceeds the 1600 character limit"),
        ("error 21211", "error 21211"),
    ],
)
def test_the_patients_number_is_taken_out_of_twilios_words(said: str, told: str) -> None:
    assert without_numbers(said) == told


@pytest.mark.parametrize(
    ("word", "status"),
    [
        ("accepted", Status.ACCEPTED),
        ("scheduled", Status.ACCEPTED),
        ("queued", Status.ACCEPTED),
        ("sending", Status.ACCEPTED),
        ("sent", Status.SENT),
        ("delivered", Status.DELIVERED),
        ("read", Status.DELIVERED),
        ("undelivered", Status.UNDELIVERED),
        ("failed", Status.FAILED),
        ("canceled", Status.FAILED),
    ],
)
def test_twilios_word_for_a_status_becomes_ours(word: str, status: Status) -> None:
    assert STATUSES[word] is status


def test_every_status_that_the_client_knows_is_ours_or_an_inbound_one() -> None:
    known = {value for name, value in vars(MessageInstance.Status).items() if name.isupper()}
    assert known - STATUSES.keys() == {"receiving", "received"}
