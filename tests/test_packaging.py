"""What is built from the tree and installed elsewhere has all it needs, and starts fast."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from hatchling.builders.wheel import WheelBuilder

ROOT = Path(__file__).resolve().parent.parent
SHIPPED = "notifier/_shipped"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    (built,) = WheelBuilder(str(ROOT)).build(
        directory=str(tmp_path_factory.mktemp("dist")), versions=["standard"]
    )
    return Path(built)


@pytest.fixture(scope="module")
def names(wheel: Path) -> list[str]:
    with zipfile.ZipFile(wheel) as archive:
        return archive.namelist()


@pytest.fixture(scope="module")
def unpacked(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("installed")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder)
    return folder


def run(unpacked: Path, cwd: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """With the wheel's content in place of this checkout, in a folder that has nothing to do with it."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("NOTIFIER_")}
    return subprocess.run(
        [sys.executable, *arguments],
        capture_output=True,
        text=True,
        encoding="utf-8",
        cwd=cwd,
        env=inherited | {"PYTHONPATH": str(unpacked), "PYTHONUTF8": "1"},
        timeout=120,
    )


def tracked(folder: str) -> set[str]:
    """The files of a folder that belong to the program, as opposed to what running it leaves behind."""
    return {
        str(path.relative_to(ROOT))
        for path in (ROOT / folder).rglob("*")
        if path.is_file() and path.suffix != ".pyc"
    }


@pytest.mark.parametrize("folder", ["templates", "migrations"])
def test_the_wheel_has_every_file_of_the_folders_beside_the_package(folder: str, names: list[str]) -> None:
    assert {f"{SHIPPED}/{name}" for name in tracked(folder)} <= set(names)


def test_the_wheel_has_the_whole_package_and_the_example_of_settings(names: list[str]) -> None:
    assert tracked("notifier") <= set(names)
    assert {"notifier/py.typed", "notifier/demo_data/treatments.csv"} <= set(names)
    assert f"{SHIPPED}/config.example.toml" in names


def test_the_wheel_has_nothing_else_and_nothing_twice(names: list[str]) -> None:
    assert len(names) == len(set(names))
    strange = [name for name in names if not name.startswith(("notifier/", "aftercare_notifier-"))]
    assert strange == []
    assert [name for name in names if name.endswith((".pyc", ".db", ".jsonl"))] == []


def test_the_wheel_installs_the_command_with_its_licence(wheel: Path, names: list[str]) -> None:
    assert any(name.endswith(".dist-info/licenses/LICENSE") for name in names)
    with zipfile.ZipFile(wheel) as archive:
        (entry_points,) = (name for name in names if name.endswith(".dist-info/entry_points.txt"))
        assert "notifier = notifier.cli:main" in archive.read(entry_points).decode()


def test_installed_elsewhere_it_finds_its_files(unpacked: Path, tmp_path: Path) -> None:
    program = "from notifier.resources import *; print(templates_dir(), migrations_dir(), example_config())"
    found = run(unpacked, tmp_path, "-c", program).stdout.split()
    assert found == [
        str(unpacked / SHIPPED / name) for name in ("templates", "migrations", "config.example.toml")
    ]


def test_installed_elsewhere_it_answers_and_checks_its_plans(unpacked: Path, tmp_path: Path) -> None:
    helped = run(unpacked, tmp_path, "-m", "notifier", "--help")
    assert (helped.returncode, helped.stderr) == (0, "")
    version = run(unpacked, tmp_path, "-m", "notifier", "--version")
    assert re.fullmatch(r"\d+\.\d+\.\d+\n", version.stdout)
    checked = run(unpacked, tmp_path, "-m", "notifier", "plan", "check")
    assert checked.returncode == 0, checked.stdout
    assert "4 plans checked: no errors" in checked.stderr


def test_installed_elsewhere_the_demo_plays_to_its_end(unpacked: Path, tmp_path: Path) -> None:
    """The importer, the migrations, the plans and the worker, all from what the wheel brought along."""
    played = run(unpacked, tmp_path, "-m", "notifier", "demo", "--once", "--folder", str(tmp_path / "week"))
    assert played.returncode == 0, played.stderr
    assert "0 still to come" in played.stdout
    assert {path.name for path in (tmp_path / "week").iterdir()} >= {"demo.db", "outbox.jsonl"}


# The requirements


def requirements(name: str) -> dict[str, str]:
    """Each pinned package of a requirements file, with all that is written about it."""
    text = (ROOT / name).read_text("utf-8")
    entries = re.findall(r"^([A-Za-z0-9][\w.-]*)(?:\[[\w,-]+\])?==(.*(?:\n\s+.*)*)", text, re.MULTILINE)
    return {package.lower().replace("_", "-"): rest for package, rest in entries}


@pytest.mark.parametrize("name", sorted(path.name for path in ROOT.glob("requirements*.txt")))
def test_every_requirement_has_hashes_and_none_an_address(name: str) -> None:
    pinned = requirements(name)
    assert len(pinned) > 20
    assert [package for package, rest in pinned.items() if "--hash=sha256:" not in rest] == []
    assert "://" not in (ROOT / name).read_text("utf-8")


def test_what_is_needed_to_run_is_a_part_of_what_is_needed_to_develop() -> None:
    assert requirements("requirements.txt").items() <= requirements("requirements-dev.txt").items()


# The start


HEAVY = {"sqlalchemy", "twilio", "jinja2", "alembic", "phonenumbers", "apscheduler", "psycopg"}


def imported(tmp_path: Path, *arguments: str) -> set[str]:
    """The packages that a command brings in, by their top names."""
    traced = run(ROOT, tmp_path, "-X", "importtime", "-m", "notifier", *arguments)
    assert traced.returncode == 0
    lines = [line for line in traced.stderr.splitlines() if line.startswith("import time:")]
    return {line.rpartition("|")[2].strip().partition(".")[0] for line in lines}


def test_help_is_quick_because_it_imports_nothing_heavy(tmp_path: Path) -> None:
    brought = imported(tmp_path, "--help")
    assert "typer" in brought
    assert brought & (HEAVY | {"pydantic"}) == set()


@pytest.mark.parametrize("arguments", [["--version"], ["plan", "--help"]])
def test_the_help_of_a_command_imports_nothing_heavy_either(arguments: list[str], tmp_path: Path) -> None:
    """But for pydantic, which Typer itself brings as soon as a command is chosen."""
    assert imported(tmp_path, *arguments) & HEAVY == set()
