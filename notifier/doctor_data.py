"""The doctor says how long what is known about patients is kept."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from notifier.doctor_findings import Finding, Installation

_AREA = "Patients' data"


def kept(it: Installation) -> Iterator[Finding]:
    kept = it.settings.retention
    said = (
        f"Words of messages are kept for {_days(kept.words)}, replies for {_days(kept.replies)}, "
        f"the audit trail for {_days(kept.audit)}."
    )
    yield Finding("ok", _AREA, said)


def _days(span: timedelta) -> str:
    return f"{span.days} {'day' if span.days == 1 else 'days'}" if span.days else "less than a day"
