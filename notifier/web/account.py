"""One's own account: the password, and where one is signed in."""

from __future__ import annotations

from fastapi import APIRouter, Response
from sqlalchemy import select

from notifier import signin, staff
from notifier.errors import InputError
from notifier.models import SignIn, Staff
from notifier.web.auth import Desk
from notifier.web.forms import Posted, Problems
from notifier.web.visit import Visit

router = APIRouter()


@router.get("/account")
def account(visit: Desk) -> Response:
    return _page(visit, Problems())


def _page(visit: Visit, problems: Problems) -> Response:
    with visit.reading() as session:
        elsewhere = session.scalars(
            select(SignIn)
            .where(SignIn.staff_id == visit.staff_id, SignIn.id != visit.signed.id)
            .order_by(SignIn.seen_at.desc())
        ).all()
        has_password = session.get_one(Staff, visit.staff_id).password_hash is not None
    return visit.page(
        "account.html",
        status=422 if problems else 200,
        elsewhere=elsewhere,
        has_password=has_password,
        shortest=staff.SHORTEST_PASSWORD,
        problems=problems,
    )


@router.post("/account/password")
def change_password(visit: Desk, posted: Posted) -> Response:
    """By who knows the present one. Everywhere else the person is signed out."""
    problems = Problems()
    if posted.raw("password") != posted.raw("again"):
        problems["again"] = "The two passwords differ. Type the same one twice."
    with problems.catching():
        _require_present(visit, posted.raw("present"))
    with problems.catching():
        hashed = staff.hash_password(posted.raw("password"))
    if problems:
        return _page(visit, problems)
    with visit.transaction() as session:
        person = session.get_one(Staff, visit.staff_id)
        staff.set_password(
            session, person, hashed, clinic_id=visit.clinic_id, now=visit.now(), actor=visit.actor
        )
        signin.end_others(session, visit.staff_id, but=visit.signed.id)
    return visit.go("/account", toast="Your password was changed. Everywhere else you were signed out.")


def _require_present(visit: Visit, present: str) -> None:
    """Raises InputError. Wrong ones count like those of a sign-in."""
    computer = visit.request.client.host if visit.request.client else ""
    with visit.reading() as session:
        known = signin.known(session, visit.actor, computer)
    if known.password_hash is None or signin.is_right(known, present):
        return  # whoever came in without one, by the demo's link, chooses their first
    with visit.transaction() as session:
        signin.count_failure(session, visit.actor, computer)
    raise InputError("This is not your present password.", field="present")


@router.post("/account/sign-out-elsewhere")
def sign_out_elsewhere(visit: Desk, posted: Posted) -> Response:
    with visit.transaction() as session:
        signin.end_others(session, visit.staff_id, but=visit.signed.id)
    return visit.go("/account", toast="Everywhere else you were signed out.")
