"""Our own addresses that leave the house: only public https ones, and nobody makes up a token."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifier.config import Settings
from notifier.links import Links, Unsubscribing, links_of

LINKS = Links("https://care.example", reports=True, secret=b"a long random text")
UNTIL = datetime(2026, 3, 5, 20, 30, tzinfo=UTC)


def settings(**sections: dict[str, str]) -> Settings:
    return Settings.model_validate(sections)


@pytest.mark.parametrize(
    ("base_url", "receive", "made", "reports"),
    [
        ("https://care.example", "webhook", True, True),
        ("https://care.example", "poll", True, False),
        ("http://care.example", "webhook", False, False),
        ("", "poll", False, False),
    ],
)
def test_links_need_a_public_https_address_and_reports_a_webhook(
    base_url: str, receive: str, made: bool, reports: bool
) -> None:
    links = links_of(settings(web={"base_url": base_url, "secret_key": "s" * 40}, sms={"receive": receive}))
    assert (links is not None) is made
    if links is not None:
        assert (links.status_callback(7, 2) is not None) is reports
        assert links.unsubscribe(7, "email", "a@b.example") is not None


def test_the_callback_names_the_message_and_the_attempt() -> None:
    assert LINKS.status_callback(7, 2) == "https://care.example/webhooks/twilio/status/7/2"


def test_without_a_secret_there_is_no_link_and_no_token_is_ours() -> None:
    bare = Links("https://care.example", reports=True, secret=b"")
    assert bare.unsubscribe(7, "email", "a@b.example") is None
    assert bare.patient_page(7, 0, UNTIL) is None
    assert bare.read_page_token(bare.page_token(7, 0, UNTIL)) is None
    assert bare.read_token(bare.token(7, "email")) is None


@given(patient=st.integers(1, 2**62), channel=st.sampled_from(["sms", "email"]))
def test_a_token_is_read_back_as_what_it_was_made_of(patient: int, channel: str) -> None:
    token = LINKS.token(patient, channel)
    assert LINKS.read_token(token) == Unsubscribing(patient, channel)
    assert str(patient) not in token or patient < 1000
    assert set(token) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.")


@given(patient=st.integers(1, 2**40), channel=st.sampled_from(["sms", "email"]))
def test_a_token_of_another_installation_is_not_ours(patient: int, channel: str) -> None:
    other = Links(LINKS.base_url, reports=True, secret=b"another random text")
    assert LINKS.read_token(other.token(patient, channel)) is None


@given(st.data())
def test_a_changed_token_means_nobody_else(data: st.DataObject) -> None:
    token = LINKS.token(7, "email")
    place = data.draw(st.integers(0, len(token) - 1))
    letter = data.draw(st.characters())
    changed = token[:place] + letter + token[place + 1 :]
    assert LINKS.read_token(changed) in (None, Unsubscribing(7, "email"))


@given(st.text(max_size=80))
def test_whatever_comes_in_the_path_is_read_without_an_accident(token: str) -> None:
    assert LINKS.read_token(token) is None
    read = LINKS.read_page_token(token)
    assert read is None or not LINKS.is_genuine(read, range(3))


def test_a_token_tells_the_address_it_went_to_without_saying_it() -> None:
    token = LINKS.token(7, "email", "alice@example.com")
    read = LINKS.read_token(token)
    assert read == Unsubscribing(7, "email", LINKS.mark("alice@example.com"))
    assert LINKS.mark("alice@example.org") != LINKS.mark("alice@example.com")
    assert "alice" not in base64.urlsafe_b64decode(token.split(".")[0] + "==").decode()


@given(patient=st.integers(1, 2**40), epoch=st.integers(0, 50))
def test_the_link_to_a_page_is_short_and_dies_with_its_epoch(patient: int, epoch: int) -> None:
    url = LINKS.patient_page(patient, epoch, UNTIL)
    assert url is not None
    path = url.removeprefix("https://care.example")
    assert len(path) <= 45
    read = LINKS.read_page_token(path.removeprefix("/p/"))
    assert read is not None
    assert (read.patient_id, read.until) == (patient, UNTIL.date())
    assert len(read.seal) * 8 >= 128
    assert LINKS.is_genuine(read, [epoch])
    assert not LINKS.is_genuine(read, [epoch + 1])
    assert not Links(LINKS.base_url, True, b"another").is_genuine(read, [epoch])


@given(st.data())
def test_no_letter_of_a_page_token_can_be_changed(data: st.DataObject) -> None:
    token = LINKS.page_token(7, 0, UNTIL)
    place = data.draw(st.integers(0, len(token) - 1))
    changed = token[:place] + data.draw(st.characters()) + token[place + 1 :]
    read = LINKS.read_page_token(changed)
    assert changed == token or read is None or not LINKS.is_genuine(read, [0])


def test_a_seal_for_one_purpose_opens_nothing_else() -> None:
    token = LINKS.page_token(7, 0, UNTIL)
    assert LINKS.read_token(token) is None
    assert LINKS.read_alert_token(token) is None
    assert LINKS.read_page_token(LINKS.token(7, "email")) is None


def test_a_page_is_good_until_the_end_of_its_last_day() -> None:
    read = LINKS.read_page_token(LINKS.page_token(7, 0, UNTIL))
    assert read is not None
    assert not read.is_over(UNTIL)
    assert read.is_over(UNTIL + timedelta(days=1))


def test_the_secret_is_not_shown_where_links_are_printed() -> None:
    assert "random" not in repr(LINKS)
