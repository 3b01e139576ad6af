"""What Twilio posts: only what it signed for our address changes anything, and nothing is ever a 5xx."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

import pytest
from sqlalchemy import func, select

from notifier.models import Alert, DeliveryReportRow, Message, Reply, Suppression
from tests.servers.twilio_server import TOKEN, TwilioServer
from tests.web.cast import Installation

BASE = "https://aftercare.example"
INBOUND = "/webhooks/twilio/inbound"
ALICE = "+12125550101"
FORM = {"MessageSid": "SM1", "From": ALICE, "To": "+12125550199", "Body": "STOP"}
TWILIO = TwilioServer()
FORM_TYPE = "application/x-www-form-urlencoded"


@pytest.fixture(scope="module")
def world(site_once: Installation) -> Installation:
    """Called by Twilio at a public address, behind a proxy that speaks plain http to us."""
    site = Installation(
        site_once.engine,
        site_once.clinic,
        site_once.folder,
        hired=True,
        web={"base_url": BASE, "secret_key": "s" * 40},
        sms={
            "account_sid": "AC1",
            "auth_token": TOKEN,
            "from_number": "+12125550199",
            "receive": "webhook",
        },
    )
    site.log()
    return site


def post(
    world: Installation,
    path: str,
    form: Mapping[str, str] | bytes,
    *,
    signed: Mapping[str, str] | None = None,
    url: str = "",
    signature: str | None = None,
    kind: str = FORM_TYPE,
    **headers: str,
) -> int:
    """`signed` and `url`: what the signature is over, where that is not what is sent."""
    body = form if isinstance(form, bytes) else urlencode(form).encode()
    over = signed if signed is not None else ({} if isinstance(form, bytes) else form)
    seal = TWILIO.signature(url or BASE + path, dict(over)) if signature is None else signature
    given = {"Content-Type": kind, "Host": "127.0.0.1:8000"} | headers
    sealed = [(b"X-Twilio-Signature", seal.encode("latin-1"))]
    client = world.anonymous().client
    return int(client.post(path, content=body, headers=[*sealed, *_raw(given)]).status_code)


def _raw(headers: Mapping[str, str]) -> list[tuple[bytes, bytes]]:
    return [(name.encode(), value.encode()) for name, value in headers.items()]


def state(world: Installation) -> tuple[Any, ...]:
    tables = (Reply, Suppression, DeliveryReportRow, Alert)
    with world.look() as session:
        counts = [session.scalar(select(func.count()).select_from(table)) for table in tables]
        return (*counts, tuple(session.scalars(select(Message.status).order_by(Message.id))))


def test_what_is_not_twilios_changes_nothing(world: Installation) -> None:
    before = state(world)
    status = "/webhooks/twilio/status/1/1"
    said = {"MessageSid": "SM2", "MessageStatus": "delivered"}
    refused = {
        "unsigned": post(world, INBOUND, FORM, signature=""),
        "signed by somebody else": post(world, INBOUND, FORM, signature="c29tZWJvZHkgZWxzZQ=="),
        "other words than were signed": post(world, INBOUND, FORM | {"Body": "START"}, signed=FORM),
        "one field more": post(world, INBOUND, FORM | {"OptOutType": "STOP"}, signed=FORM),
        "signed for another address": post(world, INBOUND, FORM, url=f"https://evil.example{INBOUND}"),
        "signed for another message": post(world, status, said, url=f"{BASE}/webhooks/twilio/status/2/1"),
        "another query": post(world, f"{INBOUND}?x=1", FORM, url=BASE + INBOUND),
        "a forged host": post(
            world,
            INBOUND,
            FORM,
            url=f"https://evil.example{INBOUND}",
            Host="evil.example",
        ),
        "bytes": post(world, INBOUND, b"\xff\x00\xfe=&&&%%%", signature="x"),
        "not ascii in the signature": post(world, INBOUND, FORM, signature="\u00e9"),
    }
    assert set(refused.values()) == {403}, refused
    assert post(world, INBOUND, b"a=" + b"x" * 70_000) == 413
    assert post(world, INBOUND, b"&".join(b"a%d=1" % n for n in range(300))) == 413
    assert post(world, INBOUND, b"{}", kind="application/json") == 415
    assert post(world, "/webhooks/twilio/status/x/1", said) == 404
    assert post(world, f"/webhooks/twilio/status/{10**30}/1", said) == 404
    assert post(world, f"/webhooks/twilio/status/{'9' * 5000}/1", said) == 414
    assert world.anonymous().client.get(INBOUND).status_code == 405
    assert state(world) == before


def test_signed_nonsense_is_refused_in_words(world: Installation) -> None:
    before = state(world)
    assert post(world, INBOUND, {"Body": "hello"}) == 400
    assert post(world, INBOUND, b"") == 400
    assert post(world, "/webhooks/twilio/status/1/1", {"MessageSid": "SM2", "MessageStatus": "flying"}) == 400
    assert post(world, "/webhooks/twilio/status/999/7", {"MessageSid": "S", "MessageStatus": "sent"}) == 204
    changed = state(world)
    assert changed[2] == before[2] + 1  # kept, though it is about nothing of ours
    assert changed[4] == before[4]


def test_a_genuine_stop_is_taken_once_however_often_it_comes(world: Installation) -> None:
    assert post(world, INBOUND, FORM) == 200
    after = state(world)
    assert after[1] == 1
    assert "scheduled" not in {*after[4][:-1]}
    for _ in range(2):
        assert post(world, INBOUND, FORM) == 200
    assert state(world) == after
    # Behind a proxy with a query of its own in the address, and with what a phone can really send.
    odd = FORM | {"MessageSid": "SM9", "Body": "ñandú 😟 & = ? %\x00 chest pain"}
    assert post(world, f"{INBOUND}?via=proxy", odd) == 200
    assert state(world)[3] == 1


def test_without_webhooks_the_door_is_closed(site_once: Installation) -> None:
    polling = Installation(site_once.engine, site_once.clinic, site_once.folder, hired=True)
    assert post(polling, INBOUND, FORM) == 404
