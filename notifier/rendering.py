"""A text and what it is about → the words to send: an SMS, or an e-mail's subject, plain body and HTML.

The worker renders every message here as it leaves, so compiled texts are kept.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime, time
from functools import cache, lru_cache
from typing import Literal, overload

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template, Undefined, UndefinedError
from jinja2.sandbox import ImmutableSandboxedEnvironment
from markupsafe import Markup

from notifier.errors import RenderError
from notifier.resources import templates_dir
from notifier.rules import light_markdown, sms_text
from notifier.rules.hours import short_time as short_time
from notifier.rules.sms_text import SmsSize
from notifier.rules.templating import VARIABLES, TextTemplate

Value = str | date | time | None
Values = Mapping[str, Value]

_NONE: Values = {}
_MONTHS = {
    "en": ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"],
    "es": ["ene", "feb", "mar", "abr", "may", "jun", "jul", "ago", "sep", "oct", "nov", "dic"],
}
_UNSENDABLE = re.compile(r"[\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
_NUMBER = re.compile(r"\+?[\d\s().\-/]{3,}")
_SEPARATOR = "---"
# The sentence that ends an SMS with how to stop. The Spanish word for page has a letter that GSM-7 lacks.
_STOP = re.compile(r"\bSTOP\b[^.!?]*[.!]?$")
_YOUR_PAGE = {"en": "Your page", "es": "Su enlace"}
_PREHEADER = 110  # about what a mail program shows beside the subject


@dataclass(frozen=True, slots=True)
class Context:
    """What one message is about; made by `context`. `language` is a tag such as "en" or "es".

    `to_staff`: it is no patient who reads it, and the notice below an e-mail speaks accordingly.
    """

    language: str
    values: Mapping[str, Mapping[str, object]]
    to_staff: bool = False


@dataclass(frozen=True, slots=True)
class RenderedSms:
    text: str
    size: SmsSize


@dataclass(frozen=True, slots=True)
class RenderedEmail:
    subject: str
    text: str
    html: str


def context(
    *,
    language: str = "en",
    clinic: Values,
    patient: Values = _NONE,
    practitioner: Values = _NONE,
    treatment: Values = _NONE,
    next_visit: Values = _NONE,
) -> Context:
    """Values by the last word of their variable, as clinic={"name": …}; None and "" mean there is none.

    Dates and times are as the patient's own calendar and clock have them; they are written in `language`.
    """
    given = {
        "clinic": clinic,
        "patient": patient,
        "practitioner": practitioner,
        "treatment": treatment,
        "next_visit": next_visit,
    }
    values = {group: _group(group, named, language) for group, named in given.items()}
    # Not every clinic records who treated: the signature is then left out rather than missed.
    values["practitioner"].setdefault("name", Undefined(name="practitioner.name"))
    return Context(language, values)


class _Group(dict[str, object]):
    """One group of values that knows its own name, for the sentence about a missing one."""

    __slots__ = ("_name",)

    def __init__(self, name: str, values: Iterable[tuple[str, object]] = ()) -> None:
        super().__init__(values)
        self._name = name


def _group(group: str, named: Values, language: str) -> _Group:
    values = _Group(group)
    for name, value in named.items():
        if f"{group}.{name}" not in VARIABLES:
            raise ValueError(
                f"no text may use {group}.{name}; the variables are listed in rules/templating.py"
            )
        written = _written(value, language)
        if written:
            values[name] = written
    return values


def _written(value: Value, language: str) -> str:
    if value is None:
        return ""
    if isinstance(value, str):
        as_it_is = value.isprintable() and "  " not in value
        return value.strip() if as_it_is else _one_line(_UNSENDABLE.sub("", value))
    if isinstance(value, datetime):
        raise TypeError("give the patient's local date or time, not an instant")
    return short_date(value, language) if isinstance(value, date) else short_time(value, language)


def _one_line(text: str) -> str:
    return " ".join(text.split())


def short_date(day: date, language: str) -> str:
    """3 Mar, or 3 mar in Spanish: at most 8 characters, all of them GSM-7."""
    months = _MONTHS.get(language[:2], _MONTHS["en"])
    return f"{day.day} {months[day.month - 1]}"


@overload
def render(
    template: TextTemplate, context: Context, *, channel: Literal["sms"], page_url: str | None = None
) -> RenderedSms: ...
@overload
def render(
    template: TextTemplate,
    context: Context,
    *,
    channel: Literal["email"],
    unsubscribe_url: str | None = None,
    page_url: str | None = None,
) -> RenderedEmail: ...
@overload
def render(
    template: TextTemplate,
    context: Context,
    *,
    channel: str,
    unsubscribe_url: str | None = None,
    page_url: str | None = None,
) -> RenderedSms | RenderedEmail: ...
def render(
    template: TextTemplate,
    context: Context,
    *,
    channel: str,
    unsubscribe_url: str | None = None,
    page_url: str | None = None,
) -> RenderedSms | RenderedEmail:
    """Raises RenderError where the text has no words for the channel, or needs a value that is not there.

    `page_url` is the patient's own page, which the words then lead to.
    """
    if channel == "sms" and template.sms is not None:
        return _sms(template.sms, context, page_url)
    if channel == "email" and template.subject is not None and template.email is not None:
        return _email(template.subject, template.email, context, unsubscribe_url, page_url)
    raise RenderError(
        f"This text has no words for {channel}. Add them to the plan, or take the channel off it."
    )


def fill_email(template: TextTemplate, context: Context) -> tuple[str, str]:
    """Subject and light Markdown with the values in place, to be kept and laid out by `render` later."""
    if template.subject is None or template.email is None:
        raise RenderError("This text has no words for email.")
    return _one_line(_fill(template.subject, context)), _fill(template.email, context, markdown=True)


def _sms(source: str, context: Context, page_url: str | None) -> RenderedSms:
    text = _one_line(sms_text.fold(_fill(source, context)))
    if not text:
        raise RenderError("The SMS comes out empty for this patient: every word of it stands inside an if.")
    if page_url:
        text = _leading_to(text, page_url, context.language)
    return RenderedSms(text, sms_text.measure(text))


def _leading_to(text: str, page_url: str, language: str) -> str:
    """How to stop stays last, where readers look for it."""
    ending = _STOP.search(text)
    before, after = (text[: ending.start()], " " + ending[0]) if ending else (text, "")
    return f"{before.rstrip()} {_YOUR_PAGE.get(language[:2], _YOUR_PAGE['en'])}: {page_url}{after}"


def _email(
    subject_source: str,
    body_source: str,
    context: Context,
    unsubscribe_url: str | None,
    page_url: str | None,
) -> RenderedEmail:
    subject = _one_line(_fill(subject_source, context))
    body = light_markdown.parse(_fill(body_source, context, markdown=True))
    if not subject or not body:
        raise RenderError(
            "The e-mail comes out empty for this patient: every word of it stands inside an if."
        )
    text = light_markdown.to_plain(body)
    kind = "staff-footer" if context.to_staff else "footer"
    footer = _footer(kind, context.language, tuple(context.values["clinic"].items()))
    ending = f"{footer.text}\n{footer.unsubscribe}: {unsubscribe_url}" if unsubscribe_url else footer.text
    leads = f"{text}\n\n{footer.page}:\n{page_url}" if page_url else text
    clinic = context.values["clinic"]
    html = _layout().render(
        language=context.language,
        subject=subject,
        preheader=_preheader(text),
        clinic_name=clinic["name"],
        body=Markup(light_markdown.to_html(body, phones=_phones(clinic))),  # escaped there
        footer=Markup(footer.html),
        unsubscribe=footer.unsubscribe,
        unsubscribe_url=unsubscribe_url,
        page=footer.page,
        page_url=page_url,
    )
    return RenderedEmail(subject, f"{leads}\n\n{_SEPARATOR}\n{ending}\n", html)


def _preheader(text: str) -> str:
    """The first words after the greeting, for the list of a mail program."""
    paragraphs = [_one_line(paragraph) for paragraph in text.split("\n\n")]
    if len(paragraphs) > 1 and paragraphs[0].endswith((",", ":")):
        del paragraphs[0]
    words = paragraphs[0]
    return words if len(words) <= _PREHEADER else words[:_PREHEADER].rpartition(" ")[0] + " …"


def _phones(clinic: Mapping[str, object]) -> re.Pattern[str] | None:
    return _numbers(*(str(clinic.get(name, "")) for name in ("phone", "emergency_number", "crisis_line")))


@lru_cache(maxsize=256)
def _numbers(*written: str) -> re.Pattern[str] | None:
    """Finds the numbers where they stand alone; one that is given in words is left out."""
    known = sorted({number for number in written if _NUMBER.fullmatch(number)}, key=len, reverse=True)
    if not known:
        return None
    return re.compile(rf"(?<![\w+])({'|'.join(map(re.escape, known))})(?!\w)")


class _Missing(StrictUndefined):
    """A value that this message does not have: an error where it would be printed, false inside an `if`."""

    __slots__ = ()
    # The base declares that these never return; that is what is changed here.
    __bool__ = Undefined.__bool__  # type: ignore[assignment]
    __eq__ = Undefined.__eq__  # type: ignore[assignment]
    __hash__ = Undefined.__hash__  # type: ignore[assignment]

    @property
    def _undefined_message(self) -> str:
        group = self._undefined_obj
        name = f"{group._name}.{self._undefined_name}" if isinstance(group, _Group) else self._undefined_name
        return (
            f"The text needs {name}, which this message does not have. "
            f"Fill it in, give it a default, or put the sentence inside {{% if {name} %}}."
        )


@cache
def _environment(markdown: bool) -> Environment:
    return ImmutableSandboxedEnvironment(
        undefined=_Missing,
        autoescape=False,  # an SMS is no HTML, and in an e-mail `escape` and markdown-it see to it
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=light_markdown.escape if markdown else None,
        loader=FileSystemLoader(templates_dir() / "email") if markdown else None,
    )


@lru_cache(maxsize=1024)
def _compiled(source: str, markdown: bool) -> Template:
    return _environment(markdown).from_string(source)


def _fill(source: str, context: Context, *, markdown: bool = False) -> str:
    with _in_words():
        return _compiled(source, markdown).render(context.values)


@contextmanager
def _in_words() -> Iterator[None]:
    try:
        yield
    except UndefinedError as error:
        raise RenderError(str(error.message)) from None
    except Exception as error:
        # Whatever an expression trips over, it is the words that cannot be sent, not the worker that breaks.
        raise RenderError(
            f"The text cannot be rendered: {error}. Check it with 'notifier plan check'."
        ) from error


@dataclass(frozen=True, slots=True)
class _Footer:
    text: str
    html: str
    unsubscribe: str
    page: str


@lru_cache(maxsize=256)
def _footer(kind: str, language: str, clinic_items: tuple[tuple[str, object], ...]) -> _Footer:
    """The automatic-message notice and words for the unsubscribe link, the same in all of a clinic's mail."""
    clinic = _Group("clinic", clinic_items)
    files = [f"{kind}.{tag}.j2" for tag in (language, language.partition("-")[0], "en")]
    template = _environment(markdown=True).select_template(files)
    values = template.new_context({"clinic": clinic})
    with _in_words():
        said = {name: "".join(block(values)).strip() for name, block in template.blocks.items()}
    tokens = light_markdown.parse(said["footer"])
    html = light_markdown.to_html(tokens, phones=_phones(clinic))
    return _Footer(light_markdown.to_plain(tokens), html, said["unsubscribe"], said.get("page", ""))


@cache
def _layout() -> Template:
    environment = Environment(
        loader=FileSystemLoader(templates_dir() / "email"),
        undefined=StrictUndefined,
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("layout.html.j2")
