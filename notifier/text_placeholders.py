"""The placeholders that the texts of a step may use, with the names by which a person knows them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from notifier.plan_check_texts import always_has_a_visit
from notifier.rules.plan import CHANNELS, Step
from notifier.rules.templating import VARIABLES

_LABELS = {
    "patient.first_name": "First name",
    "clinic.name": "Clinic",
    "clinic.phone": "Clinic's phone",
    "clinic.emergency_number": "Ambulance",
    "clinic.crisis_line": "Crisis line",
    "treatment.date": "Day of treatment",
    "treatment.name": "Kind of treatment",
    "practitioner.name": "Practitioner",
    "next_visit.date": "Day of next visit",
    "next_visit.time": "Hour of next visit",
}
# What a clinic may not have entered comes with something to say instead.
_INSTEAD: Mapping[str, str] = {"clinic.emergency_number": "911", "clinic.crisis_line": "988"}


@dataclass(frozen=True, slots=True)
class Placeholder:
    name: str
    label: str
    meaning: str
    snippet: str


def placeholders(step: Step) -> list[Placeholder]:
    """Those that every message of the step can fill, in the order of their use."""
    return [
        Placeholder(name, label, VARIABLES[name].meaning, _snippet(step, name))
        for name, label in _LABELS.items()
        if name != "treatment.name" or _may_name_the_treatment(step)
    ]


def _may_name_the_treatment(step: Step) -> bool:
    return any(step.detail_on(channel) == "treatment" for channel in CHANNELS)


def _snippet(step: Step, name: str) -> str:
    if name in _INSTEAD:
        return f"{{{{ {name} | default('{_INSTEAD[name]}') }}}}"
    plain = f"{{{{ {name} }}}}"
    if name.startswith("next_visit.") and not always_has_a_visit(step):
        return f"{{% if {name} %}}{plain}{{% endif %}}"
    return plain
