"""What the documents and the deployment files say about the program is true of it."""

from __future__ import annotations

import ast
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from notifier.cli import app
from notifier.config import Settings
from notifier.import_table import ALSO, COLUMNS
from notifier.rules.delivery import Status
from notifier.rules.plan import Plan, Step
from notifier.rules.templating import VARIABLES

ROOT = Path(__file__).resolve().parent.parent
DOCUMENTS = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").glob("*.md"))]
DEPLOYED = sorted(path for path in (ROOT / "deploy").iterdir() if path.is_file())

# A command line: the word, alone or at the end of a path, then a command and what follows on the line. Where
# an option or nothing follows, it is the user or the database of that name.
_CALL = re.compile(r"(?:^|[\s`(/])notifier[ \t]+((?:[a-z]|--help|--version)[^\n`#|;&)]*)", re.MULTILINE)


def code(markdown: str) -> Iterator[str]:
    """What stands in fenced blocks and between backticks."""
    fence = re.compile(r"^(```|~~~).*?\n(.*?)^\1", re.MULTILINE | re.DOTALL)
    yield from (block[2] for block in fence.finditer(markdown))
    # A span may go over the end of a line.
    yield from (" ".join(span.split()) for span in re.findall(r"`([^`]+)`", fence.sub("", markdown)))


def calls(path: Path) -> list[list[str]]:
    """The words after `notifier` in every place that shows how it is called."""
    text = path.read_text("utf-8")
    if path.suffix == ".md":
        text = "\n".join(code(text))
    else:
        text = re.sub(
            r'\["notifier", *"([^\]]*)"\]', lambda m: "notifier " + re.sub('", *"', " ", m[1]), text
        )
    joined = re.sub(r"\\\n\s*", " ", text)
    return [found.split() for found in _CALL.findall(joined)]


def complaint(words: list[str]) -> str:
    """What is wrong with a call; empty when the command line knows it."""
    command: Any = get_command(app)
    rest = list(words)
    while hasattr(command, "commands"):
        if not rest or rest[0].startswith("-"):
            break
        name = rest.pop(0)
        if name not in command.commands:
            return f"there is no command {name!r}"
        command = command.commands[name]
    known = {name for option in command.params for name in (*option.opts, *option.secondary_opts)}
    given = {word.partition("=")[0] for word in rest if re.match(r"--?[a-z]", word)}
    unknown = given - known - {"--help", "-h"}
    return f"{' '.join(words)}: there is no {', '.join(sorted(unknown))}" if unknown else ""


@pytest.mark.parametrize("path", [*DOCUMENTS, *DEPLOYED], ids=lambda path: str(path.relative_to(ROOT)))
def test_every_command_that_is_named_exists(path: Path) -> None:
    assert [wrong for words in calls(path) if (wrong := complaint(words))] == []


def test_the_test_above_sees_the_commands_where_they_stand() -> None:
    found = {path.name: {words[0] for words in calls(path)} for path in [*DOCUMENTS, *DEPLOYED]}
    assert found["Dockerfile"] == {"run", "serve", "worker"}
    assert (found["notifier.service"], found["notifier-worker.service"]) == ({"run"}, {"worker"})
    assert found["docker-compose.yml"] == {"init", "serve", "worker"}
    assert {"init", "doctor", "worker", "send-test", "plan"} <= found["going-live.md"]
    assert complaint(["fly"]) == "there is no command 'fly'"
    assert complaint(["plan", "fly"]) == "there is no command 'fly'"
    assert complaint(["worker", "--fast"]).endswith("there is no --fast")


def test_commands_that_the_program_tells_people_to_run_exist() -> None:
    """ "Run: notifier init": what stands after a colon or in quotes is there to be typed."""
    told = re.compile(r"(?:: |')notifier ([a-z-]+(?: [a-z-]+)?)")
    found = [
        words.split()
        for path in sorted((ROOT / "notifier").rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
        for words in told.findall(node.value)
    ]
    assert ["init"] in found
    groups = set(get_command(app).commands)  # type: ignore[attr-defined]
    assert [words for words in found if words[0] not in groups] == []


def settings() -> set[str]:
    return {
        f"{section}.{key}"
        for section, field in Settings.model_fields.items()
        for key in type(field.default).model_fields
    }


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_every_setting_that_is_named_exists(path: Path) -> None:
    text = "\n".join(code(path.read_text("utf-8")))
    sections = "|".join(Settings.model_fields)
    named = set(re.findall(rf"(?<![\w./@-])(?:{sections})\.[a-z_]+\b(?![./(@])", text))
    variables = {
        f"{section}.{key}".lower() for section, key in re.findall(r"NOTIFIER_([A-Z_]+?)__([A-Z_]+)", text)
    }
    plain = {name.removesuffix("_file") if name not in settings() else name for name in named | variables}
    of_clinics = (".name", ".phone", ".crisis_line", ".opens_next", ".emergency_number", ".reply_address")
    files = (".toml", ".py", ".md", *of_clinics)
    assert {name for name in plain - settings() if not name.endswith(files)} == set()


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_every_example_in_toml_can_be_read(path: Path) -> None:
    for block in re.findall(r"^```toml\n(.*?)^```", path.read_text("utf-8"), re.MULTILINE | re.DOTALL):
        tables = tomllib.loads(block)
        if tables.keys() <= Settings.model_fields.keys():
            for section, values in tables.items():
                known = type(Settings.model_fields[section].default).model_fields
                assert {key.removesuffix("_file") if key not in known else key for key in values} <= set(
                    known
                )


@pytest.mark.parametrize("path", [*DOCUMENTS, *DEPLOYED], ids=lambda path: path.name)
def test_links_between_documents_lead_somewhere(path: Path) -> None:
    text = path.read_text("utf-8")
    targets = re.findall(r"\]\((?!https?://|#|mailto:)([^)#]+)", text)
    assert [target for target in targets if not (path.parent / target).exists()] == []


def first_column(document: str, heading: str) -> set[str]:
    """The code words in the first cells of the table under a heading."""
    text = (ROOT / "docs" / document).read_text("utf-8")
    part = re.split(r"^#+ ", text, flags=re.MULTILINE)
    (section,) = (section for section in part if section.startswith(heading))
    return {
        name
        for row in re.findall(r"^\|([^|]*)\|", section, re.MULTILINE)
        for name in re.findall(r"`([^`]+)`", row)
    }


def test_the_tables_say_all_there_is() -> None:
    assert first_column("operations.md", "What each status means") == {str(status) for status in Status}
    assert first_column("plans.md", "Variables") == set(VARIABLES)
    assert first_column("import.md", "Columns") == {*COLUMNS, *ALSO}


def test_the_field_tables_of_plans_say_all_there_is() -> None:
    of_plan = {"name", "name_es", "treatment", "caution", "window", "min_gap", "max_per_day", "max_per_week"}
    assert first_column("plans.md", "Fields of the plan") == of_plan | {"supersede", "review"}
    step = set(Step.__dataclass_fields__)
    assert first_column("plans.md", "Fields of a step") == step
    assert of_plan - {"name_es", "min_gap", "max_per_day", "max_per_week"} <= set(Plan.__dataclass_fields__)


@pytest.mark.parametrize("path", [*DOCUMENTS, *DEPLOYED], ids=lambda path: path.name)
def test_no_package_host_and_no_path_of_a_machine_is_named(path: Path) -> None:
    hosts = r"pypi\.org|pythonhosted|registry\.npmjs|artifactory"
    folders = r"/(?:home|Users|root|work|mnt)/\w"
    assert re.findall(rf"{hosts}|{folders}", path.read_text("utf-8")) == []
