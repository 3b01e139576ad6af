"""Zones come from the tzdata package; wall-clock times that do not exist, or exist twice, have one answer."""

from __future__ import annotations

import zoneinfo
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from importlib import resources
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given

from notifier.errors import InputError
from notifier.rules.zones import to_instant, to_local, zone, zone_names
from tests.rules.strategies import PROPERTY, instants, zones


def at(text: str) -> datetime:
    """A wall-clock time, or an instant where the text ends in Z."""
    return datetime.fromisoformat(text)


@pytest.fixture
def host_with_wrong_zones(tmp_path: Path) -> Iterator[None]:
    """A host whose own files say that New York lives by the clocks of Tokyo."""
    tokyo = resources.files("tzdata").joinpath("zoneinfo", "Asia", "Tokyo").read_bytes()
    (tmp_path / "America").mkdir()
    (tmp_path / "America" / "New_York").write_bytes(tokyo)
    before = zoneinfo.TZPATH
    zoneinfo.reset_tzpath([tmp_path])
    _forget_zones()
    yield
    zoneinfo.reset_tzpath(before)
    _forget_zones()


def _forget_zones() -> None:
    zone.cache_clear()
    ZoneInfo.clear_cache()


@pytest.mark.usefixtures("host_with_wrong_zones")
def test_what_the_host_believes_about_a_zone_does_not_matter() -> None:
    noon = at("2026-01-15T12:00Z")
    assert noon.astimezone(ZoneInfo.no_cache("America/New_York")).utcoffset() == timedelta(hours=9)
    assert noon.astimezone(zone("America/New_York")).utcoffset() == timedelta(hours=-5)


def test_every_zone_of_the_package_can_be_used() -> None:
    assert len(zone_names()) > 400
    noon = at("2026-06-15T12:00Z")
    for name in sorted(zone_names()):
        tz = zone(name)
        assert tz.key == name
        assert to_instant(to_local(noon, tz), tz) == noon


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("America/New_Yrok", "Did you mean America/New_York?"),
        ("america/new_york", "Did you mean America/New_York?"),
        ("Europe/Berln", "Did you mean Europe/Berlin?"),
        ("", "Write it like America/New_York."),
        ("+05:30", "Write it like America/New_York."),
        ("../../../etc/passwd", "Write it like America/New_York."),
        ("/etc/localtime", "Write it like America/New_York."),
    ],
)
def test_a_zone_that_does_not_exist_is_refused_with_what_to_write(name: str, hint: str) -> None:
    with pytest.raises(InputError) as refused:
        zone(name)
    assert str(refused.value) == f'There is no time zone "{name}". {hint}'
    assert refused.value.field == "timezone"


# A local time that does not exist on the day moves forward by the gap.
#   zone                    wall clock          as UTC                 arithmetic
GAPS = [
    # 02:00 EST (-5) → 03:00 EDT (-4): 02:30 + 1 h = 03:30, + 4 h = 07:30
    ("America/New_York", "2026-03-08T02:30", "2026-03-08T07:30Z"),
    ("America/New_York", "2026-03-08T02:00", "2026-03-08T07:00Z"),  # 03:00 + 4 h
    ("America/New_York", "2026-03-08T03:00", "2026-03-08T07:00Z"),  # exists: 03:00 + 4 h, the same instant
    # 02:00 (+10:30) → 02:30 (+11): 02:15 + 30 min = 02:45, - 11 h = 15:45 the day before
    ("Australia/Lord_Howe", "2026-10-04T02:15", "2026-10-03T15:45Z"),
    # 00:00 (+2) → 01:00 (+3): 00:00 + 1 h = 01:00, - 3 h = 22:00 the day before
    ("Africa/Cairo", "2026-04-24T00:00", "2026-04-23T22:00Z"),
    ("Africa/Cairo", "2026-04-24T00:59:59", "2026-04-23T22:59:59Z"),
    ("Asia/Beirut", "2026-03-29T00:30", "2026-03-28T22:30Z"),  # 01:30 - 3 h
    # 00:00 (-5) → 01:00 (-4): 00:30 + 1 h = 01:30, + 4 h = 05:30
    ("America/Havana", "2025-03-09T00:30", "2025-03-09T05:30Z"),
    # 00:00 (-3) → 01:00 (-2): 00:00 + 1 h = 01:00, + 2 h = 03:00
    ("America/Sao_Paulo", "2018-11-04T00:00", "2018-11-04T03:00Z"),
    # The whole of 30 December is missing, -10 → +14: 10:00 + 24 h = 10:00 on the 31st, - 14 h = 20:00
    ("Pacific/Apia", "2011-12-30T10:00", "2011-12-30T20:00Z"),
    ("Pacific/Apia", "2011-12-29T23:59", "2011-12-30T09:59Z"),  # exists: + 10 h
]


@pytest.mark.parametrize(("name", "wall", "instant"), GAPS)
def test_a_wall_clock_time_inside_a_gap_moves_forward_by_the_gap(name: str, wall: str, instant: str) -> None:
    assert to_instant(at(wall), zone(name)) == at(instant)


# A local time that exists twice is the first of them, unless the second is asked for.
#   zone                    wall clock          the first             the second
TWICE = [
    # 02:00 EDT (-4) → 01:00 EST (-5): 01:30 + 4 h = 05:30, + 5 h = 06:30
    ("America/New_York", "2026-11-01T01:30", "2026-11-01T05:30Z", "2026-11-01T06:30Z"),
    # 02:00 (+11) → 01:30 (+10:30): 01:45 - 11 h = 14:45, - 10:30 = 15:15, the day before
    ("Australia/Lord_Howe", "2026-04-05T01:45", "2026-04-04T14:45Z", "2026-04-04T15:15Z"),
    # 24:00 (+3) → 23:00 (+2): 23:30 - 3 h = 20:30, - 2 h = 21:30
    ("Africa/Cairo", "2026-10-29T23:30", "2026-10-29T20:30Z", "2026-10-29T21:30Z"),
    # 02:00 (+1, which Dublin calls its standard time) → 01:00 (+0)
    ("Europe/Dublin", "2026-10-25T01:15", "2026-10-25T00:15Z", "2026-10-25T01:15Z"),
]


@pytest.mark.parametrize(("name", "wall", "first", "second"), TWICE)
def test_a_wall_clock_time_that_exists_twice_is_the_first(
    name: str, wall: str, first: str, second: str
) -> None:
    tz = zone(name)
    assert to_instant(at(wall), tz) == at(first)
    assert to_instant(at(wall), tz, fold=1) == at(second)
    # A wall clock read off the second one is a plain wall clock all the same.
    assert to_instant(to_local(at(second), tz), tz) == at(first)


def test_in_a_gap_the_other_fold_moves_back_by_the_gap() -> None:
    # 02:30 - 1 h = 01:30 EST, + 5 h = 06:30
    assert to_instant(at("2026-03-08T02:30"), zone("America/New_York"), fold=1) == at("2026-03-08T06:30Z")


#   zone              instant              wall clock
PLAIN = [
    ("Asia/Kolkata", "2026-03-08T18:45Z", "2026-03-09T00:15"),  # + 5:30
    ("Asia/Kathmandu", "2026-03-08T18:15Z", "2026-03-09T00:00"),  # + 5:45
    ("America/St_Johns", "2026-01-15T03:29Z", "2026-01-14T23:59"),  # - 3:30
    ("Pacific/Chatham", "2026-07-01T11:15Z", "2026-07-02T00:00"),  # + 12:45
    ("America/New_York", "2028-02-29T05:00Z", "2028-02-29T00:00"),  # - 5, on a leap day
    ("UTC", "2028-02-29T23:59:59Z", "2028-02-29T23:59:59"),
]


@pytest.mark.parametrize(("name", "instant", "wall"), PLAIN)
def test_the_wall_clock_and_back(name: str, instant: str, wall: str) -> None:
    assert to_local(at(instant), zone(name)) == at(wall)
    assert to_local(at(instant), zone(name)).tzinfo is None
    assert to_instant(at(wall), zone(name)) == at(instant)
    assert to_instant(at(wall), zone(name)).tzinfo is UTC


@PROPERTY
@given(instants(), zones)
def test_reading_the_clock_and_back_is_the_same_instant_or_the_first_of_two(
    instant: datetime, tz: ZoneInfo
) -> None:
    back = to_instant(to_local(instant, tz), tz)
    assert to_local(back, tz) == to_local(instant, tz)
    assert back <= instant
    assert back == instant or to_instant(to_local(instant, tz), tz, fold=1) == instant
