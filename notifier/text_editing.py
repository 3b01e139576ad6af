"""The texts of a step in the editor: a text file as the words of its blocks, and those words as a file again.

What is not changed in the form stays in the file as it was written, so that a text that was only looked at
is the same file, character by character.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from functools import lru_cache
from typing import Any

from notifier.errors import InputError, PlanError
from notifier.planfiles import Content
from notifier.rules.plan import LANGUAGES
from notifier.rules.templating import BLOCKS, TextTemplate, parse_text

_OPENING = r"\{%[-+]?\s*block\s+{name}\s*[-+]?%\}"
_BLOCK_TAG = re.compile(r"\{%[-+]?\s*(?:end)?block\b")
_CLOSING = re.compile(r"\s*\{%[-+]?\s*endblock\b.*?[-+]?%\}\n*", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Words:
    """As the form shows them. An empty field: the text has no such block."""

    sms: str = ""
    subject: str = ""
    email: str = ""

    @property
    def is_empty(self) -> bool:
        return not (self.sms or self.subject or self.email)

    def part(self, block: str) -> str:
        return str(getattr(self, block))


def words_of(source: str) -> Words:
    """What the form shows of a text file; of one that cannot be read, nothing."""
    template = _read(source)
    if template is None:
        return Words()
    return Words(**{block: shown(block, getattr(template, block) or "") for block in BLOCKS})


def shown(block: str, inner: str) -> str:
    """A block's source without what nobody sees: outer white space, and the lines of an SMS in its file.

    Beside a tag such as if, a line break may mean less than a space, so those lines stay.
    """
    if block == "email":
        return inner.strip("\n")
    return inner.strip() if "{%" in inner else " ".join(inner.split())


def typed(values: Mapping[str, str], language: str) -> Words:
    """From a form's fields, such as sms.en."""
    given = {block: values.get(f"{block}.{language}", "").replace("\r\n", "\n") for block in BLOCKS}
    return tidied(Words(**given))


def tidied(words: Words) -> Words:
    """Without what an empty field may hold, or the end of one."""
    return Words(shown("sms", words.sms), " ".join(words.subject.split()), words.email.rstrip().lstrip("\n"))


def source_of(words: Words, before: str = "") -> str:
    """The text file that says these words: `before` with the changed blocks changed; empty for no words."""
    if words.is_empty:
        return ""
    if words == tidied(words_of(before)):
        return before
    source = before
    for block in BLOCKS:
        changed = _with_block(source, block, words.part(block)) if source else None
        if changed is None:
            return _written(words)
        source = changed
    return source if tidied(words_of(source)) == words else _written(words)


def _written(words: Words) -> str:
    blocks = ((block, words.part(block)) for block in BLOCKS)
    return "\n".join(_block(block, said) for block, said in blocks if said)


def _block(name: str, said: str) -> str:
    inner = f"\n{said}\n" if name == "email" else said
    return f"{{% block {name} %}}{inner}{{% endblock %}}\n"


def _with_block(source: str, block: str, said: str) -> str | None:
    """The file with one block saying something else; None where it cannot be told where the block stands."""
    template = _read(source)
    inner = getattr(template, block) if template is not None else None
    if inner is None:
        return f"{source.rstrip()}\n\n{_block(block, said)}" if said else source
    if shown(block, inner) == said:
        return source
    opening = re.search(_OPENING.replace("{name}", block), source)
    start = source.find(inner, opening.end()) if opening else -1
    closing = _CLOSING.match(source, start + len(inner)) if start >= 0 else None
    if opening is None or closing is None or source[opening.end() : start].strip():
        return None
    if not said:
        return source[: opening.start()] + source[closing.end() :]
    return source[:start] + (f"\n{said}\n" if block == "email" else said) + source[start + len(inner) :]


def _read(source: str) -> TextTemplate | None:
    try:
        return parse_text(source, file="")
    except PlanError:
        return None


def template_of(words: Words) -> TextTemplate:
    """For rendering while somebody types: each block that can be read alone, whatever the others are."""
    sms, subject, email = (_readable(block, words.part(block)) for block in BLOCKS)
    lines = {block: 1 for block, said in zip(BLOCKS, (sms, subject, email), strict=True) if said is not None}
    return TextTemplate(sms, subject, email, lines)


def _readable(block: str, said: str) -> str | None:
    return said if said and complaint_of_block(block, said) is None else None


@lru_cache(maxsize=256)
def complaint_of_block(block: str, said: str) -> PlanError | None:
    """Why these words can be no block of a text, with their own line; None where they can."""
    if _BLOCK_TAG.search(said):
        return PlanError("Leave {% block %} and {% endblock %} out: each field is a block already.", line=1)
    other = {"subject": "email", "email": "subject"}.get(block)
    beside = f"{{% block {other} %}}x{{% endblock %}}" if other else ""
    try:
        parse_text(f"{{% block {block} %}}{said}{{% endblock %}}{beside}", file="")
    except PlanError as error:
        return error.with_traceback(None)
    return None


def words_in(content: Content, step: str) -> dict[str, Words]:
    """Of every language, empty where there is no text."""
    texts = content["texts"]
    return {language: words_of(texts.get(f"{step}.{language}", "")) for language in LANGUAGES}


def content_with(content: Content, step: str, words: Mapping[str, Words]) -> dict[str, Any]:
    """The same plan with these words for one step; where none are left in a language, without its file."""
    texts = dict(content["texts"])
    for language in changed_languages(content, step, words):
        name = f"{step}.{language}"
        source = source_of(words[language], texts.get(name, ""))
        if source:
            texts[name] = source
        else:
            texts.pop(name, None)
    return {"key": content["key"], "plan": content["plan"], "texts": texts}


def changed_languages(content: Content, step: str, words: Mapping[str, Words]) -> list[str]:
    known = words_in(content, step)
    return [language for language, said in words.items() if said != tidied(known[language])]


def merged(mine: Words, begun: Words, theirs: Words) -> Words:
    """Two people's words over those that both began from: what I did not touch is as the other left it."""
    kept = {
        block: mine.part(block) if mine.part(block) != begun.part(block) else theirs.part(block)
        for block in BLOCKS
    }
    return Words(**kept)


def copied(words: Mapping[str, Words], language: str, *, source: str = "en") -> dict[str, Words]:
    """With another language's words in the fields of this one that are still empty. Raises InputError."""
    if language == source or language not in words:
        raise InputError("Choose a language to copy into.")
    empty = {
        field.name: words[source].part(field.name)
        for field in fields(Words)
        if not words[language].part(field.name)
    }
    return {**words, language: replace(words[language], **empty)}
