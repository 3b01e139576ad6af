"""The doctor looks at what is on this host: configuration, files, zones, disk."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from datetime import datetime
from importlib import metadata
from pathlib import Path

from notifier.doctor_findings import Finding, Installation, Level
from notifier.plan_checks import check
from notifier.planfiles import shipped_plans
from notifier.resources import migrations_dir, templates_dir

_MEGABYTE = 1_000_000
_LOW, _TOO_LOW = 1_000 * _MEGABYTE, 100 * _MEGABYTE


def configuration(it: Installation) -> Iterator[Finding]:
    if it.config_file is None:
        yield Finding(
            "note",
            "Configuration",
            "There is no configuration file; the defaults and the environment count.",
            "Copy config.example.toml to config.toml here, or name the file in NOTIFIER_CONFIG.",
        )
        return
    yield Finding("ok", "Configuration", f"Read from {it.config_file.absolute()}.")
    if os.name == "posix" and it.config_file.stat().st_mode & 0o007:
        yield Finding(
            "warning",
            "Configuration",
            "Every user of this host may read the configuration file, and it may hold secrets.",
            f"Run: chmod o-rwx {it.config_file}",
        )


def time_zones(it: Installation) -> Iterator[Finding]:
    yield zone_data(metadata.version("tzdata"), it.now)


def zone_data(release: str, now: datetime) -> Finding:
    """`release` is the version of the package, which begins with the year of its data."""
    words = f"The time zone data are those of {release} (package tzdata)."
    if int(release.partition(".")[0]) >= now.year - 1:
        return Finding("ok", "Time zones", words)
    return Finding(
        "warning",
        "Time zones",
        f"{words} Governments change their clocks every year.",
        "Upgrade the package tzdata.",
    )


def program_files(it: Installation) -> Iterator[Finding]:
    folders = shipped_plans()
    yield Finding("ok", "Program files", f"Templates in {templates_dir()}, migrations in {migrations_dir()}.")
    errors = [str(finding) for folder in folders for finding in check(folder) if finding.severity == "error"]
    for words in errors:
        yield Finding("error", "Program files", words, "Install the program again.")
    if not errors:
        names = ", ".join(folder.name for folder in folders)
        yield Finding("ok", "Program files", f"The shipped plans are sound: {names}.")


def outbox(it: Installation) -> Iterator[Finding]:
    delivery = it.settings.delivery
    if delivery.mode == "live" or _writable(delivery.outbox_file):
        return
    yield Finding(
        "error",
        "Sending",
        f"The outbox {delivery.outbox_file} cannot be written to.",
        "Name another file in delivery.outbox_file, or make its folder writable for this user.",
    )


def _writable(file: Path) -> bool:
    """Whether this user may write the file, or make it; its folders are made where they are missing."""
    if file.exists():
        return file.is_file() and os.access(file, os.W_OK)
    folder = next(parent for parent in file.absolute().parents if parent.exists())
    return os.access(folder, os.W_OK | os.X_OK)


def disk(it: Installation) -> Iterator[Finding]:
    file = it.sqlite_file
    if file is not None and file.parent.exists():
        yield disk_space(shutil.disk_usage(file.parent).free, file.parent)


def disk_space(free: int, folder: Path) -> Finding:
    words = f"{free / _MEGABYTE / 1000:.1f} GB are free in {folder}."
    if free >= _LOW:
        return Finding("ok", "Database", words)
    level: Level = "warning" if free >= _TOO_LOW else "error"
    return Finding(level, "Database", words, "Make room; with a full disk nothing can be logged or sent.")
