"""What Twilio posts here: delivery reports and patients' words. Only what it signed changes anything.

Closed unless this installation takes calls from outside. A hostile request gets a 4xx; where the database
does not answer, a 503, after which Twilio's own retry and our polling bring the same again.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from urllib.parse import parse_qsl

from fastapi import APIRouter, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import PlainTextResponse, Response

from notifier import in_flight, replies, reply_rules, reports
from notifier.channels import twilio_inbound
from notifier.envelope import InboundMessage
from notifier.outcomes import policy_of
from notifier.web.site import Site, site_of

log = logging.getLogger(__name__)

router = APIRouter(prefix="/webhooks/twilio", include_in_schema=False)

_LARGEST = 64 * 1024
_MOST_FIELDS = 200
_FORM = "application/x-www-form-urlencoded"
_NOTHING = '<?xml version="1.0" encoding="UTF-8"?><Response></Response>'
_LARGEST_ID = 2**63 - 1


@router.post("/status/{message_id:int}/{attempt:int}")
async def status(request: Request, message_id: int, attempt: int) -> Response:
    site = site_of(request)
    form = await _genuine(request, site)
    if isinstance(form, Response):
        return form
    if message_id > _LARGEST_ID or attempt > _LARGEST_ID:
        return _refused(404, "There is no such message.")
    return await run_in_threadpool(_reported, site, form, message_id, attempt)


@router.post("/inbound")
async def inbound(request: Request) -> Response:
    site = site_of(request)
    form = await _genuine(request, site)
    if isinstance(form, Response):
        return form
    return await run_in_threadpool(_received, site, form)


def _reported(site: Site, form: Mapping[str, str], message_id: int, attempt: int) -> Response:
    now = site.clock.now()
    report = twilio_inbound.report(form, received_at=now, message_id=message_id, attempt=attempt)
    if report is None:
        return _refused(400, "This says nothing about a message.")
    with site.transaction() as session:
        reports.apply(session, report, policy=policy_of(site.settings), now=now, actor=report.provider)
    return Response(status_code=204)


def _received(site: Site, form: Mapping[str, str]) -> Response:
    message = twilio_inbound.message(form, received_at=site.clock.now())
    if message is None:
        return _refused(400, "This is no message from anybody.")
    _take_in(site, message)
    return Response(_NOTHING, media_type="text/xml")


def _take_in(site: Site, message: InboundMessage) -> None:
    """Answered when a stop is true: nothing more goes to that number, and nothing is on its way."""
    reply_rules.make_ready()
    with site.transaction() as session:
        received = replies.receive(session, message, settings=site.settings, now=site.clock.now())
    seconds = site.settings.sms.timeout.total_seconds()
    if not in_flight.wait(site.engine, received.stopped, seconds=seconds):
        log.warning("a stop was answered while a call to that number was still under way")


async def _genuine(request: Request, site: Site) -> dict[str, str] | Response:
    """The form, where Twilio signed it for the address that we are known by; else what is answered."""
    settings = site.settings
    if settings.sms.receive != "webhook" or not settings.sms.auth_token or not settings.web.base_url:
        return _refused(404, "Nothing is received here: sms.receive is not webhook.")
    if request.headers.get("content-type", "").partition(";")[0].strip().casefold() != _FORM:
        return _refused(415, "A form is expected.")
    body = await _body(request)
    form = _fields(body) if body is not None else None
    if form is None:
        return _refused(413, "This is larger than any message.")
    query = f"?{request.url.query}" if request.url.query else ""
    url = f"{settings.web.base_url}{request.url.path}{query}"
    signature = request.headers.get("x-twilio-signature", "")
    if not twilio_inbound.is_genuine(settings.sms.auth_token, url, form, signature):
        log.warning(
            "a request to %s was not signed by Twilio for %s", request.url.path, settings.web.base_url
        )
        return _refused(403, "This was not signed by Twilio.")
    # A NUL, which no phone writes, is refused by PostgreSQL.
    return {name: value.replace("\0", "") for name, value in form.items()}


async def _body(request: Request) -> bytes | None:
    """None where it is too large, whatever its headers say."""
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > _LARGEST:
            return None
    return body


def _fields(body: bytes) -> dict[str, str] | None:
    """What cannot be decoded is replaced: then its signature is not right either."""
    try:
        pairs = parse_qsl(
            body.decode("utf-8", errors="replace"), keep_blank_values=True, max_num_fields=_MOST_FIELDS
        )
    except ValueError:
        return None
    return dict(pairs)


def _refused(status: int, why: str) -> Response:
    return PlainTextResponse(why, status_code=status)
