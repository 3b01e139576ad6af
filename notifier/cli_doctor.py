"""`notifier doctor`: what is well, what is not, and what to do about it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from notifier.cli_context import ConfigOption, JsonOption, command, say
from notifier.cli_output import echo_json
from notifier.errors import ConfigError

if TYPE_CHECKING:
    from notifier.config import Settings
    from notifier.doctor import Finding
    from notifier.doctor_findings import Provider


@command
def doctor(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Look at everything and say what is wrong and what to do; sends nothing. Ends with 1 on an error."""
    from notifier import doctor

    findings = _findings(config)
    if as_json:
        echo_json(findings)
    else:
        say(doctor.report_text(findings))
    if doctor.is_ill(findings):
        raise SystemExit(1)


def _findings(config: Path | None) -> list[Finding]:
    from notifier import db, doctor
    from notifier.clock import SystemClock
    from notifier.config import load
    from notifier.config_sources import config_file

    try:
        settings = load(config)
    except ConfigError as error:
        return [doctor.Finding("error", "Configuration", line) for line in str(error).splitlines()]
    engine = db.open_engine(settings.database.url)
    providers = _providers(settings)
    try:
        return doctor.examine(
            doctor.Installation(settings, engine, SystemClock().now(), config_file(config), providers)
        )
    finally:
        for provider in providers.values():
            provider.close()
        engine.dispose()


def _providers(settings: Settings) -> dict[str, Provider]:
    """The real ones, also while the mode keeps them from being used."""
    from notifier.channels import open_channels
    from notifier.doctor_findings import Provider

    live = settings.delivery.model_copy(update={"mode": "live"})
    channels = open_channels(settings.model_copy(update={"delivery": live}))
    found: dict[str, Provider] = {
        name: channel for name, channel in channels.items() if isinstance(channel, Provider)
    }
    if settings.inbound_mail.host:
        from notifier.channels.mailbox import ImapMailbox

        found["mailbox"] = ImapMailbox(settings)
    if settings.sms.account_sid:
        from notifier.channels.twilio_inbox import TwilioInbox

        found["inbox"] = TwilioInbox(settings)
    return found
