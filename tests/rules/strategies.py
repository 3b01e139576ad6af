"""What the property tests of the rules draw from: zones, instants where clocks change, windows, steps."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

from hypothesis import settings
from hypothesis import strategies as st

from notifier.rules.durations import Duration
from notifier.rules.plan import Anchor, OutsideWindow, Step, Window
from notifier.rules.timing import Occasion
from notifier.rules.zones import zone

# The same examples on every run and host, so that a red test is red for everybody; no deadline, because the
# first example of a zone pays for reading its file.
PROPERTY = settings(deadline=None, derandomize=True, max_examples=50)

ZONES = [
    "America/New_York",
    "America/Los_Angeles",
    "America/St_Johns",
    "America/Phoenix",
    "America/Santiago",
    "America/Sao_Paulo",
    "America/Havana",
    "Atlantic/Azores",
    "Europe/London",
    "Europe/Dublin",
    "Europe/Berlin",
    "Africa/Cairo",
    "Asia/Beirut",
    "Asia/Jerusalem",
    "Asia/Kolkata",
    "Asia/Kathmandu",
    "Asia/Tokyo",
    "Australia/Adelaide",
    "Australia/Lord_Howe",
    "Pacific/Auckland",
    "Pacific/Chatham",
    "Pacific/Apia",
    "Pacific/Kiritimati",
    "UTC",
]

# Within two days of each of these some of the zones above do something odd.
_ODD_MOMENTS = (
    datetime(2026, 3, 8, 7, tzinfo=UTC),  # New York springs forward
    datetime(2026, 11, 1, 6, tzinfo=UTC),  # and falls back
    datetime(2026, 3, 29, 1, tzinfo=UTC),  # Europe; at midnight in Beirut and on the Azores
    datetime(2026, 10, 25, 1, tzinfo=UTC),
    datetime(2026, 4, 23, 22, tzinfo=UTC),  # Cairo, at midnight
    datetime(2026, 4, 4, 15, tzinfo=UTC),  # Lord Howe, by half an hour
    datetime(2026, 10, 3, 15, 30, tzinfo=UTC),
    datetime(2026, 9, 6, 4, tzinfo=UTC),  # Santiago, at midnight
    datetime(2018, 11, 4, 3, tzinfo=UTC),  # São Paulo, at midnight
    datetime(2011, 12, 30, 10, tzinfo=UTC),  # Apia leaves out a day
    datetime(2028, 2, 29, 12, tzinfo=UTC),  # a leap day
)

zones = st.sampled_from(ZONES).map(zone)


def instants() -> st.SearchStrategy[datetime]:
    anywhere = st.datetimes(datetime(2024, 1, 1), datetime(2028, 12, 31), timezones=st.just(UTC))  # noqa: DTZ001
    near = st.builds(
        lambda moment, seconds: moment + timedelta(seconds=seconds),
        st.sampled_from(_ODD_MOMENTS),
        st.integers(-172_800, 172_800),
    )
    return st.one_of(near, anywhere.map(lambda moment: moment.replace(microsecond=0)))


def clock_times() -> st.SearchStrategy[time]:
    return st.integers(0, 1439).map(_clock)


def _clock(minute: int) -> time:
    return time(minute // 60, minute % 60)


@st.composite
def windows(draw: st.DrawFn, *, opens: int = 0, grid: int = 1) -> Window:
    """Any window there can be, also one that a gap swallows; its edges are multiples of `grid` minutes."""
    first, last = sorted(draw(st.sets(st.integers(opens // grid, 1439 // grid), min_size=2, max_size=2)))
    return Window(_clock(first * grid), _clock(last * grid))


_short = st.one_of(
    st.builds(Duration, st.integers(0, 600), st.just("m")),
    st.builds(Duration, st.integers(0, 200), st.just("h")),
    st.builds(Duration, st.integers(0, 20), st.just("d")),
    st.builds(Duration, st.integers(0, 3), st.just("w")),
)


def _negative(duration: Duration) -> Duration:
    return Duration(-duration.amount, duration.unit)


@st.composite
def steps(draw: st.DrawFn) -> Step:
    anchor: Anchor = draw(st.sampled_from(("treatment_end", "next_visit")))
    signed = _short if anchor == "treatment_end" else st.one_of(_short.map(_negative), _short)
    after = draw(signed)
    outside: OutsideWindow = draw(st.sampled_from(("later", "earlier")))
    return Step(
        "step",
        after,
        anchor=anchor,
        at=draw(st.none() | clock_times()) if after.is_calendar else None,
        not_before=timedelta(minutes=draw(st.integers(0, 2000))),
        outside_window=outside,
        useful_for=draw(st.none() | signed),
    )


@st.composite
def occasions(draw: st.DrawFn) -> Occasion:
    ended_at = draw(instants())
    logged_at = ended_at + timedelta(seconds=draw(st.integers(-3600, 9 * 86_400)))
    visit = draw(st.none() | st.integers(3600, 30 * 86_400))
    return Occasion(ended_at, logged_at, None if visit is None else ended_at + timedelta(seconds=visit))


def fixed_zone(hours: int) -> ZoneInfo:
    """A zone that is always this many hours ahead of UTC; the names of these count the other way round."""
    return zone(f"Etc/GMT{-hours:+d}" if hours else "Etc/GMT")
