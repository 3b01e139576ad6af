"""What a form posted, after the proof that it is one of ours; and what is wrong with it, field by field."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from typing import Annotated

from fastapi import Depends, Request
from starlette.datastructures import FormData, UploadFile

from notifier.errors import ConflictError, InputError
from notifier.web.csrf import require_own_page

_NEVER_KEPT = frozenset({"csrf", "clinic", "password", "again"})


class Fields:
    """Posted fields. What is absent reads as empty."""

    def __init__(self, form: FormData) -> None:
        self._form = form

    def raw(self, name: str) -> str:
        value = self._form.get(name, "")
        return value.replace("\r\n", "\n") if isinstance(value, str) else ""

    def text(self, name: str) -> str:
        return self.raw(name).strip()

    def many(self, name: str) -> list[str]:
        return [
            value.strip() for value in self._form.getlist(name) if isinstance(value, str) and value.strip()
        ]

    def flag(self, name: str) -> bool:
        """Whether a box was ticked."""
        return self.raw(name) not in ("", "0", "false", "off")

    def whole(self, name: str) -> int | None:
        """A whole number; None where there is none."""
        text = self.text(name)
        return int(text) if text.isdecimal() and len(text) < 19 else None

    def path(self, name: str, otherwise: str) -> str:
        """Where to go next, within this site."""
        text = self.text(name)
        return text if text.startswith("/") and not text.startswith(("//", "/\\")) else otherwise

    def file(self, name: str) -> UploadFile | None:
        value = self._form.get(name)
        return value if isinstance(value, UploadFile) and value.filename else None

    @property
    def values(self) -> dict[str, str]:
        """All single values, to show again what was typed."""
        return {name: self.raw(name) for name in self._form if isinstance(self._form.get(name), str)}

    @property
    def kept(self) -> list[tuple[str, str]]:
        """What may be carried through a sign-in: all but secrets and files."""
        return [
            (name, value)
            for name, value in self._form.multi_items()
            if isinstance(value, str) and name not in _NEVER_KEPT
        ]


async def posted(request: Request) -> AsyncIterator[Fields]:
    """The check against forged requests: every change takes `Posted`, after the visit."""
    async with request.form() as form:
        require_own_page(request, proof_in(request, form))
        _require_same_clinic(request, form)
        yield Fields(form)


def proof_in(request: Request, form: FormData) -> str:
    """What the request repeats of the secret in the cookie."""
    given = form.get("csrf") or request.headers.get("X-CSRF-Token", "")
    return given if isinstance(given, str) else ""


def _require_same_clinic(request: Request, form: FormData) -> None:
    """A tab that still shows another clinic must not write into this one."""
    visit = getattr(request.state, "visit", None)
    clinic = form.get("clinic") or request.headers.get("X-Clinic", "")
    if visit is not None and isinstance(clinic, str) and clinic and clinic != str(visit.clinic_id):
        raise ConflictError(
            f"Another tab of this browser has switched to {visit.clinic_name}, so nothing was changed. "
            "Switch back at the top of the page, then save again."
        )


Posted = Annotated[Fields, Depends(posted)]


class Problems(dict[str, str]):
    """Field → what is wrong and what to write; the empty field is the form as a whole."""

    def take(self, error: InputError) -> None:
        self.setdefault(error.field, str(error))

    @contextmanager
    def catching(self) -> Iterator[None]:
        """Around what reads one field: its complaint is kept, and the next field is read."""
        try:
            yield
        except InputError as error:
            self.take(error)
