"""STOP while the worker is at work: when its answer leaves, nothing goes to that number any more."""

from __future__ import annotations

import threading
from collections import Counter
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from sqlalchemy import Engine, select

from notifier.models import Clinic, Suppression
from notifier.rules.delivery import Kind
from tests import cast
from tests.servers.twilio_server import TOKEN, TwilioServer
from tests.web.cast import Installation, common_app
from tests.worker_cast import Gate, Shift, running, until

BASE = "https://aftercare.example"
INBOUND = "/webhooks/twilio/inbound"
ALICE = "+12125550101"
FORM = {"MessageSid": "SM1", "From": ALICE, "To": "+12125550199", "Body": "STOP"}
SECTIONS: dict[str, Any] = {
    "web": {"base_url": BASE, "secret_key": "s" * 40},
    "sms": {"account_sid": "AC1", "auth_token": TOKEN, "from_number": FORM["To"], "receive": "webhook"},
}


def _site(engine: Engine, clinic: Clinic, folder: Path) -> Installation:
    """Live, so that Twilio confirms the stop by itself and nothing of ours may go out after it."""
    delivery = {"outbox_file": folder / "outbox.jsonl", "mode": "live"}
    return Installation(engine, clinic, folder, hired=True, app=common_app(), delivery=delivery, **SECTIONS)


def _fifty_due(shift: Shift) -> None:
    """All at one number: of the plan, answers, and what staff wrote."""
    shift.log()
    shift.clock.jump(cast.at("2026-02-03 17:30"))
    alice = shift.patient().id
    for number in range(50):
        kind = (Kind.ANSWER, Kind.STAFF)[number % 2]
        shift.write(kind, to=ALICE, patient_id=alice, dedup_key=f"due:{number}")


def _statuses(shift: Shift) -> Counter[str]:
    return Counter(message.status for message in shift.all() if message.to == ALICE)


def _is_suppressed(shift: Shift) -> bool:
    with shift.look() as session:
        return session.scalar(select(Suppression.id)) is not None


def test_no_call_begins_after_the_answer_and_none_is_under_way(
    engine: Engine, clinic: Clinic, tmp_path: Path
) -> None:
    shift = Shift(engine, clinic, tmp_path, **SECTIONS)
    site = _site(engine, clinic, tmp_path)
    _fifty_due(shift)
    before = _statuses(shift)["scheduled"]
    gate = Gate(shift.outbox)
    answered: list[int] = []
    begun_by_then: list[int] = []

    def stop() -> None:
        seal = TwilioServer().signature(BASE + INBOUND, FORM)
        headers = {"X-Twilio-Signature": seal, "Content-Type": "application/x-www-form-urlencoded"}
        client = site.anonymous().client
        answered.append(client.post(INBOUND, content=urlencode(FORM), headers=headers).status_code)
        begun_by_then.append(len(gate.calls))

    with running(shift.dispatcher({"sms": gate})):
        until(lambda: gate.calls)
        caller = threading.Thread(target=stop, name="twilio")
        caller.start()
        until(lambda: _is_suppressed(shift))
        caller.join(0.2)
        too_early = list(answered)
        gate.open.set()
        caller.join(20)
    assert too_early == []  # the stop stood already, but what had begun was under way
    assert answered == [200]
    assert [len(gate.calls)] == begun_by_then
    after = _statuses(shift)
    assert 0 < after["sent"] == len(gate.calls) < 50
    assert after["cancelled"] == before - after["sent"]
