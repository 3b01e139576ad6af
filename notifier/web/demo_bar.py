"""The demo's clock, for whoever looks at it: pause it, change its speed, go to the next message."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Response
from fastapi.responses import HTMLResponse

from notifier import senders
from notifier.clock import RunningClock
from notifier.errors import InputError, NotFoundError
from notifier.rules.plan import CHANNELS
from notifier.rules.timing import say
from notifier.web.auth import Desk
from notifier.web.forms import Posted
from notifier.web.visit import Visit

# Seconds of the demo's time in one of ours; the bar has a button for each.
SPEEDS = (0, 1, 60, 600, 3600)


def running_clock(visit: Desk) -> RunningClock:
    clock = visit.site.clock
    if not isinstance(clock, RunningClock):
        raise NotFoundError("Only the demo has a clock that can be changed.")
    return clock


router = APIRouter(prefix="/demo")
Running = Annotated[RunningClock, Depends(running_clock)]


@router.get("/now")
def now(visit: Desk, clock: Running) -> Response:
    return HTMLResponse(say(clock.now(), visit.tz), headers={"Cache-Control": "no-store"})


@router.post("/speed")
def speed(visit: Desk, clock: Running, posted: Posted) -> Response:
    chosen = posted.whole("speed")
    if chosen not in SPEEDS:
        raise InputError("The clock has no such speed.", field="speed")
    clock.set_speed(chosen)
    return _answer(visit, posted.path("back", "/"))


@router.post("/next")
def next_message(visit: Desk, clock: Running, posted: Posted) -> Response:
    """To the moment when the next message is due, so that it leaves now."""
    with visit.reading() as session:
        due = senders.next_due(session, CHANNELS)
    if due is None:
        return _answer(visit, posted.path("back", "/"), toast="No message is waiting.")
    clock.jump(due)
    return _answer(visit, posted.path("back", "/"))


def _answer(visit: Visit, back: str, *, toast: str = "") -> Response:
    if visit.is_fragment:
        return visit.fragment("_demo_bar.html", back=back, toast=toast)
    return visit.go(back, toast=toast)
