"""The aftercare on one page of paper, for whoever no message reaches: made of the plan's own e-mails.

Nothing is written here. The words are those of the plan version, rendered for this treatment, without what
asks for a reply; when to call an ambulance and when the clinic is gathered from all steps.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import groupby
from zoneinfo import ZoneInfo

from notifier import clinics, rendering, status_words, wording
from notifier.errors import RenderError
from notifier.models import Clinic, Treatment
from notifier.planfiles import Definition
from notifier.rendering import Context
from notifier.rules.audience import Facts
from notifier.rules.calls import Sorted, sort
from notifier.rules.groups import Group, groups
from notifier.rules.hours import DAYS, Hours, weekday
from notifier.rules.plan import Step
from notifier.rules.zones import to_local, zone
from notifier.sheet_labels import labels

# To be filled in by hand.
BLANK = "__________"
_DEFAULT_NUMBER = re.compile(r"clinic\.emergency_number\s*\|\s*d(?:efault)?\(\s*['\"]([^'\"]+)")
_DAY_IN_TITLE = re.compile(r"^(?:Day|Día)\s*\d+\s*:\s*")
_MONDAY = date(2024, 1, 1)


@dataclass(frozen=True, slots=True)
class Day:
    """What a later step of the plan says; `number` counts from the treatment."""

    number: int
    title: str
    groups: list[Group]


@dataclass(frozen=True, slots=True)
class Sheet:
    """`notes`: what whoever prints it has to know, such as a step whose words could not be made."""

    language: str
    title: str
    labels: dict[str, str]
    clinic: Clinic
    hours: list[str]
    name: str
    treated_on: str
    practitioner: str
    next_visit: str
    emergency_number: str
    emergency: list[Group]
    call_us: list[Group]
    today: list[Group]
    days: list[Day]
    is_draft: bool
    notes: list[str]


def make(
    definition: Definition,
    clinic: Clinic,
    language: str,
    *,
    now: datetime,
    treatment: Treatment | None = None,
    is_draft: bool = False,
) -> Sheet:
    """Without a treatment there is no name on it, and its date is today's."""
    return _Maker(definition, clinic, language, now, treatment).sheet(is_draft)


@dataclass(frozen=True, slots=True)
class _Said:
    step: Step
    title: str
    found: Sorted


class _Maker:
    def __init__(
        self,
        definition: Definition,
        clinic: Clinic,
        language: str,
        now: datetime,
        treatment: Treatment | None,
    ) -> None:
        self.definition, self.clinic, self.language = definition, clinic, language
        self.now, self.treatment = now, treatment
        self.patient = treatment.patient if treatment is not None else None
        own_zone = self.patient.timezone if self.patient is not None else None
        self.tz: ZoneInfo = zone(own_zone or clinic.timezone)
        self.emergency_number = clinic.emergency_number or self._number_in_texts()
        self.context = self._context()
        self.notes: list[str] = []

    def sheet(self, is_draft: bool) -> Sheet:
        said = [told for step in self._steps() if (told := self._said(step)) is not None]
        first = [told for told in said if told.step.opens_the_aftercare]
        later = [told for told in said if not told.step.opens_the_aftercare]
        return Sheet(
            language=self.language,
            title=self.definition.plan.name_in(self.language),
            labels=labels(self.language),
            clinic=self.clinic,
            hours=hours_in_words(clinics.hours(self.clinic), self.language),
            name=self._name(),
            treated_on=str(self.context.values["treatment"]["date"]),
            practitioner=self.treatment.practitioner if self.treatment is not None else "",
            next_visit=" ".join(str(value) for value in self.context.values["next_visit"].values()),
            emergency_number=self.emergency_number,
            emergency=_emergencies(first, later),
            call_us=_once(group for told in said for group in told.found.clinic),
            today=[group for told in first for group in told.found.plain],
            days=[
                Day(_day_of(told.step), told.title, told.found.plain) for told in later if told.found.plain
            ],
            is_draft=is_draft,
            notes=self.notes,
        )

    def _steps(self) -> list[Step]:
        """Those after the treatment that the patient would get without having answered anything."""
        areas = frozenset(self.treatment.areas) if self.treatment is not None else frozenset()
        facts = Facts(first=True, next_visit=False, areas=areas)
        named = self.patient is not None and self.patient.name_treatment
        return [
            step
            for step in self.definition.plan.steps
            if step.anchor == "treatment_end"
            and None in step.audience.scores(facts)
            and (named or step.detail_on("email") == "minimal")
        ]

    def _said(self, step: Step) -> _Said | None:
        text = self.definition.text(step.key, self.language)
        if text is None or text.email is None:
            return None
        try:
            subject, words = rendering.fill_email(text, self.context)
        except RenderError as error:
            self.notes.append(f"{status_words.step_name(step.key)} is left out: {error}")
            return None
        if (step.key, self.language) not in self.definition.texts:
            self.notes.append(f"{status_words.step_name(step.key)} has no text in this language.")
        body = _body(groups(words), str(self.context.values["practitioner"].get("name") or ""))
        found = sort(body, emergency_number=self.emergency_number, phone=self.clinic.phone)
        # A question that is not asked on paper would stand over its answer.
        title = "" if step.ask else _DAY_IN_TITLE.sub("", subject)
        return _Said(step, title[:1].upper() + title[1:], found)

    def _context(self) -> Context:
        plan = self.definition.plan
        if self.treatment is not None:
            return wording.context_of(
                self.clinic, self.patient, self.treatment, plan, self.tz, language=self.language
            )
        return rendering.context(
            language=self.language,
            clinic=wording.clinic_values(self.clinic),
            patient={"first_name": BLANK},
            treatment={
                "date": to_local(self.now, self.tz).date(),
                "name": plan.treatment.replace("-", " "),
            },
        )

    def _name(self) -> str:
        if self.patient is None:
            return BLANK * 2
        return f"{self.patient.first_name} {self.patient.last_name}".strip()

    def _number_in_texts(self) -> str:
        """The clinic has entered none; then the texts print the one that they bring along."""
        sources = (text.email or "" for text in self.definition.texts.values())
        return next((found[1] for source in sources if (found := _DEFAULT_NUMBER.search(source))), "")


def _body(found: list[Group], practitioner: str) -> list[Group]:
    """Without greeting and signature."""
    rest = list(found)
    if rest and _is_bare(rest[0]) and len(rest[0].lines) == 1 and rest[0].paragraph.endswith((",", ":")):
        del rest[0]
    if rest and _is_bare(rest[-1]):
        lines = [line for line in rest[-1].lines if line != practitioner]
        if lines and lines[-1].endswith(","):
            lines.pop()
        rest[-1:] = [Group(lines=tuple(lines))] if lines else []
    return rest


def _is_bare(group: Group) -> bool:
    return not group.heading and not group.items


def _emergencies(first: list[_Said], later: list[_Said]) -> list[Group]:
    """What the first day says; from later days only what they list, so that nothing is said twice."""
    today = [group for told in first for group in told.found.emergency]
    after = [group for told in later for group in told.found.emergency]
    return _once(today + [group for group in after if group.items or not today])


def _once(found: Iterable[Group]) -> list[Group]:
    return list(dict.fromkeys(found))


def _day_of(step: Step) -> int:
    return max(1, round(step.after.elapsed / timedelta(days=1)))


def hours_in_words(hours: Hours, language: str) -> list[str]:
    """Mon–Fri 08:00–18:00: days in a row with the same hours are one line."""
    by_day = [
        (index, ", ".join(str(span) for span in hours.week.get(day, ()))) for index, day in enumerate(DAYS)
    ]
    lines = []
    for spans, run in groupby(by_day, key=lambda item: item[1]):
        days = [index for index, _ in run]
        if spans:
            names = [weekday(_MONDAY + timedelta(days=index), language)[:3] for index in days]
            lines.append(f"{names[0] if len(names) == 1 else f'{names[0]}–{names[-1]}'} {spans}")
    return lines
