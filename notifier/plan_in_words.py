"""A plan's timing in words, for people who would rather not read plan.toml."""

from __future__ import annotations

from datetime import timedelta

from notifier.rules.audience import Audience
from notifier.rules.durations import Duration
from notifier.rules.plan import Pace, Plan, Step

_UNITS = {"m": "minute", "h": "hour", "d": "day", "w": "week"}
_ANCHORS = {"treatment_end": "the treatment", "next_visit": "the next visit"}
CHANNEL_NAMES = {"sms": "SMS", "email": "e-mail"}


def duration_in_words(duration: Duration) -> str:
    """Its length, without regard to its sign."""
    amount = abs(duration.amount)
    return f"{amount} {_UNITS[duration.unit]}{'' if amount == 1 else 's'}"


def when_in_words(step: Step) -> str:
    """2 hours after the treatment; 1 day before the next visit, at 18:00."""
    anchor = _ANCHORS[step.anchor]
    if step.after.amount == 0:
        words = f"at the time of {anchor}" if step.anchor == "next_visit" else f"right after {anchor}"
    else:
        words = f"{duration_in_words(step.after)} {_side(step.after)} {anchor}"
    return words if step.at is None else f"{words}, at {step.at:%H:%M}"


def _side(duration: Duration) -> str:
    return "before" if duration.amount < 0 else "after"


def until_in_words(step: Step) -> str:
    if step.useful_for is None:
        return "until the visit" if step.anchor == "next_visit" else "without limit"
    if step.useful_for.amount == 0:
        return f"until {_ANCHORS[step.anchor]}"
    return f"until {duration_in_words(step.useful_for)} {_side(step.useful_for)} {_ANCHORS[step.anchor]}"


def audience_in_words(audience: Audience) -> str:
    return " or ".join(
        " and ".join(_condition(word, wanted) for word, wanted in conditions)
        for conditions in audience.alternatives
    )


def _condition(word: str, wanted: bool) -> str:
    if word.startswith("score>="):
        return f"{'a' if wanted else 'no'} score of {word.removeprefix('score>=')} or more"
    if word.startswith("areas:"):
        areas = word.removeprefix("areas:").replace(",", ", ").replace("_", " ")
        return f"{'treated' if wanted else 'not treated'} at {areas}"
    said = {
        ("every", True): "every patient",
        ("every", False): "nobody",
        ("first", True): "not received in 90 days",
        ("first", False): "received in 90 days",
        ("next_visit_booked", True): "a next visit is booked",
        ("next_visit_booked", False): "no next visit is booked",
    }
    return said[word, wanted]


def channels_in_words(step: Step) -> str:
    if not step.channels:
        return "SMS and e-mail" if step.deliver == "each" else "as the patient prefers"
    joint = " and " if step.deliver == "each" else ", else "
    return joint.join(CHANNEL_NAMES[channel] for channel in step.channels)


def step_in_words(plan: Plan, step: Step) -> str:
    """One sentence or more about everything but the words themselves."""
    place = "the last close" if step.outside_window == "earlier" else "the next opening"
    when = f"{when_in_words(step).capitalize()}; outside {plan.window} at {place}."
    parts = [
        f"{when} Useful {until_in_words(step)}.",
        f"For: {audience_in_words(step.audience)}.",
        f"By: {channels_in_words(step)}.",
    ]
    if step.safety:
        parts.append("A safety message: nothing delays it.")
    if step.ask is not None:
        parts.append("Asks for a score from 0 to 10.")
    if "treatment" in step.detail.values():
        parts.append("Names the treatment, so only for patients who asked for that.")
    return " ".join(parts)


def pace_in_words(pace: Pace) -> str:
    limits = [
        f"at least {_hours(pace.min_gap)} apart" if pace.min_gap else "",
        f"at most {pace.max_per_day} a day" if pace.max_per_day else "",
        f"at most {pace.max_per_week} a week" if pace.max_per_week else "",
    ]
    return ", ".join(filter(None, limits)) or "without limits"


def _hours(span: timedelta) -> str:
    minutes = int(span.total_seconds()) // 60
    return duration_in_words(Duration(minutes // 60, "h") if minutes % 60 == 0 else Duration(minutes, "m"))
