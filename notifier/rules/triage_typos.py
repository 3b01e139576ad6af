"""One slip of the thumb forgiven: the listed word that an unknown word was meant to be.

A slip is one letter left out, put in or put wrong, or two neighbours swapped. Words of four letters forgive a
swap only, and words that are words themselves ("week", "cheat") are never taken for another. Spanish spelt as
it sounds ("asta", "empeso", "vrazo") is the word that sounds so.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

_SWAP_FROM = 4
_SLIP_FROM = 5
# From this length on even the first letter may be wrong.
_LONG = 7
_LONGEST = 24


@dataclass(frozen=True)
class Typos:
    near: Mapping[str, tuple[str, ...]]  # a listed word with one letter left out → the words
    alike: Mapping[str, tuple[str, ...]]  # how a listed word sounds → the words
    real: frozenset[str]  # never typos

    def meant(self, word: str) -> tuple[str, ...]:
        """The listed words that it may have been; none for a word that is one itself."""
        if len(word) < _SWAP_FROM or word in self.real or not word.isalpha() or len(word) > _LONGEST:
            return ()
        same = self.alike.get(sound(word), ())
        if same:
            return same
        candidates = {whole for form in (word, *_shorter(word)) for whole in self.near.get(form, ())}
        return tuple(sorted(w for w in candidates if _forgiven(word, w)))


def typos(listed: Collection[str], real: Collection[str]) -> Typos:
    near: dict[str, list[str]] = {}
    alike: dict[str, list[str]] = {}
    for word in sorted(listed):
        if len(word) >= _SWAP_FROM and word.isalpha():
            if heard := sound(word):
                alike.setdefault(heard, []).append(word)
            for form in {word, *_shorter(word)}:
                near.setdefault(form, []).append(word)
    return Typos(_frozen(near), _frozen(alike), frozenset(real) - frozenset(listed))


def _frozen(found: Mapping[str, list[str]]) -> dict[str, tuple[str, ...]]:
    return {form: tuple(words) for form, words in found.items()}


# In this order. What is written in capitals stands for a sound and is not looked at again.
_SOUNDS = (
    (re.compile("ch"), "C"),
    (re.compile("qu(?=[ei])|k|c(?![ei])"), "K"),
    (re.compile("gu(?=[ei])"), "G"),
    (re.compile("g(?=[ei])"), "j"),
    (re.compile("h"), ""),
    (re.compile("ll"), "y"),
    (re.compile("[zxc]"), "s"),
    (re.compile("v"), "b"),
    (re.compile(r"y(?![aeiou])"), "i"),
    (re.compile(r"(.)\1+"), r"\1"),
)


# No word of Spanish is spelt so, however badly.
_ENGLISH = re.compile("[tswpg]h|w|ck|oo|ee|bb|dd|ff|gg|mm|pp|ss|tt|zz")


def sound(word: str) -> str:
    """The same for words that most speakers of Spanish in the Americas say alike; empty for English."""
    if _ENGLISH.search(word):
        return ""
    for written, heard in _SOUNDS:
        word = written.sub(heard, word)
    return word


def _shorter(word: str) -> Iterator[str]:
    return (word[:n] + word[n + 1 :] for n in range(len(word)))


def _forgiven(typed: str, word: str) -> bool:
    if _swapped(typed, word):
        return True
    if len(word) < _SLIP_FROM or len(typed) < _SWAP_FROM or not one_slip(typed, word):
        return False
    return typed[0] == word[0] or len(word) >= _LONG


def _swapped(a: str, b: str) -> bool:
    if len(a) != len(b):
        return False
    wrong = [n for n in range(len(a)) if a[n] != b[n]]
    return (
        len(wrong) == 2
        and wrong[1] - wrong[0] == 1
        and (a[wrong[0]], a[wrong[1]]) == (b[wrong[1]], b[wrong[0]])
    )


def one_slip(a: str, b: str) -> bool:
    """One letter left out, put in or put wrong."""
    if abs(len(a) - len(b)) > 1:
        return False
    start = 0
    while start < min(len(a), len(b)) and a[start] == b[start]:
        start += 1
    if len(a) == len(b):
        return a[start + 1 :] == b[start + 1 :]
    longer, shorter = (a, b) if len(a) > len(b) else (b, a)
    return longer[start + 1 :] == shorter[start:]
