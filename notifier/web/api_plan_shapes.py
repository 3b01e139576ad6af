"""Plans as the API gives them: what is sent after a treatment, when, and in which words."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import Field

from notifier import plan_in_words as words
from notifier import plans
from notifier.models import PlanVersion
from notifier.planfiles import Definition
from notifier.preview import PreviewStep
from notifier.rules.plan import LANGUAGES, Step
from notifier.web.api_shapes import Given, told

_PLAN: dict[str, Any] = {
    "key": "dry-needling",
    "names": {"en": "Dry needling aftercare", "es": "Cuidados tras la punción seca"},
    "version": 1,
    "languages": ["en", "es"],
    "approved_by": None,
    "approved_on": None,
}


class PlanGiven(Given):
    model_config = told(**_PLAN)

    key: str
    names: dict[str, str] = Field(description="By language.")
    version: int = Field(description="The current one; treatments keep the version they were logged with.")
    languages: list[str]
    approved_by: str | None = Field(description="The clinician who stands for the words; null: drafts.")
    approved_on: datetime | None


class StepGiven(Given):
    step: str
    on: bool
    in_words: str = Field(description="When, until when, for whom and by which channel.")
    safety: bool = Field(description="Nothing delays or drops it.")
    ask: str | None = Field(description="`score`: it asks for soreness from 0 to 10.")


class VersionGiven(Given):
    version: int
    created_at: datetime
    created_by: str
    approved_by: str | None
    approved_on: datetime | None


class PlanContent(PlanGiven):
    """One version in full."""

    model_config = told(
        **_PLAN,
        pace="at least 12 hours apart, at most 1 a day, at most 5 a week",
        window=["09:00", "20:00"],
        steps=[
            {
                "step": "day0-what-you-may-feel",
                "on": True,
                "in_words": "2 hours after the treatment; outside 09:00-20:00 at the last close.",
                "safety": True,
                "ask": None,
            }
        ],
        plan={"treatment": "dry-needling", "window": ["09:00", "20:00"], "steps": []},
        texts={"day0-what-you-may-feel.en": "{% block sms %}{{ clinic.name }}: …{% endblock %}"},
        versions=[
            {
                "version": 1,
                "created_at": "2026-01-05T13:00:00Z",
                "created_by": "ada@riverside.example",
                "approved_by": None,
                "approved_on": None,
            }
        ],
    )

    pace: str
    window: list[str] = Field(description="When planned messages may leave, on the patient's clock.")
    steps: list[StepGiven]
    plan: dict[str, Any] = Field(description="As in a plan's `plan.toml`.")
    texts: dict[str, str] = Field(description="By `<step>.<language>`, as in a plan's text files.")
    versions: list[VersionGiven] = Field(description="All of them, the newest first.")


def _approval(version: PlanVersion) -> dict[str, Any]:
    latest = version.approvals[-1] if version.approvals else None
    return {
        "approved_by": latest.approved_by if latest else None,
        "approved_on": latest.approved_on if latest else None,
    }


def _values(version: PlanVersion, definition: Definition) -> dict[str, Any]:
    plan = definition.plan
    return _approval(version) | {
        "key": plan.key,
        "names": {language: plan.name_in(language) for language in LANGUAGES},
        "version": version.number,
        "languages": sorted({language for _, language in definition.texts}),
    }


def plan_given(version: PlanVersion) -> PlanGiven:
    return PlanGiven(**_values(version, plans.definition(version)))


def plan_content(version: PlanVersion, versions: list[PlanVersion]) -> PlanContent:
    definition = plans.definition(version)
    plan = definition.plan
    return PlanContent(
        **_values(version, definition),
        pace=words.pace_in_words(plan.pace),
        window=[f"{plan.window.opens:%H:%M}", f"{plan.window.closes:%H:%M}"],
        steps=[_step(definition, step) for step in plan.steps],
        plan=version.content["plan"],
        texts=version.content["texts"],
        versions=[_version(each) for each in reversed(versions)],
    )


def _step(definition: Definition, step: Step) -> StepGiven:
    said = words.step_in_words(definition.plan, step)
    return StepGiven(step=step.key, on=step.on, in_words=said, safety=step.safety, ask=step.ask)


def _version(version: PlanVersion) -> VersionGiven:
    return VersionGiven(
        version=version.number,
        created_at=version.created_at,
        created_by=version.created_by,
        **_approval(version),
    )


class SmsGiven(Given):
    text: str
    encoding: str
    segments: int


class EmailGiven(Given):
    subject: str
    text: str


class PreviewGiven(Given):
    model_config = told(
        step="day0-what-you-may-feel",
        channel="sms",
        status="scheduled",
        reason="",
        due_at="2026-02-03T22:30:00Z",
        local_time="2026-02-03T17:30:00",
        useful_until="2026-02-04T14:30:00Z",
        sms={"text": "Your clinic: Hi Alex. …", "encoding": "GSM-7", "segments": 2},
        email={"subject": "After your visit today", "text": "Hi Alex,\n…"},
    )

    step: str
    channel: str = Field(description="The first on which it goes out.")
    status: str = Field(description="`scheduled` or `skipped`.")
    reason: str
    due_at: datetime | None
    local_time: str | None = Field(description="On the patient's wall clock.")
    useful_until: datetime | None
    sms: SmsGiven | None
    email: EmailGiven | None


def preview_given(step: PreviewStep) -> PreviewGiven:
    sms = step.sms and SmsGiven(
        text=step.sms.text, encoding=str(step.sms.encoding), segments=step.sms.segments
    )
    email = step.email and EmailGiven(subject=step.email.subject, text=step.email.text)
    same = set(PreviewGiven.model_fields) - {"sms", "email"}
    return PreviewGiven(**{name: getattr(step, name) for name in same}, sms=sms, email=email)
