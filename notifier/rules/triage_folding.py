"""A patient's message as plain words: small letters without accents, abbreviations written out.

Everything later compares words of this form, and so are the lists that it is compared with.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

# Words further apart than this belong to different thoughts, so the end of a sentence counts as some words.
SENTENCE_GAP = 5

_APOSTROPHES = re.compile("['’‘`´ʼ′ʹʻ＇]")
_LAUGHING = re.compile("[😂🤣😹😆😅😝😜🤪💀☠😛]")
_STOPPING = re.compile("[🛑⛔]")
_LONG_LETTER = re.compile(r"([a-z])\1{2,}")
# "S T O P", "s.t.o.p": four letters or more apart by spaces, three or more by a mark.
_APART = re.compile(r"(?<![a-z0-9])(?:[a-z](?: [a-z]){3,}|[a-z](?:[.*_-][a-z]){2,})(?![a-z0-9])")
_PIECE = re.compile(r"[a-z]+|\d+(?:[.,]\d+)?|[.!?;\n]+|,")


def fold(text: str) -> str:
    """Small ASCII letters, digits and marks. Folding twice changes nothing."""
    text = _STOPPING.sub(" stop. ", _LAUGHING.sub(" lol ", text))
    text = unicodedata.normalize("NFKD", _APOSTROPHES.sub("", text)).casefold()
    text = unicodedata.normalize("NFKD", text)
    text = "".join(c for c in text if not unicodedata.combining(c))
    # A mark that NFKD made may be an apostrophe again.
    text = "".join(c if c.isascii() else " " for c in _APOSTROPHES.sub("", text))
    text = re.sub(r"[^\S\n]+", " ", text).strip()
    return _APART.sub(lambda run: re.sub("[^a-z]", "", run[0]), _LONG_LETTER.sub(r"\1", text))


@dataclass(frozen=True)
class Reading:
    """The words in order; `places` count the words too, with a jump at each end of a sentence."""

    words: tuple[str, ...]
    places: tuple[int, ...]
    commas: frozenset[int]  # after which words one stands

    @cached_property
    def sentences(self) -> list[tuple[str, ...]]:
        found: list[list[str]] = []
        for index, word in enumerate(self.words):
            if index == 0 or self.places[index] - self.places[index - 1] > SENTENCE_GAP:
                found.append([])
            found[-1].append(word)
        return [tuple(words) for words in found]

    def said(self, start: int, end: int) -> str:
        return " ".join(self.words[start:end])


def read(text: str, spelled: Mapping[str, tuple[str, ...]]) -> Reading:
    """`spelled`: abbreviations and pairs of words, and what they are read as ("can not": cant)."""
    words: list[str] = []
    places: list[int] = []
    commas: set[int] = set()
    place = 0
    for piece in _PIECE.findall(fold(text)):
        if piece == ",":
            commas.add(len(words) - 1)
        elif piece[0].isalnum():
            for word in spelled.get(piece, (piece,)):
                place += 1
                words.append(word)
                places.append(place)
                place -= _join_pair(words, places, spelled)
        elif words:
            place += SENTENCE_GAP
    return Reading(tuple(words), tuple(places), frozenset(commas))


def _join_pair(words: list[str], places: list[int], spelled: Mapping[str, tuple[str, ...]]) -> int:
    """How many words it made fewer: two become one, in the place of the first."""
    if len(words) > 1 and places[-1] - places[-2] == 1:
        joined = spelled.get(f"{words[-2]} {words[-1]}")
        if joined:
            words[-2:] = [joined[0]]
            del places[-1]
            return 1
    return 0
