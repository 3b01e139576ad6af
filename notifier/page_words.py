"""What a plan's e-mails say for an hour of the way, in blocks that a page can lay out by itself."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta

from notifier import rendering
from notifier.errors import RenderError
from notifier.planfiles import Definition
from notifier.rendering import Context
from notifier.rules import light_markdown
from notifier.rules.audience import Facts
from notifier.rules.plan import Step

# How long the last words hold where the plan does not say.
_USUALLY = timedelta(days=7)
_GREETING_ENDS = (",", ":")
_SHORT = 60


@dataclass(frozen=True, slots=True)
class Block:
    """`title` may be empty, as may `lines` or `items`."""

    title: str
    lines: tuple[str, ...]
    items: tuple[str, ...]


def blocks_of(
    definition: Definition, context: Context, elapsed: timedelta, score: int | None
) -> Sequence[Block]:
    """The words of the step that is latest due; none before the first, and none long after the last."""
    steps = [step for step in _telling(definition, context.language, score) if step.after.elapsed <= elapsed]
    step = steps[-1] if steps else _first(definition, context.language, score)
    if step is None or elapsed > _until(definition, context.language, score, step):
        return ()
    text = definition.text(step.key, context.language)
    assert text is not None, "it speaks e-mail"
    try:
        _, body = rendering.fill_email(text, context)
    except RenderError:
        return ()  # the desk sees it held; the page goes on without
    said = light_markdown.to_plain(light_markdown.parse(body))
    return list(_blocks(_without_letter(said, context)))


def _telling(definition: Definition, language: str, score: int | None) -> list[Step]:
    """In the order of time, without what asks or names the treatment."""
    return sorted(
        (
            step
            for step in definition.plan.steps
            if step.on
            and step.anchor == "treatment_end"
            and not step.ask
            and step.detail_on("email") == "minimal"
            and step.audience.matches(Facts(first=True), score)
            and definition.speaks(step, "email", language)
        ),
        key=lambda step: step.after.elapsed,
    )


def _first(definition: Definition, language: str, score: int | None) -> Step | None:
    """Its words serve from the moment the treatment ended."""
    return next(iter(_telling(definition, language, score)), None)


def _until(definition: Definition, language: str, score: int | None, step: Step) -> timedelta:
    """Until the next one, or as long as the last one is useful."""
    steps = _telling(definition, language, score)
    if step != steps[-1]:
        return steps[steps.index(step) + 1].after.elapsed
    return step.useful_for.elapsed if step.useful_for is not None else step.after.elapsed + _USUALLY


def _without_letter(said: str, context: Context) -> list[str]:
    """Paragraphs without the greeting and the signature."""
    paragraphs = [paragraph.strip() for paragraph in said.split("\n\n") if paragraph.strip()]
    if paragraphs and paragraphs[0].endswith(_GREETING_ENDS) and "\n" not in paragraphs[0]:
        del paragraphs[0]
    if paragraphs and paragraphs[-1] == str(context.values["practitioner"]["name"]):
        del paragraphs[-1]
    return paragraphs


def _blocks(paragraphs: Sequence[str]) -> Iterator[Block]:
    for paragraph in paragraphs:
        lines = [line.strip() for line in paragraph.split("\n")]
        items = tuple(line.removeprefix("- ") for line in lines if line.startswith("- "))
        words = [line for line in lines if not line.startswith("- ")]
        is_title = len(lines) > 1 and bool(words) and _is_title(words[0])
        yield Block(words[0] if is_title else "", tuple(words[1:] if is_title else words), items)


def _is_title(line: str) -> bool:
    return len(line) < _SHORT and not line.endswith((".", "!"))
