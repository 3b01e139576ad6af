"""The log form as it was posted → an entry to record, or what is wrong with it, field by field."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import datetime
from typing import Final, TypeVar

from sqlalchemy.orm import Session

from notifier import consent_words, patients
from notifier.consent import ConsentGiven
from notifier.errors import InputError, NotFoundError
from notifier.models import Clinic, Patient
from notifier.patients import PatientEntry
from notifier.rules.plan import CHANNELS, LANGUAGES
from notifier.treatments import Entry
from notifier.typed_times import moment
from notifier.web.forms import Fields, Problems

Value = TypeVar("Value")

NOBODY: Final = "Choose a patient from the list, or enter a new one below."
# What the database has room for; the fields of the page say the same.
ROOM: Final = {
    "first_name": 120,
    "last_name": 120,
    "record_number": 60,
    "contact_name": 120,
    "contact_relation": 60,
    "practitioner": 120,
}


def names_nobody(posted: Fields) -> bool:
    """Whether no patient was chosen, and none begun."""
    return posted.whole("patient") is None and not posted.text("first_name")


class LogForm:
    """`problems` fills up while it is read. What `record` itself refuses comes on top of that."""

    def __init__(self, posted: Fields, clinic: Clinic, now: datetime) -> None:
        self.posted, self.clinic, self.now = posted, clinic, now
        self.problems = Problems()

    def entry(self, session: Session) -> Entry | None:
        if names_nobody(self.posted):
            self.problems["who"] = NOBODY
        self._check_lengths()
        known = self._known(session)
        patient = self._new() if known is None else self._chosen(known)
        if patient.first_name:
            with self.problems.catching():
                patients.clean(patient, self.clinic)
        ended_at = self._read("ended_at", lambda words: moment(words, self.clinic, self.now), self.now)
        next_visit = self._read("next_visit", lambda words: moment(words, self.clinic, self.now), None)
        consents = self._consents(known)
        if self.problems or ended_at is None:
            return None
        return Entry(
            patient,
            self.posted.text("plan"),
            ended_at,
            practitioner=" ".join(self.posted.text("practitioner").split()),
            areas=tuple(self.posted.many("areas")),
            next_visit=next_visit,
            idempotency_key=self._key(),
            consents=consents,
            confirmed=self.posted.flag("confirmed"),
        )

    def _read(self, name: str, read: Callable[[str], Value], absent: Value) -> Value:
        typed = self.posted.text(name)
        if not typed:
            return absent
        try:
            return read(typed)
        except InputError as error:
            self.problems[name] = str(error)
            return absent

    def _check_lengths(self) -> None:
        for name, most in ROOM.items():
            if len(self.posted.text(name)) > most:
                self.problems[name] = f"Keep it below {most} characters."

    def _known(self, session: Session) -> Patient | None:
        """The patient that was chosen from the list."""
        wanted = self.posted.whole("patient")
        if wanted is None:
            return None
        try:
            return patients.get(session, self.clinic, wanted)
        except NotFoundError as error:
            self.problems["who"] = str(error)
            return None

    def _chosen(self, known: Patient) -> PatientEntry:
        asked = self.posted.flag("wish_asked")
        wish = self.posted.flag("name_treatment") if asked else None
        return PatientEntry(known.first_name, known.last_name, name_treatment=wish, id=known.id)

    def _new(self) -> PatientEntry:
        text = self.posted.text
        return PatientEntry(
            text("first_name"),
            text("last_name"),
            record_number=text("record_number"),
            phone=text("phone"),
            email=text("email"),
            language=text("language"),
            timezone=text("timezone"),
            preferred_channel=text("preferred_channel"),
            contact_name=" ".join(text("contact_name").split()),
            contact_relation=text("contact_relation"),
            name_treatment=self.posted.flag("name_treatment") or None,
        )

    def _consents(self, known: Patient | None) -> tuple[ConsentGiven, ...]:
        language = known.language if known is not None else self.posted.text("language")
        words = consent_words.words(self.clinic, language if language in LANGUAGES else self.clinic.language)
        given = []
        for channel in CHANNELS:
            answer = self.posted.text(f"consent_{channel}")
            if answer == "yes" and not self._has_address(known, channel):
                what = "a phone number" if channel == "sms" else "an e-mail address"
                self.problems[f"consent_{channel}"] = f"Enter {what} first; there is none to write to."
            elif answer in ("yes", "no"):
                said = ConsentGiven(channel, answer == "yes", self.now, consent_words.READ_OUT, words)
                given.append(said)
        return tuple(given)

    def _has_address(self, known: Patient | None, channel: str) -> bool:
        name = "phone" if channel == "sms" else "email"
        return bool(getattr(known, name) if known is not None else self.posted.text(name))

    def _key(self) -> str:
        """The same form sent again means the same treatment; changed since, it means another one."""
        text = self.posted.text
        said = [text(name) for name in ("patient", "first_name", "last_name", "plan", "ended_at")]
        digest = hashlib.sha256("\n".join(said).encode()).hexdigest()[:16]
        return f"desk:{text('key')[:64]}:{digest}" if text("key") else ""
