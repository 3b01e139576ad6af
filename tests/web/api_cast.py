"""Another program that uses the API; every answer it gets is held against the API's own description."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

import httpx2
from openapi_schema_validator import OAS31Validator
from starlette.testclient import TestClient

from notifier import api_tokens
from notifier.models import Clinic
from notifier.web import api
from notifier.web.api_openapi import Document, document, operations
from tests import cast
from tests.web.cast import Installation

ALICE: dict[str, Any] = {
    "first_name": "Alice",
    "last_name": "Moreau",
    "record_number": "R-1042",
    "phone": "(212) 555-0101",
    "email": "alice@example.com",
}
YES: dict[str, Any] = {
    "channel": "sms",
    "granted": True,
    "at": "2026-02-03 15:30",
    "method": "form",
    "wording": "You may text me.",
}
TREATMENT: dict[str, Any] = {
    "external_id": "appt-1",
    "patient": ALICE,
    "plan": "dry-needling",
    "ended_at": "2026-02-03T15:30",
    "practitioner": "Dr Ruiz",
    "consents": [YES],
}


@cache
def described() -> Document:
    return document(api.RESOURCES)


def validator(schema: dict[str, Any]) -> OAS31Validator:
    components = {"components": described()["components"]}
    return OAS31Validator(schema | components, format_checker=OAS31Validator.FORMAT_CHECKER)


class Answered:
    """An answer to a program."""

    def __init__(self, response: httpx2.Response) -> None:
        self.status, self.headers = response.status_code, response.headers
        self.kind = response.headers["content-type"]
        self.json: Any = response.json()

    def __getitem__(self, name: str) -> Any:
        return self.json[name]

    @property
    def problem(self) -> tuple[int, str]:
        assert self.kind == "application/problem+json", self.json
        assert self.json["status"] == self.status
        return self.status, self.json["code"]

    @property
    def wrong(self) -> dict[str, str]:
        """What is said about each field."""
        return {each["field"]: each["detail"] for each in self.json.get("errors", [])}


class OtherProgram:
    """It holds a token. Whatever it is answered has to be what the description promises."""

    def __init__(self, site: Installation, secret: str) -> None:
        self.site, self.secret = site, secret
        self.client = TestClient(site.app, raise_server_exceptions=False)

    def ask(self, method: str, path: str, sent: Any = None, *, key: str = "", **headers: str) -> Answered:
        given = {"Authorization": f"Bearer {self.secret}"} | headers
        if key:
            given["Idempotency-Key"] = key
        address = path if path.startswith("/api/") else f"/api/v1{path}"
        answered = Answered(self.client.request(method, address, json=sent, headers=given))
        as_described(method, address.partition("?")[0], answered)
        return answered

    def get(self, path: str, **headers: str) -> Answered:
        return self.ask("GET", path, **headers)

    def post(self, path: str, sent: Any = None, *, key: str = "", **headers: str) -> Answered:
        return self.ask("POST", path, sent, key=key, **headers)

    def log(self, **changes: Any) -> Answered:
        answered = self.post("/treatments", TREATMENT | changes)
        assert answered.status in (200, 201), answered.json
        return answered

    def everything(self, path: str) -> list[list[int]]:
        """All pages of a list, by the numbers on them."""
        pages, cursor, mark = [], "", "&" if "?" in path else "?"
        while True:
            page = self.get(f"{path}{mark}cursor={cursor}" if cursor else path)
            pages.append([item["id"] for item in page["data"]])
            if page["next"] is None:
                return pages
            cursor = page["next"]


def as_described(method: str, path: str, answered: Answered) -> None:
    operation = _operation(method.lower(), path)
    if operation is None:
        assert answered.status in (404, 405), f"{method} {path} is not described"
        return
    promised = operation["responses"].get(str(answered.status))
    assert promised is not None, f"{method} {path} answered {answered.status}: {answered.json}"
    assert list(promised["content"]) == [answered.kind]
    problems = list(validator(promised["content"][answered.kind]["schema"]).iter_errors(answered.json))
    assert problems == [], json.dumps(answered.json, indent=1)


def _operation(method: str, path: str) -> dict[str, Any] | None:
    parts = path.split("/")
    for template, how, operation in operations(described()):
        pattern = template.split("/")
        same = len(pattern) == len(parts) and all(
            want.startswith("{") or want == part for want, part in zip(pattern, parts, strict=True)
        )
        if same and how == method:
            return operation
    return None


def program(site: Installation, scope: str = "write", *, clinic: Clinic | None = None) -> OtherProgram:
    with site.change() as session:
        at = session.get_one(Clinic, (clinic or site.clinic).id)
        name = {"write": "EHR", "read": "Reports"}[scope]
        made = api_tokens.create(session, at, name=name, scope=scope, now=cast.OPENED, actor="set-up")
    return OtherProgram(site, made.secret)
