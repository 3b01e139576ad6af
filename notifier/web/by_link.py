"""What patients do by a link of theirs: the token in its address is the key, so that no cookie is needed."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Annotated

from fastapi import Depends, Request

from notifier import in_flight
from notifier.in_flight import Place
from notifier.web.forms import Fields
from notifier.web.site import Site

_MOST_FIELDS = 20


async def sent(request: Request) -> AsyncIterator[Fields]:
    """Posted fields without the proof that our own forms carry: another site cannot know the address."""
    async with request.form(max_fields=_MOST_FIELDS, max_files=0) as form:
        yield Fields(form)


Sent = Annotated[Fields, Depends(sent)]


def wait_for_calls(site: Site, stopped: Sequence[Place]) -> None:
    """A call that had begun is waited for, as long as it may take; none begins any more."""
    longest = max(site.settings.email.timeout, site.settings.sms.timeout)
    in_flight.wait(site.engine, stopped, seconds=longest.total_seconds())
