"""The test server has to be as strict as Twilio, or the tests that lean on it prove nothing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import urllib3

from tests.servers.twilio_server import ACCOUNT, TOKEN, TwilioServer

GOOD = {"To": "+15035550123", "From": "+15035550199", "Body": "Hello"}
PATH = f"/2010-04-01/Accounts/{ACCOUNT}/Messages.json"


@pytest.fixture
def twilio() -> Iterator[TwilioServer]:
    with TwilioServer() as server:
        yield server


def ask(twilio: TwilioServer, method: str, path: str, fields: dict[str, str], token: str = TOKEN) -> Any:
    auth = urllib3.make_headers(basic_auth=f"{ACCOUNT}:{token}")
    with urllib3.PoolManager() as pool:
        if method == "GET":
            return pool.request("GET", twilio.url + path, fields=fields, headers=auth).json()
        return pool.request_encode_body(
            "POST", twilio.url + path, fields=fields, headers=auth, encode_multipart=False
        ).json()


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"Recipient": "+15035550123"}, 20001),
        ({"body": "lower case"}, 20001),
        ({"To": "5035550123"}, 21211),
        ({"To": ""}, 21211),
        ({"From": None}, 21603),
        ({"From": "clinic"}, 21212),
        ({"MessagingServiceSid": "MG1"}, 21701),
        ({"Body": None}, 21602),
        ({"Body": "x" * 1601}, 21617),
        ({"ValidityPeriod": "0"}, 20001),
        ({"ValidityPeriod": "14401"}, 20001),
        ({"ValidityPeriod": "1.5"}, 20001),
        ({"StatusCallback": "clinic.example/status"}, 21609),
    ],
)
def test_it_refuses_what_twilio_would(twilio: TwilioServer, changes: dict[str, Any], code: int) -> None:
    form = {name: value for name, value in (GOOD | changes).items() if value is not None}
    assert ask(twilio, "POST", PATH, form)["code"] == code
    assert twilio.messages == []


def test_it_takes_what_twilio_would(twilio: TwilioServer) -> None:
    taken = ask(twilio, "POST", PATH, GOOD | {"Body": "x" * 1600, "ValidityPeriod": "14400"})
    assert (taken["status"], taken["direction"]) == ("queued", "outbound-api")
    assert ask(twilio, "GET", PATH.replace(".json", f"/{taken['sid']}.json"), {}) == taken


def test_it_wants_the_right_token(twilio: TwilioServer) -> None:
    assert ask(twilio, "POST", PATH, GOOD, token="wrong")["code"] == 20003


def test_it_lists_newest_first_in_pages_and_by_date_only_what_was_sent(twilio: TwilioServer) -> None:
    sids = [ask(twilio, "POST", PATH, GOOD)["sid"] for _ in range(3)]
    ask(twilio, "POST", PATH, GOOD | {"To": "+15035550124"})
    first = ask(twilio, "GET", PATH, {"To": GOOD["To"], "PageSize": "2"})
    assert [message["sid"] for message in first["messages"]] == [sids[2], sids[1]]
    rest = ask(twilio, "GET", first["next_page_uri"], {})
    assert ([message["sid"] for message in rest["messages"]], rest["next_page_uri"]) == ([sids[0]], None)
    twilio.advance(sids[1], "sent")
    dated = ask(twilio, "GET", PATH, {"DateSent>": "2020-01-01"})
    assert [message["sid"] for message in dated["messages"]] == [sids[1]]
    assert ask(twilio, "GET", PATH, {"DateSent<": "2020-01-01"})["messages"] == []
