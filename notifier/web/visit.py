"""What one signed-in request works with: who, at which clinic, in which role; and how it answers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Any
from zoneinfo import ZoneInfo

from fastapi import Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse
from sqlalchemy.orm import Session

from notifier import alarm, going_live, inbox, signin
from notifier.alarm import Alarm
from notifier.config import Settings
from notifier.errors import DatabaseError
from notifier.going_live import Progress
from notifier.inbox import Waiting
from notifier.models import Clinic
from notifier.rules.zones import zone
from notifier.signin import Signed
from notifier.web.csrf import keep_csrf
from notifier.web.desk_looks import note_list
from notifier.web.site import Site


@dataclass(frozen=True, slots=True)
class Undo:
    """A button in the toast: posts `fields` to `action`."""

    action: str
    label: str = "Undo"
    fields: Mapping[str, str] = field(default_factory=dict)


class Visit:
    def __init__(self, request: Request, site: Site, signed: Signed, csrf: str) -> None:
        self.request, self.site, self.signed, self.csrf = request, site, signed, csrf

    @property
    def settings(self) -> Settings:
        return self.site.settings

    @property
    def clinic_id(self) -> int:
        return self.signed.clinic_id

    @property
    def clinic_name(self) -> str:
        return self.signed.clinic_name

    @cached_property
    def tz(self) -> ZoneInfo:
        """The clinic's."""
        return zone(self.signed.timezone)

    @property
    def role(self) -> str:
        return self.signed.role

    @property
    def is_admin(self) -> bool:
        return self.signed.role == "admin"

    @property
    def staff_id(self) -> int:
        return self.signed.staff_id

    @property
    def name(self) -> str:
        return self.signed.name

    @property
    def actor(self) -> str:
        """For the audit trail and the events of messages."""
        return self.signed.email

    def now(self) -> datetime:
        """Plan time."""
        return self.site.clock.now()

    @contextmanager
    def reading(self) -> Iterator[Session]:
        with self.site.reading() as session:
            yield session

    @contextmanager
    def transaction(self) -> Iterator[Session]:
        """Committed at the end, or nothing of it happened."""
        with self.site.transaction() as session:
            yield session

    def clinic(self, session: Session) -> Clinic:
        return session.get_one(Clinic, self.clinic_id)

    def clinics(self) -> list[Clinic]:
        """Those the person may switch between."""
        with self.reading() as session:
            return signin.clinics_of(session, self.staff_id)

    @property
    def going_live(self) -> Progress:
        """How far the clinic is on the way to real patients, for the navigation of its admins."""
        try:
            with self.reading() as session:
                return going_live.progress(going_live.items(session, self.clinic(session), self.settings))
        except DatabaseError:
            return Progress(0, 0)

    @property
    def waiting(self) -> Waiting:
        """Who waits in the inbox, for the navigation; a page that says what is wrong comes without."""
        try:
            with self.reading() as session:
                return inbox.waiting(session, self.clinic_id)
        except DatabaseError:
            return Waiting()

    @cached_property
    def alarm(self) -> Alarm:
        """What rings on every page; one that says what is wrong with the database comes without."""
        try:
            with self.reading() as session:
                found = alarm.look(session, self.clinic_id)
            note_list(self, {each.patient_id for each in found.ringing if each.patient_id is not None})
            return found
        except DatabaseError:
            return Alarm()

    @property
    def is_fragment(self) -> bool:
        """Whether HTMX asks for a part of a page."""
        return self.request.headers.get("HX-Request") == "true"

    def page(self, template: str, *, status: int = 200, **context: Any) -> Response:
        """A whole page; the toast that was left for it is shown, once."""
        toast = self.signed.toast
        if toast is not None:
            with self.transaction() as session:
                signin.say(session, self.signed.id, None)
        html = self.site.templates.get_template(template).render(visit=self, toast=toast, **context)
        # What a page shows of a patient stays out of every cache on the way and of the browser's own.
        response = HTMLResponse(html, status_code=status, headers={"Cache-Control": "no-store"})
        keep_csrf(self.request, response)
        return response

    def fragment(
        self, template: str, *, status: int = 200, toast: str = "", undo: Undo | None = None, **context: Any
    ) -> Response:
        """A part of a page for HTMX; a toast comes along out of band."""
        html = self.site.templates.get_template(template).render(visit=self, **context)
        if toast:
            said = self.site.templates.get_template("_toast.html")
            html += said.render(visit=self, toast=_toast(toast, undo), oob=True)
        return HTMLResponse(html, status_code=status, headers={"Cache-Control": "no-store"})

    def unchanged(self) -> Response:
        """The answer to a fragment that asks for news where there are none: HTMX leaves all as it is."""
        return Response(status_code=204)

    def go(self, path: str, *, toast: str = "", undo: Undo | None = None) -> Response:
        """After a change: to a page that shows it, so that loading it again repeats nothing."""
        if toast:
            with self.transaction() as session:
                signin.say(session, self.signed.id, _toast(toast, undo))
        response = RedirectResponse(path, status_code=303)
        if self.is_fragment:
            # Spelled as in the other header: browsers skip a tab or a line's end, and might go elsewhere.
            return Response(status_code=200, headers={"HX-Redirect": response.headers["location"]})
        return response


def _toast(words: str, undo: Undo | None) -> dict[str, Any]:
    return {"words": words, "undo": asdict(undo) if undo is not None else None}
