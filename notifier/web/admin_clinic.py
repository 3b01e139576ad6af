"""The clinic as its admins see it: details, hours, words of consent and price, each a form of its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from fastapi import APIRouter, Response

from notifier import clinic_edits, clinics, practitioners
from notifier.errors import ConflictError
from notifier.models import Clinic
from notifier.rules.hours import DAY_NAMES
from notifier.rules.zones import zone_names
from notifier.web.auth import Admin
from notifier.web.forms import Fields, Posted, Problems
from notifier.web.visit import Visit

router = APIRouter()


@router.get("/clinic")
def clinic(visit: Admin) -> Response:
    return page(visit)


def page(
    visit: Visit,
    *,
    part: str = "",
    typed: Mapping[str, str] | None = None,
    problems: Problems | None = None,
    status: int = 200,
) -> Response:
    """`typed` stands in the place of what is stored, in the one part that was being edited."""
    with visit.reading() as session:
        at = visit.clinic(session)
        context = {
            "at": at,
            "stored": _stored(at),
            "senders": clinics.active_senders(session, at),
            "practitioners": practitioners.of_clinic(session, at),
            "former": practitioners.of_clinic(session, at, archived=True),
            "contacts": clinics.alert_contacts(session, at),
        }
    return visit.page(
        "clinic.html",
        status=status,
        part=part,
        typed=typed or {},
        problems=problems or Problems(),
        day_names=DAY_NAMES,
        zones=sorted(zone_names()),
        from_config={"sms": _sms_identity(visit), "email": visit.settings.email.from_address},
        **context,
    )


def _stored(at: Clinic) -> dict[str, str]:
    names = (
        "name",
        "phone",
        "timezone",
        "country",
        "language",
        "emergency_number",
        "crisis_line",
        "currency",
    )
    plain = {name: str(getattr(at, name)) for name in names}
    words = {f"wording.{language}": text for language, text in at.consent_wording.items()}
    price = "" if at.sms_price is None else f"{at.sms_price:.6f}".rstrip("0").rstrip(".")
    return plain | words | {"sms_price": price} | clinic_edits.hours_typed(at)


def _sms_identity(visit: Visit) -> str:
    sms = visit.settings.sms
    return sms.from_number or sms.messaging_service_sid


@router.post("/clinic/details")
def save_details(visit: Admin, posted: Posted) -> Response:
    return _save(visit, posted, "details", clinic_edits.details, "The clinic's details were saved.")


@router.post("/clinic/hours")
def save_hours(visit: Admin, posted: Posted) -> Response:
    return _save(visit, posted, "hours", clinic_edits.hours, "The opening hours were saved.")


@router.post("/clinic/wording")
def save_wording(visit: Admin, posted: Posted) -> Response:
    return _save(visit, posted, "wording", clinic_edits.wording, "The words of consent were saved.")


@router.post("/clinic/price")
def save_price(visit: Admin, posted: Posted) -> Response:
    return _save(visit, posted, "price", clinic_edits.price, "The price was saved.")


@router.post("/clinic/page")
def save_page(visit: Admin, posted: Posted) -> Response:
    return _save(visit, posted, "page", clinic_edits.page, "It was saved, for texts from now on.")


def _save(
    visit: Visit,
    posted: Fields,
    part: str,
    read: Callable[[Mapping[str, str]], dict[str, Any]],
    done: str,
) -> Response:
    problems = Problems()
    with problems.catching():
        wanted = read(posted.values)
    if problems:
        return page(visit, part=part, typed=posted.values, problems=problems, status=422)
    version = posted.whole("version") or 0
    try:
        with visit.transaction() as session:
            at = visit.clinic(session)
            changed = clinic_edits.change(
                session, at, wanted, version=version, now=visit.now(), actor=visit.actor
            )
    except ConflictError as error:
        problems[""] = str(error)
        return page(visit, part=part, typed=posted.values, problems=problems, status=409)
    return visit.go("/clinic", toast=done if changed else "Nothing was different, so nothing was saved.")
