"""The parts of the body that a treatment may have been about, as the desk ticks them and plans name them."""

from __future__ import annotations

import re
from collections.abc import Iterable

from notifier.rules.plan import Plan

# From the head down. Plans may name others in their audiences, and those are offered too.
COMMON = (
    *("head", "jaw", "neck", "shoulder", "upper_back", "chest", "lower_back", "elbow", "forearm", "hand"),
    *("hip", "glutes", "thigh", "knee", "calf", "foot"),
)
_IN_AUDIENCE = re.compile(r"areas:([a-z_,]+)")


def offered(plans: Iterable[Plan]) -> list[str]:
    """The common ones and what the steps of these plans look for."""
    named = {
        area
        for plan in plans
        for step in plan.steps
        for areas in _IN_AUDIENCE.findall(step.audience.text)
        for area in areas.split(",")
    }
    return [*COMMON, *sorted(named - set(COMMON) - {""})]


def spoken(area: str) -> str:
    """upper_back is "Upper back"."""
    words = area.replace("_", " ")
    return words[:1].upper() + words[1:]
