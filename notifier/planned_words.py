"""What a planned message says, as it would read if it left now."""

from __future__ import annotations

from dataclasses import dataclass

from notifier import rendering
from notifier.errors import RenderError
from notifier.planfiles import Definition
from notifier.rendering import Context, RenderedEmail


@dataclass(frozen=True, slots=True)
class PlannedWords:
    """`problem`: why there are none, in a sentence. `segments` is 0 for an e-mail."""

    channel: str
    text: str = ""
    subject: str = ""
    encoding: str = ""
    segments: int = 0
    problem: str = ""


def words_of(definition: Definition, step: str, channel: str, context: Context) -> PlannedWords:
    """By the same rendering as at the moment of sending, in the language of the context."""
    template = definition.text(step, context.language)
    if template is None:
        return PlannedWords(channel, problem="The step has no text.")
    try:
        words = rendering.render(template, context, channel=channel)
    except RenderError as error:
        return PlannedWords(channel, problem=str(error))
    if isinstance(words, RenderedEmail):
        return PlannedWords(channel, words.text, words.subject)
    return PlannedWords(channel, words.text, encoding=words.size.encoding, segments=words.size.segments)
