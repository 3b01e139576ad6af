"""What all requests share: settings, database, clock, and the templates."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Protocol, cast

from fastapi import Request
from jinja2 import Environment
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from notifier import db
from notifier.clock import Clock
from notifier.config import Settings
from notifier.web.pages import open_templates


class Beside(Protocol):
    """Something that runs beside the pages for as long as they do, such as the worker."""

    def start(self) -> None: ...
    def stop(self) -> None: ...


@dataclass(frozen=True)
class Site:
    settings: Settings
    engine: Engine
    clock: Clock
    templates: Environment = field(default_factory=open_templates)

    @property
    def is_secure(self) -> bool:
        """Whether browsers reach it by https, so that cookies may be kept from plain http."""
        return self.settings.web.base_url.startswith("https://")

    def cookie(self, name: str) -> str:
        """`__Host-` binds a cookie to this very host; browsers take it only over https."""
        return f"__Host-{name}" if self.is_secure else f"notifier-{name}"

    @property
    def cookie_terms(self) -> dict[str, Any]:
        return {"httponly": True, "samesite": "lax", "secure": self.is_secure, "path": "/"}

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """Rows that were read stay readable afterwards, for the templates."""
        with db.reading(self.engine) as session:
            yield session
            session.expunge_all()

    @contextmanager
    def transaction(self) -> Iterator[Session]:
        with db.transaction(self.engine) as session:
            yield session


def site_of(request: Request) -> Site:
    return cast(Site, request.app.state.site)
