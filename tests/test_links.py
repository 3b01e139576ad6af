"""Our own addresses that leave the house: only public https ones, and nobody makes up a token."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifier.config import Settings
from notifier.links import Links, links_of

LINKS = Links("https://care.example", reports=True, secret=b"a long random text")


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
        assert links.unsubscribe(7, "email") is not None


def test_the_callback_names_the_message_and_the_attempt() -> None:
    assert LINKS.status_callback(7, 2) == "https://care.example/webhooks/twilio/status/7/2"


def test_without_a_secret_there_is_no_link_and_no_token_is_ours() -> None:
    bare = Links("https://care.example", reports=True, secret=b"")
    assert bare.unsubscribe(7, "email") is None
    assert bare.read_token(bare.token(7, "email")) is None


@given(patient=st.integers(1, 2**62), channel=st.sampled_from(["sms", "email"]))
def test_a_token_is_read_back_as_what_it_was_made_of(patient: int, channel: str) -> None:
    token = LINKS.token(patient, channel)
    assert LINKS.read_token(token) == (patient, channel)
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
    assert LINKS.read_token(changed) in (None, (7, "email"))


@given(st.text(max_size=80))
def test_whatever_comes_in_the_path_is_read_without_an_accident(token: str) -> None:
    assert LINKS.read_token(token) is None


def test_the_secret_is_not_shown_where_links_are_printed() -> None:
    assert "random" not in repr(LINKS)
