"""A whole installation for tests of pages: database, clock and application, and the people who use it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from sqlalchemy import Engine
from sqlalchemy.orm import Session
from starlette.datastructures import State

from notifier import db, signin, staff
from notifier.clock import JumpingClock
from notifier.config import Settings
from notifier.models import Clinic, Staff
from notifier.web.app import create_app
from notifier.web.auth import SIGN_IN
from notifier.web.site import Site
from tests import cast
from tests.web.browser import Browser

# Fern works at the desk, Ada is the admin; Hugo is the admin of the other clinic.
FERN, ADA, HUGO = "fern@riverside.example", "ada@riverside.example", "hugo@harbour.example"
NAMES = {FERN: "Fern Quist", ADA: "Ada Okoye", HUGO: "Hugo Prentice"}
PASSWORD = "correct horse battery staple"


@cache
def common_app() -> FastAPI:
    """One for all tests of a process, in turn: the first visit to a new one builds all its routes."""
    return create_app(Settings(), db.open_engine("sqlite://"), JumpingClock(cast.LOGGED))


class Installation:
    """`clock` stands still at the moment after the cast's treatments are logged, until a test moves it."""

    def __init__(
        self,
        engine: Engine,
        clinic: Clinic,
        folder: Path,
        *,
        now: datetime = cast.LOGGED,
        hired: bool = False,
        app: FastAPI | None = None,
        **sections: Any,
    ) -> None:
        self.engine, self.clinic, self.folder = engine, clinic, folder
        self.clock = JumpingClock(now)
        given = {"delivery": {"outbox_file": folder / "outbox.jsonl"}} | sections
        self.settings = Settings.model_validate(given)
        self.app = app or create_app(self.settings, engine, self.clock)
        self.app.state = State({"site": Site(self.settings, engine, self.clock)})
        if hired:
            return  # a second look at the same database
        with self.change() as session:
            at = session.get_one(Clinic, clinic.id)
            for email, role in ((FERN, "front_desk"), (ADA, "admin")):
                self.hire(session, at, email, role)

    @property
    def site(self) -> Site:
        site = self.app.state.site
        assert isinstance(site, Site)
        return site

    @contextmanager
    def change(self) -> Iterator[Session]:
        with db.transaction(self.engine) as session:
            yield session

    @contextmanager
    def look(self) -> Iterator[Session]:
        with self.site.reading() as session:
            yield session

    def hire(self, session: Session, clinic: Clinic, email: str, role: str) -> Staff:
        return staff.add(
            session,
            clinic,
            email=email,
            name=NAMES.get(email, email),
            role=role,
            password=None,  # argon2 takes its time; who tests passwords gives one
            now=cast.OPENED,
            actor="set-up",
        )

    def anonymous(self) -> Browser:
        return Browser(self.app, base="https://testserver" if self.site.is_secure else "http://testserver")

    def signed_in(self, email: str) -> Browser:
        """A browser in which this person has signed in."""
        browser = self.anonymous()
        with self.change() as session:
            person = session.query(Staff).filter_by(email=email).one()
            secret = signin.begin(session, person.id, now=self.clock.now())
        browser.client.cookies.set(self.site.cookie(SIGN_IN), secret)
        return browser

    def as_desk(self) -> Browser:
        return self.signed_in(FERN)

    def as_admin(self) -> Browser:
        return self.signed_in(ADA)

    def open_other_clinic(self) -> Clinic:
        """Harbour Osteopathy in London with Hugo as its admin, which Riverside must never see."""
        with self.change() as session:
            other = cast.open_harbour(session)
            self.hire(session, other, HUGO, "admin")
        return other

    def log(self, patient: Any = cast.ALICE, plan: str = "dry-needling", **changes: Any) -> int:
        """A treatment at Riverside, by its number."""
        with self.change() as session:
            return cast.log(session, session.get_one(Clinic, self.clinic.id), patient, plan, **changes).id
