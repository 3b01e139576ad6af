"""What the printed sheet says around the words of the plan, by language."""

from __future__ import annotations

from typing import Final

LABELS: Final = {
    "en": {
        "for": "For",
        "visit": "Your visit",
        "with": "with",
        "next": "Next visit",
        "emergency": "In an emergency call",
        "today": "Today",
        "days": "The next days",
        "day": "Day",
        "clinic": "When to call us",
        "open": "Open",
        "draft": "Draft: a clinician has not approved these words yet.",
    },
    "es": {
        "for": "Para",
        "visit": "Su visita",
        "with": "con",
        "next": "Próxima visita",
        "emergency": "En una emergencia llame al",
        "today": "Hoy",
        "days": "Los próximos días",
        "day": "Día",
        "clinic": "Cuándo llamarnos",
        "open": "Horario",
        "draft": "Borrador: un profesional clínico aún no ha aprobado este texto.",
    },
}


def labels(language: str) -> dict[str, str]:
    return LABELS.get(language, LABELS["en"])
