"""`notifier plan …` as it is typed: what it prints, what it refuses, and what it leaves in the database."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from contextlib import chdir
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import typer
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session
from typer.testing import CliRunner, Result

from notifier import clinics, db, plans
from notifier.cli_context import actor, command, open_app
from notifier.cli_plans import plan_app
from notifier.errors import NotifierError
from notifier.models import AuditEntry, PlanApproval, PlanVersion
from notifier.planfiles import find_folder, read_content, read_folder
from notifier.preview import preview

NEW_YORK = ["--timezone", "America/New_York"]
NOW = datetime(2026, 1, 1, tzinfo=UTC)


def run(*args: str | Path) -> Result:
    return CliRunner().invoke(plan_app, [str(arg) for arg in args])


def done(*args: str | Path) -> str:
    result = run(*args)
    assert (result.exit_code, result.stderr) == (0, "")
    return result.stdout


def refused(*args: str | Path) -> str:
    result = run(*args)
    assert (result.exit_code, result.stdout) == (1, "")
    assert "Traceback" not in result.stderr
    return result.stderr


def as_json(*args: str | Path) -> Any:
    return json.loads(done(*args, "--json"))


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database with one clinic and one of the shipped plans."""
    file = tmp_path_factory.mktemp("prepared") / "notifier.db"
    engine = db.open_engine(f"sqlite:///{file}")
    db.upgrade(engine)
    with db.transaction(engine) as session:
        clinic = _clinic(session, "Acland")
        plans.load_folder(session, clinic, find_folder("cupping"), now=NOW, actor="test")
    engine.dispose()
    return file


def _clinic(session: Session, name: str) -> Any:
    return clinics.create(
        session, name=name, phone="555-0100", timezone="Etc/UTC", country="US", language="en", now=NOW
    )


@pytest.fixture
def config(prepared: Path, tmp_path: Path) -> Path:
    shutil.copy(prepared, tmp_path / "notifier.db")
    file = tmp_path / "config.toml"
    file.write_text('[database]\nurl = "sqlite:///notifier.db"\n', "utf-8")
    return file


@pytest.fixture
def engine(config: Path) -> Iterator[Engine]:
    engine = db.open_engine(f"sqlite:///{config.parent / 'notifier.db'}")
    yield engine
    engine.dispose()


@pytest.fixture
def edited(tmp_path: Path) -> Path:
    """The shipped cupping plan, its first text reworded."""
    folder = tmp_path / "plans" / "cupping"
    shutil.copytree(find_folder("cupping"), folder)
    text = folder / "day0-marks.en.j2"
    text.write_text(text.read_text("utf-8").replace("Keep the skin clean.", "Keep it clean."), "utf-8")
    return folder


def reword(folder: Path, old: str, new: str) -> None:
    text = folder / "day0-marks.en.j2"
    text.write_text(text.read_text("utf-8").replace(old, new), "utf-8")


# Without a database


def test_preview_prints_one_entry_for_each_step_with_the_keys_of_the_design() -> None:
    shown = as_json("preview", "dry-needling", "--ended-at", "2026-03-07T17:30", *NEW_YORK)
    steps = [
        step["key"]
        for step in tomllib.loads((find_folder("dry-needling") / "plan.toml").read_text())["steps"]
    ]
    assert [entry["step"] for entry in shown] == steps
    assert list(shown[0]) == [
        *("step", "channel", "status", "reason", "due_at", "local_time", "useful_until", "sms", "email")
    ]
    assert list(shown[0]["sms"]) == ["text", "encoding", "segments"]
    assert list(shown[0]["email"]) == ["subject", "text"]
    assert (shown[0]["due_at"], shown[0]["local_time"]) == ("2026-03-08T00:30:00Z", "2026-03-07T19:30:00")
    assert (shown[-1]["status"], shown[-1]["due_at"]) == ("skipped", None)
    assert shown[-1]["reason"]


@pytest.mark.parametrize("written", ["2026-03-07 17:30:00", "2026-03-07T17:30-05:00", "2026-03-07T22:30Z"])
def test_preview_takes_a_time_with_or_without_an_offset(written: str) -> None:
    shown = as_json("preview", "cupping", "--ended-at", written, *NEW_YORK)
    assert shown[0]["due_at"] == "2026-03-08T00:30:00Z"


def test_preview_says_the_same_as_the_function_with_every_option() -> None:
    options = ["--logged-at", "2026-03-09T10:00", "--next-visit", "2026-03-20T09:15", "--areas", "neck, knee"]
    options += ["--language", "es", "--first-name", "Eva", "--clinic-name", "Acland", "--name-treatment"]
    shown = as_json("preview", "dry-needling", "--ended-at", "2026-03-07T17:30", *NEW_YORK, *options)
    expected = preview(
        read_folder(find_folder("dry-needling")),
        ended_at=datetime.fromisoformat("2026-03-07T17:30"),
        timezone="America/New_York",
        language="es",
        logged_at=datetime.fromisoformat("2026-03-09T10:00"),
        next_visit=datetime.fromisoformat("2026-03-20T09:15"),
        areas=["neck", "knee"],
        name_treatment=True,
        first_name="Eva",
        clinic_name="Acland",
    )
    assert [(s["step"], s["status"], s["channel"], s["reason"]) for s in shown] == [
        (s.step, s.status, s.channel, s.reason) for s in expected
    ]
    assert shown[0]["sms"]["text"].startswith("Acland: Hola Eva.")


def test_preview_needs_no_database_no_configuration_and_no_clock(tmp_path: Path) -> None:
    words = ["preview", "dry-needling", "--ended-at", "2030-01-01T17:30", *NEW_YORK, "--json"]
    code = (
        "import sys, time, datetime; from notifier.cli_plans import plan_app\n"
        f"try: plan_app({words!r})\n"
        "except SystemExit as end: assert not end.code\n"
        "heavy = {'sqlalchemy', 'notifier.config', 'notifier.clock', 'rich'}\n"
        "sys.exit(' '.join(heavy & set(sys.modules)) or 0)"
    )
    environ = {"NOTIFIER_CONFIG": "/nowhere/config.toml", "PYTHONPATH": str(Path(__file__).parents[1])}
    ran = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=environ, capture_output=True, text=True, check=False
    )
    assert (ran.returncode, ran.stderr) == (0, "")
    assert json.loads(ran.stdout)[0]["local_time"] == "2030-01-01T19:30:00"


def test_preview_is_a_timeline_for_a_person() -> None:
    lines = done("preview", "dry-needling", "--ended-at", "2026-03-07T17:30", *NEW_YORK).splitlines()
    assert lines[0] == "Dry needling aftercare (dry-needling)"
    assert lines[1] == "Treatment ended Sat 7 Mar 2026 17:30."
    assert lines[2] == "Messages go out between 09:00 and 20:00, America/New_York time."
    assert lines[3] == "The texts are drafts: no clinician has approved them yet."
    assert lines[5] == "     +2 h  Sat 7 Mar 19:30   day0-what-you-may-feel  (SMS, 2 segments)"
    assert lines[6].startswith("           Your clinic: Hi Alex. A dull 'good hurt'")
    assert lines[-2:] == ["  skipped  before-next-visit", "           No next visit is booked."]
    assert max(map(len, lines)) <= 110


def test_the_timeline_is_in_the_order_of_time_and_says_when_the_words_are_approved(edited: Path) -> None:
    plan = edited / "plan.toml"
    source = plan.read_text("utf-8").replace('by = ""\non = ""', 'by = "Dr Ruiz"\non = "2026-02-01"')
    plan.write_text(
        source.replace('after = "24h"', 'after = "9d"').replace('useful_for = "40h"', ""), "utf-8"
    )
    words = done(
        "preview", edited, "--ended-at", "2026-03-07T17:30", "--logged-at", "2026-03-07T18:00", *NEW_YORK
    )
    assert "The texts were approved by Dr Ruiz on 2026-02-01." in words
    assert "ended Sat 7 Mar 2026 17:30, logged Sat 7 Mar 2026 18:00." in words
    assert words.index("day7-marks-fading") < words.index("day1-skin-check")


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["nope", "--ended-at", "2026-03-07T17:30", *NEW_YORK], 'There is no plan "nope"'),
        (["cupping", "--ended-at", "2026-03-07", *NEW_YORK], "write it like 2026-03-07T17:30"),
        (
            ["cupping", "--ended-at", "2026-02-30T10:00", *NEW_YORK],
            '"2026-02-30T10:00" is not a day and time',
        ),
        (["cupping", "--ended-at", "0001-01-01T00:00", *NEW_YORK], "The year 1 cannot be meant"),
        (["cupping", "--ended-at", "2026-03-07T17:30", "--timezone", "Mars"], 'no time zone "Mars"'),
        (["cupping", "--ended-at", "2026-03-07T17:30", *NEW_YORK, "--language", "fr"], "write en or es"),
        (
            ["cupping", "--ended-at", "2026-03-07T17:30", *NEW_YORK, "--next-visit", "2026-03-01T10:00"],
            "has to be after the treatment",
        ),
    ],
)
def test_preview_refuses_wrong_input_in_one_sentence(args: list[str], words: str) -> None:
    said = refused("preview", *args)
    assert words in said
    assert said.count("\n") == 1


def test_misuse_ends_with_2() -> None:
    assert run("preview", "cupping", *NEW_YORK).exit_code == 2
    assert run("approve", "cupping").exit_code == 2


def test_check_without_a_name_looks_at_all_shipped_plans_and_finds_no_error() -> None:
    result = run("check")
    assert result.exit_code == 0
    assert result.stderr.startswith("4 plans checked: no errors")
    assert ": error: " not in result.stdout


def test_check_prints_file_line_and_severity_and_ends_with_1(edited: Path) -> None:
    reword(edited, "STOP\nto end.", "Bye.")
    reword(edited, "STOP to end.", "Bye.")
    with chdir(edited.parent):
        result = run("check", "cupping")
    assert result.exit_code == 1
    assert result.stderr == "1 plan checked: 1 error, no warnings.\n"
    assert result.stdout.startswith("cupping/day0-marks.en.j2:1: error: The SMS does not say how to stop")


def test_check_as_json_is_a_list_of_findings(edited: Path) -> None:
    assert as_json("check", edited, "shockwave") == []
    reword(edited, "Keep it clean.", "After cupping keep it clean.")
    result = run("check", edited, "--json")
    (finding,) = json.loads(result.stdout)
    assert result.exit_code == 1
    assert list(finding) == ["severity", "file", "line", "message", "step", "key"]
    assert (finding["severity"], finding["file"]) == ("error", str(edited / "day0-marks.en.j2"))


def test_checking_a_plan_that_is_not_there_is_refused() -> None:
    assert 'There is no plan "nope"' in refused("check", "cupping", "nope")


# With a database


def test_list_shows_each_plan_and_that_it_is_a_draft(config: Path) -> None:
    heading, row = done("list", "--config", config).splitlines()
    assert heading.split() == ["key", "name", "version", "steps", "languages", "approved"]
    assert row.split() == ["cupping", "Cupping", "aftercare", "1", "3", "en", "es", "draft"]
    assert as_json("list", "--config", config) == [
        {
            "key": "cupping",
            "name": "Cupping aftercare",
            "version": 1,
            "steps": 3,
            "languages": ["en", "es"],
            "approved_by": None,
            "approved_on": None,
        }
    ]


def test_an_approval_is_recorded_with_the_version_and_its_texts(config: Path, engine: Engine) -> None:
    said = done("approve", "cupping", "--by", " Dr Ana Ruiz,  PT ", "--config", config)
    assert said == "cupping: version 1 with 6 texts is approved by Dr Ana Ruiz, PT.\n"
    with db.reading(engine) as session:
        approval = session.scalars(select(PlanApproval)).one()
        assert (approval.approved_by, approval.recorded_by) == ("Dr Ana Ruiz, PT", actor())
        assert session.scalars(select(AuditEntry.action).where(AuditEntry.actor == actor())).all() == [
            "plan.approved"
        ]
        approved_on = approval.approved_on
    assert f"Dr Ana Ruiz, PT, {approved_on:%Y-%m-%d}" in done("list", "--config", config)


def test_an_approval_needs_a_name(config: Path) -> None:
    assert "Say who approves the words" in refused("approve", "cupping", "--by", "  ", "--config", config)


def test_show_tells_the_steps_in_words(config: Path) -> None:
    said = done("show", "cupping", "--config", config)
    assert said.startswith("Cupping aftercare (cupping), version 1. Approved: draft.\n")
    assert "Sent between 09:00 and 20:00, at least 12 hours apart, at most 1 a day, at most 5 a week." in said
    assert (
        "2 hours after the treatment; outside 09:00-20:00 at the last close. "
        "Useful until 18 hours after the treatment. For: every patient. By: as the patient prefers. "
        "A safety message: nothing delays it."
    ) in said
    shown = as_json("show", "cupping", "--config", config)
    assert [step["when"] for step in shown["steps"]] == [
        "2 hours after the treatment",
        "24 hours after the treatment",
        "7 days after the treatment",
    ]


def test_import_makes_the_next_version_which_is_a_draft_again(config: Path, edited: Path) -> None:
    done("approve", "cupping", "--by", "Dr Ruiz", "--config", config)
    said = done("import", edited, "--config", config)
    assert said == "cupping: version 2 loaded. Its texts are drafts until a clinician approves them.\n"
    again = as_json("import", edited, "--config", config)
    assert (again["version"], again["is_new"], again["approved_by"]) == (2, False, None)
    assert "is there already, nothing changed" in done("import", edited, "--config", config)


def test_import_of_reviewed_words_brings_their_approval(config: Path, edited: Path) -> None:
    plan = edited / "plan.toml"
    plan.write_text(
        plan.read_text("utf-8").replace('by = ""\non = ""', 'by = "Dr Ruiz"\non = "2026-02-01"'), "utf-8"
    )
    assert done("import", edited, "--config", config).endswith("Its texts are approved by Dr Ruiz.\n")


def test_import_shows_what_is_wrong_and_loads_nothing(config: Path, edited: Path, engine: Engine) -> None:
    reword(edited, "{{ clinic.name }}: Hi", "Hi")
    said = refused("import", edited, "--config", config).splitlines()
    assert said[0].startswith(f"{edited}/day0-marks.en.j2:1: error: The SMS does not begin with who writes")
    assert said[1] == f"Nothing was loaded: 1 error in {edited}."
    with db.reading(engine) as session:
        assert session.scalars(select(PlanVersion.number)).all() == [1]


def test_export_writes_a_folder_that_imports_as_the_same_version(config: Path, tmp_path: Path) -> None:
    target = tmp_path / "out" / "cupping"
    assert (
        done("export", "cupping", target, "--config", config)
        == f"cupping: version 1 with 6 texts is in {target}.\n"
    )
    assert read_content(target) == read_content(find_folder("cupping"))
    assert as_json("import", target, "--config", config)["is_new"] is False


def test_export_overwrites_only_when_told_and_leaves_no_old_text_behind(config: Path, edited: Path) -> None:
    (edited / "day9-old.en.j2").write_text("{% block sms %}Old{% endblock %}", "utf-8")
    assert "is not empty" in refused("export", "cupping", edited, "--config", config)
    assert read_content(edited) != read_content(find_folder("cupping"))
    assert as_json("export", "cupping", edited, "--force", "--config", config)["texts"] == 6
    assert read_content(edited) == read_content(find_folder("cupping"))


def test_export_with_force_keeps_files_of_a_folder_that_is_no_plan(config: Path, tmp_path: Path) -> None:
    (tmp_path / "letter.j2").write_text("mine", "utf-8")
    said = done("export", "cupping", tmp_path, "--force", "--config", config)
    assert (tmp_path / "letter.j2").read_text("utf-8") == "mine"
    assert f'imported from there, it is the plan "{tmp_path.name}"' in said


def test_export_to_where_nothing_can_be_written_is_refused(config: Path) -> None:
    assert f"{config} cannot be written" in refused("export", "cupping", config, "--config", config)


def test_a_plan_that_the_clinic_does_not_have_is_refused_with_those_it_has(
    config: Path, tmp_path: Path
) -> None:
    for args in (
        ["show", "nope"],
        ["approve", "nope", "--by", "Dr Ruiz"],
        ["export", "nope", tmp_path / "x"],
    ):
        said = refused(*args, "--config", config)
        assert said == 'There is no plan "nope" at Acland. There are: cupping.\n'


def test_of_several_clinics_one_has_to_be_named(config: Path, engine: Engine) -> None:
    with db.transaction(engine) as session:
        _clinic(session, "Boston")
    assert "say which with --clinic" in refused("list", "--config", config)
    assert as_json("list", "--config", config, "--clinic", "boston") == []
    assert as_json("import", "shockwave", "--config", config, "--clinic", "boston")["key"] == "shockwave"
    assert "cupping" not in done("list", "--config", config, "--clinic", "boston")


def test_without_a_database_the_person_is_told_to_begin(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text('[database]\nurl = "sqlite:///empty.db"\n', "utf-8")
    assert "notifier init" in refused("list", "--config", file)
    assert "nowhere.toml" in refused("list", "--config", tmp_path / "nowhere.toml")


def test_the_configuration_may_be_named_by_the_environment(config: Path) -> None:
    named = CliRunner().invoke(plan_app, ["list", "--json"], env={"NOTIFIER_CONFIG": str(config)})
    assert json.loads(named.stdout)[0]["key"] == "cupping"


# What the commands share


def test_an_opened_app_has_settings_engine_and_clock(config: Path) -> None:
    with open_app(config) as app:
        assert app.settings.delivery.mode == "outbox"
        assert app.engine.dialect.name == "sqlite"
        assert app.clock.now().tzinfo is UTC


def test_a_schema_is_only_required_where_it_is_needed(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text('[database]\nurl = "sqlite:///empty.db"\n', "utf-8")
    with open_app(file, need_schema=False) as app:
        assert db.revisions(app.engine)[0] is None


def test_a_command_ends_in_words_and_an_interrupt_in_130() -> None:
    app = typer.Typer()

    @app.command()
    @command
    def fail(how: str) -> None:
        raise KeyboardInterrupt if how == "interrupt" else NotifierError("It is closed.")

    said = CliRunner().invoke(app, ["refuse"])
    assert (said.exit_code, said.stderr) == (1, "It is closed.\n")
    assert CliRunner().invoke(app, ["interrupt"]).exit_code == 130


def test_importing_the_commands_loads_nothing_heavy() -> None:
    code = (
        "import sys, notifier.cli_plans, notifier.cli_context\n"
        "heavy = {'sqlalchemy', 'jinja2', 'pydantic', 'alembic', 'rich', 'twilio', 'zoneinfo', 'tomllib'}\n"
        "sys.exit(' '.join(heavy & set(sys.modules)) or 0)"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stderr) == (0, "")
