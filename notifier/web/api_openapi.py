"""The API described for programs: an OpenAPI 3.1 document in which every operation has an example."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from importlib.metadata import version as installed
from typing import Any, Final

from fastapi import APIRouter
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute
from pydantic import BaseModel

from notifier.web.api_problems import KINDS, MEDIA_TYPE
from notifier.web.api_shapes import Given, Problem, Taken

Document = dict[str, Any]
_SCHEMAS: Final = "#/components/schemas/"
_METHODS: Final = ("get", "post", "put", "patch", "delete")
# What FastAPI would say about a request that cannot be; ours is a problem like all others.
_NOT_OURS: Final = ("HTTPValidationError", "ValidationError")
_HEADERS: Final = {"idempotency-key": "Idempotency-Key", "if-match": "If-Match"}
# What stands in the examples for each parameter that is needed.
_EXAMPLES: Final = {
    "patient_id": 17,
    "treatment": "58",
    "message_id": 93,
    "reply_id": 12,
    "key": "dry-needling",
    "version": 1,
    "ended_at": "2026-02-03T15:30:00-05:00",
}
_CURSOR = "WyJ0IiwiMjAyNi0wMi0wM1QyMDozMDowMCswMDowMCIsNThd"
INTRODUCTION = (
    "What the front desk can do for a treatment, another program can do: log it with its patient, find it, "
    "void it, correct it; see every message that it led to, and act on one. A token is for one clinic and "
    "may read, or read and write. Times are given in UTC; they are taken with an offset, or without one on "
    "the clinic's wall clock. Every write takes an `Idempotency-Key`, every refusal is a problem (RFC 9457), "
    "every list goes on by a cursor."
)


def document(resources: Sequence[APIRouter]) -> Document:
    routes = [route for router in resources for route in router.routes]
    made = get_openapi(
        title="Aftercare Notifier",
        version=installed("aftercare-notifier"),
        openapi_version="3.1.0",
        description=INTRODUCTION,
        routes=routes,
        servers=[{"url": "/", "description": "This installation."}],
    )
    names = {
        (route.path_format, method): route.name
        for route in routes
        if isinstance(route, APIRoute)
        for method in route.methods or ()
    }
    schemas = made["components"]["schemas"]
    for name in _NOT_OURS:
        schemas.pop(name, None)
    schemas["Problem"] = _problem_schema(schemas)
    for name, example in _shape_examples(Given, Taken):
        if name in schemas:
            schemas[name]["examples"] = [example]
    for path, method, operation in operations(made):
        operation["operationId"] = names[path, method.upper()]
        for parameter in operation.get("parameters", ()):
            parameter["name"] = _HEADERS.get(parameter["name"], parameter["name"])
        _tell_problems(operation)
        _give_examples(operation, schemas)
    return _with_plain_names(made)


def _shape_examples(*shapes: type[BaseModel]) -> Iterator[tuple[str, Any]]:
    """As the shapes have them: FastAPI leaves out what is null."""
    for shape in shapes:
        extra = shape.model_config.get("json_schema_extra")
        if isinstance(extra, dict) and isinstance(examples := extra["examples"], list):
            yield shape.__name__, examples[0]
        yield from _shape_examples(*shape.__subclasses__())


def operations(made: Document) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Path, method, operation; in the order in which they were written."""
    for path, methods in made["paths"].items():
        yield from ((path, method, methods[method]) for method in _METHODS if method in methods)


def _problem_schema(schemas: dict[str, Any]) -> dict[str, Any]:
    schema = Problem.model_json_schema(ref_template=_SCHEMAS + "{model}", mode="serialization")
    schemas |= schema.pop("$defs")
    schema["properties"]["code"]["enum"] = list(KINDS)
    return schema


def writes(operation: dict[str, Any]) -> bool:
    return any(each["name"] == "Idempotency-Key" for each in operation.get("parameters", ()))


def _tell_problems(operation: dict[str, Any]) -> None:
    """Those that a route names, and those that may meet anybody."""
    responses = operation["responses"]
    statuses = {int(status) for status in responses if int(status) >= 400} | {401, 422, 503}
    statuses |= {403, 409, 413, 415} if writes(operation) else set()
    for status in statuses:
        responses[str(status)] = {
            "description": " ".join(_meanings(status)),
            "content": {MEDIA_TYPE: {"schema": {"$ref": _SCHEMAS + "Problem"}}},
        }
    operation["responses"] = dict(sorted(responses.items()))


def _meanings(status: int) -> list[str]:
    """A change that comes too late is told by 412 or 409, by how the version was sent."""
    also = ("stale",) if status == 412 else ()
    return [kind.meaning for kind in KINDS.values() if kind.status == status or kind.code in also]


def _give_examples(operation: dict[str, Any], schemas: dict[str, Any]) -> None:
    for parameter in operation.get("parameters", ()):
        if parameter["required"]:
            parameter["example"] = _EXAMPLES[parameter["name"]]
    bodies = [operation["requestBody"]] if "requestBody" in operation else []
    for body in (*bodies, *operation["responses"].values()):
        for content in body.get("content", {}).values():
            content["example"] = _example(content["schema"], schemas)
    if {"200", "201"} <= operation["responses"].keys():  # it was there already
        content = operation["responses"]["200"]["content"]["application/json"]
        content["example"] = content["example"] | {"is_new": False}


def _example(schema: dict[str, Any], schemas: dict[str, Any]) -> Any:
    schema = schemas[schema["$ref"].removeprefix(_SCHEMAS)] if "$ref" in schema else schema
    if "examples" in schema:
        return schema["examples"][0]
    item = _example(schema["properties"]["data"]["items"], schemas)  # a list
    return {"data": [item], "next": _CURSOR}


def _with_plain_names(made: Document) -> Document:
    """PatientGiven and PatientTaken are Patient and PatientRequest to those outside."""
    schemas = made["components"]["schemas"]
    plain = {name: _plain(name) for name in schemas}
    assert len(set(plain.values())) == len(plain), "two shapes would have one name"
    made["components"]["schemas"] = {plain[name]: schema for name, schema in schemas.items()}
    text = json.dumps(made)
    for name, public in plain.items():
        text = text.replace(f'"{_SCHEMAS}{name}"', f'"{_SCHEMAS}{public}"')
    renamed: Document = json.loads(text)
    for name, schema in renamed["components"]["schemas"].items():
        schema["title"] = name
    return renamed


def _plain(name: str) -> str:
    if name.startswith("Listing_"):
        return _plain(name.removeprefix("Listing_").rstrip("_")) + "List"
    if name.endswith("Taken"):
        return name.removesuffix("Taken") + "Request"
    return name.removesuffix("Out").removesuffix("Given")
