"""A browser without a screen: it keeps cookies, fills in forms as a page shows them, and reads its words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

import httpx2
from bs4 import BeautifulSoup, Tag
from fastapi import FastAPI
from starlette.testclient import TestClient

Typed = Mapping[str, str | Sequence[str]]


class Page:
    """An answer, as a person reads it."""

    def __init__(self, response: httpx2.Response) -> None:
        self.response = response
        self.status = response.status_code
        self.path = response.url.raw_path.decode()

    @cached_property
    def html(self) -> BeautifulSoup:
        return BeautifulSoup(self.response.text, "html.parser")

    @property
    def text(self) -> str:
        """Everything that is said, in one line."""
        return " ".join(self.html.get_text(" ").split())

    def all(self, selector: str) -> list[Tag]:
        return list(self.html.select(selector))

    def one(self, selector: str) -> Tag:
        found = self.all(selector)
        assert len(found) == 1, f"{len(found)} of {selector} at {self.path}: {self.text[:400]}"
        return found[0]

    def words(self, selector: str) -> list[str]:
        return [" ".join(tag.get_text(" ").split()) for tag in self.all(selector)]

    def wrong(self) -> dict[str, str]:
        """The complaints beside the fields, by the names of the fields."""
        return {
            str(tag["id"]).removeprefix("f-").removesuffix("-wrong"): tag.get_text(" ", strip=True)
            for tag in self.all(".wrong[id]")
        }

    @property
    def toast(self) -> str:
        return " ".join(self.words("#toasts .toast p, .toast p"))

    def form(self, action: str) -> dict[str, str | list[str]]:
        """What the form with this action would post as it stands."""
        forms = [form for form in self.all("form") if form.get("action") == action]
        assert forms, f"no form posts to {action} at {self.path}; there are " + str(
            sorted({str(form.get("action")) for form in self.all("form")})
        )
        return filled(forms[0])

    @property
    def inputs(self) -> dict[str, str]:
        """Every single value that the page's fields show."""
        return {
            name: value
            for form in self.all("form")
            for name, value in filled(form).items()
            if isinstance(value, str)
        }


def filled(form: Tag) -> dict[str, str | list[str]]:
    """The successful controls of a form, as HTML defines them."""
    values: dict[str, str | list[str]] = {}
    for control in form.select("input[name], select[name], textarea[name]"):
        name, value = str(control["name"]), _value(control)
        if value is None:
            continue
        if name in values:
            known = values[name]
            values[name] = [*([known] if isinstance(known, str) else known), value]
        else:
            values[name] = value
    return values


def _value(control: Tag) -> str | None:
    if control.name == "textarea":
        return control.get_text().removeprefix("\n")
    if control.name == "select":
        options = control.select("option")
        chosen = [option for option in options if option.has_attr("selected")] or options[:1]
        return str(chosen[0].get("value", chosen[0].get_text())) if chosen else None
    if control.get("type") in ("checkbox", "radio") and not control.has_attr("checked"):
        return None
    if control.get("type") in ("file", "submit", "button"):
        return None
    return str(control.get("value", "on" if control.get("type") == "checkbox" else ""))


class Browser:
    """One browser. Follows redirects as browsers do, unless asked not to."""

    def __init__(self, app: FastAPI, *, base: str = "http://testserver") -> None:
        self.client = TestClient(app, base_url=base, raise_server_exceptions=False)
        self.page: Page | None = None

    def get(self, path: str, *, follow: bool = True, **headers: str) -> Page:
        response = self.client.get(path, headers=headers, follow_redirects=follow)
        return self._seen(Page(response))

    def fragment(self, path: str) -> Page:
        """As HTMX asks."""
        return Page(self.client.get(path, headers={"HX-Request": "true"}))

    def post(
        self,
        path: str,
        typed: Typed | None = None,
        *,
        follow: bool = True,
        files: Any = None,
        htmx: bool = False,
        headers: Mapping[str, str] | None = None,
    ) -> Page:
        """Post these fields, with the proof that a page of ours gave."""
        data: dict[str, Any] = {"csrf": self.csrf} | dict(typed or {})
        sent = dict(headers or {}) | ({"HX-Request": "true"} if htmx else {})
        response = self.client.post(path, data=data, files=files, headers=sent, follow_redirects=follow)
        return self._seen(Page(response))

    def submit(self, action: str, typed: Typed | None = None, **how: Any) -> Page:
        """Fill in the form of the present page that posts to `action`, and send all of it."""
        assert self.page is not None, "no page was opened yet"
        return self.post(action, self.page.form(action) | dict(typed or {}), **how)

    def undo(self, **how: Any) -> Page:
        """Press the button in the toast."""
        assert self.page is not None
        (form,) = self.page.all(".toast form")
        return self.post(str(form["action"]), filled(form), **how)

    @property
    def csrf(self) -> str:
        for name, value in self.client.cookies.items():
            if name.endswith("csrf"):
                return value
        self.client.get("/sign-in")
        return self.csrf

    def _seen(self, page: Page) -> Page:
        self.page = page
        return page
