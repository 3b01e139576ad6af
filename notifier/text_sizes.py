"""How many parts an SMS takes, and what made it so many, in words."""

from __future__ import annotations

from dataclasses import dataclass

from notifier.rules import sms_text
from notifier.rules.sms_text import SmsSize

_SINGLE = {"GSM-7": 160, "UCS-2": 70}
_EACH = {"GSM-7": 153, "UCS-2": 67}


@dataclass(frozen=True, slots=True)
class Sized:
    """`pieces`: the text as it is cut for the network. `why`: what made it more than one part, or dearer."""

    size: SmsSize
    pieces: tuple[str, ...]
    left: int  # characters until the next part begins
    why: str
    swapped: str  # what is sent in the place of something typed

    @property
    def is_plain(self) -> bool:
        return self.size.encoding == "GSM-7"

    @property
    def room(self) -> int:
        """What so many parts hold together."""
        size = self.size
        return _SINGLE[size.encoding] if size.segments <= 1 else size.segments * _EACH[size.encoding]


def sized(text: str, typed: str = "") -> Sized:
    """`text` is rendered and so folded already; `typed` is what it was made from."""
    size = sms_text.measure(text)
    pieces = tuple(sms_text.split(text))
    return Sized(size, pieces, _left(size, pieces), _why(text, size), _swapped(text, typed))


def _left(size: SmsSize, pieces: tuple[str, ...]) -> int:
    if size.segments <= 1:
        return _SINGLE[size.encoding] - size.units
    return _EACH[size.encoding] - _units(pieces[-1], size.encoding)


def _units(piece: str, encoding: str) -> int:
    if encoding == "UCS-2":
        return len(piece.encode("utf-16-le", "surrogatepass")) // 2
    return sms_text.measure(piece).units


def _why(text: str, size: SmsSize) -> str:
    if size.encoding == "UCS-2":
        return _because_of(text, size)
    if size.segments <= 1:
        return ""
    over = size.units - _SINGLE["GSM-7"]
    doubles = _doubles(text)
    twice = f" {_listed(doubles)} {'counts' if len(doubles) == 1 else 'count'} twice." if doubles else ""
    return (
        f"{size.units} characters are {over} over the 160 that fit into one part; "
        f"of several parts each holds 153.{twice}"
    )


def _doubles(text: str) -> list[str]:
    return [char for char in dict.fromkeys(text) if sms_text.measure(char) == SmsSize("GSM-7", 1, 2)]


def _because_of(text: str, size: SmsSize) -> str:
    names = {char: name for char, _, name in sms_text.offenders(text)}
    # What could have been sent plainly did not make it dear: one character that cannot takes all along.
    guilty = {char: name for char, name in names.items() if sms_text.offenders(sms_text.fold(char))} or names
    without = sms_text.measure(sms_text.fold("".join(char for char in text if char not in guilty)))
    named = _listed([f"{char} ({name})" for char, name in guilty.items()])
    verb = "is" if len(guilty) == 1 else "are"
    now, plain = _parts(size.segments), _parts(without.segments or 1)
    price = f"{now} now, {plain} without" if now != plain else f"still {now}"
    return (
        f"{named} {verb} not in the plain SMS alphabet (GSM-7). So the whole text goes as UCS-2, where one "
        f"part holds 70 characters instead of 160: {price}."
    )


def _parts(count: int) -> str:
    return f"{count} part{'' if count == 1 else 's'}"


def _listed(things: list[str]) -> str:
    shown = things[:6] + (["others"] if len(things) > 6 else [])
    return " and ".join(filter(None, [", ".join(shown[:-1]), shown[-1]]))


def _swapped(text: str, typed: str) -> str:
    """Characters of the typed words that go out as plainer ones, such as … as three dots."""
    swaps = {
        char: sms_text.fold(char)
        for char in dict.fromkeys(typed)
        if sms_text.offenders(char)
        and char not in text
        and not char.isspace()
        and sms_text.fold(char) != char
    }
    said = [f"{char} → {plain}" for char, plain in swaps.items() if plain.strip()]
    return f"Sent plainer, to keep it cheap: {',  '.join(said)}" if said else ""
