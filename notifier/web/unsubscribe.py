"""The link in each e-mail to a patient: to look changes nothing, one click or a mail program's POST does."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from fastapi import APIRouter, Request, Response
from sqlalchemy.orm import Session

from notifier import reach, unsubscribing
from notifier.errors import NotFoundError
from notifier.in_flight import Place
from notifier.links import links_of
from notifier.models import Clinic, Patient
from notifier.rules.plan import CHANNELS
from notifier.rules.recipients import mask_email, mask_phone
from notifier.web.by_link import Sent, wait_for_calls
from notifier.web.signing import public_page
from notifier.web.site import site_of

router = APIRouter()

_WORDS = {
    "en": {
        "title": "Stop these messages",
        "ask": "{clinic} sends aftercare {what} to {to}. Stop them?",
        "button": "Stop the {what}",
        "all": "Stop all messages, {others} too",
        "done": "Done. {clinic} sends no more aftercare {what} to {to}.",
        "done_all": "Done. {clinic} sends you no more aftercare messages.",
        "former": "{clinic} no longer writes to the address that this link was sent to.",
        "after": "To get them again, tell the clinic: {phone}.",
        "email": "e-mails",
        "sms": "texts",
    },
    "es": {
        "title": "No recibir más estos mensajes",
        "ask": "{clinic} envía {what} de cuidados a {to}. ¿Desea que no lleguen más?",
        "button": "No recibir más {what}",
        "all": "No recibir ningún mensaje, tampoco {others}",
        "done": "Listo. {clinic} no enviará más {what} de cuidados a {to}.",
        "done_all": "Listo. {clinic} no le enviará más mensajes de cuidados.",
        "former": "{clinic} ya no escribe a la dirección a la que llegó este enlace.",
        "after": "Para volver a recibirlos, avise a la clínica: {phone}.",
        "email": "correos",
        "sms": "SMS",
    },
}


@dataclass(frozen=True, slots=True)
class _Found:
    """`address` is the one that the link went to; None where that is an earlier one that cannot be told.

    `others`: the patient's further channels on which messages may still go.
    """

    patient: Patient
    clinic: Clinic
    channel: str
    address: str | None
    others: tuple[str, ...]


@router.get("/u/{token}")
def show(request: Request, token: str) -> Response:
    """Programs that look for viruses open every link, so this only asks."""
    with site_of(request).reading() as session:
        found = _found(session, request, token)
    return _page(request, token, found)


# No proof that a page of ours asked: a mail program posts here by itself (RFC 8058). The token is the key.
@router.post("/u/{token}")
def stop(request: Request, token: str, sent: Sent) -> Response:
    """Answers when it is true: nothing to this address is on its way any more."""
    site = site_of(request)
    now = site.clock.now()
    everything = sent.flag("all")
    with site.transaction() as session:
        found = _found(session, request, token)
        stopped = _stop(session, found, everything, now)
    wait_for_calls(site, stopped)
    return _page(request, token, found, done="done_all" if everything else "done")


def _stop(session: Session, found: _Found, everything: bool, now: datetime) -> list[Place]:
    if found.address is None:
        return []
    stopped = unsubscribing.stop(
        session, found.clinic, found.patient, found.channel, now=now, address=found.address
    )
    if everything:
        method = unsubscribing.BY_LINK
        stopped += unsubscribing.stop_all(
            session, found.clinic, found.patient, found.others, now=now, method=method
        )
    return stopped


def _found(session: Session, request: Request, token: str) -> _Found:
    links = links_of(site_of(request).settings)
    said = links.read_token(token) if links is not None else None
    patient = session.get(Patient, said.patient_id) if said is not None else None
    if links is None or said is None or patient is None:
        raise NotFoundError("This link is not one of ours, or it is incomplete. Call the clinic instead.")
    address = unsubscribing.address_meant(session, links, said, patient)
    return _Found(
        patient,
        session.get_one(Clinic, patient.clinic_id),
        said.channel,
        address,
        # Only who reads the patient's own mail decides about the patient's phone.
        _others(session, patient, said.channel) if address == reach.address_of(patient, said.channel) else (),
    )


def _others(session: Session, patient: Patient, channel: str) -> tuple[str, ...]:
    known = reach.load(session, [patient])
    return tuple(each for each in CHANNELS if each != channel and known.obstacle(patient, each) is None)


def _page(request: Request, token: str, found: _Found, *, done: str = "") -> Response:
    language = found.patient.language[:2] if found.patient.language[:2] in _WORDS else "en"
    words = _WORDS[language]
    masked = mask_email if found.channel == "email" else mask_phone
    known = {
        "clinic": found.clinic.name,
        "phone": found.clinic.phone,
        "to": masked(found.address or ""),
        "what": words[found.channel],
        "others": " & ".join(words[channel] for channel in found.others),
    }
    return public_page(
        request,
        "unsubscribe.html",
        words={name: text.format(**known) for name, text in words.items()},
        language=language,
        token=token,
        state="former" if found.address is None else done,
        others=found.others,
    )
