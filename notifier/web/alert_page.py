"""What the link in an alert opens: to look changes nothing, because programs that scan mail open links."""

from __future__ import annotations

from dataclasses import dataclass

from fastapi import APIRouter, Request, Response
from sqlalchemy.orm import Session

from notifier import alerts, staff_mail
from notifier.errors import NotFoundError
from notifier.links import links_of
from notifier.models import Alert, AlertContact, Clinic
from notifier.rules.zones import zone
from notifier.web.forms import Posted
from notifier.web.signing import public_page
from notifier.web.site import site_of

router = APIRouter()

# Who was told as an admin is no contact, and has no name here.
_AN_ADMIN = {"en": "an admin, by the link", "es": "un administrador, por el enlace"}
_WORDS = {
    "en": {
        "title": "Alert",
        "raised": "Raised",
        "code": "Code",
        "take": "Take it",
        "asks": "Nobody has taken it yet. Whoever takes it deals with it; nobody else is called then.",
        "yours": "It is yours. Nobody else is called.",
        "call": "Call the patient at once. In doubt, tell them to call {number}.",
        "sign_in": "Sign in to see who it is and what was written",
        "or_text": "Or text the code from your own phone to the clinic's texting number: "
        "the answer is the number to call.",
        "taken": "{by} has taken it. There is nothing for you to do.",
        "over": "It is over: {by}.",
        "tested": "Thank you. Alerts reach you, and that is all that was to be shown.",
    },
    "es": {
        "title": "Alerta",
        "raised": "Desde",
        "code": "Código",
        "take": "La atiendo yo",
        "asks": "Nadie la ha atendido todavía. Quien la atiende se ocupa de ella; no se avisa a nadie más.",
        "yours": "Es suya. No se avisa a nadie más.",
        "call": "Llame al paciente enseguida. En caso de duda, dígale que llame al {number}.",
        "sign_in": "Inicie sesión para ver quién es y qué escribió",
        "or_text": "O envíe el código por SMS desde su propio teléfono al número de mensajes de la clínica: "
        "la respuesta es el número al que llamar.",
        "taken": "{by} ya la atiende. No tiene que hacer nada.",
        "over": "Ha terminado: {by}.",
        "tested": "Gracias. Las alertas le llegan, y eso era todo.",
    },
}


@dataclass(frozen=True, slots=True)
class _Found:
    alert: Alert
    clinic: Clinic
    contact: AlertContact | None
    by: str  # who has taken it


@router.get("/a/{token}")
def show(request: Request, token: str) -> Response:
    with site_of(request).reading() as session:
        found = _found(session, request, token)
    return _page(request, token, found)


@router.post("/a/{token}")
def take(request: Request, token: str, posted: Posted) -> Response:
    site = site_of(request)
    now = site.clock.now()
    with site.transaction() as session:
        found = _found(session, request, token)
        by = found.contact.name if found.contact else _AN_ADMIN[_language(found.clinic)]
        alerts.acknowledge(session, found.alert, by=by, how="link", now=now, contact=found.contact, actor=by)
        found = _found(session, request, token)
    return _page(request, token, found)


def _found(session: Session, request: Request, token: str) -> _Found:
    links = links_of(site_of(request).settings)
    # A phone may take the full stop after an address for a part of it.
    read = links.read_alert_token(token.rstrip(".,")) if links is not None else None
    alert = session.get(Alert, read[0]) if read is not None else None
    if read is None or alert is None:
        raise NotFoundError("This link is not one of ours, or it is incomplete. Sign in, and look there.")
    contact = session.get(AlertContact, read[1])
    if contact is None and read[1] != 0:
        raise NotFoundError("This link was for somebody who is no alert contact any more.")
    clinic = session.get_one(Clinic, alert.clinic_id)
    return _Found(alert, clinic, contact, alerts.taker(session, alert))


def _language(clinic: Clinic) -> str:
    return clinic.language[:2] if clinic.language[:2] in _WORDS else "en"


def _page(request: Request, token: str, found: _Found) -> Response:
    alert, clinic, language = found.alert, found.clinic, _language(found.clinic)
    mine = alert.acknowledged_by in (found.contact.name if found.contact else "", _AN_ADMIN[language])
    return public_page(
        request,
        "alert_link.html",
        words={
            name: text.format(by=found.by, number=clinic.emergency_number)
            for name, text in _WORDS[language].items()
        },
        what=staff_mail.what(language, {"kind": alert.kind, "severity": alert.severity}),
        language=language,
        token=token,
        alert=alert,
        clinic=clinic,
        tz=zone(clinic.timezone),
        is_test=alert.kind == alerts.TEST,
        is_urgent_call=alert.severity != "normal" and alert.reply_id is not None,
        state=_state(alert, mine),
    )


def _state(alert: Alert, mine: bool) -> str:
    if alert.acknowledged_at is None:
        return "open"
    if alert.acknowledged_how in ("resolved", "expired"):
        return "over"
    return "yours" if mine else "taken"
