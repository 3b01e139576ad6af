"""One language of a step's texts while somebody types: how it reads, what it costs, what is wrong with it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from notifier import rendering, text_samples
from notifier.errors import RenderError
from notifier.plan_differences import Segment, word_segments
from notifier.rendering import Context, RenderedEmail, RenderedSms
from notifier.rules.templating import BLOCKS
from notifier.text_complaints import TextComplaint
from notifier.text_cost import Cost, Volume
from notifier.text_editing import Words, template_of
from notifier.text_sizes import Sized, sized


@dataclass(frozen=True, slots=True)
class Money:
    price: float | None
    currency: str


@dataclass(frozen=True)
class Side:
    """`sms` and `mail` are None where there are no words, or where they cannot be read; `cannot` says why."""

    language: str
    name: str
    words: Words
    before: Words
    values: Mapping[str, str]
    complaints: Sequence[TextComplaint]
    sms: RenderedSms | None
    mail: RenderedEmail | None
    cannot: Mapping[str, str]
    size: Sized | None
    long_parts: int
    cost: Cost

    @property
    def is_changed(self) -> bool:
        return self.words != self.before

    @property
    def errors(self) -> int:
        return sum(complaint.severity == "error" for complaint in self.complaints)

    @property
    def warnings(self) -> int:
        return len(self.complaints) - self.errors

    @property
    def missing(self) -> str:
        """What there are no words for; empty where there are for both."""
        if self.words.is_empty:
            return "text"
        return "" if self.words.sms and self.words.email else ("SMS" if not self.words.sms else "e-mail")

    def about(self, block: str) -> list[TextComplaint]:
        return [complaint for complaint in self.complaints if complaint.field == f"{block}.{self.language}"]

    def has_error(self, block: str) -> bool:
        return any(complaint.severity == "error" for complaint in self.about(block))

    @property
    def differences(self) -> dict[str, list[Segment]]:
        changed = [block for block in BLOCKS if self.before.part(block) != self.words.part(block)]
        return {
            block: list(word_segments(self.before.part(block), self.words.part(block))) for block in changed
        }


def side(
    language: str,
    name: str,
    words: Words,
    before: Words,
    *,
    context: Context,
    long: Context,
    volume: Volume,
    money: Money,
    complaints: Sequence[TextComplaint],
) -> Side:
    cannot: dict[str, str] = {}
    sms, mail = sms_of(words, context, cannot), _mail(words, context, cannot)
    parts, parts_before = _parts(words, context), _parts(before, context)
    return Side(
        language,
        name,
        words,
        before,
        text_samples.values_of(context),
        complaints,
        sms,
        mail,
        cannot,
        sized(sms.text, words.sms) if sms is not None else None,
        _parts(words, long),
        Cost(volume, parts, parts_before, money.price, money.currency),
    )


def sms_of(words: Words, context: Context, cannot: dict[str, str]) -> RenderedSms | None:
    """None where there are no words, and where they cannot be read, which `cannot` is told."""
    template = template_of(words)
    if template.sms is None:
        return None
    try:
        return rendering.render(template, context, channel="sms")
    except RenderError as error:
        cannot["sms"] = str(error)
        return None


def _mail(words: Words, context: Context, cannot: dict[str, str]) -> RenderedEmail | None:
    template = template_of(words)
    if template.subject is None or template.email is None:
        return None
    try:
        return rendering.render(template, context, channel="email")
    except RenderError as error:
        cannot["email"] = str(error)
        return None


def _parts(words: Words, context: Context) -> int:
    shown = sms_of(words, context, {})
    return shown.size.segments if shown is not None else 0
