from __future__ import annotations

from datetime import UTC, datetime

import pytest

from notifier.errors import InputError
from notifier.import_times import read_day_or_time, read_time
from notifier.rules.zones import zone

NEW_YORK = zone("America/New_York")  # -5 in winter, -4 from 8 March 2026 02:00
MADRID = zone("Europe/Madrid")


def utc(words: str) -> datetime:
    return datetime.fromisoformat(words).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("written", "instant"),
    [
        ("2026-03-07T17:30-05:00", "2026-03-07 22:30"),  # 17:30 + 5 h
        ("2026-03-07T17:30:00+01:00", "2026-03-07 16:30"),  # 17:30 - 1 h
        ("2026-03-07T17:30:00.123+0100", "2026-03-07 16:30"),
        ("2026-03-07 17:30 +05:30", "2026-03-07 12:00"),  # 17:30 - 5 h 30
        ("2026-03-07T17:30Z", "2026-03-07 17:30"),
        ("2026-03-07 17:30:45 UTC", "2026-03-07 17:30:45"),
        ("2026-03-07 17:30", "2026-03-07 22:30"),  # the clinic's clock: + 5 h
        ("2026-03-08 17:30", "2026-03-08 21:30"),  # summer time since that morning: + 4 h
        ("2026/3/7 17:30", "2026-03-07 22:30"),
        ("3/7/2026 17:30", "2026-03-07 22:30"),
        ("3/7/2026 5:30 PM", "2026-03-07 22:30"),
        ("3/7/26, 5:30 pm", "2026-03-07 22:30"),
        ("03/07/2026 05:30:00 p. m.", "2026-03-07 22:30"),
        ("3-7-2026 17:30", "2026-03-07 22:30"),
        ("3/7/2026 12:05 AM", "2026-03-07 05:05"),  # five past midnight
        ("3/7/2026 12:05 PM", "2026-03-07 17:05"),  # five past noon
        ("3/7/2026 5 PM", "2026-03-07 22:00"),
        ("07.03.2026 17:30", "2026-03-07 22:30"),  # dots: the day first, in the US too
        ("7.3.26 17.30", "2026-03-07 22:30"),
        ("7-Mar-2026 17:30", "2026-03-07 22:30"),
        ("7-Mar-26 17:30", "2026-03-07 22:30"),
        ("Mar 7, 2026 5:30 PM", "2026-03-07 22:30"),
        ("7 de marzo de 2026 17:30", "2026-03-07 22:30"),
        ("7-ene.-2026 17:30", "2026-01-07 22:30"),
        ("46088.72917", "2026-03-07 22:30"),  # 46,088 days after 1899-12-30; 0.72917 * 24 h = 17:30:00.3
        ("46088,7292", "2026-03-07 22:30"),  # 17:30:02.9
        ("46088.0", "2026-03-07 05:00"),  # midnight, said in so many words
        ("  2026-03-07\u00a017:30 ", "2026-03-07 22:30"),
        ("2026-03-08 02:30", "2026-03-08 07:30"),  # a time that was skipped: 03:30 summer time
        ("2026-11-01 01:30", "2026-11-01 05:30"),  # a time that comes twice: the first, still summer time
    ],
)
def test_a_time_as_people_and_spreadsheets_write_it(written: str, instant: str) -> None:
    assert read_time(written, tz=NEW_YORK, country="US") == utc(instant)


@pytest.mark.parametrize(
    ("country", "instant"),
    [
        ("US", "2026-03-07 22:30"),
        ("PR", "2026-03-07 22:30"),
        ("us", "2026-03-07 22:30"),
        ("GB", "2026-07-03 21:30"),  # 3 July, summer: + 4 h
        ("ES", "2026-07-03 21:30"),
        ("MX", "2026-07-03 21:30"),
        ("CA", "2026-07-03 21:30"),
    ],
)
@pytest.mark.parametrize("written", ["3/7/2026 17:30", "3-7-26 5:30 PM"])
def test_the_country_says_whether_3_7_is_in_march_or_in_july(
    written: str, country: str, instant: str
) -> None:
    assert read_time(written, tz=NEW_YORK, country=country) == utc(instant)


@pytest.mark.parametrize("country", ["US", "ES"])
@pytest.mark.parametrize("written", ["2026-03-07 17:30", "7.3.2026 17:30", "7 Mar 2026 17:30"])
def test_other_forms_mean_the_same_everywhere(written: str, country: str) -> None:
    assert read_time(written, tz=MADRID, country=country) == utc("2026-03-07 16:30")


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("13/7/2026 17:30", "read month first as in US: there is no month 13"),
        ("2/30/2026 17:30", "read month first as in US: there is no day 30 in month 2 of 2026"),
        ("7.13.2026 17:30", "read day first as always: there is no month 13"),
        ("2026-02-30 17:30", "there is no day 30 in month 2 of 2026"),
        ("7-Foo-2026 17:30", '"Foo" is no month'),
        ("2026-03-07 25:00", "a time that no clock shows"),
        ("2026-03-07 24:00", "a time that no clock shows"),
        ("2026-03-07 13:30 PM", "a time that no clock shows"),
        ("2026-03-07 17", "a time that no clock shows"),
        ("2026-03-07 17:30 +25:00", "there is no offset +25:00"),
        ("2026-03-07", "has no time; write it like 2026-03-07 17:30"),
        ("3/7/2026", "has no time; write it like 2026-03-07 17:30"),
        ("46088", "has no time; write it like 2026-03-07 17:30"),
        ("0206-03-07 17:30", "would be in the year 206"),
        ("10000.5", "would be in the year 1927"),
        ("yesterday 17:30", "is not a date and time; write it like 2026-03-07 17:30"),
        ("2026-03-07 17:30 EST", "is not a date and time"),
        ("2026-03/07 17:30", "is not a date and time"),
        ("17:30", "is not a date and time"),
        ("#######", "is not a date and time"),
    ],
)
def test_what_is_no_time_is_refused_with_how_it_was_read(written: str, said: str) -> None:
    with pytest.raises(InputError) as refused:
        read_time(written, tz=NEW_YORK, country="US")
    assert said in str(refused.value)
    assert written in str(refused.value)


def test_a_day_may_stand_for_its_beginning_where_that_will_do() -> None:
    assert read_day_or_time("3/7/2026", tz=NEW_YORK, country="US") == utc("2026-03-07 05:00")
    assert read_day_or_time("3/7/2026 17:30", tz=NEW_YORK, country="US") == utc("2026-03-07 22:30")
