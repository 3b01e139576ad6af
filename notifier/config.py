"""TOML, overridden by the environment, with secrets also from files, read once into frozen Settings.

Every problem is found in one go and told as one line: the setting's full name, where it stands, what was
found (never a secret) and what to write instead.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from notifier.config_sources import read
from notifier.config_values import (
    Country,
    DatabaseUrl,
    Duration,
    Listed,
    Mail,
    Needed,
    OutboxPath,
    Phone,
    Port,
    Rate,
    Recipient,
    Secret,
    SenderNumber,
    Text,
    TimeZone,
    WebAddress,
    Whole,
)
from notifier.config_words import in_words, secrecy
from notifier.errors import ConfigError

_CLAIM_MARGIN = timedelta(seconds=5)


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class DatabaseSettings(_Section):
    url: DatabaseUrl = "sqlite:///notifier.db"


class WebSettings(_Section):
    base_url: WebAddress = ""
    host: Text = "127.0.0.1"
    port: Annotated[Whole, Field(ge=0, le=65535)] = 8000
    secret_key: Secret = ""


class DeliverySettings(_Section):
    mode: Literal["outbox", "allowlist", "live"] = "outbox"
    allowlist: Annotated[tuple[Recipient, ...], Listed] = ()
    unready: Literal["refuse", "warn"] = "refuse"
    threads: Annotated[Whole, Field(ge=1, le=64)] = 8
    lease: Duration = timedelta(seconds=60)
    lookup_after: Duration = timedelta(seconds=60)
    lookup_gap: Duration = timedelta(seconds=60)
    retry_base: Duration = timedelta(seconds=30)
    retry_max: Duration = timedelta(hours=1)
    breaker_probe: Duration = timedelta(seconds=60)
    outbox_file: OutboxPath = Path("outbox.jsonl")


class SmsSettings(_Section):
    account_sid: Text = ""
    auth_token: Secret = ""
    from_number: SenderNumber = ""
    messaging_service_sid: Text = ""
    api_base_url: WebAddress = ""
    timeout: Duration = timedelta(seconds=10)
    max_per_second: Rate = 1.0
    receive: Literal["poll", "webhook"] = "poll"
    provider_answers: Annotated[tuple[Text, ...], Listed] = ("STOP", "START", "HELP")


class EmailSettings(_Section):
    host: Text = ""
    port: Port = 587
    security: Literal["starttls", "tls", "none"] = "starttls"
    username: Text = ""
    password: Secret = ""
    from_address: Mail = ""
    reply_to: Mail = ""
    timeout: Duration = timedelta(seconds=30)


class InboundMailSettings(_Section):
    host: Text = ""
    port: Port = 993
    username: Text = ""
    password: Secret = ""
    folder: Text = "INBOX"


class AlertContact(_Section):
    name: Needed
    phone: Phone = ""
    email: Mail = ""


class AlertSettings(_Section):
    contacts: Annotated[tuple[AlertContact, ...], Listed] = ()
    escalate_after: Duration = timedelta(minutes=5)


class RetentionSettings(_Section):
    words: Duration = timedelta(days=730)
    replies: Duration = timedelta(days=730)
    audit: Duration = timedelta(days=2190)


class ClinicSettings(_Section):
    """The first clinic, for `init`; later ones are made in the pages."""

    name: Text = ""
    phone: Text = ""
    timezone: TimeZone = ""
    country: Country = "US"
    language: Literal["en", "es"] = "en"
    emergency_number: Needed = "911"
    crisis_line: Needed = "988"


class Settings(_Section):
    database: DatabaseSettings = DatabaseSettings()
    web: WebSettings = WebSettings()
    delivery: DeliverySettings = DeliverySettings()
    sms: SmsSettings = SmsSettings()
    email: EmailSettings = EmailSettings()
    inbound_mail: InboundMailSettings = InboundMailSettings()
    alerts: AlertSettings = AlertSettings()
    retention: RetentionSettings = RetentionSettings()
    clinic: ClinicSettings = ClinicSettings()

    @property
    def reply_address(self) -> str:
        """Where replies to e-mails arrive that this program reads; "" where it reads no mailbox."""
        inbound, email = self.inbound_mail, self.email
        if not inbound.host:
            return ""
        own = inbound.username if re.fullmatch(r"[^@\s]+@[^@\s]+", inbound.username) else ""
        return email.reply_to or own or email.from_address


_SECTIONS: dict[str, type[_Section]] = {
    name: type(field.default) for name, field in Settings.model_fields.items()
}


def load(path: Path | None = None, environ: Mapping[str, str] = os.environ) -> Settings:
    """`path`, else NOTIFIER_CONFIG, else ./config.toml where there is one, else the defaults."""
    sources = read(path, environ, {name: secrecy(model) for name, model in _SECTIONS.items()})
    problems = list(sources.problems)
    valid: dict[str, _Section] = {}
    for section, model in _SECTIONS.items():
        try:
            valid[section] = model.model_validate(sources.values(section))
        except ValidationError as refused:
            problems += [in_words(_SECTIONS, section, error, sources.found) for error in refused.errors()]
    settings = Settings(**valid)
    judged = valid.keys() - sources.incomplete
    problems += [words for about, words in _disagreements(settings) if about <= judged]
    if problems:
        raise ConfigError("\n".join(problems))
    return _anchored(settings, sources.folder)


def _anchored(settings: Settings, folder: Path) -> Settings:
    """Whichever folder a command starts in, it must find the same database and the same outbox."""
    url, outbox = settings.database.url, settings.delivery.outbox_file
    if url.startswith("sqlite:///"):
        file, mark, options = url.removeprefix("sqlite:///").partition("?")
        url = f"sqlite:///{(folder / file).as_posix()}{mark}{options}"
    return settings.model_copy(
        update={
            "database": settings.database.model_copy(update={"url": url}),
            "delivery": settings.delivery.model_copy(update={"outbox_file": folder / outbox}),
        }
    )


def _disagreements(s: Settings) -> Iterator[tuple[set[str], str]]:
    """What is wrong between settings that are each right, with the sections that it is judged from."""
    for words in _sms_disagreements(s.sms):
        yield {"sms"}, words
    for words in _email_disagreements(s.email):
        yield {"email"}, words
    if s.inbound_mail.host and not (s.inbound_mail.username and s.inbound_mail.password):
        words = "inbound_mail.host needs inbound_mail.username and inbound_mail.password; write both."
        yield {"inbound_mail"}, words
    for words in _delivery_disagreements(s.delivery):
        yield {"delivery"}, words
    for number, contact in enumerate(s.alerts.contacts, 1):
        if not (contact.phone or contact.email):
            yield {"alerts"}, f"alerts.contacts, item {number}, cannot be reached; write a phone or an email."
    if s.sms.receive == "webhook" and not s.web.base_url:
        words = 'sms.receive is "webhook", which needs a public web.base_url; write that, or "poll" here.'
        yield {"sms", "web"}, words
    for words in _lease_disagreements(s):
        yield {"delivery", "sms", "email"}, words


def _sms_disagreements(sms: SmsSettings) -> Iterator[str]:
    if sms.account_sid and not sms.auth_token:
        yield "sms.account_sid needs sms.auth_token; write it, or name its file in sms.auth_token_file."
    if sms.auth_token and not sms.account_sid:
        yield "sms.auth_token needs sms.account_sid; copy the Account SID from the Twilio console."
    if sms.account_sid and not (sms.from_number or sms.messaging_service_sid):
        yield "sms.account_sid needs a sender; write sms.from_number or sms.messaging_service_sid."
    if sms.from_number and sms.messaging_service_sid:
        yield "sms.from_number and sms.messaging_service_sid are both set; keep one of them."
    if sms.account_sid and not sms.account_sid.startswith("AC") and not sms.api_base_url:
        yield 'sms.account_sid does not begin with "AC"; copy the Account SID, not an API key, from Twilio.'


def _email_disagreements(email: EmailSettings) -> Iterator[str]:
    if email.host and not email.from_address:
        yield "email.host needs email.from_address; write the address that patients see."
    if email.username and not email.password:
        yield "email.username needs email.password; write it, or name its file in email.password_file."
    if email.password and not email.username:
        yield "email.password needs email.username; write the name that signs in to the mail server."


def _delivery_disagreements(delivery: DeliverySettings) -> Iterator[str]:
    if delivery.mode == "allowlist" and not delivery.allowlist:
        yield (
            'delivery.mode is "allowlist" but delivery.allowlist is empty; write who may really be sent to, '
            'like ["+15035550123", "desk@example.com"].'
        )
    if delivery.retry_base > delivery.retry_max:
        yield "delivery.retry_base is longer than delivery.retry_max; shorten it, or lengthen the other."


def _lease_disagreements(s: Settings) -> Iterator[str]:
    longest, which = max((s.sms.timeout, "sms.timeout"), (s.email.timeout, "email.timeout"))
    least = longest + _CLAIM_MARGIN
    if s.delivery.lease <= least:
        yield (
            f'delivery.lease must be longer than {which}, "{_seconds(longest)}", plus 5 s; '
            f'write "{_seconds(least + timedelta(seconds=1))}" or more, or shorten {which}.'
        )


def _seconds(span: timedelta) -> str:
    return f"{int(span.total_seconds())}s"
