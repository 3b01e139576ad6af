"""Treatment end + step + zone + window → when a message is due, or why it is skipped.

One step at a time; what several steps do to each other is in `rules/pacing.py`. Instants are aware UTC;
wall-clock arithmetic happens in the patient's zone.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

from notifier.rules.durations import Duration
from notifier.rules.plan import Step, Window
from notifier.rules.zones import to_instant, to_local

# Said for every message that moves, and strftime would take four times as long.
_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")

# A message due inside the window may still leave this long after it closed.
GRACE = timedelta(minutes=15)


@dataclass(frozen=True, slots=True)
class Occasion:
    """What a step's timing hangs on: the treatment's end, when it was logged, the next visit if booked."""

    ended_at: datetime
    logged_at: datetime
    next_visit: datetime | None = None


class SkipCode(StrEnum):
    NO_VISIT = "no_visit"
    TOO_LATE = "too_late"
    AUDIENCE = "audience"
    OVERTAKEN = "overtaken"
    PACE = "pace"
    ESSENTIALS = "essentials"
    SAME_VISIT = "same_visit"
    SUPERSEDED = "superseded"
    UNREACHABLE = "unreachable"
    VOID = "void"


@dataclass(frozen=True, slots=True)
class Due:
    """`note` says in words what moved it from its nominal time, and is empty when nothing did."""

    at: datetime
    useful_until: datetime | None
    note: str = ""
    nominal: datetime | None = None


@dataclass(frozen=True, slots=True)
class Skip:
    code: SkipCode
    reason: str
    useful_until: datetime | None = None


def shift(anchor: datetime, duration: Duration, tz: ZoneInfo, at: time | None = None) -> datetime:
    """Hours and minutes are elapsed time; days keep the wall-clock time in `tz`, unless `at` is given."""
    if not duration.is_calendar:
        return anchor + duration.elapsed
    local = to_local(anchor, tz) + duration.elapsed
    return to_instant(local if at is None else datetime.combine(local.date(), at), tz)


def is_open(instant: datetime, window: Window, tz: ZoneInfo) -> bool:
    return window.opens <= instant.astimezone(tz).time() <= window.closes


def may_still_leave(instant: datetime, window: Window, tz: ZoneInfo) -> bool:
    """Whether a message that was due inside the window may leave at this instant."""
    return is_open(instant, window, tz) or is_open(instant - GRACE, window, tz)


def next_opening(instant: datetime, window: Window, tz: ZoneInfo, *, days: int = 0) -> datetime:
    """The first opening at or after this instant, at least `days` calendar days later."""
    day = to_local(instant, tz).date() + timedelta(days=days)
    while True:
        opening = _opening(day, window, tz)
        if opening is not None and opening >= instant:
            return opening
        day += timedelta(days=1)


def last_close(instant: datetime, window: Window, tz: ZoneInfo) -> datetime:
    """The last close before this instant."""
    day = to_local(instant, tz).date()
    while True:
        close = _closing(day, window, tz)
        if close is not None and close < instant:
            return close
        day -= timedelta(days=1)


def _opening(day: date, window: Window, tz: ZoneInfo) -> datetime | None:
    """None when the clocks jump over the whole window on that day."""
    opening = to_instant(datetime.combine(day, window.opens), tz)
    return opening if is_open(opening, window, tz) else None


def _closing(day: date, window: Window, tz: ZoneInfo) -> datetime | None:
    closing = to_instant(datetime.combine(day, window.closes), tz)
    if is_open(closing, window, tz):
        return closing
    # The clocks jumped over the close, and moving it forward would leave the window: move it back.
    closing = to_instant(datetime.combine(day, window.closes), tz, fold=1)
    return closing if is_open(closing, window, tz) else None


def into_window(due: datetime, step: Step, window: Window, tz: ZoneInfo, *, earliest: datetime) -> datetime:
    if is_open(due, window, tz):
        return due
    if step.outside_window == "earlier":
        close = last_close(due, window, tz)
        if close >= earliest:
            return close
    return next_opening(due, window, tz)


def earliest(step: Step, occasion: Occasion) -> datetime:
    """Nothing goes out before this, so that a treatment logged by mistake can be undone."""
    return max(occasion.ended_at, occasion.logged_at) + step.not_before


def due(
    step: Step,
    occasion: Occasion,
    *,
    window: Window,
    tz: ZoneInfo,
    not_before: datetime | None = None,
) -> Due | Skip:
    """When this step is due by itself.

    `not_before` is a later earliest moment than the step's own: now, for a row that an undo brings back.
    """
    anchor = _anchor(step, occasion)
    if anchor is None:
        return Skip(SkipCode.NO_VISIT, "No next visit is booked.")
    until = useful_until(step, occasion, tz)
    first = earliest(step, occasion)
    if not_before is not None:
        first = max(first, not_before)
    nominal = shift(anchor, step.after, tz, step.at)
    wanted = max(nominal, first)
    at = into_window(wanted, step, window, tz, earliest=first)
    if until is not None and at > until:
        return Skip(SkipCode.TOO_LATE, _too_late(at, until, tz), until)
    late = occasion.logged_at > nominal
    return Due(at, until, _note(nominal, wanted, at, window, tz, late=late), nominal)


def _anchor(step: Step, occasion: Occasion) -> datetime | None:
    return occasion.next_visit if step.anchor == "next_visit" else occasion.ended_at


def useful_until(step: Step, occasion: Occasion, tz: ZoneInfo) -> datetime | None:
    """Until when this step is worth sending; None: without end, or for want of a visit."""
    anchor = _anchor(step, occasion)
    if anchor is None:
        return None
    if step.useful_for is not None:
        return shift(anchor, step.useful_for, tz)
    return anchor if step.anchor == "next_visit" else None


def say(instant: datetime, tz: ZoneInfo) -> str:
    """A moment on the patient's wall clock, as staff read it: Tue 3 Mar 09:00."""
    local = to_local(instant, tz)
    day = f"{_DAYS[local.weekday()]} {local.day} {_MONTHS[local.month - 1]}"
    return f"{day} {local.hour:02}:{local.minute:02}"


def _too_late(at: datetime, useful_until: datetime, tz: ZoneInfo) -> str:
    return (
        f"It was useful until {say(useful_until, tz)}, and the first moment it could leave is {say(at, tz)}."
    )


def _note(
    nominal: datetime, wanted: datetime, at: datetime, window: Window, tz: ZoneInfo, *, late: bool
) -> str:
    notes = []
    if wanted != nominal:
        # A step may also be due before its earliest moment when it was logged at once.
        why = "Logged late" if late else f"Not before {say(wanted, tz)}"
        notes.append(f"{why}: it would have been due {say(nominal, tz)}.")
    if at != wanted:
        notes.append(f"Moved from {say(wanted, tz)} into the sending window {window}.")
    return " ".join(notes)
