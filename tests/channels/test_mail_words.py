"""What raw mails are, shaped as the big servers and mail programs write them; the mails are in `mails`."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from notifier import rendering
from notifier.channels import mail_words
from notifier.channels.mail_quotes import new_words
from notifier.rules.delivery import ErrorClass, Status
from notifier.rules.mail_codes import error_class, telling_code
from notifier.rules.mail_subjects import is_by_a_program, own_words
from notifier.rules.templating import TextTemplate

MAILS = Path(__file__).parent / "mails"
AT = datetime(2026, 3, 5, 15, 20, tzinfo=UTC)
OURS = "<41.20260305140211000123.riverside@clinic.example>"
SUBJECT = "Day 2: how sore are you, 0 to 10?"


def read(name: str) -> mail_words.Mail:
    return mail_words.read((MAILS / f"{name}.eml").read_bytes(), received_at=AT)


# What mail servers say

REPORTS = {
    "postfix-no-such-user": (Status.FAILED, "failed", "5.1.1", "User unknown", ErrorClass.ADDRESS),
    "postfix-delayed": (Status.SENT, "delayed", "4.4.1", "timed out", ErrorClass.FEW_TRIES),
    "postfix-delivered": (Status.DELIVERED, "delivered", "2.0.0", "delivered to", ErrorClass.UNLISTED),
    "exchange-not-found": (Status.FAILED, "failed", "5.1.10", "RecipientNotFound", ErrorClass.ADDRESS),
    "exchange-spanish-html-only": (Status.FAILED, "failed", "5.1.1", "5.4.1 Recipient", ErrorClass.ADDRESS),
    "gmail-mailbox-full": (Status.FAILED, "failed", "5.2.2", "over quota", ErrorClass.FEW_TRIES),
    "yahoo-no-account": (Status.FAILED, "failed", "5.1.1", "doesn't have", ErrorClass.ADDRESS),
    "qmail": (Status.FAILED, "failed", "5.1.1", "no mailbox here", ErrorClass.ADDRESS),
    "exim": (Status.FAILED, "failed", "5.1.1", "Unrouteable", ErrorClass.ADDRESS),
    "sendmail-spam-policy": (Status.FAILED, "failed", "5.7.1", "as spam", ErrorClass.CONTENT),
}


@pytest.mark.parametrize("name", REPORTS)
def test_a_bounce_says_which_of_our_mails_it_is_about_and_what_became_of_it(name: str) -> None:
    status, word, code, words, means = REPORTS[name]
    mail = read(name)
    (report,) = mail.reports
    assert (mail.kind, mail.inbound) == ("report", None)
    assert (report.provider_id, report.status, report.provider_status) == (OURS, status, word)
    assert (report.provider, report.code, report.received_at) == ("smtp", code, AT)
    assert words in report.raw["said"]
    assert "ana.nunez" not in report.raw["said"]
    assert error_class(code) == means
    if status is Status.FAILED:
        assert report.error_class == means
        assert report.said.startswith("The mail came back: ")
    else:
        assert (report.error_class, report.said) == (ErrorClass.UNLISTED, "")


def test_a_bounce_that_names_no_mail_is_kept_for_a_person() -> None:
    mail = read("bounce-of-nothing-known")
    assert mail.inbound is not None
    assert (mail.kind, mail.reports, mail.inbound.automatic) == ("automatic", (), True)
    assert mail.inbound.body == "The user you wrote to is not here any more."


def test_a_receipt_asks_nothing_of_anybody() -> None:
    assert read("read-receipt") == mail_words.Mail("receipt")


@pytest.mark.parametrize(
    ("code", "means"),
    [
        ("5.1.1", ErrorClass.ADDRESS),
        ("5.1.2", ErrorClass.ADDRESS),
        ("5.2.1", ErrorClass.ADDRESS),
        ("5.4.4", ErrorClass.ADDRESS),
        ("5.1.8", ErrorClass.CONTENT),  # it is our address that they do not like
        ("5.2.2", ErrorClass.FEW_TRIES),
        ("4.4.7", ErrorClass.FEW_TRIES),
        ("5.3.4", ErrorClass.CONTENT),
        ("5.7.26", ErrorClass.CONTENT),
        ("5.0.0", ErrorClass.UNLISTED),
        ("550", ErrorClass.UNLISTED),
        ("", ErrorClass.UNLISTED),
    ],
)
def test_only_what_is_wrong_with_the_address_counts_against_it(code: str, means: ErrorClass) -> None:
    assert error_class(code) == means


@pytest.mark.parametrize(
    ("given_code", "said", "code"),
    [
        ("5.7.1", "550 5.1.1 user unknown", "5.7.1"),
        ("5.0.0", "550 5.7.1 <a@b.example> blocked", "5.7.1"),
        ("", "550 No such user here", "5.1.1"),
        ("5.5.0", "550 5.5.0 Requested action not taken: mailbox unavailable", "5.1.1"),
        ("5.4.1", "550 5.4.1 Recipient address rejected: Access denied", "5.1.1"),
        ("5.4.1", "no answer from host", "5.4.1"),
        ("5.0.0", "552 user is over quota", "5.2.2"),
        ("", "host 10.5.1.1.2 said: 550 go away", "5.0.0"),
        ("", "", ""),
    ],
)
def test_the_code_is_the_one_that_says_most(given_code: str, said: str, code: str) -> None:
    assert telling_code(given_code, said) == code


# What people say

REPLIES = {
    "gmail-english": "It’s about a 6 today, worse on the stairs.",
    "gmail-spanish": "Siento opresión en el pecho y me cuesta respirar",
    "gmail-html-only": "About a 4.\nIs a bruise normal there?",
    "outlook-english": "Thanks. 2 out of 10.",
    "outlook-spanish": "Hola, un 5.\n¿Puedo correr mañana?",
    "outlook-original-message": "Please call me, my leg is swollen.\n\nAna",
    "iphone-english": "Stop",
    "iphone-spanish-base64": "8 y subiendo",
    "yahoo-english": "I fainted this morning in the shower",
    "yahoo-spanish": "no soy Ana",
    "samsung": "Feeling fine thank you",
    "thunderbird-between-the-lines": "Good morning,\n\nIt is not. It spreads to my arm.\nNone of those.",
    "not-a-signature": "Sent from my bed because I can't get up\n\n--\ndizzy since last night",
    "only-our-mail-back": "[A mail without words]",
    "our-mail-below-without-a-mark": "STOP",
    "only-quoted-words": "> I have chest pain\n> please call",
    "latin1-without-a-charset": "Me duele mucho más que ayer, señora. Todavía no puedo.",
    "unknown-charset": "Todavía un 3",
    "photo-only": "[A mail without words, with bruise.jpg]",
    "apple-words-around-a-photo": "Is this normal?\n\nIt is hot too.",
}


@pytest.mark.parametrize("name", REPLIES)
def test_of_a_reply_the_new_words_are_read_and_what_it_answers(name: str) -> None:
    mail = read(name)
    assert (mail.kind, mail.reports) == ("reply", ())
    assert mail.inbound is not None
    assert mail.inbound.body == REPLIES[name]
    assert mail.inbound.in_reply_to == (OURS,)
    assert mail.inbound.from_address == "ana.nunez@mail.example"
    assert mail.inbound.to_address == "care@clinic.example"
    assert mail.inbound.raw["from_name"] == "Ana Núñez"
    assert (mail.inbound.provider_id, mail.inbound.channel) == ("<CAF00d@mail.example>", "email")
    assert own_words(mail.inbound.subject) == ""


MALFORMED = {
    "broken-headers": ("ana.nunez@mail.example", "Help, my chest hurts á lot"),
    "never-closed": ("ana.nunez@mail.example", "I can't breathe"),
    "unsubscribe-by-subject": ("ana.nunez@mail.example", "Baja"),
    "new-mail-without-an-id": ("Ana.Nunez@mail.example", "Can I swim?"),
}


@pytest.mark.parametrize("name", MALFORMED)
def test_whatever_shape_a_mail_has_its_words_are_found(name: str) -> None:
    inbound = read(name).inbound
    assert inbound is not None
    assert (inbound.from_address, inbound.body) == MALFORMED[name]
    assert inbound.provider_id
    assert not inbound.automatic


def test_a_mail_without_an_id_is_known_again() -> None:
    first, again = read("new-mail-without-an-id").inbound, read("new-mail-without-an-id").inbound
    assert first is not None
    assert first == again
    assert first.provider_id.startswith("sha256:")


@pytest.mark.parametrize(
    "name", ["out-of-office-exchange", "out-of-office-spanish", "vacation-gmail", "newsletter"]
)
def test_what_a_program_wrote_is_told_from_what_a_person_wrote(name: str) -> None:
    mail = read(name)
    assert mail.inbound is not None
    assert (mail.kind, mail.inbound.automatic) == ("automatic", True)


def test_subjects_tell_who_chose_their_words() -> None:
    assert own_words("I cannot breathe") == "I cannot breathe"
    assert [own_words(f"{mark} {SUBJECT}") for mark in ("Re:", "RE:", "Rv:", "FW:", "Re[2]:")] == [""] * 5
    assert is_by_a_program("Respuesta automática: Día 2")
    assert not is_by_a_program("Out of breath since I left the office")


@pytest.mark.parametrize("language", ["en", "es"])
def test_our_own_notice_is_never_read_as_the_words_of_a_patient(language: str) -> None:
    """It tells how to stop and whom to call in an emergency: both would be acted upon."""
    clinic = {"name": "Riverside Physio", "phone": "(212) 555-0100", "emergency_number": "911"}
    ours = rendering.render(
        TextTemplate(None, "Day 2", "Chest pain?\n\nCall."),
        rendering.context(language=language, clinic=clinic),
        channel="email",
        unsubscribe_url="https://care.clinic.example/u/abc",
    )
    notice = ours.text[ours.text.index("---") :]
    assert new_words(f"A 3 today.\n\n{notice}") == "A 3 today."
    assert new_words("\n".join(f"> {line}" for line in ours.text.splitlines())) == ""


def test_a_long_mail_is_cut_and_says_so() -> None:
    inbound = mail_words.read(b"From: a@b.example\n\n" + b"so sore " * 5000, received_at=AT).inbound
    assert inbound is not None
    assert len(inbound.body) < mail_words.LONGEST + 50
    assert inbound.body.endswith("[The mail is longer than this.]")


# What nobody foresaw

_LINES = st.sampled_from(
    rb"""From: =?utf-8?q?A=?= <a@b.example>
Content-Type: multipart/report; report-type=delivery-status; boundary=x
Content-Type: message/delivery-status
Content-Type: message/rfc822
Content-Type: text/html; charset=\xff
Content-Transfer-Encoding: base64
Content-Disposition: attachment; filename*=utf-9''%ff
--x
--x--
Action: failed
Status: 9.9.9
Message-ID: <a@b>
Subject: =?x?b?!?=
> On 2026 a@b wrote:
<blockquote><!--
</div><br>&#0;&#xD800;
From: x
Sent: y
To: z
X-Failed-Recipients: a""".split(b"\n")
) | st.sampled_from(
    [b"", b"-- ", b"\x00\xff\xfe", b"Subject: \xe1\x00", b"Content-Type: text/html; charset=\xff"]
)


@settings(max_examples=150, deadline=None)
@given(st.one_of(st.binary(max_size=400), st.lists(_LINES, max_size=25).map(b"\n".join)))
def test_no_bytes_are_too_strange_to_be_read(raw: bytes) -> None:
    mail = mail_words.read(raw, received_at=AT)
    assert (mail.inbound is not None) + bool(mail.reports) + (mail.kind == "receipt") == 1
    if mail.inbound is not None:
        assert mail.inbound.body
        assert mail.inbound.provider_id
        for words in (mail.inbound.body, mail.inbound.subject, mail.inbound.from_address):
            assert "\x00" not in words
            words.encode()


@pytest.mark.parametrize(
    "raw",
    [
        b"\n" + b"-- \n" * 60_000,
        b"Content-Type: text/plain; " + b"a=b; " * 40_000 + b"\n\nx",
        b"Subject: " + b"=?utf-8?q?a?= " * 20_000 + b"\n\nx",
        b"Content-Type: text/html\n\n" + b"<!--" * 50_000,
    ],
    ids=["signatures", "parameters", "encoded words", "comments"],
)
def test_a_mail_made_to_keep_us_busy_does_not(raw: bytes) -> None:
    began = time.process_time()
    mail_words.read(raw, received_at=AT)
    assert time.process_time() - began < 1.0
