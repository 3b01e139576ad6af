"""One patient's page, put together: also when a form on it is shown again with what was wrong."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from fastapi import Response
from sqlalchemy.orm import Session

from notifier import consent, consent_changes, consent_words, patient_page, patients, reach, scores, timeline
from notifier.links import local_links
from notifier.message_actions import possible
from notifier.models import Clinic, ConsentEntry, Patient, Suppression
from notifier.rules.delivery import MAY_HAVE_ARRIVED, Status
from notifier.rules.plan import CHANNELS
from notifier.rules.zones import zone
from notifier.scores import Point
from notifier.timeline import Timeline
from notifier.web.desk_lines import line_of
from notifier.web.desk_looks import note_view
from notifier.web.forms import Problems
from notifier.web.line import LineView
from notifier.web.visit import Visit

_OFTEN, _OFTEN_WITHIN = 3, timedelta(days=30)
METHODS = ("At the desk", "By phone", "On a form", "In writing")


@dataclass(frozen=True, slots=True)
class Way:
    """One channel of a patient: its address, why it cannot be used, who else uses it.

    `waits`: why nothing goes out on it at the moment, to anybody; `failed`: the latest message that did not
    arrive and may go again.
    """

    channel: str
    address: str | None
    problem: str  # what a provider complained of
    obstacle: str | None
    stopped: Suppression | None
    sharing: Sequence[Patient]
    waits: str
    failed: int | None


@dataclass(frozen=True, slots=True)
class Shown:
    patient: Patient
    clinic: Clinic
    tz: ZoneInfo
    ways: Sequence[Way]
    ledger: Sequence[ConsentEntry]
    consent_words: str
    timeline: Timeline
    lines: Mapping[int, LineView]  # by treatment, as are the scores
    scores: Mapping[int, Sequence[Point]]
    stamp: str

    @property
    def nothing_goes(self) -> str:
        """Why no channel can be used; empty where one can."""
        return "" if any(way.obstacle is None for way in self.ways) else " ".join(self._obstacles())

    @property
    def treated_often(self) -> bool:
        """Whether fewer messages should be offered: most of them would be the same again."""
        if self.patient.essentials or not self.timeline.courses:
            return False
        latest = self.timeline.courses[0].treatment.ended_at
        lately = [
            course
            for course in self.timeline.courses
            if course.treatment.voided_at is None and course.treatment.ended_at > latest - _OFTEN_WITHIN
        ]
        return len(lately) >= _OFTEN

    def _obstacles(self) -> list[str]:
        return [way.obstacle for way in self.ways if way.obstacle is not None]


def look(session: Session, clinic: Clinic, patient: Patient, now: datetime) -> Shown:
    whole = timeline.of_patient(session, clinic, patient, now)
    told = scores.of_treatments(session, [course.treatment for course in whole.courses])
    return Shown(
        patient,
        clinic,
        zone(patient.timezone or clinic.timezone),
        _ways(session, clinic, patient, whole, now),
        consent.history(session, patient),
        consent_words.words(clinic, patient.language),
        whole,
        {c.treatment.id: line_of(c, now, told.get(c.treatment.id, ())) for c in whole.courses},
        told,
        timeline.stamp(session, patient, now),
    )


def _ways(session: Session, clinic: Clinic, patient: Patient, whole: Timeline, now: datetime) -> list[Way]:
    known = reach.load(session, [patient])
    stops = consent_changes.standing_suppressions(session, patient)
    sharing = consent_changes.sharing(session, clinic, patient)
    return [
        Way(
            channel,
            reach.address_of(patient, channel),
            patient.phone_problem if channel == "sms" else patient.email_problem,
            known.obstacle(patient, channel),
            stops.get(channel),
            sharing.get(channel, []),
            sender.stopped_reason if (sender := known.sender(patient, channel)) and sender.stopped_at else "",
            _failed(whole, channel, now),
        )
        for channel in CHANNELS
    ]


def _failed(whole: Timeline, channel: str, now: datetime) -> int | None:
    """So that the right number, once heard, also brings what the wrong one cost."""
    live = (Status.SCHEDULED, Status.HELD, *MAY_HAVE_ARRIVED)
    served = {
        (item.message.treatment_id, item.message.step)
        for item in (*whole.coming, *whole.past)
        if item.message.status in live
    }
    for item in whole.past:
        row = item.message
        wrong = row.channel == channel and row.status in (Status.FAILED, Status.UNDELIVERED)
        if wrong and (row.treatment_id, row.step) not in served and "resend" in possible(row, now):
            return row.id
    return None


@dataclass(frozen=True, slots=True)
class Form:
    """A form of the page that is shown open again: which, what was typed, and what was wrong."""

    name: str = ""
    typed: Mapping[str, str] | None = None
    problems: Problems | None = None
    treatment_id: int | None = None


def show(visit: Visit, patient_id: int, *, form: Form | None = None, status: int = 200) -> Response:
    now, form = visit.now(), form or Form()
    with visit.reading() as session:
        clinic = visit.clinic(session)
        shown = look(session, clinic, patients.get(session, clinic, patient_id), now)
        page_link = patient_page.link_for_desk(session, local_links(visit.settings), shown.patient, now)
    note_view(visit, patient_id)
    return visit.page(
        "patient.html",
        status=status,
        shown=shown,
        patient=shown.patient,
        now=now,
        methods=METHODS,
        form=form,
        typed=form.typed or {},
        problems=form.problems or Problems(),
        page_link=page_link,
    )
