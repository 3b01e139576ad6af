"""What differs between two versions of some words, piece by piece, as a person would mark it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Literal

Kind = Literal["same", "removed", "added"]

# A placeholder or tag changes as a whole; else words, spaces and signs.
_TOKEN = re.compile(r"\{[{%#].*?[}%#]\}|\w+|\s+|.", re.DOTALL)
_KINDS: dict[str, tuple[Kind, ...]] = {
    "equal": ("same",),
    "delete": ("removed",),
    "insert": ("added",),
    "replace": ("removed", "added"),
}


@dataclass(frozen=True, slots=True)
class Piece:
    kind: Kind
    text: str


def pieces(old: str, new: str) -> list[Piece]:
    """In reading order; empty where nothing differs."""
    return [] if old == new else list(_pieces(_TOKEN.findall(old), _TOKEN.findall(new)))


def _pieces(old: list[str], new: list[str]) -> Iterator[Piece]:
    matcher = SequenceMatcher(None, old, new, autojunk=False)
    for what, start, end, new_start, new_end in matcher.get_opcodes():
        for kind in _KINDS[what]:
            text = new[new_start:new_end] if kind == "added" else old[start:end]
            yield Piece(kind, "".join(text))
