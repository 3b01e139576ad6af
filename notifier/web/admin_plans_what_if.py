"""What-if: a treatment that never was, and what its patient would get by the plan as it is being edited."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from notifier import preview
from notifier.errors import InputError
from notifier.plan_in_words import CHANNEL_NAMES
from notifier.planfiles import Definition
from notifier.preview import PreviewStep
from notifier.rules.plan import LANGUAGES
from notifier.rules.timing import Occasion, say
from notifier.rules.zones import to_instant, zone
from notifier.web import line
from notifier.web.forms import Problems
from notifier.web.line import LineView, Moment

_AFTERNOON = time(15, 30)
_A_WEEK = timedelta(days=7)
# By continent: where a patient may live who is far from the clinic.
_FAR = {
    "America": ("America/Los_Angeles", "America/New_York"),
    "Australia": ("Australia/Perth", "Australia/Sydney"),
    "Europe": ("Europe/Athens", "Europe/Lisbon"),
}
_TUESDAY = 1


@dataclass(frozen=True, slots=True)
class Preset:
    key: str
    label: str
    ended_at: datetime  # on the wall clock of `timezone`
    timezone: str


def presets(tz: ZoneInfo, today: date) -> list[Preset]:
    """Times that show what timing rules do; the nights of changing clocks only where clocks change."""
    tuesday = today + timedelta(days=(_TUESDAY - today.weekday()) % 7 or 7)
    found = [
        _preset("afternoon", "Ordinary afternoon", tuesday, _AFTERNOON, tz.key),
        _preset("evening", "Late evening", tuesday, time(20, 45), tz.key),
        _preset("night", "Night shift, 03:00", tuesday, time(3), tz.key),
    ]
    for change, forward in _clock_changes(tz, today):
        season = "spring" if forward else "autumn"
        evening = change - timedelta(days=1)
        found.append(
            _preset(season, f"Clocks go {'forward' if forward else 'back'}", evening, time(17, 30), tz.key)
        )
    found.append(_preset("far", "Patient far away", tuesday, _AFTERNOON, _far_from(tz, tuesday)))
    return found


def _preset(key: str, label: str, day: date, at: time, timezone: str) -> Preset:
    return Preset(key, label, datetime.combine(day, at), timezone)


def _clock_changes(tz: ZoneInfo, today: date) -> Iterator[tuple[date, bool]]:
    """The next two: the day on which the clocks have changed, and whether they went forward."""
    for ahead in range(1, 367):
        day = today + timedelta(days=ahead)
        before, after = _offset(tz, day - timedelta(days=1)), _offset(tz, day)
        if before != after:
            yield day, after > before


def _offset(tz: ZoneInfo, day: date) -> timedelta:
    return datetime.combine(day, time(12), tz).utcoffset() or timedelta()


def _far_from(tz: ZoneInfo, day: date) -> str:
    candidates = _FAR.get(tz.key.partition("/")[0], ("America/New_York", "Asia/Tokyo"))
    return max(candidates, key=lambda name: abs(_offset(zone(name), day) - _offset(tz, day)))


@dataclass(frozen=True, slots=True)
class Question:
    """As the form shows it; times are wall-clock times in `timezone`."""

    ended_at: str
    timezone: str
    next_visit: str = ""
    language: str = "en"
    areas: str = ""
    name_treatment: bool = False

    @classmethod
    def of(cls, preset: Preset, asked: Question | None = None) -> Question:
        """The preset's treatment; what else was asked about stays."""
        visit = datetime.combine(preset.ended_at.date() + _A_WEEK, time(10))
        other = asked or cls("", "", next_visit="yes")
        return cls(
            f"{preset.ended_at:%Y-%m-%dT%H:%M}",
            preset.timezone,
            f"{visit:%Y-%m-%dT%H:%M}" if other.next_visit else "",
            other.language,
            other.areas,
            other.name_treatment,
        )

    @classmethod
    def typed(cls, values: Mapping[str, str]) -> Question:
        def value(name: str) -> str:
            return values.get(f"what-{name}", "").strip()

        return cls(
            value("ended_at"),
            value("timezone"),
            value("next_visit"),
            value("language") if value("language") in LANGUAGES else "en",
            value("areas"),
            bool(value("name_treatment")),
        )


@dataclass(frozen=True, slots=True)
class Row:
    """One message that would go out, or would not; `since` is how long after the treatment."""

    step: str
    channel: str
    status: str
    when: str
    since: str
    reason: str
    sms: str
    subject: str


@dataclass(frozen=True, slots=True)
class Answer:
    occasion: Occasion
    tz: ZoneInfo
    rows: list[Row]
    line: LineView

    @property
    def going(self) -> int:
        return sum(row.status == "scheduled" for row in self.rows)


def moments(question: Question, problems: Problems) -> tuple[Occasion, ZoneInfo] | None:
    """The treatment that is asked about; None where it cannot be, and `problems` says why."""
    with problems.catching():
        tz = zone(question.timezone)
        ended = _time(question.ended_at, "ended_at")
        visit = _time(question.next_visit, "next_visit") if question.next_visit else None
        return preview.occasion(tz, ended_at=ended, next_visit=visit), tz
    return None


def _time(typed: str, field: str) -> datetime:
    try:
        moment = datetime.fromisoformat(typed)
    except ValueError:
        raise InputError("Choose a day and a time.", field=field) from None
    return moment.replace(tzinfo=None)


def answer(
    definition: Definition, question: Question, occasion: Occasion, tz: ZoneInfo, clinic_name: str
) -> Answer:
    steps = preview.preview(
        definition,
        ended_at=occasion.ended_at,
        timezone=tz.key,
        language=question.language,
        next_visit=occasion.next_visit,
        areas=[area.strip().lower().replace(" ", "_") for area in question.areas.split(",") if area.strip()],
        name_treatment=question.name_treatment,
        clinic_name=clinic_name,
    )
    going = sorted((step for step in steps if step.due_at), key=lambda step: step.due_at or occasion.ended_at)
    not_going = [step for step in steps if step.due_at is None]
    drawn = [Moment(step.due_at, "scheduled", _label(step, tz), step.step) for step in going if step.due_at]
    return Answer(
        occasion,
        tz,
        [_row(step, occasion, tz) for step in (*going, *not_going)],
        line.view(occasion.ended_at, drawn, tz=tz, now=None),
    )


def _label(step: PreviewStep, tz: ZoneInfo) -> str:
    return f"{step.step}, {say(step.due_at, tz)}" if step.due_at else step.step


def _row(step: PreviewStep, occasion: Occasion, tz: ZoneInfo) -> Row:
    return Row(
        step.step,
        CHANNEL_NAMES[step.channel],
        step.status,
        say(step.due_at, tz) if step.due_at else "",
        _since(step.due_at - occasion.ended_at) if step.due_at else "",
        step.reason,
        step.sms.text if step.sms else "",
        step.email.subject if step.email else "",
    )


def _since(elapsed: timedelta) -> str:
    minutes = round(elapsed.total_seconds() / 60)
    hours, rest = divmod(minutes, 60)
    if hours >= 72:
        return f"day {hours // 24}"
    return f"{hours} h {rest:02}" if rest else f"{hours} h"


def sample(tz: ZoneInfo) -> Occasion:
    """An ordinary treatment with a visit a week later, for pictures of a plan that ask nothing."""
    ended = to_instant(datetime.combine(date(2026, 1, 13), _AFTERNOON), tz)
    return Occasion(ended, ended, ended + _A_WEEK)
