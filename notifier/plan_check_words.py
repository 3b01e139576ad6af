"""What is wrong with the words of one text: checks that look at a block's source, each giving remarks.

An offset in a remark is a place in that source, so that the file's line can be told.
"""

from __future__ import annotations

import re
import tomllib
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Literal

from notifier.resources import templates_dir
from notifier.rules import sms_text
from notifier.rules.plan import Plan

Severity = Literal["error", "warning"]


@dataclass(frozen=True, slots=True)
class Remark:
    severity: Severity
    at: int
    message: str


_TAG = re.compile(r"\{\{.*?\}\}|\{%.*?%\}|\{#.*?#\}", re.DOTALL)
_LITERAL = re.compile(r"'[^']*'|\"[^\"]*\"")


def seen(source: str) -> str:
    """What a patient reads of a block, each letter in its place, and NUL where the block has a tag.

    The text in a default('…') counts as read.
    """
    return _TAG.sub(lambda tag: _masked(tag.group()), source)


def _masked(tag: str) -> str:
    hidden = ["\n" if char == "\n" else "\0" for char in tag]
    if tag.startswith("{{"):
        for literal in _LITERAL.finditer(tag):
            hidden[literal.start() + 1 : literal.end() - 1] = literal.group()[1:-1]
    return "".join(hidden)


@cache
def _reserved() -> dict[str, str]:
    """The words that mean opting out, opting in or help, whatever a text says they mean: word → which."""
    path = templates_dir() / "replies" / "replies.toml"
    replies = tomllib.loads(path.read_text("utf-8"))
    return {word: kind for kind in ("opt_out", "opt_in", "help") for word in replies[kind]["keywords"]}


@cache
def _reserved_pattern() -> re.Pattern[str]:
    words = sorted(_reserved(), key=len, reverse=True)
    return re.compile(rf"(?<![\w-])(?:{'|'.join(map(re.escape, words))})(?![\w-])", re.IGNORECASE)


_SENTENCE = re.compile(r"[^.!?¿¡]+")
_ASKED_FOR = re.compile(
    r"\b(?:reply|respond|answer|text|send|write|responda|responde|conteste|contesta|"
    r"envíe|envía|escriba|escribe)\b",
    re.IGNORECASE,
)
_ASKED_DIRECTLY = re.compile(
    r"\b(?:reply|respond|responda|responde|conteste|contesta)\s+"
    r"(?:with\s+|con\s+|just\s+|only\s+|solo\s+)?[\"'“«]?$",
    re.IGNORECASE,
)
_CONDITION = re.compile(r"[\"'”»]?\s+(?:if|when|to|for|si|para|cuando)\b", re.IGNORECASE)
_QUOTES = "\"'“”«»‘’"

# What the reserved words may honestly be offered for, right behind the word.
_MEANT = {
    "opt_out": re.compile(
        r"\W*(?:at any time |any time |anytime |en cualquier momento )?(?:"
        r"(?:to|2)\s+(?:end|stop|opt[- ]?out|unsubscribe|quit|leave)"
        r"|para\s+(?:salir|terminar|parar|acabar|dejarlo|darse\s+de\s+baja|no\s+recibir(?:\s+m[aá]s)?))\b",
        re.IGNORECASE,
    ),
    "opt_in": re.compile(
        r"\W*(?:to|para)\s+(?:start|restart|resume|re-?join|get|receive|opt[- ]?in"
        r"|volver|reanudar|recibir|empezar|reiniciar)\b",
        re.IGNORECASE,
    ),
    "help": re.compile(r"\W*(?:for|para)\s+(?:more\s+|más\s+)?(?:help|info\w*|ayuda)\b", re.IGNORECASE),
}
_MESSAGES = re.compile(r"\b(?:messages|texts|sms|e-?mails|mensajes|textos|correos)\b", re.IGNORECASE)
_ABOUT_MESSAGES = re.compile(
    r"\b(?:to\s+(?:stop|end|quit|leave|get|receive|start|restart|resume)"
    r"|para\s+(?:no|dejar|parar|cancelar|terminar|recibir|volver|reanudar))\b.*?" + _MESSAGES.pattern,
    re.IGNORECASE | re.DOTALL,
)
# Behind the purpose the sentence is over, or something else begins: "STOP to end the course" is neither.
_OVER = re.compile(r"\s*(?:$|[,;:)\-–—/]|(?:or|and|o|y)\b)", re.IGNORECASE)


def reserved_answers(words: str) -> Iterator[Remark]:
    """Words offered as an answer that carriers, Twilio or our own triage read as something else."""
    for found, kind in _offered(words):
        if not _is_meant(words, found, kind):
            word = found.group()
            yield Remark(
                "error",
                found.start(),
                f'"{word}" is offered as an answer, but to a phone network it means {_MEANS[kind]}; '
                "ask for another word or for a number.",
            )


_MEANS = {"opt_out": "no more messages", "opt_in": "messages again", "help": "help about the messages"}


def tells_how_to_stop(words: str) -> bool:
    return any(kind == "opt_out" and _is_meant(words, found, kind) for found, kind in _offered(words))


def _offered(words: str) -> Iterator[tuple[re.Match[str], str]]:
    kinds = {word.casefold(): kind for word, kind in _reserved().items()}
    for sentence in _SENTENCE.finditer(words):
        for found in _reserved_pattern().finditer(words, sentence.start(), sentence.end()):
            if _is_offered(words[sentence.start() : found.start()], found, words):
                yield found, kinds[found.group().casefold()]


def _is_offered(before: str, found: re.Match[str], words: str) -> bool:
    if _ASKED_DIRECTLY.search(before):
        return True
    quoted = before[-1:] in _QUOTES and words[found.end() : found.end() + 1] in _QUOTES and before != ""
    if _ASKED_FOR.search(before) and (found.group().isupper() or quoted):
        return True
    return found.group().isupper() and _CONDITION.match(words, found.end()) is not None


def _is_meant(words: str, found: re.Match[str], kind: str) -> bool:
    """Whether the word is offered for what it does: "STOP to end", "to end these texts reply STOP"."""
    sentence = next(s for s in _SENTENCE.finditer(words) if s.start() <= found.start() < s.end())
    purpose = _MEANT[kind].match(words, found.end(), sentence.end())
    if purpose is not None:
        rest = words[purpose.end() : sentence.end()]
        return kind != "opt_out" or _OVER.match(rest) is not None or _MESSAGES.search(rest) is not None
    before = _ABOUT_MESSAGES.search(words, sentence.start(), found.start())
    return kind != "help" and before is not None


# By treatment: words that would tell a stranger who reads along what was done.
_FAMILIES = {
    "needling": r"needl(?:e|es|ed|ing)|agujas?|puncion(?:es)?|acupunctur\w*|acupuntura",
    "massage": r"massag(?:e|es|ed|ing)|masajes?",
    "cupping": r"cupping|ventosas?",
    "shockwave": r"shock[ -]?waves?|ondas? de choque",
}
_FIGURES_OF_SPEECH = re.compile(r"pins and needles")
_NAME_ENDS = re.compile(
    r"^(?:cuidados (?:tras|despues de) (?:el |la |los |las |su )?|care after |plan de )|"
    r"(?: ?after ?care| plan| therapy| treatment)+$"
)
_SAYS_NOTHING = frozenset(
    ("", "aftercare", "care", "cuidados", "plan", "therapy", "terapia", "tratamiento", "treatment", "visit")
)
_TREATMENT_NAME = re.compile(r"\{\{[-+]?\s*treatment\.name\b")


def treatment_named(source: str, plan: Plan, *, any_treatment: bool) -> Iterator[tuple[int, str]]:
    """Places in a block and words that tell which treatment it was.

    With `any_treatment` every treatment that is known counts, otherwise those of this plan, or every one
    where it is none of them: an e-mail may advise against "masajes" after dry needling.
    """
    words = seen(source)
    for found in _TREATMENT_NAME.finditer(source):
        yield found.start(), "{{ treatment.name }}"
    folded = _FIGURES_OF_SPEECH.sub(lambda figure: "\0" * len(figure.group()), _folded(words))
    for found in _telling(_plan_words(plan), any_treatment).finditer(folded):
        yield found.start(), words[found.start() : found.end()]


def any_treatment_named(source: str) -> Iterator[tuple[int, str]]:
    """As `treatment_named`, for words that belong to no plan."""
    words = seen(source)
    folded = _FIGURES_OF_SPEECH.sub(lambda figure: "\0" * len(figure.group()), _folded(words))
    for found in _telling(frozenset(), True).finditer(folded):
        yield found.start(), words[found.start() : found.end()]


def _plan_words(plan: Plan) -> frozenset[str]:
    phrases = {_NAME_ENDS.sub("", _folded(name)).strip() for name in plan.name.values()}
    phrases.add(_folded(plan.treatment).replace("-", " "))
    return frozenset(phrases - _SAYS_NOTHING)


@lru_cache(maxsize=64)
def _telling(phrases: frozenset[str], any_treatment: bool) -> re.Pattern[str]:
    own = [family for family in _FAMILIES.values() if any(re.search(family, said) for said in phrases)]
    families = list(_FAMILIES.values()) if any_treatment or not own else own
    exact = [re.escape(phrase).replace(r"\ ", r"[\s-]+") for phrase in sorted(phrases, key=len, reverse=True)]
    return re.compile(rf"\b(?:{'|'.join([*exact, *families])})\b")


def _folded(words: str) -> str:
    """In small letters without accents, each in its place; line breaks are spaces."""
    return "".join(unicodedata.normalize("NFKD", char)[:1].casefold()[:1] or char for char in words).replace(
        "\n", " "
    )


# Only parts that no warning needs: "pain in your chest" and "a swollen calf" have to be said.
_BODY_PART = re.compile(
    r"\byour (?:(?:left|right|lower|upper|sore) )*(?:neck|shoulders?|back|knees?|hips?|elbows?|ankles?|"
    r"wrists?|heels?|thighs?|hamstrings?|spine|pelvis)\b"
    r"|\b(?:su|el|la|los|las) (?:cuello|hombros?|espalda|rodillas?|caderas?|codos?|tobillos?|munecas?|"
    r"talon(?:es)?|muslos?|columna|pelvis)\b"
)
_DIAGNOSIS = re.compile(
    r"\b(?:tend[io]n[io](?:tis|pathy|patia)|tendinosis|sciatica|ciatica|arthr(?:itis|osis)|artr(?:itis|osis)|"
    r"fasciitis|fascitis|bursitis|epicondyl\w+|epicondil\w+|tennis elbow|frozen shoulder|rotator cuff|"
    r"manguito rotador|herniated|hernia|whiplash|lumbago|fibromyalgia|fibromialgia|migraine|migrana)\b"
)


def body_named(words: str) -> Iterator[tuple[int, str]]:
    """Places and words that look like the patient's body part or diagnosis."""
    folded = _folded(words)
    for pattern in (_BODY_PART, _DIAGNOSIS):
        for found in pattern.finditer(folded):
            yield found.start(), words[found.start() : found.end()]


_SHORTENER = re.compile(
    r"(?<![\w.@-])(?<![^/]/)(?:bit\.ly|bl\.ink|buff\.ly|cutt\.ly|goo\.gl|is\.gd|lnkd\.in|ow\.ly|rb\.gy|rebrand\.ly|s\.id|"
    r"short\.io|shorturl\.at|t\.co|t\.ly|tiny\.cc|tinyurl\.com|v\.gd)(?:/\S*|(?![\w.-]))",
    re.IGNORECASE,
)


def shortened_links(words: str) -> Iterator[tuple[int, str]]:
    """Links through a shared shortener: networks take them for fraud, and nobody sees where they lead."""
    for found in _SHORTENER.finditer(words):
        yield found.start(), found.group().rstrip(".,;:!?)\0")


def shows_scale(words: str) -> bool:
    return re.search(r"(?<![\w.,])0(?![\w]).*?(?<![\w.,])10(?!\w)", words, re.DOTALL) is not None


def costly_characters(words: str) -> list[tuple[int, str, str]]:
    """The characters that keep an SMS out of its cheap alphabet after folding: place, itself, its name."""
    found: dict[str, tuple[int, str, str]] = {}
    for char, at, name in sms_text.offenders(words):
        if sms_text.offenders(sms_text.fold(char)):
            found.setdefault(char, (at, char, name))
    return list(found.values())
