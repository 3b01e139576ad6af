"""What the preview promises is what recording a treatment plans, to the second and to the word."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from notifier import clinics, db, plans, treatments
from notifier.errors import InputError
from notifier.models import Clinic, Message
from notifier.patients import PatientEntry
from notifier.planfiles import Definition, define, find_folder, read_content, read_folder, shipped_plans
from notifier.preview import PreviewStep, preview
from notifier.rules.audience import SCORES
from notifier.rules.zones import to_instant, zone
from notifier.step_fit import hangs_on_score
from notifier.treatments import ConsentGiven, Entry

EVENING = datetime(2026, 3, 7, 17, 30)  # noqa: DTZ001  a wall-clock time, read in the zone given beside it
NEW_YORK = "America/New_York"


def wall(text: str) -> datetime:
    return datetime.fromisoformat(text)


def shipped(key: str = "dry-needling") -> Definition:
    return read_folder(find_folder(key))


def by_step(steps: list[PreviewStep]) -> dict[str, PreviewStep]:
    return {step.step: step for step in steps}


def at(steps: list[PreviewStep], key: str) -> str | None:
    return by_step(steps)[key].local_time


def changed(key: str = "dry-needling", *, texts: dict[str, str] | None = None, **step: Any) -> Definition:
    """A shipped plan whose first step is changed."""
    content = read_content(find_folder(key))
    tables = {**content["plan"], "steps": [{**content["plan"]["steps"][0], **step}]}
    return define({"key": key, "plan": tables, "texts": {**content["texts"], **(texts or {})}})


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    engine = db.open_engine(f"sqlite:///{tmp_path_factory.mktemp('agreement') / 'notifier.db'}")
    db.upgrade(engine)
    with db.transaction(engine) as session:
        clinic = clinics.create(
            session,
            name="Acland",
            phone="555-0100",
            timezone="Etc/UTC",
            country="US",
            language="en",
            now=datetime(2026, 1, 1, tzinfo=UTC),
        )
        clinics.ensure_senders(session, clinic)
        for folder in shipped_plans():
            plans.load_folder(session, clinic, folder, now=datetime(2026, 1, 1, tzinfo=UTC), actor="test")
    yield engine
    engine.dispose()


@pytest.mark.parametrize("plan", ["dry-needling", "sports-massage", "cupping", "shockwave"])
@pytest.mark.parametrize(
    ("timezone", "ended", "logged", "visit", "says_treatment"),
    [
        (NEW_YORK, "2026-03-07T17:30", None, None, False),
        (NEW_YORK, "2026-03-07T19:50", None, "2026-03-20T10:00", False),
        (NEW_YORK, "2026-03-08T02:30", None, None, True),
        (NEW_YORK, "2026-11-01T01:30", None, "2026-11-02T09:00", False),
        ("Europe/Madrid", "2026-03-28T20:00", "2026-03-30T21:40", "2026-04-02T08:30", False),
        ("Asia/Kolkata", "2026-06-01T11:15:20", "2026-06-03T10:00:05", None, False),
        ("Australia/Lord_Howe", "2026-04-04T18:00", "2026-04-08T09:00", None, True),
        ("Pacific/Auckland", "2026-09-26T23:30", None, "2026-09-27T12:00", False),
    ],
)
def test_the_preview_is_what_recording_the_treatment_plans(
    engine: Engine,
    plan: str,
    timezone: str,
    ended: str,
    logged: str | None,
    visit: str | None,
    says_treatment: bool,
) -> None:
    shown = preview(
        shipped(plan),
        ended_at=wall(ended),
        timezone=timezone,
        logged_at=wall(logged) if logged else None,
        next_visit=wall(visit) if visit else None,
        name_treatment=says_treatment,
    )
    planned = _planned(engine, plan, timezone, ended, logged or ended, visit, says_treatment)
    assert {(s.step, s.channel, s.status, s.due_at, s.useful_until) for s in shown} == set(planned)
    assert len(shown) == len(planned)
    for step in shown:
        reason = planned[step.step, step.channel, step.status, step.due_at, step.useful_until]
        assert re.sub(r" ?Goes out [^.]*\.$", "", step.reason) == reason


Row = tuple[str | None, str, str, datetime | None, datetime | None]


def _planned(
    engine: Engine, plan: str, timezone: str, ended: str, logged: str, visit: str | None, says: bool
) -> dict[Row, str]:
    """The reason of each row that recording the treatment makes, by all else that the preview tells."""
    tz = zone(timezone)
    now = to_instant(wall(logged), tz)
    entry = Entry(
        PatientEntry(
            "Alex",
            phone="+1 503 555 0123",
            email="alex@example.com",
            timezone=timezone,
            name_treatment=says,
        ),
        plan,
        to_instant(wall(ended), tz),
        next_visit=to_instant(wall(visit), tz) if visit else None,
        consents=tuple(
            ConsentGiven(channel, True, now - timedelta(days=1), "paper") for channel in ("sms", "email")
        ),
        confirmed=True,
    )
    with Session(engine) as session:
        clinic = session.scalars(select(Clinic)).one()
        recorded, _ = treatments.record(session, clinic, entry, now=now, actor="test")
        rows = session.scalars(select(Message).where(Message.treatment_id == recorded.treatment.id))
        planned = {(r.step, r.channel, r.status, r.due_at, r.useful_until): r.reason for r in rows}
        session.rollback()  # so that each treatment is its patient's first
    return planned


def test_every_step_is_listed_in_the_plans_order() -> None:
    definition = shipped()
    steps = preview(definition, ended_at=EVENING, timezone=NEW_YORK)
    assert [step.step for step in steps] == [step.key for step in definition.plan.steps]


def test_elapsed_hours_cross_the_change_of_clocks_and_calendar_days_do_not() -> None:
    steps = preview(shipped(), ended_at=EVENING, timezone=NEW_YORK)
    # The night of 8 March has an hour less, so 22 hours later the clock shows 16:30, not 15:30.
    assert at(steps, "day1-soreness-is-normal") == "2026-03-08T16:30:00"
    assert at(steps, "day5-how-it-works") == "2026-03-12T17:30:00"
    assert by_step(steps)["day1-soreness-is-normal"].due_at == datetime(2026, 3, 8, 20, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("2026-03-08T02:30", "2026-03-08T07:30+00:00"),  # does not exist: forward by the gap, to 03:30 EDT
        ("2026-11-01T01:30", "2026-11-01T05:30+00:00"),  # exists twice: the first, still EDT
        ("2026-03-07T17:30-08:00", "2026-03-08T01:30+00:00"),
        ("2026-03-07T17:30+00:00", "2026-03-07T17:30+00:00"),
    ],
)
def test_a_time_is_read_on_the_patients_wall_clock_unless_it_has_an_offset(written: str, meant: str) -> None:
    definition = changed(after="0m", not_before="0m")
    (step,) = preview(
        define_with_window(definition, ["00:00", "23:59"]), ended_at=wall(written), timezone=NEW_YORK
    )
    assert step.due_at == datetime.fromisoformat(meant)


def define_with_window(definition: Definition, window: list[str]) -> Definition:
    content = read_content(find_folder(definition.plan.key))
    step = {"key": definition.plan.steps[0].key, "after": "0m", "not_before": "0m"}
    return define({**content, "plan": {**content["plan"], "window": window, "steps": [step]}})


def test_what_depends_on_the_patients_answer_says_so() -> None:
    steps = by_step(preview(shipped(), ended_at=EVENING, timezone=NEW_YORK))
    assert "unless the patient's latest score by then is 4 or more" in steps["day3-check-in"].reason
    assert "only if the patient's latest score by then is 4 or more" in steps["day3-still-sore"].reason
    assert steps["day2-soreness-score"].reason == ""


@pytest.mark.parametrize(
    ("scores", "said"),
    [
        (SCORES, ""),
        ([*range(4, 11)], "Goes out only if the patient's latest score by then is 4 or more."),
        ([None, 0, 1, 2, 3], "Goes out unless the patient's latest score by then is 4 or more."),
        ([0, 1, 2, 3], "Goes out only if the patient's latest score by then is 3 or less."),
        ([None], "Goes out only if the patient has given no score by then."),
        ([4, 5, 6], "Goes out only if the patient's latest score by then is 4 to 6."),
        ([2, 4, 5, 9, 10], "Goes out only if the patient's latest score by then is 2, 4 to 5 or 9 or more."),
        ([*range(11)], "Goes out only if the patient has given a score by then."),
    ],
)
def test_scores_are_told_in_words(scores: list[int | None], said: str) -> None:
    assert hangs_on_score(scores) == said


def test_a_skipped_step_has_a_reason_and_no_time_but_still_shows_its_words() -> None:
    step = by_step(preview(shipped(), ended_at=EVENING, timezone=NEW_YORK))["before-next-visit"]
    assert (step.status, step.due_at, step.local_time) == ("skipped", None, None)
    assert step.reason == "No next visit is booked."
    assert step.sms is not None
    assert "Your next visit is soon" in step.sms.text


def test_logged_too_late_nothing_stale_goes_out() -> None:
    steps = preview(shipped(), ended_at=EVENING, timezone=NEW_YORK, logged_at=EVENING + timedelta(days=4))
    late = by_step(steps)
    assert late["day0-what-you-may-feel"].status == "skipped"
    assert late["day0-what-you-may-feel"].reason.startswith("It was useful until Sun 8 Mar")
    assert late["day5-how-it-works"].status == "scheduled"


def test_the_words_are_in_the_patients_language_with_the_names_given() -> None:
    steps = by_step(
        preview(
            shipped(),
            ended_at=EVENING,
            timezone="Europe/Madrid",
            language="es",
            first_name="María",
            clinic_name="Acland",
        )
    )
    first = steps["day0-what-you-may-feel"]
    assert first.sms is not None
    assert first.email is not None
    assert first.sms.text.startswith("Acland: Hola Maria. Tras su visita")
    assert (first.sms.encoding, first.sms.segments) == ("GSM-7", 2)
    assert first.email.subject == "Después de su visita del 7 mar: qué puede sentir"
    assert first.email.text.startswith("Hola María:")


def test_the_email_about_the_treatment_goes_only_to_who_asked_for_it() -> None:
    asked = preview(shipped(), ended_at=EVENING, timezone=NEW_YORK, name_treatment=True)
    not_asked = preview(shipped(), ended_at=EVENING, timezone=NEW_YORK)
    assert by_step(asked)["day5-how-it-works"].channel == "email"
    assert by_step(not_asked)["day5-how-it-works"].channel == "sms"


def test_a_patient_who_prefers_email_gets_it_where_the_step_does_not_say_otherwise() -> None:
    steps = preview(shipped(), ended_at=EVENING, timezone=NEW_YORK, channels=("email", "sms"))
    assert by_step(steps)["day0-what-you-may-feel"].channel == "email"


def test_a_step_for_treated_areas_needs_one_of_them() -> None:
    definition = changed(audience="areas:neck,shoulder")
    (without,) = preview(definition, ended_at=EVENING, timezone=NEW_YORK)
    (treated,) = preview(definition, ended_at=EVENING, timezone=NEW_YORK, areas=["neck"])
    assert (without.status, treated.status) == ("skipped", "scheduled")
    assert without.reason == "Not for this patient. Who gets it: treated at neck, shoulder."


def test_a_text_without_an_email_shows_none() -> None:
    sms_only = {
        "day0-what-you-may-feel.en": "{% block sms %}{{ clinic.name }}: Hi. STOP to end.{% endblock %}"
    }
    (step,) = preview(changed(texts=sms_only), ended_at=EVENING, timezone=NEW_YORK)
    assert step.sms is not None
    assert (step.sms.text, step.email) == ("Your clinic: Hi. STOP to end.", None)


def test_words_that_would_fail_say_so_in_the_reason() -> None:
    visit = {"day0-what-you-may-feel.en": "{% block sms %}See you on {{ next_visit.date }}.{% endblock %}"}
    (step,) = preview(changed(texts=visit), ended_at=EVENING, timezone=NEW_YORK)
    assert (step.status, step.sms) == ("scheduled", None)
    assert step.reason.startswith("The SMS would fail: The text needs next_visit.date")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"timezone": "America/New_Yrok"}, "Did you mean America/New_York?"),
        ({"language": "fr"}, 'There are no texts in "fr"; write en or es.'),
        ({"next_visit": EVENING - timedelta(days=1)}, "The next visit (Fri 6 Mar 17:30) has to be after"),
        ({"ended_at": EVENING.replace(year=1)}, "The year 1 cannot be meant"),
        ({"ended_at": datetime(9999, 12, 31, tzinfo=timezone(timedelta(hours=-12)))}, "The year 9999"),
    ],
)
def test_what_cannot_be_previewed_is_refused_in_words(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError) as refused:
        preview(shipped(), **{"ended_at": EVENING, "timezone": NEW_YORK, **changes})
    assert words in str(refused.value)


def test_the_sending_window_is_kept_in_every_zone() -> None:
    for name in (NEW_YORK, "Asia/Kathmandu", "Pacific/Chatham"):
        for hour in range(24):
            for step in preview(shipped(), ended_at=EVENING.replace(hour=hour), timezone=name):
                if step.due_at is not None:
                    local = step.due_at.astimezone(ZoneInfo(name))
                    assert "09:00" <= f"{local:%H:%M}" <= "20:00"
                    assert step.local_time == local.replace(tzinfo=None).isoformat()
