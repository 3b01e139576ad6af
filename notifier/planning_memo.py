"""What need not be asked twice of one plan: answers of the rules, remembered by everything they hang on.

A plan version never changes, so nothing here goes out of date; it only makes thousands of treatments quick.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple, TypeVar
from zoneinfo import ZoneInfo

from notifier.planfiles import Definition
from notifier.rules import pacing
from notifier.rules.audience import Facts, Score
from notifier.rules.plan import Step
from notifier.rules.timing import Due, Skip
from notifier.step_fit import words_missing

_AT_MOST = 20_000

Said = tuple[bool, bool, tuple[str, ...]]  # what an audience is asked about: see `Facts`


class Wishes(NamedTuple):
    """What a patient wants the words to be like."""

    language: str
    name_treatment: bool


_Answer = TypeVar("_Answer")


class Fit(NamedTuple):
    """Whether a step is for a patient, by the plan alone."""

    ways: tuple[str, ...]  # the channels that it takes; none: no words can go there
    scores: frozenset[Score]  # with which scores it goes out


class Fits:
    """Of all steps of a plan, for patients of whom the same is true. Equal only to itself."""

    def __init__(self, by_step: Mapping[str, Fit], *, is_clear: bool) -> None:
        self.by_step = by_step
        # Every step has its one way, so nothing is said of what stands in the way of others.
        self.is_clear = is_clear


class PlanMemo:
    def __init__(self, definition: Definition) -> None:
        self._definition = definition
        self._fits: dict[object, Fits] = {}
        self._same: dict[tuple[Fit, ...], Fits] = {}
        # How steps lie that keep out of each other's way.
        self._apart: dict[object, bool] = {}

    def fits(self, facts: Said, order: tuple[str, ...], free: tuple[str, ...], wishes: Wishes) -> Fits:
        """For each step, how it fits patients of whom all this is true.

        `order`: the channels as the patient prefers them; `free`: those of them on which nothing of the
        patient's own stands in the way.
        """
        key = facts, order, free, wishes
        known = self._fits.get(key)
        if known is None:
            said = Facts(facts[0], facts[1], frozenset(facts[2]))
            steps = self._definition.plan.steps
            by_step = {step.key: self._fit(step, said, order, free, wishes) for step in steps}
            one_way = all(fit.ways for fit in by_step.values()) and all(it.deliver == "first" for it in steps)
            # Who differs only in what makes no difference gets the very same answer.
            known = self._same.setdefault(tuple(by_step.values()), Fits(by_step, is_clear=one_way))
            _keep(self._fits, key, known)
        return known

    def _fit(
        self, step: Step, said: Facts, order: tuple[str, ...], free: tuple[str, ...], wishes: Wishes
    ) -> Fit:
        ways = tuple(
            channel
            for channel in step.channels or order
            if channel in free and self.words_missing(step, channel, wishes) is None
        )
        return Fit(ways if step.deliver == "each" else ways[:1], step.audience.scores(said))

    def words_missing(self, step: Step, channel: str, wishes: Wishes) -> str | None:
        return words_missing(
            self._definition, step, channel, language=wishes.language, name_treatment=wishes.name_treatment
        )

    def schedule(
        self, candidates: Sequence[pacing.Candidate], tz: ZoneInfo
    ) -> dict[pacing.Place, Due | Skip]:
        """As `pacing.schedule`, for the steps of one treatment that has nothing else beside it."""
        pattern = _pattern(candidates, tz)
        if pattern in self._apart:
            return {candidate.place: candidate.due for candidate in candidates}
        placed = pacing.schedule(candidates, (), tz)
        if all(placed[candidate.place] is candidate.due for candidate in candidates):
            _keep(self._apart, pattern, True)
        return placed


def _pattern(candidates: Sequence[pacing.Candidate], tz: ZoneInfo) -> object:
    """All that gaps and caps depend on, as long as nothing has to move.

    The order of the steps, the times between them, and on which days they fall: no matter on which day the
    first one does.
    """
    queue = pacing.in_order(candidates)
    if not queue:
        return ()
    start = queue[0].due.at
    today = start.astimezone(tz).toordinal()
    return tuple(
        (each.key, each.scores, each.due.at - start, each.due.at.astimezone(tz).toordinal() - today)
        for each in queue
    )


_Key = TypeVar("_Key")


def _keep(memo: dict[_Key, _Answer], key: _Key, answer: _Answer) -> None:
    if len(memo) >= _AT_MOST:
        memo.clear()
    memo[key] = answer


_MEMOS: dict[str, PlanMemo] = {}


def memo_of(definition: Definition) -> PlanMemo:
    """The memo of all plan versions that say the same."""
    known = _MEMOS.get(definition.digest)
    if known is None:
        known = PlanMemo(definition)
        if len(_MEMOS) >= 256:
            _MEMOS.clear()
        _MEMOS[definition.digest] = known
    return known
