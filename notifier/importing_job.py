"""An import from the page, in a thread of its own: an entry point, with its own transactions."""

from __future__ import annotations

import logging
import threading
from datetime import datetime

from sqlalchemy import Engine

from notifier import db, import_runs
from notifier.clock import Clock
from notifier.errors import NotifierError
from notifier.import_report import ImportReport
from notifier.import_table import table_of
from notifier.importing import import_table
from notifier.models import Clinic, ImportRun

log = logging.getLogger(__name__)

_FAULT = (
    "The program failed in the middle of this file. What is in already stays in; going on adds the rest, and "
    "nothing twice."
)


def begin(engine: Engine, clock: Clock, run_id: int, *, dry_run: bool, confirmed: bool, actor: str) -> None:
    """Raises ConflictError where it runs already. Returns at once; the row says how far it is."""
    with db.transaction(engine) as session:
        import_runs.start(session, session.get_one(ImportRun, run_id), dry_run=dry_run)
    job = _Job(engine, clock, run_id, dry_run, confirmed, actor)
    threading.Thread(target=job.run, name=f"import-{run_id}", daemon=True).start()


class _Job:
    def __init__(
        self, engine: Engine, clock: Clock, run_id: int, dry_run: bool, confirmed: bool, actor: str
    ) -> None:
        self._engine, self._clock, self._run_id = engine, clock, run_id
        self._dry_run, self._confirmed, self._actor = dry_run, confirmed, actor

    def run(self) -> None:
        now = self._clock.now()
        try:
            report = self._import(now)
            with db.transaction(self._engine) as session:
                import_runs.finish(session, self._run_id, report, now=self._clock.now(), actor=self._actor)
        except NotifierError as error:
            self._fail(str(error))
        except Exception:
            log.exception("import %d failed", self._run_id)
            self._fail(_FAULT)

    def _import(self, now: datetime) -> ImportReport:
        with db.reading(self._engine) as session:
            run = session.get_one(ImportRun, self._run_id)
            clinic = session.get_one(Clinic, run.clinic_id)
            sheet = import_runs.sheet_of(session, run)
            known = import_runs.remembered(session, clinic, sheet)
            columns, called = (known.columns, known.plans) if known is not None else (sheet.guess, {})
            key, file = clinic.key, run.file
        return import_table(
            self._engine,
            key,
            table_of(sheet, columns),
            file,
            now=now,
            actor=self._actor,
            called=called,
            dry_run=self._dry_run,
            confirmed=self._confirmed,
            progress=self._progress,
        )

    def _progress(self, done: int, total: int) -> None:
        with db.transaction(self._engine) as session:
            import_runs.progress(session, self._run_id, done)

    def _fail(self, words: str) -> None:
        try:
            with db.transaction(self._engine) as session:
                import_runs.fail(session, self._run_id, words, now=self._clock.now())
        except NotifierError as error:
            # Its lease runs out, and the page then says that it was interrupted.
            log.warning("import %d: %s", self._run_id, error)
