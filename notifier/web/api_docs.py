"""The API described for people, and at /api/openapi.json for programs. Both public: no clinic is in them."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any
from urllib.parse import quote, urlencode

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse, JSONResponse

from notifier.web.api_openapi import Document, document, operations, writes
from notifier.web.api_problems import KINDS
from notifier.web.pages import context_of_anybody
from notifier.web.site import site_of

_CACHED = {"Cache-Control": "public, max-age=300"}
_ANYWHERE = "http://localhost:8000"


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation as the page shows it."""

    id: str
    method: str
    path: str
    summary: str
    description: str
    scope: str
    parameters: list[dict[str, Any]]
    fields: list[dict[str, Any]]
    sent: str
    curl: str
    answers: list[tuple[str, str, str]]  # status, meaning, example
    problems: list[tuple[str, str]]  # status, meaning


def router(resources: Sequence[APIRouter]) -> APIRouter:
    made: Callable[[], Document] = cache(lambda: document(resources))
    docs = APIRouter()

    @docs.get("/api/openapi.json", include_in_schema=False)
    def openapi() -> Response:
        return JSONResponse(made(), headers=_CACHED)

    @docs.get("/api/docs", include_in_schema=False)
    def page(request: Request) -> Response:
        site = site_of(request)
        html = site.templates.get_template("api_docs.html").render(
            **context_of_anybody(),
            about=made()["info"],
            tags=_by_tag(made(), site.settings.web.base_url.rstrip("/") or _ANYWHERE),
            kinds=KINDS.values(),
        )
        return HTMLResponse(html, headers=_CACHED)

    return docs


def _by_tag(made: Document, base: str) -> dict[str, list[Operation]]:
    tags: dict[str, list[Operation]] = {}
    for path, method, operation in operations(made):
        tags.setdefault(operation["tags"][0], []).append(_shown(made, base, path, method, operation))
    return tags


def _shown(made: Document, base: str, path: str, method: str, operation: dict[str, Any]) -> Operation:
    content = operation.get("requestBody", {}).get("content", {}).get("application/json")
    sent = content["example"] if content else None
    return Operation(
        id=operation["operationId"],
        method=method.upper(),
        path=path,
        summary=operation["summary"],
        description=operation["description"],
        scope="write" if writes(operation) else "read",
        parameters=[_parameter(each) for each in operation.get("parameters", ())],
        fields=list(_fields(made, content["schema"])) if content else [],
        sent=_pretty(sent) if content else "",
        curl=_curl(base, path, method, operation, sent),
        answers=list(_answers(operation)),
        problems=[
            (status, answer["description"])
            for status, answer in operation["responses"].items()
            if int(status) >= 400
        ],
    )


def _parameter(given: dict[str, Any]) -> dict[str, Any]:
    where = {"path": "in the path", "query": "in the query", "header": "header"}[given["in"]]
    return {
        "name": given["name"],
        "where": where,
        "needed": given["required"],
        "kind": _kind(given["schema"]),
        "about": given.get("description", ""),
    }


def _fields(made: Document, schema: dict[str, Any], before: str = "") -> Iterator[dict[str, Any]]:
    """Those of a body, with those inside of it: patient.phone, consents[].at."""
    shape = _resolved(made, schema)
    for name, field in shape.get("properties", {}).items():
        options = [option for option in field.get("anyOf", [field]) if option.get("type") != "null"]
        inner = options[0].get("items", options[0])
        nested = "$ref" in inner
        place = f"{before}{name}"
        yield {
            "name": place,
            "where": "",
            "needed": name in shape.get("required", ()),
            "kind": "list of objects" if nested and "items" in options[0] else _kind(options[0]),
            "about": field.get("description", ""),
        }
        if nested:
            yield from _fields(made, inner, f"{place}[]." if "items" in options[0] else f"{place}.")


def _resolved(made: Document, schema: dict[str, Any]) -> dict[str, Any]:
    name = schema.get("$ref", "").rpartition("/")[2]
    found: dict[str, Any] = made["components"]["schemas"][name] if name else schema
    return found


def _kind(schema: dict[str, Any]) -> str:
    options = [option for option in schema.get("anyOf", [schema]) if option.get("type") != "null"]
    first = options[0]
    if "enum" in first:
        return " or ".join(f'"{value}"' for value in first["enum"])
    if first.get("type") == "array":
        return f"list of {_kind(first['items'])}"
    kinds = {"string": "text", "integer": "whole number", "boolean": "true or false"}
    return kinds.get(first.get("type", ""), "object")


def _answers(operation: dict[str, Any]) -> Iterator[tuple[str, str, str]]:
    for status, answer in operation["responses"].items():
        if int(status) < 400:
            for content in answer.get("content", {}).values():
                words = answer["description"].replace("Successful Response", "")
                yield status, words, _pretty(content["example"])


def _pretty(example: Any) -> str:
    return json.dumps(example, indent=2, ensure_ascii=False)


def _curl(base: str, path: str, method: str, operation: dict[str, Any], sent: Any) -> str:
    query = {}
    for each in operation.get("parameters", ()):
        if each["in"] == "path":
            path = path.replace("{" + each["name"] + "}", quote(str(each["example"])))
        elif each["required"]:
            query[each["name"]] = each["example"]
    address = f"{base}{path}" + (f"?{urlencode(query)}" if query else "")
    parts = ["curl" if method == "get" else f"curl -X {method.upper()}", shlex.quote(address)]
    lines = [" ".join(parts), '-H "Authorization: Bearer $TOKEN"']
    if writes(operation):
        lines.append('-H "Idempotency-Key: $(uuidgen)"')
    if sent is not None:
        lines += [
            "-H 'Content-Type: application/json'",
            f"-d {shlex.quote(_pretty(sent))}",
        ]
    return " \\\n  ".join(lines)
