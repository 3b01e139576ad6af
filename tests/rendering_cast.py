"""María, her clinic, and what she reads."""

from __future__ import annotations

from datetime import date
from html.parser import HTMLParser

from notifier.rendering import Context, RenderedEmail, Values, context, render
from notifier.rules.templating import TextTemplate

CLINIC: Values = {"name": "Acland Physio", "phone": "(212) 555-0100", "emergency_number": "911"}


def maria(
    *,
    language: str = "en",
    clinic: Values = CLINIC,
    first_name: str = "María",
    practitioner: str | None = "Dr Ana Ruiz",
    next_visit: Values | None = None,
) -> Context:
    return context(
        language=language,
        clinic=clinic,
        patient={"first_name": first_name},
        practitioner={"name": practitioner},
        treatment={"date": date(2026, 3, 7)},
        next_visit=next_visit or {},
    )


def sms(source: str, about: Context | None = None) -> str:
    return render(TextTemplate(sms=source), about or maria(), channel="sms").text


def mail(source: str, about: Context | None = None, *, unsubscribe_url: str | None = None) -> RenderedEmail:
    template = TextTemplate(subject="After your visit", email=source)
    return render(template, about or maria(), channel="email", unsubscribe_url=unsubscribe_url)


def body(email: RenderedEmail) -> str:
    return email.text.rpartition("\n\n---\n")[0]


class Words(HTMLParser):
    """What a reader sees of the HTML, and which tags it is made of."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.seen: list[str] = []
        self.tags: set[str] = set()
        self.links: list[str] = []
        self.feed(html[html.index("<table") :])

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.links += [value or "" for name, value in attrs if name == "href"]

    def handle_data(self, data: str) -> None:
        self.seen.append(data)

    @property
    def text(self) -> str:
        return " ".join("".join(self.seen).split())
