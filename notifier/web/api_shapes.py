"""What more than one resource of the API takes and gives: problems, lists, times, words that can be read."""

from __future__ import annotations

from typing import Annotated, Any, Generic, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, field_validator

Shape = TypeVar("Shape")
Channel = Literal["sms", "email"]
Language = Literal["en", "es"]

Moment = Annotated[str, StringConstraints(max_length=40)]
TIME = "With an offset (`2026-03-07T17:30:00-05:00`, or `Z`), or without one on the clinic's wall clock."


class Given(BaseModel):
    """Out of the program: every field is always there."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Taken(BaseModel):
    """Into the program: a field that is not known is a mistake, and said to be one."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    @field_validator("*", mode="after")
    @classmethod
    def _is_readable(cls, value: object) -> object:
        """Control characters are in nobody's name, and PostgreSQL refuses some of them."""
        for text in value if isinstance(value, list) else [value]:
            if isinstance(text, str) and any(ord(char) < 32 and char not in "\n\r\t" for char in text):
                raise ValueError("It has characters that nobody can read.")
        return value


def told(**values: Any) -> ConfigDict:
    """An example of the shape, which the documentation shows."""
    return ConfigDict(json_schema_extra={"examples": [values]})


class FieldError(Given):
    field: str = Field(description="Where in the request: `phone`, `patient.phone`, `consents.0.at`.")
    detail: str = Field(description="What is wrong with it, and what to send instead.")


class Problem(BaseModel):
    """Every refusal has this form (RFC 9457). Programs go by `code`, people read `detail`."""

    model_config = ConfigDict(
        extra="allow",
        json_schema_extra={
            "examples": [
                {
                    "type": "/api/docs#problem-invalid",
                    "title": "That cannot be",
                    "status": 422,
                    "detail": "'555-01' cannot be a phone number in US: it is too short.",
                    "code": "invalid",
                    "errors": [
                        {
                            "field": "patient.phone",
                            "detail": "'555-01' cannot be a phone number in US: it is too short.",
                        }
                    ],
                }
            ]
        },
    )

    type: str
    title: str
    status: int
    detail: str
    code: str
    errors: list[FieldError] = Field(default=[], description="Each field that cannot be accepted.")


class Listing(Given, Generic[Shape]):
    data: list[Shape]
    next: str | None = Field(
        description="The cursor of the next page, for the same filters; null where this is the last one."
    )
