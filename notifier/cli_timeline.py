"""The preview of a plan as a timeline for a person: when, what, and its first words."""

from __future__ import annotations

import shutil
import textwrap
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from notifier.plan_in_words import CHANNEL_NAMES
from notifier.preview import PreviewStep
from notifier.rules.plan import Plan
from notifier.rules.timing import Occasion, say
from notifier.rules.zones import to_local

_WIDEST = 110
_INDENT = " " * 11


def timeline(
    plan: Plan, steps: Sequence[PreviewStep], occasion: Occasion, tz: ZoneInfo, language: str
) -> Iterator[str]:
    """Lines: the frame, what goes out in the order of time, then what does not and why."""
    width = min(shutil.get_terminal_size((_WIDEST, 24)).columns, _WIDEST)
    yield from _heading(plan, occasion, tz, language)
    going = [(step.due_at, step) for step in steps if step.due_at is not None]
    for due_at, step in sorted(going, key=lambda pair: pair[0]):
        yield ""
        since = _since(due_at - occasion.ended_at)
        yield f"{since:>9}  {say(due_at, tz):<16}  {step.step}  ({_carried(step)})"
        yield _indented(_first_line(step), width)
        if step.reason:
            yield from _wrapped(step.reason, width)
    for step in steps:
        if step.due_at is None:
            yield ""
            yield f"{'skipped':>9}  {step.step}"
            yield from _wrapped(step.reason, width)


def _heading(plan: Plan, occasion: Occasion, tz: ZoneInfo, language: str) -> Iterator[str]:
    yield f"{plan.name_in(language)} ({plan.key})"
    ended = f"Treatment ended {_moment(occasion.ended_at, tz)}"
    if occasion.logged_at != occasion.ended_at:
        ended += f", logged {_moment(occasion.logged_at, tz)}"
    if occasion.next_visit is not None:
        ended += f", next visit {_moment(occasion.next_visit, tz)}"
    yield f"{ended}."
    yield f"Messages go out between {plan.window.opens:%H:%M} and {plan.window.closes:%H:%M}, {tz.key} time."
    if plan.reviewed_by and plan.reviewed_on:
        yield f"The texts were approved by {plan.reviewed_by} on {plan.reviewed_on:%Y-%m-%d}."
    else:
        yield "The texts are drafts: no clinician has approved them yet."


def _moment(instant: datetime, tz: ZoneInfo) -> str:
    local = to_local(instant, tz)
    day, clock = say(instant, tz).rsplit(" ", 1)
    return f"{day} {local.year} {clock}"


def _since(elapsed: timedelta) -> str:
    minutes = round(elapsed.total_seconds() / 60)
    hours, rest = divmod(abs(minutes), 60)
    sign = "-" if minutes < 0 else "+"
    return f"{sign}{hours} h" if not rest else f"{sign}{hours} h {rest:02}"


def _carried(step: PreviewStep) -> str:
    if step.channel != "sms" or step.sms is None:
        return CHANNEL_NAMES[step.channel]
    return f"SMS, {step.sms.segments} segment{'' if step.sms.segments == 1 else 's'}"


def _first_line(step: PreviewStep) -> str:
    if step.channel == "sms":
        return step.sms.text if step.sms is not None else ""
    return step.email.subject if step.email is not None else ""


def _indented(text: str, width: int) -> str:
    room = max(width - len(_INDENT), 20)
    return _INDENT + (text if len(text) <= room else text[: room - 1].rstrip() + "…")


def _wrapped(text: str, width: int) -> list[str]:
    return textwrap.wrap(text, max(width, 40), initial_indent=_INDENT, subsequent_indent=_INDENT)
