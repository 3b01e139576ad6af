"""How an SMS is encoded, how many parts it costs, and how to keep one accent from doubling that.

GSM 03.38: a text of characters from the basic and extension tables has 160 septets in one part, or 153 in
each of several. One character outside them turns the whole text into UCS-2, with 70 and 67 units.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

_BASIC = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
_EXTENSION = "\f^{}\\[~]|€"  # an escape and a second septet each
_GSM = _BASIC.union(_EXTENSION)

Encoding = Literal["GSM-7", "UCS-2"]


@dataclass(frozen=True, slots=True)
class SmsSize:
    """`units` are septets for GSM-7 and UTF-16 code units for UCS-2; segments are the parts one pays for."""

    encoding: Encoding
    segments: int
    units: int


def measure(text: str) -> SmsSize:
    """The size as the network counts it; an empty text is 0 segments, as beside an empty field."""
    if _GSM.issuperset(text):
        doubles = sum(map(text.count, _EXTENSION))
        units = len(text) + doubles
        return SmsSize("GSM-7", _segments(text, units, doubles > 0, single=160, part=153), units)
    units = len(text.encode("utf-16-le", "surrogatepass")) // 2
    return SmsSize("UCS-2", _segments(text, units, units > len(text), single=70, part=67), units)


def _segments(text: str, units: int, has_pairs: bool, *, single: int, part: int) -> int:
    if units <= single:
        return min(units, 1)
    # A pair that would straddle a boundary moves over whole, so only texts without pairs may be divided.
    return len(split(text)) if has_pairs else -(-units // part)


def split(text: str) -> list[str]:
    """The parts as they travel, filled greedily; no escape pair and no surrogate pair is ever torn."""
    if _GSM.issuperset(text):
        return _fill(text, (1 if char in _BASIC else 2 for char in text), single=160, part=153)
    return _fill(text, (2 if char > "\uffff" else 1 for char in text), single=70, part=67)


def _fill(text: str, sizes: Iterable[int], *, single: int, part: int) -> list[str]:
    widths = list(sizes)
    if sum(widths) <= single:
        return [text] if text else []
    parts, start, used = [], 0, 0
    for index, width in enumerate(widths):
        if used + width > part:
            parts.append(text[start:index])
            start, used = index, 0
        used += width
    parts.append(text[start:])
    return parts


def offenders(text: str) -> list[tuple[str, int, str]]:
    """Every character that forces UCS-2: itself, its index, its Unicode name in small letters."""
    return [
        (char, index, unicodedata.name(char, "").lower() or f"U+{ord(char):04X}")
        for index, char in enumerate(text)
        if char not in _GSM
    ]


def fold(text: str) -> str:
    """Replace what would force UCS-2 where a reader loses nothing: "María – 3 € …" → "Maria - 3 € ...".

    All or nothing: where something remains that cannot be folded (emoji, Cyrillic, Chinese), the text is
    UCS-2 whatever the rest looks like, so letters, quotes and dashes stay as they were and only characters
    that nobody sees are dropped. Joiners stay then, since emoji and several scripts are spelled with them.
    """
    if _GSM.issuperset(text):
        return text
    seen = unicodedata.normalize("NFC", _replace(text, _UNSEEN))
    folded = _replace(seen, _FOLDS)
    return folded if _GSM.issuperset(folded) else seen


def _replace(text: str, table: dict[str, str]) -> str:
    """`str.translate` for a few strange characters among many plain ones, at a tenth of its time.

    Everything put in is GSM-7 and nothing taken out is, so the order cannot matter.
    """
    for char in set(text) - _GSM:
        if char in table:
            text = text.replace(char, table[char])
    return text


# No meaning and no width: soft hyphen, zero-width space, word joiner, byte order mark, C0 and C1 controls.
_UNSEEN = dict.fromkeys(map(chr, [0xAD, 0x200B, 0x2060, 0xFEFF, *range(0x20), *range(0x7F, 0xA0)]), "")
_UNSEEN |= {"\t": " ", "\v": "\n", "\x85": "\n", "\u2028": "\n", "\u2029": "\n"}

_WORDS = {
    "'": "‘’‚‛‹›′`´ʹʻʼʽˈ",
    '"': "“”„‟«»″ʺ",
    "-": "‐‑‒–—―−•‣·‧∙",
    "...": "…",
    "..": "‥",
    "/": "⁄∕",
    "*": "∗",
    "->": "→",
    "<-": "←",
    "<=": "≤",
    ">=": "≥",
    "x": "×",
    "(c)": "©",
    "(r)": "®",
    "TM": "™",
    "No.": "№",
    "a": "ª",
    "o": "º",
    "!!": "‼",
    # Letters without a decomposition of their own.
    "l": "ł",
    "L": "Ł",
    "d": "đð",
    "D": "ĐÐ",
    "i": "ı",
    "h": "ħ",
    "H": "Ħ",
    "t": "ŧ",
    "T": "Ŧ",
    "n": "ŋ",
    "N": "Ŋ",
    "e": "ə",
    "E": "Ə",
    "k": "ĸ",
    "s": "ſ",
    "th": "þ",
    "Th": "Þ",
    "oe": "œ",
    "OE": "Œ",
    "SS": "ẞ",
    "'n": "ŉ",
}
_SPACES = [0xA0, 0x1680, *range(0x2000, 0x200B), 0x202F, 0x205F, 0x3000]
_JOINERS_AND_DIRECTIONS = [
    0x200C,  # zero-width non-joiner
    0x200D,  # zero-width joiner
    *range(0x200E, 0x2010),
    *range(0x202A, 0x202F),
    *range(0x2066, 0x206A),
    0x61C,
    *range(0xFE00, 0xFE10),  # variation selectors
]
_LETTERS = [
    *range(0xC0, 0x250),  # Latin-1 to Latin Extended-B
    *range(0x1E00, 0x1F00),  # Latin Extended Additional: Vietnamese, Welsh
    *range(0xFB00, 0xFB07),  # ligatures such as ﬁ
    *range(0xFF01, 0xFF5F),  # full-width forms, as some phones type them
]


def _plain_letter(char: str) -> str | None:
    """The nearest spelling in GSM-7, taking off one accent at a time so that ǻ keeps the ring of its å."""
    if char in _GSM:
        return char
    tag_or_base = unicodedata.decomposition(char).split()
    if not tag_or_base:
        return None
    codes = tag_or_base[1:] if tag_or_base[0].startswith("<") else tag_or_base[:1]
    letters = [_plain_letter(chr(int(code, 16))) for code in codes]
    return "".join(letter for letter in letters if letter) if all(letters) else None


def _folds() -> dict[str, str]:
    # Among the unseen: accents that no composed letter took up.
    folds = dict.fromkeys(map(chr, [*_JOINERS_AND_DIRECTIONS, *range(0x300, 0x370)]), "")
    folds |= dict.fromkeys(map(chr, _SPACES), " ")
    folds |= {char: word for word, chars in _WORDS.items() for char in chars}
    for char in map(chr, _LETTERS):
        plain = _plain_letter(char)
        if plain is not None and plain != char:
            folds[char] = plain
    return folds


_FOLDS = _folds()
