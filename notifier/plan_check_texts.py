"""What is wrong with one text of one step: its words, its price, and what it counts on."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from itertools import product
from typing import Any

from notifier import plan_check_words as said
from notifier import rendering
from notifier.errors import RenderError
from notifier.plan_check_words import Remark, Severity
from notifier.rules import sms_text
from notifier.rules.audience import Facts
from notifier.rules.plan import CHANNELS, Plan, Step
from notifier.rules.templating import BLOCKS, TextTemplate, samples

_MOST_SEGMENTS = 2
_CALLED = {"sms": "SMS", "email": "e-mail"}
# What not every message has, and how grave it is to count on it.
_MAY_LACK: Mapping[str, Severity] = {
    "next_visit.date": "error",
    "next_visit.time": "error",
    "clinic.opens_next": "error",
    "clinic.reply_address": "error",
    "clinic.emergency_number": "warning",
    "clinic.crisis_line": "warning",
}
_NOBODY_READS = (
    "It asks for a score also where replies to e-mails are not read. Put the question inside "
    "{% if clinic.reply_address %}, and after {% else %} whom to call instead."
)
_NAME_FIRST = re.compile(r"\s*\{\{[-+]?\s*clinic\.name\b")


def text_remarks(plan: Plan, step: Step, language: str, text: TextTemplate) -> Iterator[tuple[str, Remark]]:
    """Each with the block that it is about."""
    silent = [channel for channel in step.channels or CHANNELS if getattr(text, channel) is None]
    if len(silent) == len(step.channels or CHANNELS):
        ways = " and ".join(_CALLED[channel] for channel in silent)
        words = f"The step goes by {ways} only, and this text has no words for that."
        yield next(iter(text.lines)), Remark("error", 0, words)
    for block in BLOCKS:
        source = getattr(text, block)
        if source is not None:
            yield from ((block, remark) for remark in _block_remarks(plan, step, block, source))
            yield from ((block, remark) for remark in _missing_values(step, language, text, block))
    if text.sms is not None:
        yield from (("sms", remark) for remark in _price(language, text, text.sms))


def _block_remarks(plan: Plan, step: Step, block: str, source: str) -> Iterator[Remark]:
    words, start = said.seen(source), _start(source)
    yield from said.reserved_answers(words)
    for at, link in said.shortened_links(words):
        told = f'"{link}" goes through a link shortener: networks block such messages. Write the whole link.'
        yield Remark("error", at, told)
    yield from _discretion(plan, step, block, source)
    if step.ask == "score" and block != "subject" and not said.shows_scale(words):
        yield Remark("error", start, "It asks for a score without its range; write 0 (none) to 10 (worst).")
    if step.ask == "score" and block == "email" and "clinic.reply_address" not in source:
        yield Remark("warning", start, _NOBODY_READS)
    if block == "sms" and not _NAME_FIRST.match(source):
        yield Remark("error", start, "The SMS does not begin with who writes; begin it {{ clinic.name }}:")
    if block == "sms" and not said.tells_how_to_stop(words):
        yield Remark("error", start, "The SMS does not say how to stop; add STOP to end, or STOP para salir.")


def _start(source: str) -> int:
    return len(source) - len(source.lstrip())


def _discretion(plan: Plan, step: Step, block: str, source: str) -> Iterator[Remark]:
    if step.detail_on("sms" if block == "sms" else "email") == "treatment":
        return
    for at, word in said.treatment_named(source, plan, any_treatment=block != "email"):
        yield Remark(
            "error",
            at,
            f'"{word}" tells whoever reads along what was done, and the detail of this step is minimal. '
            'Say "your visit", or set detail = "treatment".',
        )
    if block != "email":
        for at, word in said.body_named(said.seen(source)):
            words = f'"{word}" may tell whoever reads along what is treated; say "the area".'
            yield Remark("warning", at, words)


def _missing_values(step: Step, language: str, text: TextTemplate, block: str) -> Iterator[Remark]:
    source: str = getattr(text, block)
    for variable, severity in _MAY_LACK.items():
        used = re.search(rf"\{{\{{[-+]?\s*{re.escape(variable)}\b", source)
        if used is None or (variable.startswith("next_visit.") and always_has_a_visit(step)):
            continue
        try:
            rendering.render(text, _sample(language, variable), channel="sms" if block == "sms" else "email")
        except RenderError:
            yield Remark(
                severity,
                used.start(),
                f"Not every message of this step has {variable}, and without it nothing can be sent. "
                f"Give it a default('…'), or put the sentence inside {{% if {variable} %}}.",
            )


def always_has_a_visit(step: Step) -> bool:
    areas = frozenset(
        area
        for conditions in step.audience.alternatives
        for word, _ in conditions
        for area in word.removeprefix("areas:").split(",")
    )
    without = (Facts(first, False, some) for first, some in product((True, False), (frozenset(), areas)))
    return step.anchor == "next_visit" or not any(step.audience.scores(facts) for facts in without)


def _price(language: str, text: TextTemplate, source: str) -> Iterator[Remark]:
    try:
        sms = rendering.render(text, _sample(language), channel="sms")
    except RenderError as error:
        yield Remark("error", _start(source), str(error))
        return
    size, costly = sms.size, said.costly_characters(said.seen(source))
    if costly:
        without = "".join(char for char in sms.text if char not in {char for _, char, _ in costly})
        plain = sms_text.measure(sms_text.fold(without)).segments
        named = ", ".join(f'"{char}" ({name})' for _, char, name in costly)
        yield Remark(
            "warning",
            costly[0][0],
            f"{named} cannot be sent in the plain SMS alphabet, so the whole text goes out as UCS-2: "
            f"{size.segments} parts to pay instead of {plain}, when names are long.",
        )
    if size.segments > _MOST_SEGMENTS:
        over = size.units - _MOST_SEGMENTS * (67 if size.encoding == "UCS-2" else 153)
        yield Remark(
            "error",
            _start(source),
            f"When names are long the SMS takes {size.segments} parts; the limit is {_MOST_SEGMENTS}. "
            f"Shorten it by {over} character{'' if over == 1 else 's'}.",
        )


def _sample(language: str, without: str = "") -> rendering.Context:
    values: dict[str, Any] = samples(long=True)
    group, _, name = without.partition(".")
    if name:
        del values[group][name]
    return rendering.context(language=language, **values)
