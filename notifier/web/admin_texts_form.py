"""The texts of one step as their page shows them: what is saved, what was typed, and how it would read."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from sqlalchemy.orm import Session

from notifier import plans, text_complaints, text_cost, text_editing, text_samples
from notifier.errors import NotFoundError
from notifier.models import Clinic, PlanRow, PlanVersion, Treatment
from notifier.plan_differences import LANGUAGE_NAMES
from notifier.plan_in_words import when_in_words
from notifier.planfiles import Content
from notifier.rules.plan import LANGUAGES, Plan, Step
from notifier.status_words import step_name
from notifier.text_complaints import plan_with
from notifier.text_cost import Volume
from notifier.text_editing import Words
from notifier.text_placeholders import Placeholder, placeholders
from notifier.text_samples import Sample
from notifier.web.admin_texts_sides import Money, Side, side
from notifier.web.forms import Fields, Problems
from notifier.web.visit import Visit

_VOLUME = re.compile(r"([0-9]{1,9})(p?)")


@dataclass(frozen=True)
class Base:
    """One step of a plan in its current version."""

    row: PlanRow
    version: PlanVersion
    clinic: Clinic
    plan: Plan
    step: Step

    @property
    def content(self) -> Content:
        return self.version.content

    @property
    def path(self) -> str:
        return f"/plans/{self.row.key}/texts/{self.step.key}"

    @property
    def is_approved(self) -> bool:
        return bool(self.version.approvals)

    @property
    def is_off(self) -> bool:
        return any(table["key"] == self.step.key and not table.get("on", True) for table in self._tables)

    @property
    def _tables(self) -> list[Mapping[str, object]]:
        return list(self.content["plan"]["steps"])

    @property
    def neighbours(self) -> tuple[str, str]:
        """The keys of the steps before and after, empty at either end."""
        keys = ["", *(str(table["key"]) for table in self._tables), ""]
        at = keys.index(self.step.key)
        return keys[at - 1], keys[at + 1]


def base_of(session: Session, visit: Visit, key: str, step: str) -> Base:
    clinic = visit.clinic(session)
    row = plans.find(session, clinic, key)
    version = plans.current_version(session, row)
    assert version.approvals is not None  # read now, for the templates
    known = plan_with(version.content, step)
    if known is None:
        raise NotFoundError(f'There is no step "{step}" in this plan. It may have been removed.')
    return Base(row, version, clinic, *known)


@dataclass(frozen=True)
class Typed:
    """What a form of the page holds beside its words."""

    words: Mapping[str, Words]
    sample: str = text_samples.MADE_UP
    volumes: Mapping[str, Volume] = field(default_factory=dict)
    to: Mapping[str, str] = field(default_factory=dict)  # where tests go, by language

    @classmethod
    def of(cls, posted: Fields) -> Typed:
        values = posted.values
        return cls(
            {language: text_editing.typed(values, language) for language in LANGUAGES},
            posted.text("sample") or text_samples.MADE_UP,
            {language: _volume(posted.text(f"volume.{language}")) for language in LANGUAGES},
            {language: posted.text(f"to.{language}") for language in LANGUAGES},
        )


def saved(session: Session, visit: Visit, base: Base) -> Typed:
    """The page as it opens."""
    known = text_cost.volumes(session, base.clinic, base.row, now=visit.now(), step=base.step.key)
    volumes = {language: known.get((base.step.key, language), Volume()) for language in LANGUAGES}
    words = text_editing.words_in(base.content, base.step.key)
    return Typed({name: text_editing.tidied(said) for name, said in words.items()}, volumes=volumes)


def _volume(carried: str) -> Volume:
    """Counted when the page was opened, and carried along: it does not change while somebody types."""
    found = _VOLUME.fullmatch(carried)
    return Volume(int(found[1]), bool(found[2])) if found else Volume()


@dataclass(frozen=True)
class Editor:
    base: Base
    typed: Typed
    sides: tuple[Side, ...]
    choices: tuple[Sample, ...]
    real: Treatment | None  # whose message it is shown as, where it is a real one's
    problems: Problems

    @property
    def title(self) -> str:
        return step_name(self.base.step.key)

    @property
    def when(self) -> str:
        return when_in_words(self.base.step)

    @property
    def changed(self) -> list[Side]:
        return [each for each in self.sides if each.is_changed]

    @property
    def errors(self) -> int:
        return sum(each.errors for each in self.sides)

    @property
    def placeholders(self) -> list[Placeholder]:
        return placeholders(self.base.step)

    @property
    def values(self) -> Mapping[str, str]:
        return self.sides[0].values


def editor(
    session: Session, visit: Visit, base: Base, typed: Typed, problems: Problems | None = None
) -> Editor:
    real = text_samples.treatment_of(session, base.clinic, typed.sample)
    money = Money(base.clinic.sms_price, base.clinic.currency)
    before = text_editing.words_in(base.content, base.step.key)
    read_at = visit.settings.reply_address
    sides = []
    for language in LANGUAGES:
        made_up = [
            text_samples.made_up(
                session, base.clinic, base.plan, language, now=visit.now(), long=long, reply_address=read_at
            )
            for long in (False, True)
        ]
        context = made_up[typed.sample == text_samples.LONG]
        if real is not None:
            context = text_samples.of_treatment(base.clinic, real, base.plan, language, reply_address=read_at)
        sides.append(
            side(
                language,
                LANGUAGE_NAMES[language],
                typed.words[language],
                text_editing.tidied(before[language]),
                context=context,
                long=made_up[True],
                volume=typed.volumes.get(language, Volume()),
                money=money,
                complaints=text_complaints.complaints(
                    base.content, base.step.key, language, typed.words[language]
                ),
            )
        )
    choices = tuple(text_samples.choices(session, base.clinic, base.row))
    return Editor(base, typed, tuple(sides), choices, real, problems or Problems())
