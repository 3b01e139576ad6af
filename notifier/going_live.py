"""What stands between a clinic and real patients: seen from its rows and settings, or ticked by an admin.

Mode live, the doctor and the checklist of the admins all read this.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import update
from sqlalchemy.orm import Session

from notifier import audit, clinics
from notifier.config import Settings
from notifier.errors import InputError, NotFoundError
from notifier.going_live_seen import LOOK, Installation, Seen
from notifier.going_live_steps import BY_KEY, STEPS, Step
from notifier.models import Clinic

_LONGEST_NOTE = 200


@dataclass(frozen=True, slots=True)
class Tick:
    by: str
    on: date
    note: str


@dataclass(frozen=True, slots=True)
class Item:
    step: Step
    seen: Seen
    tick: Tick | None = None

    @property
    def counts(self) -> bool:
        return not self.seen.unneeded

    @property
    def is_done(self) -> bool:
        return self.tick is not None if self.step.by_hand else not self.seen.lacks

    @property
    def blocks(self) -> bool:
        return self.step.blocks and self.counts and not self.is_done and self.seen.holds


@dataclass(frozen=True, slots=True)
class Progress:
    done: int
    total: int

    @property
    def is_complete(self) -> bool:
        return self.done == self.total


def items(session: Session, clinic: Clinic, settings: Settings) -> list[Item]:
    """Every step, in order."""
    it = Installation(session, settings, clinic)
    ticks = _ticks(clinic.going_live)
    return [Item(step, LOOK[step.key](it), ticks.get(step.key)) for step in STEPS]


def progress(found: Iterable[Item]) -> Progress:
    counted = [item for item in found if item.counts]
    return Progress(sum(item.is_done for item in counted), len(counted))


def blocking(session: Session, settings: Settings) -> Iterator[str]:
    """One sentence or more, with what to do, for all that mode live must not begin without."""
    everywhere = clinics.all_clinics(session)
    nobody = Installation(session, settings, None)
    for step in STEPS:
        if step.everywhere and (item := Item(step, LOOK[step.key](nobody))).blocks:
            yield _sentence(item)
    if not everywhere:
        yield "There is no clinic yet. Run: notifier init"
    for clinic in everywhere:
        option = f" --clinic {clinic.key}" if len(everywhere) > 1 else ""
        for item in items(session, clinic, settings):
            if item.blocks and not item.step.everywhere:
                yield f"{clinic.name}: {_sentence(item, option)}"


def _sentence(item: Item, option: str = "") -> str:
    command = f" {item.seen.command}{option}" if item.seen.command else f" {item.step.todo}"
    return f"{item.seen.lacks}{command}"


# What only people know


def tick(
    session: Session,
    clinic: Clinic,
    key: str,
    *,
    by: str,
    on: date,
    note: str,
    now: datetime,
    actor: str,
) -> None:
    """Somebody says that it is done. Raises InputError, or NotFoundError for what the program sees itself."""
    step = _by_hand(key)
    note = " ".join(note.split())
    if len(note) > _LONGEST_NOTE:
        raise InputError(f"Keep the note below {_LONGEST_NOTE} characters.", field=f"note.{key}")
    said = {"by": by, "on": on.isoformat(), "note": note}
    _set(session, clinic, lambda ticks: ticks | {key: said})
    _note(session, clinic, "going_live.done", step, now, actor)


def untick(session: Session, clinic: Clinic, key: str, *, now: datetime, actor: str) -> Tick | None:
    """Not done after all; what was said before, for an undo."""
    step = _by_hand(key)
    before = _ticks(clinic.going_live).get(key)
    _set(session, clinic, lambda ticks: {name: said for name, said in ticks.items() if name != key})
    _note(session, clinic, "going_live.undone", step, now, actor)
    return before


def _by_hand(key: str) -> Step:
    step = BY_KEY.get(key)
    if step is None or not step.by_hand:
        raise NotFoundError("There is nothing to tick by that name.")
    return step


def _set(session: Session, clinic: Clinic, changed: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
    """Under the row's lock, so that two people who tick at once both count.

    The clinic's version stays: who edits it meanwhile loses nothing by a tick.
    """
    session.refresh(clinic, with_for_update={"key_share": True})
    wanted = changed(dict(clinic.going_live))
    session.execute(update(Clinic).where(Clinic.id == clinic.id).values(going_live=wanted))
    session.refresh(clinic)


def _note(session: Session, clinic: Clinic, action: str, step: Step, now: datetime, actor: str) -> None:
    audit.note(
        session,
        clinic_id=clinic.id,
        at=now,
        actor=actor,
        action=action,
        subject="clinic",
        subject_id=clinic.id,
        step=step.title,
    )


def _ticks(kept: Mapping[str, Any]) -> dict[str, Tick]:
    return {
        key: Tick(str(said["by"]), date.fromisoformat(said["on"]), str(said.get("note", "")))
        for key, said in kept.items()
    }
