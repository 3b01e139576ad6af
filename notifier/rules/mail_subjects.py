"""What the subject of an e-mail tells: whether its writer chose the words, and whether a program did."""

from __future__ import annotations

import re
from typing import Final

_ANSWERS: Final = re.compile(
    r"\s*((re|rv|fw|fwd|res|resp|enc|aw|sv|tr)\s*(\[\d+\])?\s*:|\[fwd?:)", re.IGNORECASE
)
_BY_A_PROGRAM: Final = re.compile(
    r"\s*(re:\s*)?(auto(matic|mated)?[\s:-]+(reply|response|answer)|auto(reply|response|responder)\b|auto:|"
    r"(i am |i'm )?out of (the )?office|vacation (reply|response|notice)|"
    r"respuesta autom[aá]tica|contestaci[oó]n autom[aá]tica|(estoy )?fuera de (la |mi )?oficina|"
    r"ausente de la oficina|mensaje autom[aá]tico)",
    re.IGNORECASE,
)


def own_words(subject: str) -> str:
    """The subject where the writer wrote it; nothing where it only repeats that of an earlier mail."""
    return "" if _ANSWERS.match(subject) else subject.strip()


def is_by_a_program(subject: str) -> bool:
    """Out of office, automatic reply."""
    return _BY_A_PROGRAM.match(subject) is not None
