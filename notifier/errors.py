"""Everything this program refuses or fails at, in one tree.

NotifierError                 the message is ready for the person who will read it
├── ConfigError               a setting is wrong or missing: its name, and what to write instead
├── PlanError                 a plan's files cannot be understood: file, line, what is wrong
├── RenderError               a text could not be rendered for this patient
├── InputError                what a person entered cannot be accepted; `field` says which part
│   └── NeedsConfirmation     unusual but possible; `flag` says how to insist
├── NotFoundError             there is no such clinic, plan, patient, treatment or message
├── ConflictError             somebody else changed it first, or it is in a state that does not allow this
├── DatabaseError             the database cannot be used as it is
│   ├── DatabaseUnavailable   it cannot be reached, is locked, read-only or full; waiting may help
│   └── SchemaMismatch        it is older or newer than this program
└── ChannelError              a provider did not take a message; carries the class that decides what follows
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from notifier.rules.delivery import ErrorClass


class NotifierError(Exception):
    """Base of all errors whose message may be shown to a person as it stands."""


class ConfigError(NotifierError):
    pass


class PlanError(NotifierError):
    """`place` is the step's index (or None) and the key in its plan.toml, until a line number is known."""

    def __init__(self, message: str, *, file: Path | str | None = None, line: int | None = None) -> None:
        self.file, self.line, self.plain = file, line, message
        self.place: tuple[int | None, str] | None = None
        where = f"{file}:{line}: " if file and line else f"{file}: " if file else ""
        super().__init__(f"{where}{message}")


class RenderError(NotifierError):
    pass


class InputError(NotifierError):
    def __init__(self, message: str, *, field: str = "") -> None:
        self.field = field
        super().__init__(message)


class NeedsConfirmation(InputError):
    def __init__(self, message: str, *, field: str, flag: str) -> None:
        self.flag = flag
        super().__init__(message, field=field)


class NotFoundError(NotifierError):
    pass


class ConflictError(NotifierError):
    pass


class DatabaseError(NotifierError):
    pass


class DatabaseUnavailable(DatabaseError):
    pass


class SchemaMismatch(DatabaseError):
    pass


class ChannelError(NotifierError):
    """`code` is the provider's own, where it gave one; `retry_after` its wish in seconds."""

    def __init__(
        self,
        error_class: ErrorClass,
        message: str,
        *,
        code: str | None = None,
        retry_after: float | None = None,
    ) -> None:
        self.error_class, self.code, self.retry_after = error_class, code, retry_after
        super().__init__(message)
