"""Two edits of one version of a plan, made one of: who edited what, setting by setting and text by text.

Where both changed the same, `mine` holds: it is the one that a person is looking at.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import deepcopy
from typing import Any

from notifier.planfiles import Content

_NOTHING = object()


def merge(base: Content, mine: Content, theirs: Content) -> dict[str, Any]:
    """What both wanted, as a content over `theirs`. Unchecked: two good edits may not go together."""
    plan = _settings(*(_without_steps(content) for content in (base, mine, theirs)))
    plan["steps"] = _steps(*(content["plan"]["steps"] for content in (base, mine, theirs)))
    kept = {step["key"] for step in plan["steps"]}
    texts = _settings(base["texts"], mine["texts"], theirs["texts"])
    return {
        "key": theirs["key"],
        "plan": plan,
        "texts": {name: words for name, words in texts.items() if name.rpartition(".")[0] in kept},
    }


def _without_steps(content: Content) -> dict[str, Any]:
    return {name: value for name, value in content["plan"].items() if name != "steps"}


def _settings(base: Mapping[str, Any], mine: Mapping[str, Any], theirs: Mapping[str, Any]) -> dict[str, Any]:
    merged = {}
    for name in dict.fromkeys((*theirs, *mine)):
        own = mine.get(name, _NOTHING)
        value = theirs.get(name, _NOTHING) if own == base.get(name, _NOTHING) else own
        if value is not _NOTHING:
            merged[name] = deepcopy(value)
    return merged


_Tables = Sequence[Mapping[str, Any]]


def _steps(base: _Tables, mine: _Tables, theirs: _Tables) -> list[dict[str, Any]]:
    before, own, other = ({step["key"]: step for step in steps} for steps in (base, mine, theirs))
    kept = {key for key in {*own, *other} if _stays(key, before, own, other)}
    order = [key for key in _order(list(before), list(own), list(other)) if key in kept]
    return [_step(key, before, own, other) for key in order]


_Steps = Mapping[str, Mapping[str, Any]]


def _stays(key: str, before: _Steps, own: _Steps, other: _Steps) -> bool:
    """A step that one of them removed is gone, unless it is mine and I changed it."""
    if key not in before or (key in own and key in other):
        return True
    return key in own and own[key] != before[key]


def _step(key: str, before: _Steps, own: _Steps, other: _Steps) -> dict[str, Any]:
    if key in own and key in other:
        return _settings(before.get(key, {}), own[key], other[key])
    return deepcopy(dict(own.get(key) or other[key]))


def _order(before: list[str], own: list[str], other: list[str]) -> list[str]:
    """Mine where I moved steps, else theirs; what only the other has stands behind what it stood behind."""
    moved = [key for key in own if key in before] != [key for key in before if key in own]
    first, second = (own, other) if moved else (other, own)
    order = list(first)
    for place, key in enumerate(second):
        if key not in order:
            behind = second[place - 1] if place else None
            order.insert(order.index(behind) + 1 if behind in order else 0, key)
    return order
