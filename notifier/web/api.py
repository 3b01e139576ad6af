"""The API for other programs: what it is made of, and who asks."""

from __future__ import annotations

from typing import Final

from fastapi import APIRouter, Response
from pydantic import Field

from notifier.web import (
    api_docs,
    api_messages,
    api_patients,
    api_plans,
    api_replies,
    api_treatments,
    api_treatments_log,
)
from notifier.web.api_shapes import Given, told
from notifier.web.api_support import Reader, respond, shown

router = APIRouter(prefix="/api/v1", tags=["Clinic"])


class Access(Given):
    model_config = told(
        token={"name": "EHR", "scope": "write"},
        clinic={
            "key": "riverside-physio",
            "name": "Riverside Physio",
            "phone": "+12125550100",
            "timezone": "America/New_York",
            "country": "US",
            "language": "en",
        },
    )

    class Token(Given):
        name: str
        scope: str = Field(description="`read`, or `write`, which includes it.")

    class At(Given):
        key: str
        name: str
        phone: str
        timezone: str = Field(description="Of every wall-clock time that comes without an offset.")
        country: str
        language: str

    token: Token
    clinic: At


@router.get("", response_model=Access, summary="What the token opens")
def access(caller: Reader) -> Response:
    """The clinic that everything is about, and what the token may do. Good for trying the connection."""
    with caller.reading() as session:
        clinic = caller.clinic(session)
        at = Access.At(**{name: getattr(clinic, name) for name in Access.At.model_fields})
    token = Access.Token(name=caller.bearer.name, scope=caller.bearer.scope)
    return respond(shown(Access(token=token, clinic=at)))


# In the order in which the documentation tells of them.
RESOURCES: Final[tuple[APIRouter, ...]] = (
    router,
    api_treatments_log.router,
    api_treatments.router,
    api_patients.router,
    api_messages.router,
    api_replies.router,
    api_plans.router,
)
ROUTERS: Final = (*RESOURCES, api_docs.router(RESOURCES))
