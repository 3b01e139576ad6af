"""Conventions that matter are tests: who may import whom, who commits, who reads a clock."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "notifier"

# The layers of DESIGN §3, by what a module's name begins with. What is named nowhere here is a capability.
LEAVES = {"errors", "resources", "__init__"}
FOUNDATIONS = ("config", "db", "clock", "rendering", "planfiles")
ENTRY_POINTS = (
    *("__main__", "cli", "worker", "dispatcher", "pulse", "importing", "demo", "backup", "web"),
    # What `notifier init` and `notifier send-test` do, apart from talking to a person.
    *("initialising", "sending_test"),
)
# Layer → what it may import, besides itself and the leaves.
MAY_IMPORT: dict[str, set[str]] = {
    "errors": set(),
    "resources": set(),
    "rules": {"envelope"},
    "envelope": {"rules"},
    "config": {"rules"},
    "db": {"rules"},
    "clock": {"rules", "db"},
    "rendering": {"rules", "envelope"},
    "planfiles": {"rules"},
    "models": {"db", "rules"},
    "channels": {"rules", "envelope", "config"},
}
CAPABILITIES_MAY = {"rules", "envelope", "config", "db", "clock", "rendering", "planfiles", "models"}


@cache
def modules() -> dict[str, ast.Module]:
    """Every module of the package, by its path."""
    return {
        str(path.relative_to(PACKAGE)): ast.parse(path.read_text("utf-8"))
        for path in sorted(PACKAGE.rglob("*.py"))
        if "_shipped" not in path.parts
    }


def layer(path: str) -> str:
    """Of "config_words.py": config; of "rules/timing.py": rules; of a capability: its own name."""
    if "/" in path:
        return path.partition("/")[0]
    stem = path.removesuffix(".py")
    for name in (*FOUNDATIONS, *ENTRY_POINTS):
        if stem == name or stem.startswith(f"{name}_"):
            return name
    return stem


def is_capability(path: str) -> bool:
    known = LEAVES | set(MAY_IMPORT) | set(ENTRY_POINTS)
    return layer(path) not in known


@cache
def imports(path: str) -> dict[str, int]:
    """The modules of this package that one imports, as paths, and where; for type checkers alone too."""
    found: dict[str, int] = {}
    for node in ast.walk(modules()[path]):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "notifier":
            assert node.module is not None
            for name in node.names:
                found[as_path(f"{node.module}.{name.name}") or as_path(node.module) or ""] = node.lineno
        elif isinstance(node, ast.Import):
            for name in node.names:
                if name.name.split(".")[0] == "notifier":
                    found[as_path(name.name) or ""] = node.lineno
    return found


def as_path(dotted: str) -> str | None:
    inside = dotted.split(".")[1:]
    for candidate in ("/".join(inside) + ".py", "/".join([*inside, "__init__.py"])):
        if candidate in modules():
            return candidate
    return None


def needless_at_run_time(path: str) -> set[str]:
    """What is imported under TYPE_CHECKING only, which makes no cycle."""
    found: set[str] = set()
    for node in ast.walk(modules()[path]):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            for inner in ast.walk(node):
                if isinstance(inner, ast.ImportFrom) and inner.module:
                    found |= {
                        as_path(f"{inner.module}.{n.name}") or as_path(inner.module) or ""
                        for n in inner.names
                    }
    return found


def wrong(path: str) -> Iterator[str]:
    """The imports of this module that the design does not allow."""
    mine = layer(path)
    for other, line in imports(path).items():
        theirs = layer(other)
        if theirs == mine or theirs in LEAVES:
            continue
        if theirs == "cli":
            if mine != "__main__":
                yield f"{path}:{line} imports {other}: nothing imports the command line"
        elif mine in MAY_IMPORT:
            # `errors` names the error class of `rules/delivery` in a signature, and only there.
            typed = mine == "errors" and other in needless_at_run_time(path)
            if theirs not in MAY_IMPORT[mine] and not typed:
                yield f"{path}:{line} imports {other}"
        elif mine == "web":
            allowed_here = {"worker": "web/app.py", "channels": "web/webhooks.py"}
            if theirs in allowed_here and path != allowed_here[theirs]:
                yield f"{path}:{line} imports {other}: only {allowed_here[theirs]} does"
        elif is_capability(path) and not (is_capability(other) or theirs in CAPABILITIES_MAY):
            yield f"{path}:{line} imports {other}: it is no capability's business"


@pytest.mark.parametrize("path", sorted(modules()))
def test_imports_go_in_the_direction_of_the_design(path: str) -> None:
    assert list(wrong(path)) == []


def test_no_modules_import_each_other_in_a_circle() -> None:
    done: set[str] = set()

    def visit(path: str, way: tuple[str, ...]) -> None:
        assert path not in way, " → ".join([*way[way.index(path) :], path])
        if path not in done:
            for other in set(imports(path)) - needless_at_run_time(path) - {path, ""}:
                # A package may open its members: it does so when it is called, not when it is imported.
                if not (path.endswith("__init__.py") and layer(other) == layer(path)):
                    visit(other, (*way, path))
            done.add(path)

    for path in modules():
        visit(path, ())


# Who commits


def calls(path: str) -> Iterator[tuple[str, int]]:
    """Every call in a module, as dotted words, and its line."""
    for node in ast.walk(modules()[path]):
        if isinstance(node, ast.Call):
            yield ast.unparse(node.func), node.lineno


COMMITS = {"commit", "transaction"}


@pytest.mark.parametrize("path", [p for p in modules() if layer(p) not in {*ENTRY_POINTS, "db"}])
def test_only_entry_points_commit(path: str) -> None:
    assert [f"{path}:{line} {call}" for call, line in calls(path) if call.rpartition(".")[2] in COMMITS] == []


@pytest.mark.parametrize("path", [p for p in modules() if layer(p) == "channels"])
def test_channels_know_nothing_of_the_database(path: str) -> None:
    assert foreign(path) & {"sqlalchemy", "alembic", "psycopg", "sqlite3"} == set()


def foreign(path: str) -> set[str]:
    """The top names of the packages that a module imports from elsewhere."""
    found: set[str] = set()
    for node in ast.walk(modules()[path]):
        if isinstance(node, ast.Import):
            found |= {name.name.split(".")[0] for name in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module.split(".")[0])
    return found - {"notifier"}


# Time


PURE = [path for path in modules() if layer(path) == "rules"]
CLOCKS = re.compile(r"(^|\.)(now|utcnow|today|time|monotonic|perf_counter|localtime)$")


@pytest.mark.parametrize("path", PURE)
def test_rules_are_pure(path: str) -> None:
    """No database, no clock, no chance, no files but the zones that come with a package."""
    unwanted = {"sqlalchemy", "time", "random", "secrets", "os", "pathlib", "socket", "logging"}
    assert foreign(path) & unwanted == set()
    read = [
        call for call, _ in calls(path) if call.startswith(("datetime.", "date.")) and CLOCKS.search(call)
    ]
    assert read == []
    assert [call for call, _ in calls(path) if call in {"open", "input"}] == []


# How many arguments make them aware; more than they take, where nothing does.
_ZONELESS = {
    "datetime.now": 1,
    "datetime.fromtimestamp": 2,
    "datetime.utcnow": 9,
    "datetime.utcfromtimestamp": 9,
    "datetime.today": 9,
    "date.today": 9,
}


@pytest.mark.parametrize("path", list(modules()))
def test_nobody_asks_for_a_time_without_a_zone(path: str) -> None:
    naive = []
    for node in ast.walk(modules()[path]):
        if isinstance(node, ast.Call):
            words = ast.unparse(node.func)
            needed = next((count for name, count in _ZONELESS.items() if words.endswith(name)), 0)
            if len(node.args) + len(node.keywords) < needed:
                naive.append(f"{path}:{node.lineno} {words}")
    assert naive == []


def reads_plan_time(path: str) -> list[int]:
    return [line for call, line in calls(path) if call.endswith("datetime.now")]


@pytest.mark.parametrize("path", [p for p in modules() if is_capability(p)])
def test_capabilities_are_told_what_time_it_is(path: str) -> None:
    """Plan time may be jumped by the demo; whoever reads a clock by themselves would not jump with it."""
    assert reads_plan_time(path) == []


@pytest.mark.parametrize("path", list(modules()))
def test_nobody_sleeps_who_could_be_woken(path: str) -> None:
    """An Event waits as well, and a stopping program does not have to wait for it."""
    assert [f"{path}:{line}" for call, line in calls(path) if call in {"time.sleep", "sleep"}] == []


# Manners


@pytest.mark.parametrize("path", list(modules()))
def test_nobody_prints_past_the_output_of_the_command_line(path: str) -> None:
    assert [f"{path}:{line}" for call, line in calls(path) if call in {"print", "pprint"}] == []


@pytest.mark.parametrize("path", list(modules()))
def test_annotations_are_never_run(path: str) -> None:
    tree = modules()[path]
    annotated = any(isinstance(node, ast.FunctionDef | ast.AnnAssign) for node in ast.walk(tree))
    assert not annotated or "__future__" in foreign(path)


# A folder of somebody's machine, or a host where packages come from.
_OF_A_MACHINE = re.compile(
    r"/(?:home|Users|root|work|mnt|media|srv|private)/\w|\b[C-Z]:\\|file\.pythonhosted|"
    r"\bpypi\.org|\bregistry\.npmjs|\bartifactory|\bnexus\b"
)
_OWN_SOURCES = [
    *sorted(PACKAGE.rglob("*.py")),
    *sorted((ROOT / "migrations").rglob("*.py")),
    *sorted((ROOT / "templates").rglob("*.toml")),
    *(ROOT / name for name in ("Makefile", "pyproject.toml", "config.example.toml")),
]


@pytest.mark.parametrize("path", _OWN_SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_path_of_a_machine_and_no_package_host_is_named(path: Path) -> None:
    found = [line for line in path.read_text("utf-8").splitlines() if _OF_A_MACHINE.search(line)]
    assert found == []


def test_the_requirements_name_no_host() -> None:
    for name in ("requirements.txt", "requirements-dev.txt"):
        lines = (ROOT / name).read_text("utf-8").splitlines()
        assert [
            line for line in lines if "://" in line or line.startswith(("-i", "--index", "--extra"))
        ] == []
