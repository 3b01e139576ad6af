"""What pydantic refuses, as sentences for the person who wrote the setting."""

from __future__ import annotations

import difflib
import json
from collections.abc import Mapping
from typing import get_args

from pydantic import BaseModel
from pydantic_core import ErrorDetails

from notifier.config_sources import Found, Name

Models = Mapping[str, type[BaseModel]]

_WHOLE = "is not a whole number; write digits only."
_NUMBER = "is not a number; write one like 1.5."
_TABLE = 'is not a table; write it like { name = "Dr. Roe", phone = "+15035550123" }.'
_REFUSALS = {
    "string_type": "is not text; put it between quotes.",
    "string_too_short": "says nothing; write something between the quotes.",
    "greater_than": "is too small; write a number above zero.",
    "int_type": _WHOLE,
    "int_parsing": _WHOLE,
    "int_parsing_size": _WHOLE,
    "int_from_float": _WHOLE,
    "float_type": _NUMBER,
    "float_parsing": _NUMBER,
    "finite_number": _NUMBER,
    "tuple_type": 'is not a list; write it like ["one", "two"].',
    "model_type": _TABLE,
    "model_attributes_type": _TABLE,
    "path_type": "is not the name of a file; put it between quotes.",
}


def secrecy(model: type[BaseModel]) -> dict[str, bool]:
    """Each key, and whether it is a secret."""
    return {key: not field.repr for key, field in model.model_fields.items()}


def in_words(models: Models, section: str, error: ErrorDetails, found: Mapping[Name, Found]) -> str:
    key, *inner = error["loc"]
    place = found[section, str(key)]
    parts = [f"item {part + 1}" if isinstance(part, int) else part for part in inner]
    name = ", ".join([f"{section}.{key}", *parts])
    if error["type"] == "extra_forbidden":
        return f"{name} in {place.origin} is not a setting; {_nearest(models, section, error['loc'])}"
    if error["type"] == "missing":
        return f"{name} in {place.origin} is missing; write it, or take the whole item out."
    secret = secrecy(models[section])[str(key)]
    return f"{name} in {place.origin}: {_shown(error['input'], secret)} {_refusal(error)}"


def _nearest(models: Models, section: str, loc: tuple[int | str, ...]) -> str:
    key, known = str(loc[-1]), models[section].model_fields
    if len(loc) > 1:
        (item, *_) = get_args(known[str(loc[0])].annotation)
        known = item.model_fields
    prefix = f"{section}." if len(loc) == 1 else ""
    elsewhere = [f"{name}.{key}" for name, model in models.items() if key in model.model_fields]
    near = [prefix + name for name in difflib.get_close_matches(key, known, n=1)] or elsewhere
    if near:
        return f"did you mean {' or '.join(near)}?"
    return f"there are {', '.join(prefix + name for name in known)}."


def _shown(value: object, secret: bool) -> str:
    if secret or (isinstance(value, str) and "://" in value and "@" in value):
        return "the value (not shown)"
    if isinstance(value, dict | list | tuple):
        return "a table" if isinstance(value, dict) else "a list"
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 60 else f'{text[:57]}…"'


def _refusal(error: ErrorDetails) -> str:
    context = error.get("ctx", {})
    match error["type"]:
        case "value_error":
            return str(context["error"])
        case "literal_error":
            choices = context["expected"].replace("'", '"')
            return f"is not possible; write {choices}."
        case "greater_than_equal":
            return f"is out of range; write {context['ge']} or more."
        case "less_than_equal":
            return f"is out of range; write {context['le']} or less."
        case kind:
            return _REFUSALS.get(kind) or f"is not accepted: {error['msg']}."
