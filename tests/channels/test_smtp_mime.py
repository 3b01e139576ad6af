from __future__ import annotations

import email
import email.policy
from datetime import UTC, datetime, timedelta
from email.header import decode_header, make_header
from email.message import EmailMessage
from email.utils import parseaddr
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifier.channels.smtp_mime import compose
from notifier.config import EmailSettings
from notifier.envelope import OutboundMessage, Unsubscribe
from notifier.errors import ChannelError
from notifier.rules.delivery import ErrorClass
from tests.channels.cast import MAIL, mail

OURS = EmailSettings(host="mail.example", from_address="care@clinic.example", reply_to="desk@clinic.example")


def parsed(message: OutboundMessage, settings: EmailSettings = OURS) -> EmailMessage:
    data = compose(message, settings).data
    read = email.message_from_bytes(data, policy=email.policy.SMTPUTF8)
    assert isinstance(read, EmailMessage)
    for part in read.walk():
        assert part.defects == []
    for value in read.values():
        assert not getattr(value, "defects", ())
    return read


def words(message: EmailMessage, kind: str) -> str:
    part = message.get_body((kind,))
    assert part is not None
    content = part.get_content()
    assert isinstance(content, str)
    return content.replace("\r\n", "\n").removesuffix("\n")


def test_a_mail_carries_both_alternatives_and_every_header_it_should() -> None:
    read = parsed(MAIL)
    assert read.get_content_type() == "multipart/alternative"
    assert [part.get_content_type() for part in read.iter_parts()] == ["text/plain", "text/html"]
    assert (words(read, "plain"), words(read, "html")) == (MAIL.text, MAIL.html)
    assert read["From"] == "Clínica Sol <care@clinic.example>"
    assert read["To"] == "ana@example.com"
    assert read["Subject"] == "Después de tu visita"
    assert read["Reply-To"] == "desk@clinic.example"
    assert read["Auto-Submitted"] == "auto-generated"
    assert read["MIME-Version"] == "1.0"
    assert abs(read["Date"].datetime - datetime.now(UTC)) < timedelta(seconds=5)


def test_a_mail_without_html_is_plain_text() -> None:
    read = parsed(mail(html=""))
    assert read.get_content_type() == "text/plain"
    assert words(read, "plain") == MAIL.text


def test_one_click_unsubscribing_needs_both_headers() -> None:
    read = parsed(MAIL)
    assert read["List-Unsubscribe"] == "<https://clinic.example/u/abc123>"
    assert read["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"


@pytest.mark.parametrize("unsubscribe", [None, Unsubscribe("http://localhost:8000/u/abc"), Unsubscribe("")])
def test_without_an_https_address_there_is_neither(unsubscribe: Unsubscribe | None) -> None:
    read = parsed(mail(unsubscribe=unsubscribe))
    assert read["List-Unsubscribe"] is None
    assert read["List-Unsubscribe-Post"] is None


def test_a_long_unsubscribe_address_stays_on_one_line() -> None:
    url = "https://clinic.example/u/" + "a,b;c-" * 60
    data = compose(mail(unsubscribe=Unsubscribe(url)), OURS).data
    assert f"\r\nList-Unsubscribe: <{url}>\r\n".encode() in data


def test_the_message_id_is_the_same_for_every_attempt_and_from_our_domain() -> None:
    first, second = (compose(mail(attempt=attempt), OURS).message_id for attempt in (1, 2))
    assert first == second == "<m-8-77b1@clinic.example>"
    assert parsed(MAIL)["Message-ID"] == first


@pytest.mark.parametrize(
    "reference", ["", "a b", "a@b", "<x>", "a\r\nBcc: eve@example.com", "ñ", ".a", "a..b", "x" * 500]
)
def test_a_reference_that_cannot_stand_in_a_message_id_still_makes_one(reference: str) -> None:
    one, other = (compose(mail(reference=text), OURS).message_id for text in (reference, reference + "!"))
    assert one != other
    assert parsed(mail(reference=reference))["Message-ID"] == one


def test_the_messages_own_sender_and_reply_address_win_over_the_settings() -> None:
    composed = compose(mail(sender="north@clinic.example", reply_to="north.desk@clinic.example"), OURS)
    read = parsed(mail(sender="north@clinic.example", reply_to="north.desk@clinic.example"))
    assert composed.sender.text == "north@clinic.example"
    assert read["From"].addresses[0].addr_spec == "north@clinic.example"
    assert read["Reply-To"] == "north.desk@clinic.example"


def test_without_a_reply_address_there_is_no_header_for_it() -> None:
    assert parsed(MAIL, EmailSettings(from_address="care@clinic.example"))["Reply-To"] is None


def test_an_answer_joins_the_conversation_that_it_answers() -> None:
    read = parsed(mail(in_reply_to="<CAF00d@mail.example>"))
    assert (read["In-Reply-To"], read["References"]) == ("<CAF00d@mail.example>",) * 2
    for unusable in ("", "sha256:0f", "<a b>", "<a\r\nBcc: eve@example.com>"):
        assert parsed(mail(in_reply_to=unusable))["References"] is None


INJECTIONS = [
    "Hello\r\nBcc: eve@example.com",
    "Hello\nBcc: eve@example.com",
    "Hello\rBcc: eve@example.com",
    "Hello\r\n\r\n<b>other words</b>",
    "Hello\x0bBcc: eve@example.com",
    "Hello\u2028Bcc: eve@example.com",
    "Hello\x85Bcc: eve@example.com",
    "Hello\x00\x1b[31m",
    '"Hello" <eve@example.com>,',
]


@pytest.mark.parametrize("words_given", INJECTIONS)
@pytest.mark.parametrize("field", ["subject", "sender_name"])
def test_words_never_become_headers_or_addresses(field: str, words_given: str) -> None:
    read = parsed(mail(**{field: words_given}))
    assert list(read.keys()) == list(parsed(MAIL).keys())
    assert [address.addr_spec for address in read["From"].addresses] == ["care@clinic.example"]
    assert words(read, "plain") == MAIL.text


@pytest.mark.parametrize("field", ["to", "sender", "reply_to"])
@pytest.mark.parametrize(
    "address",
    [
        "ana@example.com\r\nBcc: eve@example.com",
        "ana@example.com\n",
        "ana@example.com, eve@example.com",
        "Ana <ana@example.com>",
        "ana@example.com> SIZE=1",
        "ana",
        "@example.com",
        "ana@",
        "ana@exa mple.com",
        "ana@-example.com",
        "ana..b@example.com",
        ".ana@example.com",
        "ana@example..com",
        "ana@" + "a" * 64 + ".example",
        "a" * 250 + "@example.com",
        "\0@example.com",
    ],
)
def test_what_is_not_exactly_one_address_is_refused(field: str, address: str) -> None:
    with pytest.raises(ChannelError) as caught:
        compose(mail(**{field: address}), OURS)
    expected = ErrorClass.ADDRESS if field == "to" else ErrorClass.CONFIGURATION
    assert caught.value.error_class is expected
    assert address not in str(caught.value)


@pytest.mark.parametrize("url", ["https://x.example/\r\nBcc: e@e", "https://x.example/>", "https://x/ y"])
def test_an_unsubscribe_address_that_would_break_its_header_is_refused(url: str) -> None:
    with pytest.raises(ChannelError) as caught:
        compose(mail(unsubscribe=Unsubscribe(url)), OURS)
    assert caught.value.error_class is ErrorClass.CONTENT


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("subject", ""),
        ("subject", "a" * 400),
        ("subject", "word " * 80),
        ("subject", "=?utf-8?q?not_encoded?="),
        ("subject", "Ñandú " * 60),
        ("subject", "👩🏽‍⚕️ visita"),
        ("sender_name", 'The "Sol" Clinic, Inc. \\ (North)'),
        ("sender_name", "Clínica " * 40),
        ("sender_name", "Sol " * 50),
    ],
)
def test_odd_and_long_words_arrive_as_they_were(field: str, value: str) -> None:
    parsed(mail(**{field: value}))
    data = compose(mail(**{field: value}), OURS).data
    # The newer parser keeps a blank between two encoded words of a name, which RFC 2047 tells it to drop.
    older = email.message_from_bytes(data, policy=email.policy.compat32)
    shown = str(make_header(decode_header(older["Subject" if field == "subject" else "From"])))
    if field == "sender_name":
        shown = parseaddr(shown)[0]
    assert shown == " ".join(value.split())


def test_no_line_is_longer_than_mail_servers_take() -> None:
    long = mail(
        subject="Ñ " * 300, sender_name="Clínica " * 40, text="palabra " * 3000, html="<p>" + "ñ" * 5000
    )
    data = compose(long, OURS).data
    assert data.isascii()
    assert max(map(len, data.split(b"\r\n"))) <= 120
    assert b"\n" not in data.replace(b"\r\n", b"")
    assert b"\r" not in data.replace(b"\r\n", b"")


@given(
    text=st.text(st.characters(exclude_categories=["Cs"]), max_size=300),
    html=st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=300),
)
def test_any_words_arrive_as_they_left(text: str, html: str) -> None:
    data = compose(mail(text=text, html=html), OURS).data
    assert b"\n" not in data.replace(b"\r\n", b"")
    read = email.message_from_bytes(data, policy=email.policy.SMTP)
    bodies = [part.get_payload(decode=True) for part in read.walk() if not part.is_multipart()]
    assert [body.decode() if isinstance(body, bytes) else "" for body in bodies] == [
        lined(text),
        lined(html),
    ]


def lined(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n").replace("\n", "\r\n")


@given(
    values=st.fixed_dictionaries(
        {name: st.text(max_size=120) for name in ("subject", "sender_name", "reference", "to", "reply_to")}
    )
)
def test_no_value_of_any_kind_adds_a_header(values: dict[str, Any]) -> None:
    try:
        data = compose(mail(**values), OURS).data
    except ChannelError:
        return
    names = [
        line.partition(b":")[0] for line in data.split(b"\r\n\r\n")[0].split(b"\r\n") if line[:1] != b" "
    ]
    read = parsed(mail(**values))
    assert [name.decode() for name in names] == list(read.keys())
    assert set(read.keys()) - {"Reply-To"} == set(parsed(MAIL).keys()) - {"Reply-To"}


@pytest.mark.parametrize(
    ("to", "envelope"),
    [
        ("ana@bücher.example", "ana@xn--bcher-kva.example"),
        ("Ana@EXAMPLE.com", "Ana@example.com"),
        ("o'brien+x@example.com", "o'brien+x@example.com"),
        ('"ana maria"@example.com', '"ana maria"@example.com'),
        ("root@localhost", "root@localhost"),
        ("ana@clinic.local", "ana@clinic.local"),
    ],
)
def test_the_domain_goes_over_the_wire_in_ascii(to: str, envelope: str) -> None:
    composed = compose(mail(to=to), OURS)
    assert (composed.recipient.text, composed.needs_utf8) == (envelope, False)
    assert parsed(mail(to=to))["To"].addresses[0].addr_spec == envelope


def test_a_name_outside_ascii_before_the_at_needs_utf8() -> None:
    composed = compose(mail(to="dolores.ñ@bücher.example"), OURS)
    assert composed.needs_utf8
    assert "\r\nTo: dolores.ñ@xn--bcher-kva.example\r\n".encode() in composed.data
