"""Whether replies come in: told by when somebody last fetched them. Real time, by the database's clock."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from sqlalchemy.orm import Session

from notifier.config import Settings
from notifier.db import database_now
from notifier.models import Receiver

# What has not worked for so long is said to people.
SILENT: Final = timedelta(minutes=15)
_NAMES: Final = {"sms": "twilio", "email": "imap"}


def is_receiving(session: Session, settings: Settings, channel: str) -> str:
    """Empty where replies on this channel come in; else a sentence why they do not."""
    if channel == "sms":
        if not settings.sms.account_sid:
            return "Replies by SMS are not received: no Twilio account is set up in [sms]."
        return _fetched(session, _NAMES["sms"], "SMS")
    if not settings.inbound_mail.host:
        return "Replies by e-mail are not received: no mailbox is set up in [inbound_mail]."
    return _fetched(session, _NAMES["email"], "e-mail")


def has_received(session: Session, channel: str) -> bool:
    """Whether it worked at any time: a program that was stopped for a night may begin again."""
    row = session.get(Receiver, _NAMES[channel])
    return row is not None and row.worked_at is not None


def _fetched(session: Session, name: str, called: str) -> str:
    row = session.get(Receiver, name)
    problem = row.problem if row is not None else ""
    if row is None or row.worked_at is None:
        said = f"Replies by {called} are not received yet: nothing has asked for them since the set-up."
    elif database_now(session) - row.worked_at > SILENT:
        said = f"No reply by {called} has been fetched since {row.worked_at:%Y-%m-%d %H:%M} UTC."
    else:
        return ""
    return f"{said} {problem}".rstrip()
