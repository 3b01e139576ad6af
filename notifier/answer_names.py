"""What each automatic answer is called by people, when it goes out, and what it must not leave unsaid."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Answer:
    """`needs`: variables, or words, without which it must not go out. `nameless`: it names nobody."""

    name: str
    group: str
    title: str
    when: str
    needs: tuple[str, ...] = ()
    stops: bool = False  # it says how to stop
    nameless: bool = False


_SAFETY, _SCORES, _TIPS, _ABOUT, _REST = (
    "Warning signs",
    "Soreness scores",
    "Tips for a word",
    "About the messages themselves",
    "Everything else",
)
_EMERGENCY, _PHONE = "clinic.emergency_number", "clinic.phone"

ANSWERS: Final = (
    Answer(
        "red-flag-emergency",
        _SAFETY,
        "Emergency",
        "When an answer may mean an emergency, such as chest pain or trouble breathing.",
        (_EMERGENCY, _PHONE),
    ),
    Answer(
        "red-flag-crisis",
        _SAFETY,
        "Crisis",
        "When an answer may mean self-harm.",
        ("clinic.crisis_line", _EMERGENCY),
    ),
    Answer(
        "red-flag-urgent",
        _SAFETY,
        "Urgent",
        "When an answer may mean something that a person should see today.",
        (_PHONE, _EMERGENCY),
    ),
    Answer("score-low", _SCORES, "Low score", "After a score of 0 to 3.", (_PHONE, _EMERGENCY)),
    Answer("score-medium", _SCORES, "Middle score", "After a score of 4 to 6.", (_PHONE, _EMERGENCY)),
    Answer("score-high", _SCORES, "High score", "After a score of 7 to 10.", (_PHONE, _EMERGENCY)),
    Answer(
        "score-rising",
        _SCORES,
        "Rising score",
        "After a score that is higher than it should be by now.",
        (_PHONE, _EMERGENCY),
    ),
    Answer(
        "score-unclear",
        _SCORES,
        "Unclear score",
        "Once, when a score was asked for and the answer cannot be read.",
        (_PHONE, _EMERGENCY),
    ),
    Answer("keyword-sore", _TIPS, "SORE", "When somebody answers SORE or DOLOR.", (_PHONE, _EMERGENCY)),
    Answer("keyword-heat", _TIPS, "HEAT", "When somebody answers HEAT or CALOR.", (_PHONE,)),
    Answer("keyword-exercise", _TIPS, "EXERCISE", "When somebody answers EXERCISE or EJERCICIO.", (_PHONE,)),
    Answer(
        "keyword-bruise", _TIPS, "BRUISE", "When somebody answers BRUISE or MORADO.", (_PHONE, _EMERGENCY)
    ),
    Answer("keyword-how", _TIPS, "HOW", "When somebody answers HOW, WHY or COMO.", (_PHONE,)),
    Answer(
        "keyword-call",
        _TIPS,
        "CALL",
        "When somebody asks to be called: CALL or LLAMAR.",
        (_PHONE, _EMERGENCY),
    ),
    Answer(
        "first-after-consent",
        _ABOUT,
        "The first text",
        "Once, before the first planned SMS to a number.",
        ("HELP", "STOP"),
        stops=True,
    ),
    Answer(
        "opt-out", _ABOUT, "STOP", "When somebody asks for no more messages.", ("START", _PHONE, _EMERGENCY)
    ),
    Answer(
        "opt-in", _ABOUT, "START", "When somebody wants them again.", ("HELP", "STOP", _EMERGENCY), stops=True
    ),
    Answer(
        "help",
        _ABOUT,
        "HELP",
        "When somebody answers HELP, INFO or AYUDA.",
        (_EMERGENCY, _PHONE, "STOP"),
        stops=True,
    ),
    Answer(
        "essentials",
        _ABOUT,
        "LESS",
        "When somebody wants the safety messages only.",
        ("MORE", "STOP"),
        stops=True,
    ),
    Answer(
        "wrong-number",
        _ABOUT,
        "Wrong number",
        "To a stranger who says that we have the wrong number.",
        nameless=True,
    ),
    Answer(
        "fallback",
        _REST,
        "Not understood",
        "When no rule fits, at most every 12 hours.",
        (_PHONE, _EMERGENCY),
    ),
    Answer(
        "when-closed",
        _REST,
        "While you are closed",
        "Follows the answers that say “call us”, while nobody would pick up.",
        ("clinic.opens_next",),
        nameless=True,
    ),
)
BY_NAME: Final = {answer.name: answer for answer in ANSWERS}
GROUPS: Final = (_SAFETY, _SCORES, _TIPS, _ABOUT, _REST)
