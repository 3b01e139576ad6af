"""The day's export of the booking system: dropped, its columns named once, looked at, and taken in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from fastapi import APIRouter, Response
from sqlalchemy.orm import Session

from notifier import import_runs, importing_job, missing_log, plans
from notifier.import_table import ALSO, COLUMNS, Sheet, lacking
from notifier.models import ImportRun
from notifier.rules.recipients import fold_name
from notifier.web.auth import Desk
from notifier.web.forms import Fields, Posted, Problems
from notifier.web.visit import Visit

router = APIRouter()

# As the page names our columns, in the order in which it offers them.
NAMES = {
    "full_name": "Patient's whole name",
    "first_name": "First name",
    "last_name": "Last name",
    "phone": "Mobile phone",
    "email": "E-mail address",
    "plan": "Treatment (chooses the plan)",
    "ended_at": "When it ended: day and time",
    "ended_on": "When it ended: only the day",
    "ended_time": "When it ended: only the time",
    "practitioner": "Practitioner",
    "next_visit": "Next visit",
    "record_number": "Patient's record number",
    "external_id": "The booking system's number of the treatment",
    "attendance": "Whether the patient came",
    "language": "Language",
    "areas": "Body areas",
    "timezone": "Patient's time zone",
    "preferred_channel": "Preferred channel",
    "consent_sms": "Consent to SMS",
    "consent_email": "Consent to e-mail",
    "consent_at": "When consent was given",
    "consent_method": "How consent was given",
    "consent_wording": "Words of consent",
    "name_treatment": "May name the treatment",
}
assert set(NAMES) == {*COLUMNS, *ALSO}
# More kinds of treatment than this in one file mean that the column is another one.
_MOST_KINDS = 60
_NO_AFTERCARE = "-"


@router.get("/import")
def start(visit: Desk) -> Response:
    return _start(visit)


def _start(visit: Visit, problems: Problems | None = None) -> Response:
    with visit.reading() as session:
        at = visit.clinic(session)
        runs = import_runs.latest(session, at)
        missing = missing_log.missing_log(session, at, visit.now())
    return visit.page(
        "import.html",
        status=422 if problems else 200,
        runs=runs,
        missing=missing,
        problems=problems or Problems(),
    )


@router.post("/import")
def receive(visit: Desk, posted: Posted) -> Response:
    file, problems = posted.file("file"), Problems()
    if file is None:
        problems["file"] = "Choose the CSV file that your booking system exported."
        return _start(visit, problems)
    data = file.file.read()
    with problems.catching():
        sheet = import_runs.opened(file.filename or "", data)
    if problems:
        return _start(visit, Problems(file=problems[""]) if "" in problems else problems)
    with visit.transaction() as session:
        at = visit.clinic(session)
        run = import_runs.receive(session, at, sheet, data, now=visit.now(), actor=visit.actor)
    with visit.reading() as session:
        asks = _read(session, visit, sheet).open_questions
    if not asks:
        _begin(visit, run.id, dry_run=True)
    return visit.go(f"/import/{run.id}")


@dataclass(frozen=True)
class _Reading:
    """A file with what is known of its columns and of what it calls the treatments."""

    sheet: Sheet
    columns: Mapping[str, str]
    called: Mapping[str, str]
    kinds: list[tuple[str, int]]
    plans: Mapping[str, str]

    @property
    def open_questions(self) -> bool:
        """Whether a person has to say something before it can be looked at."""
        unknown = any(kind not in self.called for kind, _ in self.kinds)
        return unknown or bool(lacking(self.columns.values()))


def _read(session: Session, visit: Visit, sheet: Sheet, typed: Fields | None = None) -> _Reading:
    at = visit.clinic(session)
    known = import_runs.remembered(session, at, sheet)
    columns: Mapping[str, str] = known.columns if known is not None else sheet.guess
    if typed is not None:
        columns = _columns_typed(sheet, typed)
    names = {
        key: plans.definition(version).plan.name_in("en")
        for key, version in plans.current_versions(session, at).items()
    }
    kinds = _kinds(sheet, columns)
    called = {kind: key for kind, _ in kinds if (key := _own_name(kind, names))}
    called |= known.plans if known is not None else {}
    if typed is not None:
        called |= _called_typed(typed)
    return _Reading(sheet, columns, called, kinds, names)


def _kinds(sheet: Sheet, columns: Mapping[str, str]) -> list[tuple[str, int]]:
    """What the file calls its treatments, the most frequent first."""
    label = next((label for label, column in columns.items() if column == "plan"), None)
    return sheet.values_of(label).most_common(_MOST_KINDS) if label is not None else []


def _own_name(kind: str, names: Mapping[str, str]) -> str:
    """The plan that is plainly meant: by its key or its name."""
    folded = fold_name(kind, "")
    return next(
        (key for key, name in names.items() if folded in (fold_name(key, ""), fold_name(name, ""))), ""
    )


def _columns_typed(sheet: Sheet, typed: Fields) -> dict[str, str]:
    given = {label: typed.text(f"column.{index}") for index, label in enumerate(sheet.labels)}
    return {label: column for label, column in given.items() if column in NAMES}


def _called_typed(typed: Fields) -> dict[str, str]:
    """Kind n of the file → plan key; empty where it needs no aftercare."""
    called = {}
    for name, value in typed.values.items():
        if name.startswith("kind.") and value:
            number = name.removeprefix("kind.")
            chosen = typed.text(f"plan.{number}")
            if chosen:
                called[value] = "" if chosen == _NO_AFTERCARE else chosen
    return called


@router.get("/import/{run_id:int}")
def look(visit: Desk, run_id: int) -> Response:
    """Whatever this file needs next: its columns, patience, a decision, or a report to read."""
    return _shown(visit, run_id)


def _shown(
    visit: Visit,
    run_id: int,
    *,
    asks: bool = False,
    typed: Fields | None = None,
    problems: Problems | None = None,
) -> Response:
    with visit.reading() as session:
        run = import_runs.get(session, visit.clinic(session), run_id)
        interrupted = import_runs.is_interrupted(session, run)
        asks = asks or run.state == "uploaded"
        reading = _read(session, visit, import_runs.sheet_of(session, run), typed) if asks else None
    template = "import_columns.html" if reading is not None else "import_run.html"
    return visit.page(
        template,
        status=422 if problems else 200,
        run=run,
        reading=reading,
        interrupted=interrupted,
        unlikely=_unlikely(run),
        names=NAMES,
        no_aftercare=_NO_AFTERCARE,
        problems=problems or Problems(),
    )


def _unlikely(run: ImportRun) -> bool:
    """Whether rows were left out that a person may insist on."""
    problems = (run.report or {}).get("problems", [])
    return any("--confirm" in problem["message"] for problem in problems)


@router.get("/import/{run_id:int}/columns")
def columns(visit: Desk, run_id: int) -> Response:
    """To say something else about the columns than was remembered."""
    return _shown(visit, run_id, asks=True)


@router.get("/import/{run_id:int}/progress")
def progress(visit: Desk, run_id: int) -> Response:
    """A fragment that asks for itself while the file goes in."""
    with visit.reading() as session:
        run = import_runs.get(session, visit.clinic(session), run_id)
        interrupted = import_runs.is_interrupted(session, run)
    if run.state != "running" or interrupted:
        return visit.go(f"/import/{run_id}")
    return visit.fragment("_import_progress.html", run=run)


@router.post("/import/{run_id:int}/columns")
def name_columns(visit: Desk, posted: Posted, run_id: int) -> Response:
    """Remember what the columns mean, and look at what would happen."""
    problems = Problems()
    with visit.reading() as session:
        run = import_runs.get(session, visit.clinic(session), run_id)
        reading = _read(session, visit, import_runs.sheet_of(session, run), posted)
    unknown = [kind for kind, _ in reading.kinds if kind not in reading.called]
    if not lacking(reading.columns.values()) and unknown:
        # They are asked for as soon as it is known which column has them.
        problems["kinds"] = f'Say which plan "{unknown[0]}" goes with, or that it needs none.'
    if not problems:
        with problems.catching(), visit.transaction() as session:
            import_runs.remember(
                session,
                visit.clinic(session),
                reading.sheet,
                reading.columns,
                _called_typed(posted) | {k: v for k, v in reading.called.items() if v},
                now=visit.now(),
                actor=visit.actor,
            )
    if problems:
        return _shown(visit, run_id, asks=True, typed=posted, problems=problems)
    _begin(visit, run_id, dry_run=True)
    return visit.go(f"/import/{run_id}")


@router.post("/import/{run_id:int}/go")
def go(visit: Desk, posted: Posted, run_id: int) -> Response:
    """Take the good rows in. Again after an interruption: what is in is found, not doubled."""
    _begin(visit, run_id, dry_run=False, confirmed=posted.flag("confirmed"))
    return visit.go(f"/import/{run_id}")


@router.post("/import/{run_id:int}/look")
def look_again(visit: Desk, posted: Posted, run_id: int) -> Response:
    """The dry run once more, after one that was interrupted."""
    _begin(visit, run_id, dry_run=True, confirmed=posted.flag("confirmed"))
    return visit.go(f"/import/{run_id}")


def _begin(visit: Visit, run_id: int, *, dry_run: bool, confirmed: bool = False) -> None:
    with visit.reading() as session:
        import_runs.get(session, visit.clinic(session), run_id)  # of this clinic
    importing_job.begin(
        visit.site.engine,
        visit.site.clock,
        run_id,
        dry_run=dry_run,
        confirmed=confirmed,
        actor=visit.actor,
    )


@router.post("/import/{run_id:int}/drop")
def drop(visit: Desk, posted: Posted, run_id: int) -> Response:
    with visit.transaction() as session:
        run = import_runs.get(session, visit.clinic(session), run_id)
        import_runs.drop(session, run)
        name = run.file
    return visit.go("/import", toast=f"{name} was dropped; nothing of it was imported.")
