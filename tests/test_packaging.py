"""What is built from the tree and installed elsewhere has all it needs, and starts fast."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest
from hatchling.builders.sdist import SdistBuilder
from hatchling.builders.wheel import WheelBuilder

import hatch_build

ROOT = Path(__file__).resolve().parent.parent
SHIPPED = "notifier/_shipped"
VENDORED = {"htmx.min.js", "htmx.LICENSE.txt", "pico.min.css", "pico.LICENSE.txt", "versions.json"}


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
    vendored = {name for name in names if name.startswith(f"{hatch_build.VENDOR}/")}
    assert vendored == {f"{hatch_build.VENDOR}/{name}" for name in VENDORED}


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


def test_installed_elsewhere_it_finds_what_its_pages_load(unpacked: Path, tmp_path: Path) -> None:
    program = "from importlib.resources import files; print(files('notifier.web') / 'static' / 'vendor')"
    (found,) = run(unpacked, tmp_path, "-c", program).stdout.split()
    assert found == str(unpacked / hatch_build.VENDOR)
    assert {path.name for path in Path(found).iterdir()} == VENDORED


def test_a_source_distribution_builds_without_npm(tmp_path: Path) -> None:
    """It has what the hook needs to see that nothing is to be fetched."""
    (built,) = SdistBuilder(str(ROOT)).build(directory=str(tmp_path), versions=["standard"])
    with tarfile.open(built) as archive:
        archive.extractall(tmp_path)
    (tree,) = (path for path in tmp_path.iterdir() if path.is_dir())
    assert (tree / "hatch_build.py").is_file()
    assert hatch_build.is_current(tree)


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


# What the pages load


def locked() -> dict[str, dict[str, str]]:
    packages: dict[str, dict[str, str]] = json.loads((ROOT / "package-lock.json").read_text("utf-8"))[
        "packages"
    ]
    return {path: package for path, package in packages.items() if path}


def test_every_npm_package_has_a_hash_and_none_an_address() -> None:
    assert [path for path, package in locked().items() if "sha512-" not in package["integrity"]] == []
    assert [path for path, package in locked().items() if "resolved" in package] == []


def test_people_get_no_npm_package_but_those_that_pages_load() -> None:
    """The rest is for looking at the pages in tests; node_modules is not shipped."""
    needed = {
        path.removeprefix("node_modules/") for path, package in locked().items() if "dev" not in package
    }
    assert needed == set(hatch_build.TAKEN)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A checkout as far as the hook looks: the lock, and what was fetched by it."""
    for name in ("package.json", "package-lock.json"):
        shutil.copy(ROOT / name, tmp_path)
    shutil.copytree(ROOT / hatch_build.VENDOR, tmp_path / hatch_build.VENDOR)
    return tmp_path


def test_what_is_there_is_not_fetched_again(tree: Path) -> None:
    assert hatch_build.is_current(tree)
    hatch_build.bring_assets(tree)


def test_it_is_fetched_when_a_file_is_missing_or_the_lock_moved_on(tree: Path) -> None:
    lock = tree / "package-lock.json"
    lock.write_text(lock.read_text("utf-8").replace('"version": "2.1.1"', '"version": "2.1.2"'), "utf-8")
    assert not hatch_build.is_current(tree)
    shutil.copy(ROOT / "package-lock.json", tree)
    (tree / hatch_build.VENDOR / "htmx.min.js").unlink()
    assert not hatch_build.is_current(tree)


def test_npm_out_of_reach_is_said_in_words(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("npm_config_registry", "http://127.0.0.1:9/")
    monkeypatch.setenv("npm_config_fetch_retries", "0")
    monkeypatch.setenv("npm_config_cache", str(tree / "cache"))
    (tree / hatch_build.VENDOR / "htmx.min.js").unlink()
    with pytest.raises(hatch_build.NpmFailed, match="npm cannot reach its registry"):
        hatch_build.bring_assets(tree)
    assert (tree / hatch_build.VENDOR / "pico.min.css").is_file()


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
