"""Conventions that matter are tests: who may import whom, who commits, who reads a clock.

Each rule looks at one module and yields what is wrong with it. The table at the end shows that each bites.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
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
    # Carries retimings out in the background, whoever saved the plan.
    "retiming_run",
    # Fetches what came in, in the background.
    "receiving",
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
# A part of these that the web may open, and where.
ONLY_IN = {"worker": "web/app.py", "channels": "web/webhooks.py"}


@dataclass(frozen=True)
class Module:
    path: str
    source: str

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.source)

    @property
    def layer(self) -> str:
        """Of "config_words.py": config; of "rules/timing.py": rules; of a capability: its own name."""
        if "/" in self.path:
            return self.path.partition("/")[0]
        stem = self.path.removesuffix(".py")
        for name in (*FOUNDATIONS, *ENTRY_POINTS):
            if stem == name or stem.startswith(f"{name}_"):
                return name
        return stem

    @property
    def is_capability(self) -> bool:
        return self.layer not in LEAVES | set(MAY_IMPORT) | set(ENTRY_POINTS)

    @cached_property
    def imports(self) -> dict[str, int]:
        """The modules of this package that it imports, as paths, and where."""
        return dict(_imported(self.tree))

    @cached_property
    def imports_at_run_time(self) -> set[str]:
        """Without those that only a type checker follows, which make no circle."""
        typed = [
            node
            for node in ast.walk(self.tree)
            if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
        ]
        return set(self.imports) - {path for node in typed for path, _ in _imported(node)}

    @cached_property
    def foreign(self) -> set[str]:
        """The packages that it imports from elsewhere."""
        found = {name for name, _, _ in _import_statements(self.tree)}
        return {name.split(".")[0] for name in found} - {"notifier"}

    @cached_property
    def calls(self) -> list[tuple[str, ast.Call]]:
        """Every call, with what is called as dotted words."""
        nodes = [node for node in ast.walk(self.tree) if isinstance(node, ast.Call)]
        return [(ast.unparse(node.func), node) for node in nodes]

    def at(self, line: int) -> str:
        return f"{self.path}:{line}"


def _import_statements(tree: ast.AST) -> Iterator[tuple[str, str, int]]:
    """Module, name in it (or nothing), line."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module:
            yield from ((node.module, name.name, node.lineno) for name in node.names)
        elif isinstance(node, ast.Import):
            yield from ((name.name, "", node.lineno) for name in node.names)


def _imported(tree: ast.AST) -> Iterator[tuple[str, int]]:
    for module, name, line in _import_statements(tree):
        if module.split(".")[0] == "notifier":
            path = _path_of(f"{module}.{name}") or _path_of(module)
            assert path is not None, f"{module}.{name} is nowhere"
            yield path, line


def _path_of(dotted: str) -> str | None:
    inside = "/".join(dotted.split(".")[1:])
    candidates = (f"{inside}.py", f"{inside}/__init__.py" if inside else "__init__.py")
    return next((path for path in candidates if (PACKAGE / path).is_file()), None)


MODULES = [
    Module(str(path.relative_to(PACKAGE)), path.read_text("utf-8"))
    for path in sorted(PACKAGE.rglob("*.py"))
    if "_shipped" not in path.parts
]

Rule = Callable[[Module], Iterator[str]]


def imports_go_one_way(module: Module) -> Iterator[str]:
    mine = module.layer
    for path, line in module.imports.items():
        other = Module(path, "")
        theirs = other.layer
        if theirs == mine or theirs in LEAVES:
            continue
        if theirs == "cli":
            # Nothing imports the command line but what starts it.
            allowed = mine == "__main__"
        elif mine == "errors":
            # It names the error class of `rules/delivery` in a signature, and only there.
            allowed = theirs == "rules" and path not in module.imports_at_run_time
        elif mine in MAY_IMPORT:
            allowed = theirs in MAY_IMPORT[mine]
        elif mine == "web":
            allowed = ONLY_IN.get(theirs, module.path) == module.path
        else:
            allowed = not module.is_capability or other.is_capability or theirs in CAPABILITIES_MAY
        if not allowed:
            yield f"{module.at(line)} imports {path}"


def only_entry_points_commit(module: Module) -> Iterator[str]:
    if module.layer in {*ENTRY_POINTS, "db"}:
        return
    for words, call in module.calls:
        if words.rpartition(".")[2] in {"commit", "transaction"}:
            yield f"{module.at(call.lineno)} calls {words}"


def channels_know_no_database(module: Module) -> Iterator[str]:
    if module.layer == "channels":
        yield from (
            f"{module.path} imports {name}"
            for name in module.foreign & {"sqlalchemy", "alembic", "psycopg", "sqlite3"}
        )


def rules_are_pure(module: Module) -> Iterator[str]:
    """No database, no clock, no chance, no files but the zones that come with a package."""
    if module.layer != "rules":
        return
    unwanted = {"sqlalchemy", "time", "random", "secrets", "os", "pathlib", "socket", "logging"}
    yield from (f"{module.path} imports {name}" for name in module.foreign & unwanted)
    for words, call in module.calls:
        reads = words.startswith(("datetime.", "date.")) and words.endswith((".now", ".utcnow", ".today"))
        if reads or words in {"open", "input"}:
            yield f"{module.at(call.lineno)} calls {words}"


# How many arguments make them aware; more than they take, where nothing does.
_ZONELESS = {
    "datetime.now": 1,
    "datetime.fromtimestamp": 2,
    "datetime.utcnow": 9,
    "datetime.utcfromtimestamp": 9,
    "datetime.today": 9,
    "date.today": 9,
}


def times_have_zones(module: Module) -> Iterator[str]:
    for words, call in module.calls:
        needed = next((count for name, count in _ZONELESS.items() if words.endswith(name)), 0)
        if len(call.args) + len(call.keywords) < needed:
            yield f"{module.at(call.lineno)} calls {words}"


def capabilities_are_told_the_time(module: Module) -> Iterator[str]:
    """Plan time may be jumped by the demo; whoever reads a clock by themselves would not jump with it."""
    for words, call in module.calls:
        if module.is_capability and words.endswith("datetime.now"):
            yield f"{module.at(call.lineno)} reads the clock"


def nobody_sleeps(module: Module) -> Iterator[str]:
    """An Event waits as well, and a program that is to stop does not have to wait for it."""
    for words, call in module.calls:
        if words in {"time.sleep", "sleep"}:
            yield f"{module.at(call.lineno)} sleeps"


def nobody_prints(module: Module) -> Iterator[str]:
    """What people read goes through `cli_output`, what operators read through the log."""
    for words, call in module.calls:
        if words in {"print", "pprint", "pprint.pprint"}:
            yield f"{module.at(call.lineno)} prints"


def annotations_are_never_run(module: Module) -> Iterator[str]:
    annotated = any(isinstance(node, ast.FunctionDef | ast.AnnAssign) for node in ast.walk(module.tree))
    if annotated and "__future__" not in module.foreign:
        yield f"{module.path} lacks from __future__ import annotations"


# A folder of somebody's machine, or a host where packages come from.
_OF_A_MACHINE = re.compile(
    r"/(?:home|Users|root|work|mnt|media|srv|private)/\w|\b[C-Z]:\\|file\.pythonhosted|"
    r"\bpypi\.org|\bregistry\.npmjs|\bartifactory\b|\bnexus\b"
)


def no_machine_is_named(module: Module) -> Iterator[str]:
    for number, line in enumerate(module.source.splitlines(), start=1):
        if _OF_A_MACHINE.search(line):
            yield f"{module.at(number)} names a folder of a machine, or a package host"


RULES: list[Rule] = [
    imports_go_one_way,
    only_entry_points_commit,
    channels_know_no_database,
    rules_are_pure,
    times_have_zones,
    capabilities_are_told_the_time,
    nobody_sleeps,
    nobody_prints,
    annotations_are_never_run,
    no_machine_is_named,
]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_the_whole_program_keeps_to(rule: Rule) -> None:
    assert [wrong for module in MODULES for wrong in rule(module)] == []


def test_no_modules_import_each_other_in_a_circle() -> None:
    assert circle({module.path: module.imports_at_run_time for module in MODULES}) == []
    assert circle({"a.py": {"b.py"}, "b.py": {"c.py"}, "c.py": {"b.py"}}) == ["b.py", "c.py", "b.py"]


def circle(imports: dict[str, set[str]]) -> list[str]:
    """The first way that leads back to where it has been."""
    done: set[str] = set()

    def visit(path: str, way: list[str]) -> list[str]:
        if path in way:
            return [*way[way.index(path) :], path]
        if path in done:
            return []
        for other in sorted(imports.get(path, set()) - {path}):
            # A package may open its members: it does so when it is called, not when it is imported.
            member = path.endswith("/__init__.py") and Module(other, "").layer == Module(path, "").layer
            if not member and (found := visit(other, [*way, path])):
                return found
        done.add(path)
        return []

    return next((found for path in imports if (found := visit(path, []))), [])


@pytest.mark.parametrize(
    "name", ["Makefile", "pyproject.toml", "config.example.toml", "migrations", "templates"]
)
def test_what_comes_with_it_names_no_machine(name: str) -> None:
    place = ROOT / name
    files = [file for file in place.rglob("*") if file.is_file()] if place.is_dir() else [place]
    words = [Module(str(file), file.read_text("utf-8")) for file in files if file.suffix != ".pyc"]
    assert [wrong for module in words for wrong in no_machine_is_named(module)] == []


@pytest.mark.parametrize("name", ["requirements.txt", "requirements-dev.txt"])
def test_the_requirements_name_no_host(name: str) -> None:
    lines = (ROOT / name).read_text("utf-8").splitlines()
    assert [line for line in lines if "://" in line or line.startswith(("-i", "--index", "--extra"))] == []


@pytest.mark.parametrize(
    ("rule", "path", "source", "wrong"),
    [
        (imports_go_one_way, "rules/x.py", "from notifier import db", True),
        (imports_go_one_way, "rules/x.py", "from notifier.rules.plan import Plan", False),
        (imports_go_one_way, "errors.py", "from notifier.rules.delivery import Status", True),
        (imports_go_one_way, "config_x.py", "from notifier.models import Clinic", True),
        (imports_go_one_way, "channels/x.py", "import notifier.models", True),
        (imports_go_one_way, "channels/x.py", "from notifier.config import Settings", False),
        (imports_go_one_way, "models.py", "from notifier import patients", True),
        (imports_go_one_way, "patients.py", "from notifier.channels import outbox", True),
        (imports_go_one_way, "patients.py", "from notifier import worker", True),
        (imports_go_one_way, "patients.py", "def f():\n    from notifier import cli", True),
        (imports_go_one_way, "patients.py", "from notifier import audit, db, plans", False),
        (imports_go_one_way, "worker.py", "from notifier import cli_output", True),
        (imports_go_one_way, "cli_x.py", "from notifier import worker, cli_output", False),
        (imports_go_one_way, "web/desk.py", "from notifier import worker", True),
        (imports_go_one_way, "web/app.py", "from notifier import worker", False),
        (imports_go_one_way, "web/app.py", "from notifier.channels import outbox", True),
        (imports_go_one_way, "web/webhooks.py", "from notifier.channels import outbox", False),
        (only_entry_points_commit, "patients.py", "session.commit()", True),
        (only_entry_points_commit, "channels/x.py", "with db.transaction(engine): pass", True),
        (only_entry_points_commit, "cli_x.py", "with db.transaction(engine): pass", False),
        (channels_know_no_database, "channels/x.py", "from sqlalchemy.orm import Session", True),
        (channels_know_no_database, "patients.py", "import sqlalchemy", False),
        (rules_are_pure, "rules/x.py", "import sqlalchemy as sa", True),
        (rules_are_pure, "rules/x.py", "from time import monotonic", True),
        (rules_are_pure, "rules/x.py", "datetime.now(UTC)", True),
        (rules_are_pure, "rules/x.py", "open('x')", True),
        (rules_are_pure, "rules/x.py", "from datetime import time", False),
        (times_have_zones, "worker.py", "datetime.now()", True),
        (times_have_zones, "worker.py", "datetime.datetime.now()", True),
        (times_have_zones, "worker.py", "datetime.now(UTC)", False),
        (times_have_zones, "worker.py", "datetime.now(tz=UTC)", False),
        (times_have_zones, "worker.py", "datetime.fromtimestamp(1)", True),
        (times_have_zones, "worker.py", "date.today()", True),
        (capabilities_are_told_the_time, "patients.py", "datetime.now(UTC)", True),
        (capabilities_are_told_the_time, "clock.py", "datetime.now(UTC)", False),
        (nobody_sleeps, "worker.py", "time.sleep(1)", True),
        (nobody_sleeps, "worker.py", "stopping.wait(1)", False),
        (nobody_prints, "cli_x.py", "print('done')", True),
        (annotations_are_never_run, "x.py", "def f() -> None: pass", True),
        (annotations_are_never_run, "x.py", "from __future__ import annotations\nx: int = 1", False),
        (no_machine_is_named, "x.py", "folder = '/home/ana/clinic'", True),
        (no_machine_is_named, "x.py", "href = '/homepage'", False),
    ],
)
def test_each_rule_bites(rule: Rule, path: str, source: str, wrong: bool) -> None:
    assert bool(list(rule(Module(path, source)))) is wrong
