"""What a plan says: its steps, their timing and their pace, read from what a plan.toml holds.

Pure values; where they come from (a folder, the database, the editor) is not this module's business.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from typing import Any, Literal

from notifier.errors import PlanError
from notifier.rules.audience import Audience, parse_audience
from notifier.rules.durations import Duration, parse_duration

LANGUAGES = ("en", "es")
CHANNELS = ("sms", "email")

Anchor = Literal["treatment_end", "next_visit"]
OutsideWindow = Literal["later", "earlier"]
Supersede = Literal["cancel", "keep"]
Deliver = Literal["first", "each"]
Detail = Literal["minimal", "treatment"]

# `time.fromisoformat` also takes "T0900" and "0900Z", and the latter would carry a zone.
_CLOCK = re.compile(r"[0-9]{2}:[0-9]{2}")


@dataclass(frozen=True, slots=True)
class Window:
    """The hours on the patient's wall clock when planned messages may go out; both ends belong to it."""

    opens: time
    closes: time

    def __str__(self) -> str:
        return f"{self.opens:%H:%M}-{self.closes:%H:%M}"


@dataclass(frozen=True, slots=True)
class Pace:
    """What keeps planned messages to one address apart. A cap of 0 is no limit."""

    min_gap: timedelta = timedelta(hours=12)
    max_per_day: int = 1
    max_per_week: int = 5

    @property
    def is_free(self) -> bool:
        return not (self.min_gap or self.max_per_day or self.max_per_week)


@dataclass(frozen=True, slots=True)
class Step:
    key: str
    after: Duration
    anchor: Anchor = "treatment_end"
    at: time | None = None
    not_before: timedelta = timedelta(minutes=15)
    outside_window: OutsideWindow = "later"
    useful_for: Duration | None = None
    audience: Audience = field(default_factory=lambda: parse_audience("every"))
    channels: tuple[str, ...] = ()  # empty: the patient's order
    deliver: Deliver = "first"
    safety: bool = False
    supersede: Supersede | None = None
    ask: Literal["score"] | None = None
    answer_within: timedelta | None = None
    detail: Mapping[str, Detail] = field(default_factory=dict)
    sources: tuple[str, ...] = ()
    on: bool = True

    def detail_on(self, channel: str) -> Detail:
        return self.detail.get(channel, "minimal")

    @property
    def opens_the_aftercare(self) -> bool:
        """A first-day step: within 12 hours of the end of the treatment. One visit gets one of them."""
        return self.anchor == "treatment_end" and self.after.elapsed < timedelta(hours=12)


@dataclass(frozen=True, slots=True)
class Plan:
    """`steps` are those in use, in order; `off` those that are switched off, which nobody gets."""

    key: str
    name: Mapping[str, str]
    treatment: str
    steps: tuple[Step, ...]
    caution: int = 0
    window: Window = Window(time(9), time(20))
    pace: Pace = Pace()
    supersede: Supersede = "cancel"
    reviewed_by: str = ""
    reviewed_on: date | None = None
    off: tuple[Step, ...] = ()

    def step(self, key: str) -> Step | None:
        return next((step for step in self.steps if step.key == key), None)

    def why_not(self, key: str) -> str:
        """Why a step is not in use."""
        if any(step.key == key for step in self.off):
            return "The step is switched off in the plan."
        return "The step is no longer part of the plan."

    def name_in(self, language: str) -> str:
        return self.name.get(language) or self.name["en"]

    def survives_newer_treatment(self, step: Step) -> bool:
        return (step.supersede or self.supersede) == "keep"


class _Fields:
    """Reads one table of a plan file, key by key; what is left over afterwards was not understood."""

    def __init__(self, table: Mapping[str, Any], where: tuple[int | None, str]) -> None:
        self._left = dict(table)
        self._index, self._label = where

    def fail(self, key: str, message: str) -> PlanError:
        error = PlanError(f"{self._label}: {key}: {message}" if self._label else f"{key}: {message}")
        error.place = (self._index, key)
        return error

    def take(self, key: str, kind: type | tuple[type, ...], default: Any = None, *, words: str) -> Any:
        value = self._left.pop(key, default)
        # A bool is an int to Python, but not to the person who wrote the file.
        if value is not default and (
            not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool)
        ):
            raise self.fail(key, f"{value!r} is not {words}.")
        return value

    def one_of(self, key: str, choices: tuple[str, ...], default: str) -> Any:
        value = self._left.pop(key, default)
        if value not in choices:
            raise self.fail(key, f"{value!r} is not one of {', '.join(filter(None, choices))}.")
        return value

    def duration(self, key: str, default: str | None = None) -> Duration | None:
        text = self.take(key, str, default, words='a duration such as "22h"')
        try:
            return None if text is None else parse_duration(text)
        except ValueError as error:
            raise self.fail(key, str(error)) from None

    def elapsed(self, key: str, default: str) -> timedelta:
        duration = self.duration(key, default)
        assert duration is not None
        if duration.amount < 0:
            raise self.fail(key, "may not be negative.")
        return duration.elapsed

    def clock(self, key: str, value: Any) -> time:
        try:
            if not isinstance(value, str) or not _CLOCK.fullmatch(value):
                raise ValueError
            return time.fromisoformat(value)
        except ValueError:
            raise self.fail(key, f'{value!r} is not a time of day; write it like "09:00".') from None

    def count(self, key: str, default: int) -> int:
        value: int = self.take(key, int, default, words="a whole number")
        if value < 0:
            raise self.fail(key, "may not be negative; 0 means no limit.")
        return value

    def done(self) -> None:
        for key in self._left:
            raise self.fail(key, "is not a setting of plans.")


def read_plan(key: str, table: Mapping[str, Any]) -> Plan:
    """A Plan from the tables of its plan.toml. Raises PlanError; its `place` is (step index or None, key)."""
    fields = _Fields(table, (None, ""))
    names = {"en": fields.take("name", str, words="a name")}
    names |= {
        language: name
        for language in LANGUAGES[1:]
        if (name := fields.take(f"name_{language}", str, words="a name"))
    }
    if not names["en"]:
        raise fields.fail("name", "is missing; write the plan's name as staff know it.")
    tables = fields.take("steps", list, [], words="a list of [[steps]]")
    if not tables:
        raise fields.fail("steps", "a plan needs at least one [[steps]].")
    steps = tuple(_read_step(index, step) for index, step in enumerate(tables))
    _refuse_twins(steps)
    if not any(step.on for step in steps):
        raise fields.fail("steps", "every step is switched off; leave one on.")
    reviewed_by, reviewed_on = _read_review(fields.take("review", dict, {}, words="a table [review]"))
    plan = Plan(
        key=key,
        name=names,
        treatment=fields.take("treatment", str, key, words="a name such as dry-needling"),
        steps=tuple(step for step in steps if step.on),
        caution=fields.count("caution", 0),
        window=_read_window(fields),
        pace=Pace(
            fields.elapsed("min_gap", "12h"), fields.count("max_per_day", 1), fields.count("max_per_week", 5)
        ),
        supersede=fields.one_of("supersede", ("cancel", "keep"), "cancel"),
        reviewed_by=reviewed_by,
        reviewed_on=reviewed_on,
        off=tuple(step for step in steps if not step.on),
    )
    fields.done()
    return plan


def _read_window(fields: _Fields) -> Window:
    value = fields.take("window", list, ["09:00", "20:00"], words='two times such as ["09:00", "20:00"]')
    if len(value) != 2:
        raise fields.fail("window", 'needs two times such as ["09:00", "20:00"].')
    window = Window(fields.clock("window", value[0]), fields.clock("window", value[1]))
    if window.opens >= window.closes:
        raise fields.fail("window", "has to open before it closes, on the same day.")
    return window


def _read_review(table: Mapping[str, Any]) -> tuple[str, date | None]:
    fields = _Fields(table, (None, "review"))
    by = fields.take("by", str, "", words="a name")
    on = fields.take("on", (str, date), "", words="a date such as 2026-03-07")
    fields.done()
    try:
        day = _day(on) if on else None
    except ValueError:
        raise fields.fail("on", f'{on!r} is not a date; write it like "2026-03-07".') from None
    if bool(by.strip()) != (day is not None):
        raise fields.fail("by", "a review needs both the name of the clinician and the day.")
    return by.strip(), day


def _day(value: str | date) -> date:
    # TOML knows dates and date-times, and to Python the latter are dates too.
    if isinstance(value, datetime):
        return value.date()
    return value if isinstance(value, date) else date.fromisoformat(value)


def _refuse_twins(steps: tuple[Step, ...]) -> None:
    seen: set[str] = set()
    for index, step in enumerate(steps):
        if step.key in seen:
            raise _Fields({}, (index, step.key)).fail("key", "is used by an earlier step of this plan.")
        seen.add(step.key)


def _read_step(index: int, table: Any) -> Step:
    if not isinstance(table, Mapping):
        raise _Fields({}, (None, "")).fail("steps", f"{table!r} is not a step; write each as [[steps]].")
    name = table.get("key")
    label = name if isinstance(name, str) and name else f"step {index + 1}"
    fields = _Fields(table, (index, label))
    key = fields.take("key", str, words="a name such as day0-what-you-may-feel")
    if not key or not all(part.isalnum() and part.isascii() for part in key.split("-")):
        raise fields.fail("key", "needs a name of letters, digits and hyphens, such as day1-soreness.")
    step = Step(
        key=key,
        after=_read_after(fields),
        anchor=fields.one_of("anchor", ("treatment_end", "next_visit"), "treatment_end"),
        at=_read_at(fields),
        not_before=fields.elapsed("not_before", "15m"),
        outside_window=fields.one_of("outside_window", ("later", "earlier"), "later"),
        useful_for=fields.duration("useful_for"),
        audience=_read_audience(fields),
        channels=_read_channels(fields),
        deliver=fields.one_of("deliver", ("first", "each"), "first"),
        safety=fields.take("safety", bool, False, words="true or false"),
        supersede=fields.one_of("supersede", ("cancel", "keep", ""), "") or None,
        ask=fields.one_of("ask", ("score", ""), "") or None,
        answer_within=_read_answer_within(fields),
        detail=_read_detail(fields),
        sources=_read_sources(fields),
        on=fields.take("on", bool, True, words="true or false"),
    )
    fields.done()
    _refuse_nonsense(step, fields)
    return step


def _read_after(fields: _Fields) -> Duration:
    after = fields.duration("after")
    if after is None:
        raise fields.fail("after", 'is missing; say how long after the anchor, such as "22h" or "5d".')
    return after


def _read_at(fields: _Fields) -> time | None:
    value = fields.take("at", str, words='a time of day such as "09:00"')
    return None if value is None else fields.clock("at", value)


def _read_answer_within(fields: _Fields) -> timedelta | None:
    duration = fields.duration("answer_within")
    if duration is not None and duration.amount <= 0:
        raise fields.fail("answer_within", f'"{duration}" leaves no time to answer; write it like "24h".')
    return None if duration is None else duration.elapsed


def _read_audience(fields: _Fields) -> Audience:
    text = fields.take("audience", str, "every", words='an audience such as "first"')
    try:
        return parse_audience(text)
    except ValueError as error:
        raise fields.fail("audience", str(error)) from None


def _read_channels(fields: _Fields) -> tuple[str, ...]:
    channels = fields.take("channels", list, [], words='a list such as ["sms", "email"]')
    if unknown := [channel for channel in channels if channel not in CHANNELS]:
        raise fields.fail("channels", f"{unknown[0]!r} is not one of {', '.join(CHANNELS)}.")
    if len(set(channels)) != len(channels):
        raise fields.fail("channels", "names a channel twice.")
    return tuple(channels)


def _read_sources(fields: _Fields) -> tuple[str, ...]:
    sources = fields.take("sources", list, [], words="a list of source ids")
    if wrong := [source for source in sources if not isinstance(source, str)]:
        raise fields.fail("sources", f"{wrong[0]!r} is not a source id.")
    return tuple(sources)


def _read_detail(fields: _Fields) -> dict[str, Detail]:
    value = fields.take("detail", (str, dict), "minimal", words='"minimal" or "treatment"')
    table = value if isinstance(value, dict) else dict.fromkeys(CHANNELS, value)
    for channel, detail in table.items():
        if channel not in CHANNELS or detail not in ("minimal", "treatment"):
            raise fields.fail("detail", 'write "minimal" or "treatment", or { email = "treatment" }.')
    return {channel: detail for channel, detail in table.items() if detail != "minimal"}


def _refuse_nonsense(step: Step, fields: _Fields) -> None:
    if step.at is not None and not step.after.is_calendar:
        raise fields.fail(
            "at", f'a time of day goes with days: write after in "d" or "w", not "{step.after}".'
        )
    if step.anchor == "treatment_end" and step.after.amount < 0:
        raise fields.fail("after", "may be negative only with anchor next_visit.")
    if step.anchor == "treatment_end" and step.useful_for is not None and step.useful_for.amount < 0:
        raise fields.fail("useful_for", "may be negative only with anchor next_visit.")
    if step.answer_within is not None and step.ask is None:
        raise fields.fail("answer_within", 'goes with ask = "score".')
