"""What planned messages to one patient do to each other: gap, caps, overtaking, supersession, visits."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from notifier.rules.audience import ALWAYS, Score
from notifier.rules.plan import Pace, Window
from notifier.rules.timing import Due, Skip, SkipCode, is_open, next_opening, say
from notifier.rules.zones import to_local

WEEK = timedelta(days=7)
ONE_VISIT = timedelta(hours=4)
# However the clocks change.
_LONGEST_DAY = timedelta(hours=49)
# Beyond this nobody connects the message with the treatment any more; it also bounds the search for a place.
LONGEST_WAIT = timedelta(days=60)


Place = tuple[Hashable, str]  # treatment and step key


@dataclass(frozen=True, slots=True)
class Neighbour:
    """Another planned message to the same patient or address that counts: it left, or it will."""

    at: datetime
    pace: Pace
    scores: frozenset[Score] = ALWAYS
    treatment: Hashable = None


@dataclass(slots=True)
class Candidate:
    """A step that is due by itself and looks for its place among the others."""

    treatment: Hashable
    key: str
    due: Due
    pace: Pace
    window: Window
    safety: bool = False
    scores: frozenset[Score] = ALWAYS
    order: int = 0
    place: Place = field(init=False)

    def __post_init__(self) -> None:
        self.place = (self.treatment, self.key)


def schedule(
    candidates: Sequence[Candidate], neighbours: Iterable[Neighbour], tz: ZoneInfo
) -> dict[Place, Due | Skip]:
    """A place for each candidate, oldest first. Safety steps keep theirs, and the others give way."""
    queue = in_order(candidates)
    others = list(neighbours)
    unfit: set[Place] = set()
    while True:
        result, overtakers = _one_pass(queue, others, unfit, tz)
        # A step that finds no place itself has overtaken nothing: without it, the other may go.
        dropped = {place for place in overtakers if isinstance(result[place], Skip)}
        if dropped <= unfit:
            return result
        unfit |= dropped


def in_order(candidates: Sequence[Candidate]) -> list[Candidate]:
    """Oldest first; of two at the same time, the one that was meant to be first."""
    return sorted(candidates, key=lambda c: (c.due.at, c.due.nominal or c.due.at, c.order))


def _one_pass(
    queue: Sequence[Candidate], neighbours: Sequence[Neighbour], unfit: set[Place], tz: ZoneInfo
) -> tuple[dict[Place, Due | Skip], set[Place]]:
    safe = [candidate for candidate in queue if candidate.safety]
    result: dict[Place, Due | Skip] = {candidate.place: candidate.due for candidate in safe}
    placed = [*neighbours, *(_as_neighbour(candidate, candidate.due.at) for candidate in safe)]
    overtakers: set[Place] = set()
    for index, candidate in enumerate(queue):
        if candidate.safety:
            continue
        later = [other for other in queue[index + 1 :] if other.place not in unfit]
        outcome, overtaker = _place(candidate, placed, later, tz)
        if overtaker is not None:
            overtakers.add(overtaker.place)
        if isinstance(outcome, Due):
            placed.append(_as_neighbour(candidate, outcome.at))
        result[candidate.place] = outcome
    return result, overtakers


def _as_neighbour(candidate: Candidate, at: datetime) -> Neighbour:
    return Neighbour(at, candidate.pace, candidate.scores, candidate.treatment)


def _place(
    candidate: Candidate, placed: list[Neighbour], later: Sequence[Candidate], tz: ZoneInfo
) -> tuple[Due | Skip, Candidate | None]:
    """Where it may go, or why nowhere; and the step that overtook it, if one did."""
    # By the patient's answer, some steps exclude each other; those never meet.
    met = [n for n in placed if _can_meet(candidate, n)]
    if _is_surely_free(candidate.due.at, candidate.pace, met, tz):
        return candidate.due, None
    at = next_free(
        candidate.due.at,
        pace=candidate.pace,
        window=candidate.window,
        neighbours=met,
        counted=_counted_together(candidate, met),
        tz=tz,
    )
    due = candidate.due
    if at == due.at:
        return due, None
    overtaker = _overtaker(candidate, at, later)
    if overtaker is not None:
        reason = (
            f"Overtaken: to keep messages apart it would have moved from {say(due.at, tz)} to {say(at, tz)}, "
            f"and {overtaker.key} is due by then."
        )
        return Skip(SkipCode.OVERTAKEN, reason, due.useful_until), overtaker
    if at - due.at > LONGEST_WAIT or (due.useful_until is not None and at > due.useful_until):
        until = (
            "" if due.useful_until is None else f", and it is useful only until {say(due.useful_until, tz)}"
        )
        reason = f"To keep messages apart it would have moved from {say(due.at, tz)} to {say(at, tz)}{until}."
        return Skip(SkipCode.PACE, reason, due.useful_until), None
    moved = f"Moved from {say(due.at, tz)} to keep messages apart."
    return replace(due, at=at, note=f"{due.note} {moved}".strip()), None


def _is_surely_free(at: datetime, pace: Pace, neighbours: Sequence[Neighbour], tz: ZoneInfo) -> bool:
    """Whether gap and caps would be kept even if all of these went out: true of most, and quick to see."""
    gap, per_day, per_week = pace.min_gap, pace.max_per_day, pace.max_per_week
    near = []
    for neighbour in neighbours:
        apart = abs(neighbour.at - at)
        if neighbour.pace is not pace:
            gap = max(gap, neighbour.pace.min_gap)
            per_day = _stricter((per_day, neighbour.pace.max_per_day))
            per_week = _stricter((per_week, neighbour.pace.max_per_week))
        if apart < gap:
            return False
        if apart < WEEK:
            near.append((apart, neighbour.at))
    if per_week and len(near) >= per_week:
        return False
    if not per_day or not near or min(near)[0] > _LONGEST_DAY:
        return True
    day = to_local(at, tz).date()
    same_day = sum(apart < _LONGEST_DAY and to_local(other, tz).date() == day for apart, other in near)
    return same_day < per_day


def _can_meet(candidate: Candidate, neighbour: Neighbour) -> bool:
    if candidate.treatment != neighbour.treatment:
        return True  # the scores are those of different treatments
    return not candidate.scores.isdisjoint(neighbour.scores)


def _counted_together(candidate: Candidate, met: Sequence[Neighbour]) -> list[list[Neighbour]]:
    """The neighbours that may all go out beside the candidate, for each answer the patient could give.

    Two steps of which only one will go are not two messages under a cap.
    """
    if all(n.scores == ALWAYS for n in met):
        return [list(met)]
    # A neighbour of another treatment hangs on the score of that one, which this score says nothing about.
    together = (
        [n for n in met if n.treatment != candidate.treatment or score in n.scores]
        for score in candidate.scores
    )
    return list({tuple(id(n) for n in group): group for group in together}.values())


def _overtaker(candidate: Candidate, at: datetime, later: Sequence[Candidate]) -> Candidate | None:
    return next(
        (
            other
            for other in later
            if other.treatment == candidate.treatment and other.scores == ALWAYS and other.due.at <= at
        ),
        None,
    )


def next_free(
    at: datetime,
    *,
    pace: Pace,
    window: Window,
    neighbours: Sequence[Neighbour],
    tz: ZoneInfo,
    counted: Sequence[Sequence[Neighbour]] | None = None,
) -> datetime:
    """The first moment from `at` on that keeps the gap and the caps; `at` itself when it does.

    Gap and caps are the stricter of this plan's and the neighbour's. `counted` groups the neighbours that
    the caps count together, where they are not simply all of them. A result more than 60 days on means
    that there is no place.
    """
    groups = [neighbours] if counted is None else counted
    limit = at + LONGEST_WAIT
    while at <= limit:
        moved = _after_gap(at, pace, neighbours)
        if moved == at:
            moved = max((_after_day_cap(at, pace, window, group, tz) for group in groups), default=at)
        if moved == at:
            moved = max((_after_week_cap(at, pace, group) for group in groups), default=at)
        if moved == at:
            return at
        at = moved if is_open(moved, window, tz) else next_opening(moved, window, tz)
    return at


def _after_gap(at: datetime, pace: Pace, neighbours: Sequence[Neighbour]) -> datetime:
    return max(
        (n.at + gap for n in neighbours if abs(at - n.at) < (gap := max(pace.min_gap, n.pace.min_gap))),
        default=at,
    )


def _after_day_cap(
    at: datetime, pace: Pace, window: Window, neighbours: Sequence[Neighbour], tz: ZoneInfo
) -> datetime:
    day = to_local(at, tz).date()
    # Cheap before exact.
    near = [n for n in neighbours if abs(n.at - at) < _LONGEST_DAY]
    same_day = [n for n in near if to_local(n.at, tz).date() == day]
    cap = _stricter([pace.max_per_day, *(n.pace.max_per_day for n in same_day)])
    if cap and len(same_day) >= cap:
        return next_opening(at, window, tz, days=1)
    return at


def _after_week_cap(at: datetime, pace: Pace, neighbours: Sequence[Neighbour]) -> datetime:
    near = [n for n in neighbours if abs(n.at - at) < WEEK]
    cap = _stricter([pace.max_per_week, *(n.pace.max_per_week for n in near)])
    if not cap or len(near) < cap:
        return at
    for start in sorted([n.at for n in near if n.at <= at] + [at]):
        inside = [n.at for n in near if start <= n.at < start + WEEK]
        if len(inside) >= cap:
            # Once the first of them is a week ago, there is room again.
            return min(inside) + WEEK
    return at


def _stricter(caps: Iterable[int]) -> int:
    return min((cap for cap in caps if cap), default=0)


@dataclass(frozen=True, slots=True)
class Treated:
    """One treatment as newer treatments and visits see it.

    `spoke`: a first-day message of it has left, or may have.
    """

    id: Hashable
    plan: str
    ended_at: datetime
    caution: int = 0
    spoke: bool = False
    order: int = 0


def superseded_by(treatments: Sequence[Treated]) -> dict[Hashable, Treated]:
    """For each treatment that a newer one on the same plan took over from: the newest."""
    newest: dict[str, Treated] = {}
    for treated in sorted(treatments, key=lambda t: (t.ended_at, t.order)):
        newest[treated.plan] = treated
    return {t.id: newest[t.plan] for t in treatments if newest[t.plan].id != t.id}


def spoken_for(treatments: Sequence[Treated]) -> dict[Hashable, Treated]:
    """For each treatment whose first-day message another one of the same visit gives: that one.

    The highest caution speaks; among equals the one that already did, else the latest. What has been said
    by a plan of lower caution does not silence one of higher caution.
    """
    silenced: dict[Hashable, Treated] = {}
    for visit in _visits(treatments):
        speaker = max(visit, key=lambda t: (t.caution, t.spoke, t.ended_at, t.order))
        silenced |= {t.id: speaker for t in visit if t.id != speaker.id and not t.spoke}
    return silenced


def _visits(treatments: Sequence[Treated]) -> list[list[Treated]]:
    visits: list[list[Treated]] = []
    for treated in sorted(treatments, key=lambda t: (t.ended_at, t.order)):
        if visits and treated.ended_at - visits[-1][0].ended_at <= ONE_VISIT:
            visits[-1].append(treated)
        else:
            visits.append([treated])
    return visits
