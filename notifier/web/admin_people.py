"""Staff: who may sign in here, with which role; invitations by link."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request, Response

from notifier import signin, staff, staff_links
from notifier.errors import ConflictError, InputError
from notifier.web.auth import Admin
from notifier.web.forms import Posted, Problems
from notifier.web.visit import Undo, Visit

router = APIRouter()

ROLE_NAMES = {"front_desk": "Front desk", "admin": "Admin"}


@router.get("/people")
def people(visit: Admin) -> Response:
    return _page(visit)


def _page(
    visit: Visit,
    *,
    typed: dict[str, str] | None = None,
    problems: Problems | None = None,
    invited: dict[str, str] | None = None,
    status: int = 200,
) -> Response:
    """`invited`: whose new link is shown, this once: only its hash is kept."""
    with visit.reading() as session:
        rows = [_row(person, role) for person, role in staff.of_clinic(session, visit.clinic(session))]
    return visit.page(
        "people.html",
        status=status,
        rows=rows,
        roles=ROLE_NAMES,
        typed=typed or {},
        problems=problems or Problems(),
        invited=invited,
        days=staff_links.LASTS[staff_links.INVITATION].days,
    )


def _row(person: Any, role: str) -> dict[str, Any]:
    return {
        "id": person.id,
        "name": person.name,
        "email": person.email,
        "role": role,
        "disabled": person.disabled_at is not None,
        "has_password": person.password_hash is not None,
        "elsewhere": len(person.memberships) > 1,
    }


@router.post("/people")
def invite(request: Request, visit: Admin, posted: Posted) -> Response:
    """A new person, or one whom another clinic knows, with a link to choose a password by."""
    problems = Problems()
    if not posted.text("name"):
        problems["name"] = "Write the person's name."
    if not problems:
        with problems.catching(), visit.transaction() as session:
            at = visit.clinic(session)
            person = staff.add(
                session,
                at,
                email=posted.text("email"),
                name=posted.text("name"),
                role=posted.text("role"),
                password=None,
                now=visit.now(),
                actor=visit.actor,
            )
            name, email, has_password = person.name, person.email, person.password_hash is not None
            shared = len(person.memberships) > 1
            if not shared:
                secret = staff_links.create(session, at, person, staff_links.INVITATION, actor=visit.actor)
    if problems:
        return _page(visit, typed=posted.values, problems=problems, status=422)
    if shared:
        return visit.go("/people", toast=_joined(name, email, has_password))
    return _page(visit, invited=_invited(request, visit, name, email, secret))


def _joined(name: str, email: str, has_password: bool) -> str:
    """Of somebody whom another clinic knows: with a link one clinic would get into the other."""
    if has_password:
        return f"{name} works here too now, and signs in as before."
    return (
        f"{name} works here too now, and has no password yet. Whoever runs the server makes the link to "
        f"choose one: notifier user link {email}"
    )


def _invited(request: Request, visit: Visit, name: str, email: str, secret: str) -> dict[str, str]:
    base = visit.settings.web.base_url or str(request.base_url).rstrip("/")
    return {"name": name, "email": email, "address": f"{base}/link/{secret}"}


@router.post("/people/{staff_id:int}/link")
def new_link(request: Request, visit: Admin, posted: Posted, staff_id: int) -> Response:
    """For who lost the first one, or forgot the password."""
    with visit.transaction() as session:
        at = visit.clinic(session)
        person = staff.get(session, at, staff_id)
        if person.disabled_at is not None:
            raise ConflictError(f"{person.email} is disabled. Enable them first.")
        if len(person.memberships) > 1:
            raise ConflictError(
                f"{person.name} works at other clinics too, so one clinic alone cannot reset the password. "
                "They can change it themselves, or whoever runs the server makes a link: notifier user link"
            )
        secret = staff_links.create(session, at, person, staff_links.INVITATION, actor=visit.actor)
        name, email = person.name, person.email
    return _page(visit, invited=_invited(request, visit, name, email, secret))


@router.post("/people/{staff_id:int}/role")
def change_role(visit: Admin, posted: Posted, staff_id: int) -> Response:
    with visit.transaction() as session:
        at = visit.clinic(session)
        role = posted.text("role")
        person = staff.set_role(session, at, staff_id, role, now=visit.now(), actor=visit.actor)
        name = person.name
    back = "front_desk" if role == "admin" else "admin"
    undo = Undo(f"/people/{staff_id}/role", fields={"role": back})
    return visit.go(_after(visit, staff_id), toast=f"{name}: {ROLE_NAMES[role]}.", undo=undo)


def _after(visit: Visit, staff_id: int) -> str:
    """Who has just taken the admin's role off themselves may not see the list any more."""
    return "/today" if staff_id == visit.staff_id else "/people"


@router.post("/people/{staff_id:int}/remove")
def remove(visit: Admin, posted: Posted, staff_id: int) -> Response:
    if staff_id == visit.staff_id:
        raise ConflictError("You cannot remove yourself; another admin can.")
    with visit.transaction() as session:
        at = visit.clinic(session)
        person, role = staff.leave(session, at, staff_id, now=visit.now(), actor=visit.actor)
        name = person.name
    undo = Undo(f"/people/{staff_id}/bring-back", fields={"role": role})
    return visit.go("/people", toast=f"{name} no longer works here.", undo=undo)


@router.post("/people/{staff_id:int}/bring-back")
def bring_back(visit: Admin, posted: Posted, staff_id: int) -> Response:
    with visit.transaction() as session:
        at, role = visit.clinic(session), posted.text("role")
        name = staff.join(session, at, staff_id, role, now=visit.now(), actor=visit.actor).name
    return visit.go("/people", toast=f"{name} works here again.")


@router.post("/people/{staff_id:int}/disable")
def disable(visit: Admin, posted: Posted, staff_id: int) -> Response:
    """Nobody is locked out of another clinic from here: such a person is removed from this one instead."""
    if staff_id == visit.staff_id:
        raise ConflictError("You cannot disable yourself; another admin can.")
    with visit.transaction() as session:
        at = visit.clinic(session)
        person = _only_here(staff.get(session, at, staff_id))
        staff.disable(session, at, person.email, now=visit.now(), actor=visit.actor)
        signin.end_others(session, staff_id)
        name = person.name
    undo = Undo(f"/people/{staff_id}/enable")
    return visit.go("/people", toast=f"{name} can no longer sign in, and was signed out.", undo=undo)


@router.post("/people/{staff_id:int}/enable")
def enable(visit: Admin, posted: Posted, staff_id: int) -> Response:
    with visit.transaction() as session:
        at = visit.clinic(session)
        person = _only_here(staff.get(session, at, staff_id))
        staff.enable(session, at, person.email, now=visit.now(), actor=visit.actor)
        name = person.name
    return visit.go("/people", toast=f"{name} may sign in again.")


def _only_here(person: Any) -> Any:
    if len(person.memberships) > 1:
        raise InputError(f"{person.name} works at other clinics too. Remove them from this one instead.")
    return person
