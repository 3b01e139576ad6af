"""Whether messages may really go to patients: live mode asks before it begins, and the doctor tells."""

from __future__ import annotations

from sqlalchemy.orm import Session

from notifier import going_live
from notifier.config import Settings
from notifier.errors import ConfigError


def unready(session: Session, settings: Settings) -> list[str]:
    """One sentence or more for each thing, with what to do; empty when all is ready. Whatever the mode."""
    return list(going_live.blocking(session, settings))


def require_ready(session: Session, settings: Settings) -> list[str]:
    """To be asked before anything is really sent: what is not ready, for the log. Only live mode asks.

    Raises ConfigError with all of it, unless delivery.unready says to go on.
    """
    if settings.delivery.mode != "live":
        return []
    found = unready(session, settings)
    if found and settings.delivery.unready == "refuse":
        listed = "\n".join(f"- {sentence}" for sentence in found)
        raise ConfigError(
            f'delivery.mode is "live", but patients should not be written to yet:\n{listed}\n'
            'Put these right, or take them on knowingly and go on with delivery.unready = "warn".'
        )
    return found
