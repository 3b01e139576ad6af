"""What a change of a plan would do to pending messages, reckoned aside while a page says how far it is."""

from __future__ import annotations

import logging
import threading
import time
from collections import OrderedDict
from dataclasses import dataclass, field

from sqlalchemy import Engine

from notifier import db, retiming_effect
from notifier.clock import Clock
from notifier.errors import NotifierError
from notifier.models import Clinic
from notifier.planfiles import Content, digest_of
from notifier.retiming_effect import Effect
from notifier.web.visit import Visit

log = logging.getLogger(__name__)

# Seconds: what is there sooner is shown at once; what is older is reckoned again.
_AT_ONCE = 0.8
_STALE = 60.0
_MOST = 16


@dataclass
class Reckoning:
    """One calculation under way or done; `problem` is why there is no effect, in words."""

    done: int = 0
    total: int = 0
    effect: Effect | None = None
    problem: str = ""
    ready: threading.Event = field(default_factory=threading.Event)
    ready_at: float = 0.0

    @property
    def is_stale(self) -> bool:
        return self.ready.is_set() and (self.problem != "" or time.monotonic() - self.ready_at > _STALE)

    def progress(self, done: int, total: int) -> None:
        self.done, self.total = done, total

    def run(self, engine: Engine, clock: Clock, clinic_id: int, key: str, content: Content) -> None:
        try:
            with db.reading(engine) as session:
                clinic = session.get_one(Clinic, clinic_id)
                self.effect = retiming_effect.effect(
                    session, clinic, key, content, now=clock.now(), progress=self.progress
                )
        except NotifierError as error:
            self.problem = str(error)
        except Exception:
            log.exception("the effect of a change of the plan %s could not be reckoned", key)
            self.problem = "It could not be reckoned what this would do; the log says why."
        finally:
            self.ready_at = time.monotonic()
            self.ready.set()


class Reckonings:
    """Of one installation: who asks for the same finds the one that is under way."""

    def __init__(self) -> None:
        self._known: OrderedDict[tuple[object, ...], Reckoning] = OrderedDict()
        self._lock = threading.Lock()

    def ask(self, visit: Visit, key: str, content: Content, number: int) -> Reckoning:
        """Waits a moment, so that what is quick is there at once."""
        what = (visit.clinic_id, key, number, digest_of(content))
        with self._lock:
            found = self._known.get(what)
            if found is None or found.is_stale:
                found = self._known[what] = Reckoning()
                site = visit.site
                threading.Thread(
                    target=found.run,
                    args=(site.engine, site.clock, visit.clinic_id, key, content),
                    name=f"effect-{key}",
                    daemon=True,
                ).start()
            self._known.move_to_end(what)
            while len(self._known) > _MOST:
                self._known.popitem(last=False)
        found.ready.wait(_AT_ONCE)
        return found


def reckonings(visit: Visit) -> Reckonings:
    state = visit.request.app.state
    if not hasattr(state, "reckonings"):
        state.reckonings = Reckonings()
    found = state.reckonings
    assert isinstance(found, Reckonings)
    return found
