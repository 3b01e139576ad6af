"""A treatment's course as the aftercare line draws it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from notifier.course import Course, Placed
from notifier.scores import Point
from notifier.web import line
from notifier.web.line import LineView, Moment
from notifier.web.pages import when


def line_of(course: Course, now: datetime, scores: Sequence[Point] = ()) -> LineView:
    moments = [_moment(item, course, now) for item in course.placed if item.has_time]
    told = [(point.hours, point.value) for point in scores]
    return line.view(course.treatment.ended_at, moments, tz=course.tz, now=now, scores=told)


def _moment(item: Placed, course: Course, now: datetime) -> Moment:
    label = f"{item.title}, {when(item.at, course.tz, now)}: {item.sentence}"
    return Moment(item.at, item.message.status, label, str(item.message.id))
