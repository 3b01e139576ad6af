"""What the commands share: their options, the opened database, and how a refusal ends them.

Everything heavy is imported where it is used, so that `notifier --help` answers at once.
"""

from __future__ import annotations

import getpass
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Annotated, ParamSpec, TypeVar

import typer

from notifier.cli_output import refuse
from notifier.errors import NotifierError

if TYPE_CHECKING:
    from sqlalchemy import Engine
    from sqlalchemy.orm import Session

    from notifier.clock import Clock
    from notifier.config import Settings
    from notifier.models import Clinic

P = ParamSpec("P")
R = TypeVar("R")

ConfigOption = Annotated[
    Path | None,
    typer.Option("--config", metavar="PATH", help="The configuration file; else NOTIFIER_CONFIG."),
]
ClinicOption = Annotated[
    str | None,
    typer.Option("--clinic", metavar="KEY", help="The clinic, where there are several."),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON for other programs.")]


@dataclass(frozen=True, slots=True)
class App:
    """What a command works with. As a context manager it lets go of the database at the end."""

    settings: Settings
    engine: Engine
    clock: Clock

    def __enter__(self) -> App:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.engine.dispose()


def open_app(config: Path | None, need_schema: bool = True) -> App:
    """The settings, and the database they name. Raises NotifierError where it cannot be used as it is."""
    from notifier import db
    from notifier.clock import clock_for
    from notifier.config import load

    settings = load(config)
    engine = db.open_engine(settings.database.url)
    app = App(settings, engine, clock_for(engine))
    if need_schema:
        try:
            db.require_current_schema(engine)
        except BaseException:
            engine.dispose()
            raise
    return app


def clinic_of(session: Session, key: str | None) -> Clinic:
    from notifier import clinics

    return clinics.only(session, key)


def actor() -> str:
    """Who is at the keyboard, for the audit trail."""
    try:
        return f"cli:{getpass.getuser()}"
    except (KeyError, OSError):
        return "cli:unknown"  # a container's user need not have a name


def command(function: Callable[P, R]) -> Callable[P, R]:
    """A command that ends with a sentence instead of a traceback where the program refuses."""

    @wraps(function)
    def ended(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return function(*args, **kwargs)
        except NotifierError as error:
            refuse(error)
        except KeyboardInterrupt:
            raise SystemExit(130) from None

    return ended


def say(text: str = "", *, err: bool = False) -> None:
    """A line for a person; a letter that the terminal lacks becomes a question mark."""
    encoding = (sys.stderr if err else sys.stdout).encoding or "utf-8"
    typer.echo(text.encode(encoding, "replace").decode(encoding), err=err)
