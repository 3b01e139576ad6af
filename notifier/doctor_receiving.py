"""The doctor looks at what comes in: the way by which replies arrive, and what Twilio has to be told."""

from __future__ import annotations

from collections.abc import Iterator

from notifier import answer_texts, clinics, db, receivers
from notifier.config import Settings
from notifier.doctor_findings import Finding, Installation, Level
from notifier.errors import ChannelError
from notifier.models import Clinic
from notifier.rules.plan import LANGUAGES

_AREA = "Receiving"
INBOUND = "/webhooks/twilio/inbound"
# The word that Twilio answers by itself, and the answer of ours that says the same.
_ANSWERS = {"STOP": "opt-out", "START": "opt-in", "HELP": "help"}


def sms(it: Installation) -> Iterator[Finding]:
    """Asks Twilio for one message; takes nothing in."""
    settings = it.settings
    provider = it.providers.get("inbox")
    if provider is None:
        return
    try:
        provider.check()
    except ChannelError as error:
        level: Level = "warning" if settings.delivery.mode == "outbox" else "error"
        yield Finding(level, _AREA, f"SMS: {error}", "Check the [sms] section.")
        return
    yield Finding(
        "ok", _AREA, f"Twilio lets us ask for replies and reports; a worker does so {_often(settings)}."
    )
    if settings.sms.receive == "webhook":
        yield from _called(settings)


def _often(settings: Settings) -> str:
    if settings.sms.receive == "poll":
        return "every 15 seconds, so no public address is needed"
    return "every 5 minutes, behind Twilio's own calls"


def _called(settings: Settings) -> Iterator[Finding]:
    base_url = settings.web.base_url
    if not base_url.startswith("https://"):
        yield Finding(
            "warning",
            _AREA,
            f"Twilio is to call {base_url}, which is not https: it sends patients' words in the open.",
            "Put the pages behind TLS, and write the https address into web.base_url.",
        )
    yield Finding(
        "note",
        _AREA,
        f"Twilio calls {base_url}{INBOUND} for replies, where its console says so; reports need no set-up.",
        "In Twilio: the number, or the Messaging Service's Integration, “a message comes in”, Webhook, POST.",
    )


def lately(it: Installation) -> Iterator[Finding]:
    """Whether anything has fetched what came in, where something should have."""
    if it.settings.delivery.mode == "outbox":
        return
    with db.reading(it.engine) as session:
        ways = (("sms", it.settings.sms.account_sid), ("email", it.settings.inbound_mail.host))
        said = [receivers.is_receiving(session, it.settings, channel) for channel, is_set in ways if is_set]
    for sentence in filter(None, said):
        yield Finding("warning", _AREA, sentence, "Is a worker running? Start it with: notifier worker")


def provider_texts(it: Installation) -> Iterator[Finding]:
    """What Twilio answers by itself should say what we would: ready to be pasted."""
    words = [word for word in it.settings.sms.provider_answers if word.upper() in _ANSWERS]
    if not it.settings.sms.account_sid or not words:
        return
    with db.reading(it.engine) as session:
        for clinic in clinics.all_clinics(session):
            for word in words:
                yield _text(it, clinic, word.upper())


def _text(it: Installation, clinic: Clinic, word: str) -> Finding:
    said = {
        answer_texts.render(clinic, _ANSWERS[word], language=language, now=it.now): language
        for language in LANGUAGES
    }
    texts = " | ".join(f"({language}) {text}" for text, language in said.items())
    return Finding(
        "note",
        _AREA,
        f"Twilio answers {word} by itself. For {clinic.name} it should say: {texts}",
        "Paste it in Twilio's console: Messaging Service, Opt-Out Management.",
    )
