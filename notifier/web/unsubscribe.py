"""The link in each e-mail to a patient: to look changes nothing, one click or a mail program's POST does."""

from __future__ import annotations

import threading
import time

from fastapi import APIRouter, Request, Response
from sqlalchemy.orm import Session

from notifier import reach, unsubscribing
from notifier.errors import NotFoundError
from notifier.links import links_of
from notifier.models import Clinic, Patient
from notifier.rules.recipients import mask_email, mask_phone
from notifier.web.signing import public_page
from notifier.web.site import Site, site_of

router = APIRouter()

_LOOK_EVERY = 0.1  # seconds
_WORDS = {
    "en": {
        "title": "Stop these e-mails",
        "ask": "{clinic} sends aftercare e-mails to {to}. Stop them?",
        "button": "Stop the e-mails",
        "done": "Done. {clinic} sends no more aftercare e-mails to {to}.",
        "after": "To get them again, tell the clinic: {phone}.",
    },
    "es": {
        "title": "No recibir más estos correos",
        "ask": "{clinic} envía correos de cuidados a {to}. ¿Desea que no lleguen más?",
        "button": "No recibir más correos",
        "done": "Listo. {clinic} no enviará más correos de cuidados a {to}.",
        "after": "Para volver a recibirlos, avise a la clínica: {phone}.",
    },
}


@router.get("/u/{token}")
def show(request: Request, token: str) -> Response:
    """Programs that look for viruses open every link, so this only asks."""
    with site_of(request).reading() as session:
        return _page(request, token, *_found(session, request, token), done=False)


# No proof that a page of ours asked: a mail program posts here by itself (RFC 8058). The token is the key.
@router.post("/u/{token}")
def stop(request: Request, token: str) -> Response:
    """Answers when it is true: no e-mail to this address is on its way any more."""
    site = site_of(request)
    now = site.clock.now()
    with site.transaction() as session:
        patient, clinic, channel = _found(session, request, token)
        unsubscribing.stop(session, clinic, patient, channel, now=now)
    _wait_for_calls(site, patient, channel)
    return _page(request, token, patient, clinic, channel, done=True)


def _found(session: Session, request: Request, token: str) -> tuple[Patient, Clinic, str]:
    links = links_of(site_of(request).settings)
    read = links.read_token(token) if links is not None else None
    patient = session.get(Patient, read[0]) if read is not None else None
    if read is None or patient is None:
        raise NotFoundError("This link is not one of ours, or it is incomplete. Call the clinic instead.")
    return patient, session.get_one(Clinic, patient.clinic_id), read[1]


def _wait_for_calls(site: Site, patient: Patient, channel: str) -> None:
    """A call that had begun is waited for, as long as it may take; none begins any more."""
    timeout = site.settings.email.timeout if channel == "email" else site.settings.sms.timeout
    ends, pause = time.monotonic() + timeout.total_seconds(), threading.Event()
    while _is_in_flight(site, patient, channel) and time.monotonic() < ends:
        pause.wait(_LOOK_EVERY)


def _is_in_flight(site: Site, patient: Patient, channel: str) -> bool:
    with site.reading() as session:
        return unsubscribing.is_in_flight(session, patient, channel)


def _page(
    request: Request, token: str, patient: Patient, clinic: Clinic, channel: str, *, done: bool
) -> Response:
    language = patient.language[:2] if patient.language[:2] in _WORDS else "en"
    masked = mask_email if channel == "email" else mask_phone
    known = {
        "clinic": clinic.name,
        "phone": clinic.phone,
        "to": masked(reach.address_of(patient, channel) or ""),
    }
    words = {name: text.format(**known) for name, text in _WORDS[language].items()}
    return public_page(request, "unsubscribe.html", words=words, language=language, token=token, done=done)
