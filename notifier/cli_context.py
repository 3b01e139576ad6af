"""What the commands share: their options, the opened database, and how a refusal ends them.

Everything heavy is imported where it is used, so that `notifier --help` answers at once.
"""

from __future__ import annotations

import getpass
import os
import sys
import tempfile
import traceback
from collections.abc import Callable, Collection
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Annotated, NoReturn, ParamSpec, TypeVar

import typer

from notifier.cli_output import refuse, shown
from notifier.errors import (
    ConflictError,
    InputError,
    NeedsConfirmation,
    NotFoundError,
    NotifierError,
)

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
    if need_schema:
        _require_file(engine)
    app = App(settings, engine, clock_for(engine))
    if need_schema:
        try:
            db.require_current_schema(engine)
        except BaseException:
            engine.dispose()
            raise
    return app


def _require_file(engine: Engine) -> None:
    from notifier.initialising import is_missing

    if is_missing(engine):
        raise NotFoundError(
            f"There is no database {engine.url.database} yet. Run notifier init, or name another "
            "configuration with --config."
        )


def change(app: App, work: Callable[[Session], R]) -> R:
    """One transaction, committed before this returns, so that nothing is told that did not happen.

    Once more from the start where another desk was quicker: then it finds what that one did.
    """
    from sqlalchemy.exc import IntegrityError
    from sqlalchemy.orm.exc import StaleDataError

    try:
        return _change(app, work)
    except (IntegrityError, StaleDataError):
        return _change(app, work)


def _change(app: App, work: Callable[[Session], R]) -> R:
    from notifier import db

    with db.transaction(app.engine) as session:
        return work(session)


def one_of(typed: str, choices: Collection[str], what: str) -> str:
    """A word of a fixed few; another one is misuse, told with what there is."""
    if typed not in choices:
        raise typer.BadParameter(f'"{typed}" is not a {what}; there are {", ".join(choices)}.')
    return typed


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
        except NeedsConfirmation as error:
            refuse(NotifierError(f"{error} To confirm, add {error.flag}."))
        except NotifierError as error:
            refuse(error)
        except KeyboardInterrupt:
            raise SystemExit(130) from None
        except (typer.Exit, typer.Abort, typer.BadParameter, BrokenPipeError):
            raise  # Typer's own ways to end
        except Exception as error:
            _give_up(error)

    return ended


def _give_up(error: Exception) -> NoReturn:
    """What nobody has foreseen, in a sentence all the same."""
    from sqlalchemy.exc import DataError, IntegrityError
    from sqlalchemy.orm.exc import StaleDataError

    if isinstance(error, IntegrityError | StaleDataError):
        refuse(ConflictError("Somebody else changed the same at this moment; nothing was done. Try again."))
    if isinstance(error, DataError):
        detail = str(error.orig).splitlines()[0]
        refuse(InputError(f"The database does not take one of these values: {detail}. Nothing was done."))
    if isinstance(error, UnicodeEncodeError):
        refuse(InputError("What was typed is not valid text; set the terminal to UTF-8 and type it again."))
    if isinstance(error, OSError) and error.filename:
        refuse(InputError(f"{error.filename}: {error.strerror}."))
    file, path = tempfile.mkstemp(prefix="notifier-fault-", suffix=".txt")
    with os.fdopen(file, "w", encoding="utf-8", errors="replace") as details:
        traceback.print_exception(error, file=details)
    refuse(
        NotifierError(
            f"This is a fault of the program ({type(error).__name__}). Please report it with {path}; "
            "look through that file first, as it may name a patient."
        )
    )


def say(text: str = "", *, err: bool = False) -> None:
    """For a person. What the terminal cannot show is put simpler, and what would steer it is left out."""
    plain = "".join(char if char.isprintable() or char == "\n" else " " for char in text)
    typer.echo(shown(sys.stderr if err else sys.stdout, plain), err=err)
