"""Where the files that are not Python are found: beside the package in a checkout, inside it in a wheel."""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent


def _shipped(name: str) -> Path:
    in_wheel = _PACKAGE / "_shipped" / name
    return in_wheel if in_wheel.exists() else _PACKAGE.parent / name


def templates_dir() -> Path:
    return _shipped("templates")


def migrations_dir() -> Path:
    return _shipped("migrations")


def example_config() -> Path:
    return _shipped("config.example.toml")
