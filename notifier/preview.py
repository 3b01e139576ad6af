"""What a plan would send after one treatment, and when: by the same rules as for real, with sample values.

Needs no database, no configuration and no clock: now is when the treatment is logged.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

from notifier import rendering
from notifier.errors import InputError, RenderError
from notifier.planfiles import Definition
from notifier.rules import pacing, timing
from notifier.rules.audience import Facts
from notifier.rules.plan import CHANNELS, LANGUAGES, Plan, Step
from notifier.rules.sms_text import Encoding
from notifier.rules.timing import Due, Occasion, Skip, SkipCode
from notifier.rules.zones import to_instant, to_local, zone
from notifier.step_fit import hangs_on_score, not_for, words_missing

_PATIENTS = {"en": "Alex", "es": "Ana"}
_CLINICS = {"en": "Your clinic", "es": "Su clínica"}
# Zones are certain within these years, and no arithmetic of a plan leaves the calendar.
_YEARS = range(2000, 2101)


@dataclass(frozen=True, slots=True)
class PreviewSms:
    text: str
    encoding: Encoding
    segments: int


@dataclass(frozen=True, slots=True)
class PreviewEmail:
    subject: str
    text: str


@dataclass(frozen=True, slots=True)
class PreviewStep:
    """`local_time` is `due_at` on the patient's wall clock; both are None when the step is skipped.

    `channel` is the first on which the step goes out; the words are given for both, where it has them.
    """

    step: str
    channel: str
    status: Literal["scheduled", "skipped"]
    reason: str
    due_at: datetime | None
    local_time: str | None
    useful_until: datetime | None
    sms: PreviewSms | None
    email: PreviewEmail | None


@dataclass(frozen=True, slots=True)
class _Case:
    """One patient who prefers the first of `channels`, can be reached on all, and was never here before."""

    definition: Definition
    tz: ZoneInfo
    occasion: Occasion
    language: str
    channels: Sequence[str]
    areas: frozenset[str]
    name_treatment: bool
    first_name: str
    clinic_name: str

    @property
    def plan(self) -> Plan:
        return self.definition.plan

    @property
    def facts(self) -> Facts:
        return Facts(first=True, next_visit=self.occasion.next_visit is not None, areas=self.areas)


def preview(
    definition: Definition,
    *,
    ended_at: datetime,
    timezone: str,
    language: str = "en",
    logged_at: datetime | None = None,
    next_visit: datetime | None = None,
    channels: Sequence[str] = CHANNELS,
    areas: Sequence[str] = (),
    name_treatment: bool = False,
    first_name: str = "",
    clinic_name: str = "",
) -> list[PreviewStep]:
    """One entry for each step, in the plan's order. Times without a zone are wall-clock times in `timezone`.

    Raises InputError for what cannot be previewed.
    """
    if language not in LANGUAGES:
        raise InputError(
            f'There are no texts in "{language}"; write {" or ".join(LANGUAGES)}.', field="language"
        )
    tz = zone(timezone)
    case = _Case(
        definition,
        tz,
        occasion(tz, ended_at=ended_at, logged_at=logged_at, next_visit=next_visit),
        language,
        tuple(channels),
        frozenset(areas),
        name_treatment,
        first_name.strip() or _PATIENTS[language],
        clinic_name.strip() or _CLINICS[language],
    )
    outcomes = _outcomes(case)
    return [_shown(case, step, outcomes[step.key]) for step in case.plan.steps]


def occasion(
    tz: ZoneInfo, *, ended_at: datetime, logged_at: datetime | None = None, next_visit: datetime | None = None
) -> Occasion:
    """The moments of a treatment as instants; what has no zone is read on the wall clock of `tz`."""
    ended = _instant(ended_at, tz, "ended_at")
    logged = ended if logged_at is None else _instant(logged_at, tz, "logged_at")
    visit = None if next_visit is None else _instant(next_visit, tz, "next_visit")
    if visit is not None and visit <= ended:
        raise InputError(
            f"The next visit ({timing.say(visit, tz)}) has to be after the treatment "
            f"({timing.say(ended, tz)}).",
            field="next_visit",
        )
    return Occasion(ended, logged, visit)


def _instant(moment: datetime, tz: ZoneInfo, field: str) -> datetime:
    if moment.year not in _YEARS:
        raise InputError(
            f"The year {moment.year} cannot be meant; write one from {_YEARS.start} to {_YEARS.stop - 1}.",
            field=field,
        )
    if moment.tzinfo is None:
        return to_instant(moment, tz)
    return to_instant(to_local(moment, zone("UTC")), zone("UTC"))


def _outcomes(case: _Case) -> dict[str, Due | Skip]:
    outcomes: dict[str, Due | Skip] = {step.key: _judge(case, step) for step in case.plan.steps}
    candidates = [
        pacing.Candidate(
            treatment=None,
            key=step.key,
            due=outcome,
            pace=case.plan.pace,
            window=case.plan.window,
            safety=step.safety,
            scores=step.audience.scores(case.facts),
            order=order,
        )
        for order, step in enumerate(case.plan.steps)
        if isinstance(outcome := outcomes[step.key], Due)
    ]
    placed = pacing.schedule(candidates, [], case.tz)
    return outcomes | {key: outcome for (_, key), outcome in placed.items()}


def _judge(case: _Case, step: Step) -> Due | Skip:
    """When by itself, as planning asks for a treatment that is logged now."""
    if not step.audience.scores(case.facts):
        return Skip(SkipCode.AUDIENCE, not_for(step, case.facts))
    due = timing.due(
        step, case.occasion, window=case.plan.window, tz=case.tz, not_before=case.occasion.logged_at
    )
    _, obstacle = _way(case, step)
    if isinstance(due, Due) and obstacle:
        return Skip(SkipCode.UNREACHABLE, obstacle, due.useful_until)
    return due


def _way(case: _Case, step: Step) -> tuple[str, str | None]:
    """The first channel with words for this patient; or the first of all, and why none has."""
    order = step.channels or tuple(case.channels)
    obstacles = {
        channel: words_missing(
            case.definition, step, channel, language=case.language, name_treatment=case.name_treatment
        )
        for channel in order
    }
    free = [channel for channel in order if obstacles[channel] is None]
    if free:
        return free[0], None
    return order[0], " ".join(dict.fromkeys(str(obstacle) for obstacle in obstacles.values()))


def _shown(case: _Case, step: Step, outcome: Due | Skip) -> PreviewStep:
    problems: list[str] = []
    sms, email = _words(case, step, outcome, problems)
    due_at = outcome.at if isinstance(outcome, Due) else None
    return PreviewStep(
        step=step.key,
        channel=_way(case, step)[0],
        status="scheduled" if isinstance(outcome, Due) else "skipped",
        reason=_reason(case, step, outcome, problems),
        due_at=due_at,
        local_time=to_local(due_at, case.tz).isoformat() if due_at else None,
        useful_until=outcome.useful_until,
        sms=sms,
        email=email,
    )


def _reason(case: _Case, step: Step, outcome: Due | Skip, problems: Sequence[str]) -> str:
    if isinstance(outcome, Skip):
        return outcome.reason
    notes = [outcome.note, hangs_on_score(step.audience.scores(case.facts)), *dict.fromkeys(problems)]
    return " ".join(filter(None, notes))


def _words(
    case: _Case, step: Step, outcome: Due | Skip, problems: list[str]
) -> tuple[PreviewSms | None, PreviewEmail | None]:
    """The words as this patient would read them; what keeps them from being rendered goes to `problems`."""
    template = case.definition.text(step.key, case.language)
    if template is None:
        return None, None
    about = _context(case, skipped=isinstance(outcome, Skip))
    sms = email = None
    try:
        if template.sms is not None:
            words = rendering.render(template, about, channel="sms")
            sms = PreviewSms(words.text, words.size.encoding, words.size.segments)
    except RenderError as error:
        problems.append(f"The SMS would fail: {error}")
    try:
        if template.email is not None:
            mail = rendering.render(template, about, channel="email")
            email = PreviewEmail(mail.subject, mail.text)
    except RenderError as error:
        problems.append(f"The e-mail would fail: {error}")
    return sms, email


def _context(case: _Case, *, skipped: bool) -> rendering.Context:
    """What a real message has, and no more. A step skipped for want of a visit still shows its words."""
    visit = case.occasion.next_visit
    if visit is None and skipped:
        visit = case.occasion.ended_at + timedelta(days=7)
    visit_at = None if visit is None else to_local(visit, case.tz)
    return rendering.context(
        language=case.language,
        clinic={
            "name": case.clinic_name,
            "phone": "555-0100",
            "emergency_number": "911",
            "crisis_line": "988",
        },
        patient={"first_name": case.first_name},
        practitioner={"name": "Dr Ana Ruiz"},
        treatment={
            "date": to_local(case.occasion.ended_at, case.tz).date(),
            "name": case.plan.treatment.replace("-", " "),
        },
        next_visit={
            "date": None if visit_at is None else visit_at.date(),
            "time": None if visit_at is None else visit_at.time(),
        },
    )
