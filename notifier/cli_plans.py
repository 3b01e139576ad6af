"""`notifier plan`: see plans, check them, try them out, load them, hand them on, and have them approved."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from notifier.cli_context import (
    ClinicOption,
    ConfigOption,
    JsonOption,
    actor,
    clinic_of,
    command,
    open_app,
    say,
)
from notifier.cli_output import echo_json, table
from notifier.cli_plan_folders import check_plans, count, errors_of, findings_in, preview_plan
from notifier.errors import ConflictError, InputError

if TYPE_CHECKING:
    from notifier.models import PlanVersion
    from notifier.planfiles import Content, Definition

plan_app = typer.Typer(no_args_is_help=True, help="Plans: what is sent after a treatment, and when.")

KeyArgument = Annotated[str, typer.Argument(metavar="KEY", help="The plan's key, such as dry-needling.")]


@plan_app.command("list")
@command
def list_plans(config: ConfigOption = None, clinic: ClinicOption = None, as_json: JsonOption = False) -> None:
    """The clinic's plans, and whether somebody stands for their words."""
    from notifier import db, plans

    with open_app(config) as app, db.reading(app.engine) as session:
        rows = [
            _row(version)
            for _, version in sorted(plans.current_versions(session, clinic_of(session, clinic)).items())
        ]
    if as_json:
        echo_json(rows)
        return
    table(
        ["key", "name", "version", "steps", "languages", "approved"],
        [
            [r["key"], r["name"], r["version"], r["steps"], " ".join(r["languages"]), _approved(r)]
            for r in rows
        ],
    )


def _row(version: PlanVersion) -> dict[str, Any]:
    from notifier import plans

    definition = plans.definition(version)
    approval = version.approvals[-1] if version.approvals else None
    return {
        "key": definition.plan.key,
        "name": definition.plan.name_in("en"),
        "version": version.number,
        "steps": len(definition.plan.steps),
        "languages": sorted({language for _, language in definition.texts}),
        "approved_by": approval.approved_by if approval else None,
        "approved_on": approval.approved_on if approval else None,
    }


def _approved(row: dict[str, Any]) -> str:
    return f"{row['approved_by']}, {row['approved_on']:%Y-%m-%d}" if row["approved_by"] else "draft"


@plan_app.command("show")
@command
def show(
    key: KeyArgument, config: ConfigOption = None, clinic: ClinicOption = None, as_json: JsonOption = False
) -> None:
    """A plan's steps and their timing, in words."""
    from notifier import db, plans

    with open_app(config) as app, db.reading(app.engine) as session:
        version = plans.current_version(session, plans.find(session, clinic_of(session, clinic), key))
        row, definition = _row(version), plans.definition(version)
    if as_json:
        echo_json({**row, **_described(definition)})
    else:
        _show(row, definition)


def _described(definition: Definition) -> dict[str, Any]:
    from notifier import plan_in_words as words

    plan = definition.plan
    return {
        "window": [f"{plan.window.opens:%H:%M}", f"{plan.window.closes:%H:%M}"],
        "pace": words.pace_in_words(plan.pace),
        "steps": [
            {
                "step": step.key,
                "when": words.when_in_words(step),
                "useful": words.until_in_words(step),
                "audience": step.audience.text,
                "channels": words.channels_in_words(step),
                "safety": step.safety,
                "ask": step.ask,
            }
            for step in plan.steps
        ],
        "off": [step.key for step in plan.off],
    }


def _show(row: dict[str, Any], definition: Definition) -> None:
    from notifier import plan_in_words as words

    plan = definition.plan
    say(f"{row['name']} ({plan.key}), version {row['version']}. Approved: {_approved(row)}.")
    pace = words.pace_in_words(plan.pace)
    say(f"Sent between {plan.window.opens:%H:%M} and {plan.window.closes:%H:%M}, {pace}.")
    for step in plan.steps:
        say(f"\n{step.key}\n    {words.step_in_words(plan, step)}")
    for step in plan.off:
        say(f"\n{step.key}\n    Switched off: {words.step_in_words(plan, step)}")


plan_app.command("check")(check_plans)
plan_app.command("preview")(preview_plan)


@plan_app.command("import")
@command
def import_plan(
    folder: Annotated[
        str, typer.Argument(metavar="FOLDER", help="A plan's folder, or a shipped plan's key.")
    ],
    config: ConfigOption = None,
    clinic: ClinicOption = None,
    as_json: JsonOption = False,
) -> None:
    """Check a folder and make it the plan's current version; treatments logged from now on follow it."""
    from notifier import db, plans
    from notifier.planfiles import find_folder

    path = find_folder(folder)
    findings = findings_in(path)
    for finding in findings:
        say(str(finding), err=True)
    if errors := errors_of(findings):
        raise InputError(f"Nothing was loaded: {count(len(errors), 'error')} in {folder}.")
    with open_app(config) as app, db.transaction(app.engine) as session:
        loaded = plans.load_folder(
            session, clinic_of(session, clinic), path, now=app.clock.now(), actor=actor()
        )
        session.refresh(loaded.version, ["approvals"])
        row = _row(loaded.version)
    if as_json:
        echo_json({**row, "is_new": loaded.is_new, "findings": findings})
        return
    done = "loaded" if loaded.is_new else "is there already, nothing changed"
    words = (
        f"approved by {row['approved_by']}"
        if row["approved_by"]
        else "drafts until a clinician approves them"
    )
    say(f"{row['key']}: version {row['version']} {done}. Its texts are {words}.")


@plan_app.command("export")
@command
def export_plan(
    key: KeyArgument,
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="Where to write plan.toml and the texts.")],
    force: Annotated[bool, typer.Option("--force", help="Overwrite what is in the folder.")] = False,
    config: ConfigOption = None,
    clinic: ClinicOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write a plan as a folder, to edit it, keep it or take it to another clinic."""
    from notifier import db, plans

    with open_app(config) as app, db.reading(app.engine) as session:
        version = plans.current_version(session, plans.find(session, clinic_of(session, clinic), key))
        content, number = version.content, version.number
    _write(content, folder, force=force)
    if as_json:
        echo_json({"key": key, "version": number, "folder": folder, "texts": len(content["texts"])})
        return
    say(f"{key}: version {number} with {count(len(content['texts']), 'text')} is in {folder}.")
    if (name := folder.resolve().name) != key:
        say(f"A folder's name is its plan's key: imported from there, it is the plan \"{name}\".")


def _write(content: Content, folder: Path, *, force: bool) -> None:
    from notifier.planfiles import write_folder

    try:
        if folder.is_dir() and any(folder.iterdir()):
            if not force:
                raise ConflictError(
                    f"{folder} is not empty. Name another folder, or overwrite it with --force."
                )
            if (folder / "plan.toml").is_file():
                # Texts of steps that the plan no longer has would be read as part of it.
                for left_over in folder.glob("*.j2"):
                    left_over.unlink()
        write_folder(content, folder)
    except OSError as error:
        raise InputError(f"{folder} cannot be written: {error.strerror or error}.", field="folder") from None


@plan_app.command("approve")
@command
def approve(
    key: KeyArgument,
    by: Annotated[str, typer.Option(metavar="NAME", help='The clinician, such as "Dr Ana Ruiz, PT".')],
    config: ConfigOption = None,
    clinic: ClinicOption = None,
    as_json: JsonOption = False,
) -> None:
    """Record that a clinician approves the words of the current version. A later version needs it again."""
    from notifier import db, plans

    if not by.strip():
        raise InputError('Say who approves the words: --by "Dr Ana Ruiz, PT".', field="by")
    with open_app(config) as app, db.transaction(app.engine) as session:
        version = plans.current_version(session, plans.find(session, clinic_of(session, clinic), key))
        plans.approve(session, version, by=" ".join(by.split()), now=app.clock.now(), actor=actor())
        session.refresh(version, ["approvals"])
        row, texts = _row(version), len(version.content["texts"])
    if as_json:
        echo_json({**row, "texts": texts})
        return
    say(f"{key}: version {row['version']} with {count(texts, 'text')} is approved by {row['approved_by']}.")
