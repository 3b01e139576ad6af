"""`notifier plan check` and `notifier plan preview`: what a plan's folder says, without any database."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from notifier.cli_context import JsonOption, command, say
from notifier.cli_output import echo_json
from notifier.errors import InputError

if TYPE_CHECKING:
    from notifier.plan_checks import Finding

_MOMENT = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d)?(Z|[+-]\d\d:?\d\d)?")


@command
def check_plans(
    plans: Annotated[
        list[str] | None,
        typer.Argument(metavar="[PLAN]...", help="Keys or folders; none: all shipped plans."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """What is wrong with plans, with file and line. Ends with 1 when there is an error."""
    from notifier.planfiles import find_folder, shipped_plans

    folders = [find_folder(name) for name in plans] if plans else shipped_plans()
    findings = [finding for folder in folders for finding in findings_in(folder)]
    if as_json:
        echo_json(findings)
    else:
        for finding in findings:
            say(str(finding))
        say(_summary(len(folders), findings), err=True)
    if errors_of(findings):
        raise SystemExit(1)


def findings_in(folder: Path) -> list[Finding]:
    """With the files as a person in this folder would name them."""
    from dataclasses import replace

    from notifier.plan_checks import check

    here = Path.cwd()
    return [
        replace(found, file=str(Path(found.file).relative_to(here)))
        if Path(found.file).is_relative_to(here)
        else found
        for found in check(folder)
    ]


def errors_of(findings: Sequence[Finding]) -> list[Finding]:
    return [finding for finding in findings if finding.severity == "error"]


def _summary(folders: int, findings: Sequence[Finding]) -> str:
    errors = len(errors_of(findings))
    warnings = len(findings) - errors
    counts = ", ".join((count(errors, "error"), count(warnings, "warning")))
    return f"{count(folders, 'plan')} checked: {counts}."


def count(number: int, noun: str) -> str:
    return f"{number or 'no'} {noun}{'' if number == 1 else 's'}"


@command
def preview_plan(
    plan: Annotated[str, typer.Argument(metavar="PLAN", help="A shipped plan's key, or a folder.")],
    ended_at: Annotated[
        str, typer.Option(metavar="TIME", help="When the treatment ended, such as 2026-03-07T17:30.")
    ],
    timezone: Annotated[str, typer.Option(metavar="ZONE", help="The patient's zone: America/New_York.")],
    language: Annotated[str, typer.Option(help="The language of the texts: en or es.")] = "en",
    logged_at: Annotated[
        str | None, typer.Option(metavar="TIME", help="When it was logged; else when it ended.")
    ] = None,
    next_visit: Annotated[
        str | None, typer.Option(metavar="TIME", help="When the next visit is, if booked.")
    ] = None,
    areas: Annotated[str, typer.Option(help="Treated areas, such as neck,shoulder.")] = "",
    name_treatment: Annotated[bool, typer.Option(help="The patient wants the treatment named.")] = False,
    first_name: Annotated[str, typer.Option(help="The patient's first name.")] = "",
    clinic_name: Annotated[str, typer.Option(help="The clinic's name.")] = "",
    as_json: JsonOption = False,
) -> None:
    """What one treatment would send, and when. Needs no database and no configuration."""
    from notifier import preview
    from notifier.planfiles import find_folder, read_folder
    from notifier.rules.zones import zone

    definition = read_folder(find_folder(plan))
    ended, logged, visit = _moment(ended_at), _maybe(logged_at), _maybe(next_visit)
    steps = preview.preview(
        definition,
        ended_at=ended,
        timezone=timezone,
        language=language,
        logged_at=logged,
        next_visit=visit,
        areas=tuple(filter(None, (area.strip() for area in areas.split(",")))),
        name_treatment=name_treatment,
        first_name=first_name,
        clinic_name=clinic_name,
    )
    if as_json:
        echo_json(steps)
        return
    from notifier.cli_timeline import timeline

    tz = zone(timezone)
    occasion = preview.occasion(tz, ended_at=ended, logged_at=logged, next_visit=visit)
    for line in timeline(definition.plan, steps, occasion, tz, language):
        say(line)


def _maybe(text: str | None) -> datetime | None:
    return None if text is None else _moment(text)


def _moment(text: str) -> datetime:
    try:
        if not _MOMENT.fullmatch(text.strip()):
            raise ValueError
        return datetime.fromisoformat(text.strip())
    except ValueError:
        raise InputError(f'"{text}" is not a day and time; write it like 2026-03-07T17:30.') from None
