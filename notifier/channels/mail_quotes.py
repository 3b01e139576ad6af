"""The new words of an e-mail: without the mail it answers, signatures, and our own notice below our mails.

What is not surely one of those stays: a line too many is read over, a lost one may have been a warning.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

# The notice below every mail of ours, templates/email/footer.*.j2, however its lines were broken.
_OURS = re.compile(r"This message was sent automatically by |Este mensaje lo envió automáticamente ")
_NOTICE = re.compile(
    (
        r"(?:^-{3}\s*$\s*)?(?:This message was sent automatically by|Este mensaje lo envió automáticamente)\b"
        r".{0,900}?(?:or call us|o llámenos)\."
        r"(?: (?:Unsubscribe from these e-mails|Darse de baja de estos correos)(?::?\s*<?https?://\S+)?)?"
    ).replace(" ", r"\s+"),
    re.DOTALL | re.MULTILINE,
)
_ATTRIBUTION = re.compile(
    r"(on\b.{3,200}\bwrote:|(el|en)\b.{3,200}\bescribi[oó]:|\d{4}-\d\d-\d\d\b.{0,120}<\S+@\S+>\)?:|"
    r".{0,120}<[^<>\s]+@[^<>\s]+>.{0,80}(wrote|escribi[oó])( on\b.{0,80})?:)\s*",
    re.IGNORECASE | re.DOTALL,
)
# Yahoo goes on in the same line.
_ATTRIBUTION_BEFORE = re.compile(
    r"\s*(on|el|en)\b.{3,200}<\S+@\S+>\)?,?\s*(wrote|escribi[oó]):\s", re.IGNORECASE
)
# "On Monday she wrote:" is a sentence of theirs.
_A_MOMENT = re.compile(r"\b(19|20)\d\d\b|\d[:.h]\d\d|@")
_RULE = re.compile(
    r"\s*[-_—]{2,}\s*((original|forwarded) message|mensaje (original|reenviado))\s*[-_—]{2,}\s*",
    re.IGNORECASE,
)
_LONG_RULE = re.compile(r"\s*_{20,}\s*")
_FORWARDED = re.compile(r"\s*(begin forwarded message|inicio del mensaje reenviado):\s*", re.IGNORECASE)
_FROM = re.compile(r"\s*\**(from|de):\**\s*\S.*", re.IGNORECASE)
_BESIDE = re.compile(r"\s*\**(sent|date|to|cc|subject|enviado( el)?|fecha|para|asunto):\**.*", re.IGNORECASE)
_DELIMITER = "-- "  # with its space; without one, people draw a line between their own words
_LONGEST_SIGNATURE = 8  # lines
_LONGEST_ATTRIBUTION = 400  # characters
_SENT_FROM = re.compile(
    r"(sent|enviado) (from|via|using|with|desde|con)|get|obtener|obtén|descarga", re.IGNORECASE
)
# Only words that name a device or a program: "Sent from my bed, I cannot breathe" is no signature.
_DEVICE = re.compile(
    r"ip(hone|ad|od)|galaxy|samsung|android|(smart|cell)?phone|cell|mobile|device|tablet|pixel|google|huawei|xiaomi|"
    r"redmi|motorola|moto|nokia|oneplus|oppo|verizon|t-mobile|at&t|blackberry|windows|outlook|yahoo|gmail|mail|"
    r"proton(mail)?|aol|icloud|hotmail|correo|tel[eé]fono|m[oó]vil|celular|dispositivo|ultra|pro|max|plus|mini|"
    r"fold|flip|note|lte|wireless|app|ios|[a-z]{0,2}\d{1,3}[a-z]{0,2}",
    re.IGNORECASE,
)
_BETWEEN = re.compile(r"my|mi|una?|an?|the|for|para|del?|desde|from|via|on|en|using|con|with", re.IGNORECASE)


def new_words(text: str) -> str:
    """What the person wrote; the whole text where that would be nothing and the rest may be theirs."""
    lines = [line if line == _DELIMITER else line.rstrip() for line in text.split("\n")]
    kept = "\n".join(_without_signature(_without_history(lines)))
    words = _NOTICE.sub("", re.sub(r"\n{3,}", "\n\n", kept)).strip()
    return words if words or _is_surely_nothing(lines) else text.strip()


def _is_surely_nothing(lines: Sequence[str]) -> bool:
    """Only our own mail comes back, or a line that a telephone adds: to read that as theirs would alarm."""
    flat = " ".join(" ".join(line.lstrip("> \t") for line in lines).split())
    left = (line for line in lines if line.strip() and not _is_from_a_device(line))
    return _OURS.search(flat) is not None or not any(left)


def _without_history(lines: Sequence[str]) -> list[str]:
    kept: list[str] = []
    at = 0
    while at < len(lines):
        if _begins_history(lines, at):
            break
        length = _attribution(lines, at)
        if length and not _is_quoted_after(lines, at + length):
            break
        if length:
            at += length
        elif _is_quoted(lines[at]):
            at += 1
        else:
            kept.append(lines[at])
            at += 1
    return kept


def _begins_history(lines: Sequence[str], at: int) -> bool:
    line = lines[at]
    if _RULE.fullmatch(line) or _FORWARDED.fullmatch(line) or _ATTRIBUTION_BEFORE.match(line):
        return True
    if _LONG_RULE.fullmatch(line):
        return any(_is_header_block(lines, at + skip) for skip in (1, 2))
    return _is_header_block(lines, at)


def _is_header_block(lines: Sequence[str], at: int) -> bool:
    """Outlook's "From: … Sent: … To: …" above the mail that is answered."""
    if at >= len(lines) or not _FROM.fullmatch(lines[at]):
        return False
    return sum(bool(_BESIDE.fullmatch(line)) for line in lines[at + 1 : at + 7]) >= 2


def _attribution(lines: Sequence[str], at: int) -> int:
    """How many lines "On … wrote:" takes here, broken over several where it was long; 0: it is none."""
    if not lines[at].strip() or _is_quoted(lines[at]):
        return 0
    for count in (1, 2, 3, 4):
        joined = " ".join(line.strip() for line in lines[at : at + count])
        if len(joined) > _LONGEST_ATTRIBUTION:
            return 0
        if _ATTRIBUTION.fullmatch(joined) and _A_MOMENT.search(joined):
            return count
        if count > 1 and not lines[min(at + count, len(lines)) - 1].strip():
            return 0
    return 0


def _is_from_a_device(line: str) -> bool:
    """The line that a telephone or a mail program adds by itself, and nothing a person has added to it."""
    plain = re.sub(r"<?https?://\S+", "", line).strip(" \t*_.")
    begins = _SENT_FROM.match(plain)
    if begins is None or len(plain) > 100:
        return False
    words = plain[begins.end() :].replace(",", " ").split()
    named = [word for word in words if not _BETWEEN.fullmatch(word)]
    return bool(named) and all(_DEVICE.fullmatch(word) for word in named)


def _is_quoted(line: str) -> bool:
    return line.lstrip().startswith(">")


def _is_quoted_after(lines: Sequence[str], at: int) -> bool:
    following = next((line for line in lines[at:] if line.strip()), "")
    return _is_quoted(following)


def _without_signature(lines: Sequence[str]) -> list[str]:
    plain = [line for line in lines if not _is_from_a_device(line)]
    if _DELIMITER in plain:
        at = len(plain) - 1 - plain[::-1].index(_DELIMITER)
        below = sum(bool(line.strip()) for line in plain[at + 1 :])
        if below <= _LONGEST_SIGNATURE and any(line.strip() for line in plain[:at]):
            return plain[:at]
    return plain
