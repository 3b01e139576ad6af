"""A soreness score from 0 to 10 in a patient's words, or none; never an hour, a count of days or a room.

Asked for, any number that is nothing else will do. Volunteered, it takes a scale ("7/10") or a soreness word.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from notifier.rules.triage_folding import fold
from notifier.rules.triage_score_words import (
    FROM_TO,
    GUESS,
    HOW_MANY,
    LINKS,
    MAY_FOLLOW,
    MEETING,
    NO_PAIN,
    NONE,
    NOT_SCORES,
    NOW,
    NOW_AFTER,
    ONES,
    OWNS,
    PAST,
    PAST_AFTER,
    PRAISE,
    PRESENT,
    SCALE,
    SHORT,
    SORE,
    SORE_AFTER,
    SORE_FIRST,
    STRONG_PRAISE,
    TO_FROM,
    VAGUE,
    WORDS,
    N,
)


@dataclass(frozen=True, slots=True)
class Score:
    value: int | None = None
    unclear: bool = False  # like a score, but not to be read as one


def read_score(text: str, *, asked: bool) -> Score:
    said = _plain(text[:1600])
    whole = _whole(said)
    if whole is not None and asked:
        return _scored([whole])
    meeting = bool(MEETING.search(said))
    scaled = [m for m in SCALE.finditer(said) if not re.search(r"\d[/.]$", said[: m.start()])]
    if scaled and meeting and not re.search(rf"\b{SORE}\b|out of|sobre", said):
        scaled = []
    if scaled and STRONG_PRAISE.search(said) and not re.search(rf"\b{SORE}\b", said):
        scaled = []
    if scaled and (asked or not (PRAISE.search(said) and not re.search(SORE, said))):
        return _scored(_current([(m.start(1), m.end(), m[1]) for m in scaled], said))
    left = _without_other_numbers(said)
    sore = [*_after_soreness(left), *((m.start(1), m.end(1), m[1]) for m in SORE_AFTER.finditer(left))]
    if not asked:
        for pattern, new in ((FROM_TO, 2), (TO_FROM, 1)):
            if (m := pattern.search(left)) and re.search(rf"\b{SORE}\b", left) and _value(m[new]) is not None:
                return _scored([m[new]])
        return _scored(_current(_widened(sore, left), left)) if sore and not _far(sore) else Score()
    numbers = [(m.start(), m.end(), m[0]) for m in re.finditer(rf"(?<![\w/.]){N}(?![\w/])", left)]
    numbers = [n for n in numbers if not re.match(r"\s*/", left[n[1] :])]
    if not sore:
        numbers = [
            n for n in numbers if _is_present(n, left) or not (_in_question(n, left) or _counts(n, left))
        ]
    if meeting and not sore:
        numbers = [n for n in numbers if _is_present(n, left)]
        meeting = not numbers
    if numbers and (sore or not meeting):
        return _scored(_current(numbers, left))
    return _without_numbers(said, left, meeting)


def _in_question(number: Found, said: str) -> bool:
    """ "3 or 4?" about a suite, but not "maybe a 4?"."""
    before, after = re.split(r"[.!?;\n]", said[: number[0]])[-1], said[number[1] :]
    ends = re.search(r"[.!?;\n]", after)
    if ends is None or ends[0] != "?" or (GUESS.search(before) and not HOW_MANY.search(before)):
        return False
    return len(before.split()) + len(after[: ends.start()].split()) > 2


def _counts(number: Found, said: str) -> bool:
    """Before the thing that it counts, "4 tries"; or after what it belongs to, "every 6"."""
    before, after = said[: number[0]], said[number[1] :]
    follows = re.match(r"\s*([a-z]{3,})", after)
    stands = re.search(r"([a-z]+)\s*$", before)
    is_thing = follows is not None and follows[1] not in MAY_FOLLOW
    if stands is None:
        return False
    return stands[1] in OWNS or (is_thing and stands[1] not in LINKS)


def _is_present(number: Found, said: str) -> bool:
    """Said of now in so many words, in a message that is about a day or an hour too."""
    after = said[number[1] :]
    for pattern, new in ((FROM_TO, 2), (TO_FROM, 1)):
        if (m := pattern.search(said)) and m.start(new) == number[0]:
            return True
    if NOW_AFTER.match(after) or (number[0] == 0 and re.match(r"\s*[.,!;]", after)):
        return True
    return bool(PRESENT.search(said[: number[0]])) and bool(
        re.match(r"\s*(?:now|ahora|ahorita)?\s*(?:[,.!;]|$|and |pero |but )", after)
    )


def _without_numbers(said: str, left: str, meeting: bool) -> Score:
    if (len(said.split()) <= SHORT and NONE.match(said)) or (
        NO_PAIN.search(said)
        and not re.search(r"\b(?:but|pero|except|until|when|cuando|hasta|although|aunque)\b|\?", said)
    ):
        return Score(0)
    odd = bool(re.search(r"\d", said)) and not meeting
    return Score(None, odd or (len(said.split()) <= 8 and bool(VAGUE.search(said))))


def _plain(text: str) -> str:
    text = (
        re.sub(r"(\d)\ufe0f?\u20e3", r"\1 ", text)
        .replace("🔟", " 10 ")
        .replace("½", ".5")
        .replace("→", " to ")
        .replace("💯", " 100 ")
    )
    # No score has so many digits: a telephone number.
    said = re.sub(r"\d{5,}", "#", fold(re.sub("[–—−]", "-", text)))
    said = re.sub(
        r"\b(?:on|in|from|en)?\s*(?:a|an|the|una)?\s*(?:scale|escala)\s*(?:of|from|de|del)?\s*[01]?\s*(?:-|to|a|al)?\s*(?:10|diez|ten)\b",
        " scale ",
        said,
    )
    said = re.sub(r"(?<![\d-])[01]\s*(?:-|to|a)\s*10\b(?=\W*[a-z])", " scale ", said)
    said = re.sub(r"\b(?:de|del|from)\s*[01]\s*(?:-|to|a|al)\s*(?:10|diez|ten)\b", " scale ", said)
    said = re.sub(
        r"(?<![\d/.])(\d)\s*/\s*(\d)(?![\d/])",
        lambda m: f"{m[1]}-{m[2]}" if int(m[2]) == int(m[1]) + 1 else m[0],
        said,
    )
    said = re.sub(r"\b([a-z0-9]+)\b", lambda m: str(WORDS.get(m[1], m[1])), said)
    said = re.sub(r"\b(one|uno|una|un)\s*(?=(?:/|out\s*of|over|sobre|de)\s*(?:10)\b)", "1 ", said)
    said = re.sub(
        r"\b(?:a|an|un|about|like|is|como|maybe|say|de|at)\s+(one|uno)\b(?!\s+(?:[a-z]{3,}))", " 1", said
    )
    said = re.sub(r"^(one|uno)(?=\s*(?:[,.]|nomas))", "1", said)
    said = re.sub(rf"\bcloser to\s+(?:a\s+)?({N})\s+than\s+(?:a\s+|to\s+)*{N}", r"\1", said)
    said = re.sub(r"\b(\d+)\s*(?:and a half|n a half|and half|y medio|y media)\b", r"\1.5", said)
    return re.sub(r"\b(\d)\s*ish\b", r"\1 ", re.sub(r"\b(\d+)-ish\b", r"\1", said))


def _whole(said: str) -> str | None:
    word = re.sub(r"^(?:a|an|un|it is|its|el|la|my|mi|about|like|como|an?)\s+|[^a-z0-9.,]", "", said).strip(
        ".,"
    )
    if word in ONES and word in {"one", "uno"}:
        return "1"
    return word if re.fullmatch(N, word) and not re.search(r"[-/]|\d\s+\d", said) else None


def _without_other_numbers(said: str) -> str:
    for pattern in NOT_SCORES:
        said = pattern.sub(lambda m: re.sub(r"[\d:]", "#", m[0]), said)
    return said


Found = tuple[int, int, str]


def _after_soreness(said: str) -> list[Found]:
    return [
        (m.start(2), m.end(2), m[2])
        for m in SORE_FIRST.finditer(said)
        if LINKS.issuperset(re.findall("[a-z]+", m[1]))
    ]


def _far(found: list[Found]) -> bool:
    return all(_value(number) is None for _, _, number in found)


def _widened(found: list[Found], said: str) -> list[Found]:
    """With the other end of a range: "soreness 6 or 7"."""
    more = list(found)
    for _start, end, _number in found:
        if follows := re.match(rf"\s*(?:-|to|or|a|o|maybe)\s*(?:a|un|maybe)?\s*({N})(?![\w/])", said[end:]):
            more.append((end + follows.start(1), end + follows.end(1), follows[1]))
    return more


def _current(found: list[Found], said: str) -> list[str]:
    """Of several numbers, those that are true now."""
    if len(found) == 1:
        return [found[0][2]]
    for pattern, new in ((FROM_TO, 2), (TO_FROM, 1)):
        if (m := pattern.search(said)) and _value(m[new]) is not None:
            return [m[new]]
    now = [n for n in found if _when(n, said) == "now"]
    past = [n for n in found if _when(n, said) == "past"]
    kept = [n for n in found if n not in past] or found
    if now and past:
        kept = now
    return [number for _, _, number in kept]


def _when(found: Found, said: str) -> str:
    """What follows a number says more than what stands before it: "9 yesterday, 4 today"."""
    before, after = said[: found[0]], said[found[1] :]
    if NOW_AFTER.match(after):
        return "now"
    if PAST_AFTER.match(after):
        return "past"
    return "now" if NOW.search(before) else "past" if PAST.search(before) else ""


def _scored(numbers: list[str]) -> Score:
    values = [value for number in numbers if (value := _value(number)) is not None]
    # Doubt between two goes to the higher.
    return Score(max(values)) if values else Score(None, bool(numbers))


def _value(number: str) -> int | None:
    value = float(number.replace(",", "."))
    return int(value + 0.5) if 0 <= value <= 10 else None
