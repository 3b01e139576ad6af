"""What is wrong with the words of an automatic answer, beside what is wrong with any text."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache

from notifier import plan_check_words as said
from notifier import rendering
from notifier.answer_names import BY_NAME, Answer
from notifier.errors import RenderError
from notifier.plan_check_words import Remark
from notifier.rules.templating import TextTemplate, samples
from notifier.text_complaints import TextComplaint
from notifier.text_editing import Words, complaint_of_block, template_of

_MOST_PARTS = 2
_NAME_FIRST = re.compile(r"\s*\{\{[-+]?\s*clinic\.name\b")
_CALLED = {
    "clinic.emergency_number": "the emergency number",
    "clinic.phone": "the clinic's phone number",
    "clinic.crisis_line": "the crisis line",
    "clinic.opens_next": "when the clinic opens next",
}
# Words that do the same in Spanish.
_ALSO = {"HELP": ("AYUDA",), "MORE": ("MAS", "MÁS")}
# What an answer knows of its reader: nothing of the treatment, and not always the name.
_UNKNOWN = re.compile(r"\{[{%][^}]*?\b((?:treatment|next_visit|practitioner)\.\w+)")


@lru_cache(maxsize=512)
def complaints(name: str, language: str, words: Words) -> tuple[TextComplaint, ...]:
    """For the field sms.<language>; the errors first."""
    field = f"sms.{language}"
    if not words.sms:
        return (TextComplaint(field, "error", "There are no words. Write some, or take those as shipped."),)
    broken = complaint_of_block("sms", words.sms)
    if broken is not None:
        return (TextComplaint(field, "error", broken.plain),)
    found = [
        TextComplaint(field, remark.severity, remark.message)
        for remark in _remarks(BY_NAME[name], language, words.sms, template_of(words))
    ]
    return tuple(sorted(found, key=lambda complaint: complaint.severity != "error"))


def _remarks(answer: Answer, language: str, source: str, template: TextTemplate) -> Iterator[Remark]:
    words = said.seen(source)
    yield from _reserved(words)
    for at, link in said.shortened_links(words):
        yield Remark("error", at, f'"{link}" goes through a link shortener: networks block such messages.')
    yield from _who_writes(answer, source)
    yield from _missing(answer, source, words)
    yield from _discretion(source, words)
    yield from _rendered(answer, language, source, template)


def _reserved(words: str) -> Iterator[Remark]:
    """HELP may be offered for tips here, because its answer has them."""
    for remark in said.reserved_answers(words):
        if not words.startswith(("HELP", "INFO", "AYUDA"), remark.at):
            yield remark


def _who_writes(answer: Answer, source: str) -> Iterator[Remark]:
    if not answer.nameless and not _NAME_FIRST.match(source):
        yield Remark("error", 0, "It does not begin with who writes; begin it {{ clinic.name }}:")
    if answer.nameless and "patient.first_name" in source:
        yield Remark("error", 0, "It may be read by a stranger, so it must name nobody.")


def _missing(answer: Answer, source: str, words: str) -> Iterator[Remark]:
    for need in answer.needs:
        if need in _CALLED:
            if not re.search(rf"\{{\{{[-+]?\s*{re.escape(need)}\b", source):
                yield Remark("error", 0, f"It must say {_CALLED[need]}: {{{{ {need} }}}}.")
        elif not any(re.search(rf"\b{word}\b", words) for word in (need, *_ALSO.get(need, ()))):
            yield Remark("error", 0, f"It must name the word {need}.")
    if answer.stops and "STOP" in words and not said.tells_how_to_stop(words):
        yield Remark("error", 0, "It does not say what STOP is for; write STOP to end, or STOP para salir.")
    if answer.name == "help" and _first(source, "clinic.phone") < _first(source, "clinic.emergency_number"):
        yield Remark(
            "error", 0, "A frightened patient may text HELP: name the emergency number before the clinic's."
        )


def _first(source: str, variable: str) -> int:
    at = source.find(variable)
    return at if at >= 0 else len(source)


def _discretion(source: str, words: str) -> Iterator[Remark]:
    for at, word in said.any_treatment_named(source):
        yield Remark("error", at, f'"{word}" tells whoever reads along what was done. Say "your visit".')
    for at, word in said.body_named(words):
        yield Remark("warning", at, f'"{word}" may tell whoever reads along what is treated; say "the area".')


def _rendered(answer: Answer, language: str, source: str, template: TextTemplate) -> Iterator[Remark]:
    unknown = _UNKNOWN.search(source)
    if unknown is not None:
        yield Remark("error", unknown.start(), f"An answer knows nothing of {unknown[1]}; leave it out.")
        return
    try:
        sms = rendering.render(template, _least(answer, language), channel="sms")
    except RenderError as error:
        yield Remark(
            "error",
            0,
            f"Not every answer can be filled in: {error} Give what may be missing a default('…'), or put its "
            "sentence inside {% if … %}.",
        )
        return
    if sms.size.segments > _MOST_PARTS:
        told = f"When names are long it takes {sms.size.segments} parts; keep it to {_MOST_PARTS}."
        yield Remark("error", 0, told)


def _least(answer: Answer, language: str) -> rendering.Context:
    """What every answer has at least, with long names: who asks may be a stranger."""
    clinic = dict(samples(long=True)["clinic"])
    if answer.name != "when-closed":
        del clinic["opens_next"]
    return rendering.context(language=language, clinic=clinic)
