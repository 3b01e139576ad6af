"""The doctor looks at an installation: what is well, what is not, and what to do. It sends nothing."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterator, Sequence
from itertools import groupby

from notifier import doctor_data, doctor_database, doctor_host, doctor_receiving, doctor_sending, doctor_web
from notifier.doctor_findings import Finding, Installation, Level
from notifier.errors import NotifierError

__all__ = ["Finding", "Installation", "examine", "is_ill", "report_text"]

Check = Callable[[Installation], Iterator[Finding]]

# Area and check, in the order of the report. The area is where a check ends up that fails itself.
_OF_THE_HOST: tuple[tuple[str, Check], ...] = (
    ("Configuration", doctor_host.configuration),
    ("Program files", doctor_host.program_files),
    ("Time zones", doctor_host.time_zones),
    ("Sending", doctor_sending.mode),
    ("Sending", doctor_host.outbox),
    ("Sending", doctor_sending.providers),
    ("Receiving", doctor_receiving.sms),
    ("Receiving", doctor_sending.mailbox),
    ("Pages", doctor_web.address),
    ("Pages", doctor_web.answering),
    ("Patients' data", doctor_data.kept),
    ("Database", doctor_host.disk),
)
# Each of these makes it pointless to go on when it finds an error.
_OF_THE_DATABASE: tuple[tuple[str, Check], ...] = (
    ("Database", doctor_database.reachable),
    ("Database", doctor_database.schema),
)
_OF_ITS_CONTENT: tuple[tuple[str, Check], ...] = (
    ("Clocks", doctor_database.clocks),
    ("Time zones", doctor_database.zones),
    ("Plans", doctor_sending.plans_loaded),
    ("Senders", doctor_sending.senders),
    ("Messages", doctor_sending.waiting),
    ("Receiving", doctor_receiving.lately),
    ("Receiving", doctor_receiving.provider_texts),
    ("Before patients are written to", doctor_sending.readiness),
)
_WIDTH = 97
_MARKS: dict[Level, str] = {"ok": "+ ok", "note": "· note", "warning": "! warning", "error": "✗ ERROR"}


def examine(installation: Installation) -> list[Finding]:
    """Everything that was looked at, in order. Never raises; changes and sends nothing."""
    findings = [found for check in _OF_THE_HOST for found in _guarded(installation, *check)]
    for check in _OF_THE_DATABASE:
        found = _guarded(installation, *check)
        findings += found
        if is_ill(found):
            return findings
    return findings + [found for check in _OF_ITS_CONTENT for found in _guarded(installation, *check)]


def _guarded(installation: Installation, area: str, check: Check) -> list[Finding]:
    found: list[Finding] = []
    try:
        # One by one, so that what was seen before a failure is kept.
        for finding in check(installation):
            found.append(finding)
    except NotifierError as error:
        found.append(Finding("error", area, str(error)))
    except Exception as error:
        # The doctor is asked when things are broken, so it has to get to the end.
        words = " ".join(f"{type(error).__name__}: {error}".split())
        found.append(Finding("error", area, f"This could not be looked at. {words}", "Please report it."))
    return found


def is_ill(findings: Sequence[Finding]) -> bool:
    return any(finding.level == "error" for finding in findings)


def report_text(findings: Sequence[Finding]) -> str:
    """For a person: by area, each with a mark and a word, and a summary at the end."""
    lines: list[str] = []
    areas = list(dict.fromkeys(finding.area for finding in findings))
    ordered = sorted(findings, key=lambda finding: areas.index(finding.area))
    for area, group in groupby(ordered, key=lambda finding: finding.area):
        lines += [area, *(line for finding in group for line in _lines(finding)), ""]
    return "\n".join([*lines, _summary(findings)])


def _lines(finding: Finding) -> Iterator[str]:
    for mark, words in ((_MARKS[finding.level], finding.message), ("", finding.advice)):
        for line in textwrap.wrap(words, _WIDTH, break_long_words=False, break_on_hyphens=False):
            yield f"  {mark:<10} {line}"
            mark = ""


def _summary(findings: Sequence[Finding]) -> str:
    counts = {level: sum(finding.level == level for finding in findings) for level in ("error", "warning")}
    if not any(counts.values()):
        return "All is well."
    parts = [f"{number} {level}{'' if number == 1 else 's'}" for level, number in counts.items() if number]
    return f"{' and '.join(parts)}.".capitalize()
