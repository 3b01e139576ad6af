"""Where the files are that travel with the program: beside it in a checkout, inside it when installed."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from notifier.errors import NotifierError

_PACKAGE = Path(__file__).resolve().parent


def templates_dir() -> Path:
    return _find("templates")


def migrations_dir() -> Path:
    return _find("migrations")


def example_config() -> Path:
    return _find("config.example.toml")


@cache
def reply_files() -> dict[str, str]:
    """What is written in the files by which a patient's answer is read, by their names."""
    return {
        path.name: path.read_text("utf-8") for path in sorted((_find("templates") / "replies").glob("*.toml"))
    }


@cache
def _find(name: str, package: Path = _PACKAGE) -> Path:
    for folder in (package / "_shipped", package.parent):
        if (folder / name).exists():
            return folder / name
    raise NotifierError(f"This installation is incomplete: '{name}' is missing. Install the program again.")
