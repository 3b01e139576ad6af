from __future__ import annotations

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from notifier.rules.delivery import Status
from notifier.rules.zones import zone
from notifier.web import line
from notifier.web.line import Moment, Scale
from tests.cast import ENDED, NEW_YORK, at

TZ = zone(NEW_YORK)
HOURS = st.floats(0, 2000, allow_nan=False)


def moments(*hours: float, status: str = "scheduled") -> list[Moment]:
    return [Moment(ENDED + timedelta(hours=h), status, f"At {h} h") for h in hours]


def test_a_week_is_drawn_evenly_with_its_days() -> None:
    view = line.view(ENDED, moments(2, 22, 46, 120), tz=TZ, now=None)
    assert view.scale == Scale(126.0)
    assert [tick.label for tick in view.ticks] == ["Day 1", "Day 2", "Day 3", "Day 4", "Day 5"]
    assert [dot.x for dot in view.dots] == [view.scale.x(h) for h in (2, 22, 46, 120)]


def test_a_visit_weeks_ahead_does_not_squeeze_the_first_days() -> None:
    view = line.view(ENDED, moments(2, 46, 24 * 27), tz=TZ, now=None)
    assert view.scale.bend_hours == 192
    assert view.scale.x(48) > 20
    assert view.ticks[-1].label == "Day 27"


@given(HOURS, HOURS, st.floats(72, 2000))
def test_later_is_never_drawn_further_left_and_nothing_leaves_the_line(
    a: float, b: float, end: float
) -> None:
    scale = line.scale_of(timedelta(hours=end))
    early, late = scale.x(min(a, b)), scale.x(max(a, b))
    assert 0 < early <= late < 100


def test_nights_are_from_ten_to_seven_on_the_patients_clock() -> None:
    view = line.view(ENDED, moments(2, 46), tz=TZ, now=None)
    first = view.nights[0]
    assert first.x == view.scale.x((at("2026-02-03 22:00") - ENDED) / timedelta(hours=1))
    assert round(first.x + first.width, 1) == round(
        view.scale.x((at("2026-02-04 07:00") - ENDED) / timedelta(hours=1)), 1
    )


def test_a_treatment_that_ends_at_night_begins_in_the_shade() -> None:
    view = line.view(at("2026-02-03 23:30"), [], tz=TZ, now=None)
    assert view.nights[0].x == view.scale.x(0)


def test_the_usual_soreness_is_from_24_to_48_hours() -> None:
    view = line.view(ENDED, moments(2), tz=TZ, now=None)
    assert (view.usual.x, round(view.usual.x + view.usual.width, 2)) == (view.scale.x(24), view.scale.x(48))


def test_now_is_a_cursor_while_it_is_on_the_line() -> None:
    inside = line.view(ENDED, moments(2, 46), tz=TZ, now=ENDED + timedelta(hours=26))
    assert inside.now == inside.scale.x(26)
    assert line.view(ENDED, moments(2), tz=TZ, now=ENDED - timedelta(hours=1)).now is None
    assert line.view(ENDED, moments(2), tz=TZ, now=ENDED + timedelta(days=40)).now is None


def test_dots_that_would_touch_stand_above_each_other() -> None:
    view = line.view(ENDED, moments(72, 72, 72.2, 100), tz=TZ, now=None)
    assert [dot.level for dot in view.dots] == [0, 1, 2, 0]


def test_every_status_has_its_shape() -> None:
    assert {line.shape_of(status) for status in Status} <= {
        *("coming", "sending", "sent", "delivered", "failed", "held", "unknown", "skipped"),
    }
    assert len({line.shape_of(s) for s in ("scheduled", "delivered", "failed", "held", "skipped")}) == 5


def test_the_picture_says_in_words_what_it_shows() -> None:
    assert line.view(ENDED, moments(22, 2), tz=TZ, now=None).words == "At 2 h. At 22 h."
    assert line.view(ENDED, [], tz=TZ, now=None).words == "No messages."
