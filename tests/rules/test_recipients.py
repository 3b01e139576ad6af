from __future__ import annotations

import subprocess
import sys

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from notifier.errors import InputError
from notifier.rules.recipients import (
    address_key,
    can_text,
    email,
    fold_name,
    mask_email,
    mask_phone,
    phone,
)


@pytest.mark.parametrize(
    ("typed", "region", "e164"),
    [
        ("(212) 555-0100", "US", "+12125550100"),
        ("212.555.0100", "US", "+12125550100"),
        ("1-212-555-0100", "us", "+12125550100"),
        ("  2125550100\n", "US", "+12125550100"),
        ("+1 212 555 0100", "GB", "+12125550100"),
        ("+15551234567", "US", "+15551234567"),  # made-up numbers serve demos; the provider knows better
        ("tel:+1-212-555-0100", "US", "+12125550100"),
        ("212\u00a0555\u00a00100", "US", "+12125550100"),
        ("２１２５５５０１００", "US", "+12125550100"),
        ("07700 900123", "GB", "+447700900123"),
        ("+44 (0)20 7946 0958", "US", "+442079460958"),
        ("0044 20 7946 0958", "US", "+442079460958"),
        ("011 44 20 7946 0958", "US", "+442079460958"),
        ("0044 20 7946 0958", "ES", "+442079460958"),
        ("612 34 56 78", "ES", "+34612345678"),
        ("0412 345 678", "AU", "+61412345678"),
        ("+39 06 1234 5678", "US", "+390612345678"),  # Italian landlines keep their 0
        ("+1 212 555 0100", "", "+12125550100"),
    ],
)
def test_a_phone_number_is_read_as_people_type_it(typed: str, region: str, e164: str) -> None:
    assert phone(typed, region=region) == e164


@pytest.mark.parametrize(
    ("typed", "region", "words"),
    [
        ("", "US", "Enter a phone number."),
        ("   ", "US", "Enter a phone number."),
        ("12345", "US", "'12345' cannot be a phone number in US: it has too few digits."),
        ("911", "US", "'911' cannot be a phone number in US: it has too few digits."),
        ("555-0100", "US", "'555-0100' cannot be a phone number in US: the area code is missing."),
        ("212 555 0100 99", "US", "it has too many digits."),
        ("2" * 300, "US", "it has too many digits."),
        ("hello", "US", "'hello' cannot be a phone number in US: it has no digits that make a number."),
        ("+999 1234 5678", "US", "'+999 1234 5678' cannot be a phone number: its country code is unknown"),
        ("612 34 56 78", "", "its country code is unknown; write it like +1 212 555 0100."),
        ("612 34 56 78", "XX", "its country code is unknown"),
        ("212-555-0100 ext. 12", "US", "messages cannot reach an extension"),
        ("+1 900 555 0199", "US", "'+1 900 555 0199' is a premium-rate number"),
        ("0909 879 0123", "GB", "is a premium-rate number"),
        ("ana@example.com", "US", "cannot be a phone number in US"),
    ],
)
def test_what_cannot_be_a_phone_number_is_refused_in_words(typed: str, region: str, words: str) -> None:
    with pytest.raises(InputError) as refused:
        phone(typed, region=region)
    assert words in str(refused.value)
    assert refused.value.field == "phone"


@given(st.text(max_size=40), st.sampled_from(["US", "GB", "ES", "", "??"]))
def test_whatever_is_typed_is_a_number_that_reads_the_same_again_or_a_refusal(
    typed: str, region: str
) -> None:
    try:
        e164 = phone(typed, region=region)
    except InputError:
        return
    assert e164.startswith("+")
    assert e164[1:].isascii()
    assert e164[1:].isdigit()
    assert phone(e164, region=region) == e164


@given(st.integers(2_000_000_000, 9_999_999_999).filter(lambda n: not str(n).startswith(("900", "976"))))
def test_every_way_to_write_a_us_number_gives_the_same_one(number: int) -> None:
    digits = str(number)
    area, exchange, line = digits[:3], digits[3:6], digits[6:]
    ways = [
        f"({area}) {exchange}-{line}",
        f"+1{digits}",
        f"1 {area} {exchange} {line}",
        f"{area}.{exchange}.{line}",
    ]
    assert {phone(way, region="US") for way in ways} == {f"+1{digits}"}


@pytest.mark.parametrize(
    ("e164", "expected"),
    [
        ("+12125550100", True),  # the US plan does not tell landlines from mobiles
        ("+15551234567", True),
        ("+447700900123", True),
        ("+442079460958", False),
        ("+34612345678", True),
        ("+34912345678", False),
        ("+61412345678", True),
        ("+61298765432", False),
    ],
)
def test_a_sure_landline_cannot_be_texted(e164: str, expected: bool) -> None:
    assert can_text(e164) is expected


@pytest.mark.parametrize(
    ("typed", "address"),
    [
        ("ana@example.com", "ana@example.com"),
        ("  Ana.Ruiz@Example.COM \n", "Ana.Ruiz@example.com"),
        ("mailto:ana@example.com", "ana@example.com"),
        ("Ana Ruiz <ana@example.com>", "ana@example.com"),
        ("ana+clinic@mail.example.org", "ana+clinic@mail.example.org"),
        ("ana@bücher.example.com", "ana@xn--bcher-kva.example.com"),
    ],
)
def test_an_email_address_is_normalised(typed: str, address: str) -> None:
    assert email(typed) == address


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ("", "Enter an e-mail address."),
        ("ana", "'ana' has no domain; write it like name@example.com."),
        ("ana@", "'ana@' has no domain; write it like name@example.com."),
        ("@example.com", "'@example.com' has no name before the @; write it like name@example.com."),
        ("ana@example", "'ana@example' cannot be an e-mail address: "),
        ("ana@@example.com", "cannot be an e-mail address: "),
        ("ana ruiz@example.com", "cannot be an e-mail address: "),
        ("ana@example.com, bob@example.com", "cannot be an e-mail address: "),
        ("ana@example.com\r\nBcc: bob@example.com", "cannot be an e-mail address: "),
        ("josé@example.com", "cannot be an e-mail address: "),
        ("ana@[127.0.0.1]", "cannot be an e-mail address: "),
        ("a" * 300 + "@example.com", "cannot be an e-mail address: "),
    ],
)
def test_what_cannot_be_an_email_address_is_refused_in_words(typed: str, words: str) -> None:
    with pytest.raises(InputError) as refused:
        email(typed)
    assert words in str(refused.value)
    assert str(refused.value).endswith(".")
    assert refused.value.field == "email"


@given(st.text(max_size=40) | st.emails())
def test_an_accepted_email_address_is_one_line_of_ascii_and_reads_the_same_again(typed: str) -> None:
    try:
        address = email(typed)
    except InputError:
        return
    assert address.isascii()
    assert address.isprintable()
    assert email(address) == address


@pytest.mark.parametrize(
    ("number", "masked"),
    [
        ("+15551234567", "+1•••4567"),
        ("+442079460958", "+44•••0958"),
        ("+353612345678", "+353•••5678"),
        ("5551234567", "•••4567"),
        ("12345", "•••"),
        ("", "•••"),
    ],
)
def test_a_masked_phone_keeps_the_country_and_four_digits(number: str, masked: str) -> None:
    assert mask_phone(number) == masked


@pytest.mark.parametrize(
    ("address", "masked"),
    [
        ("ana.ruiz@example.com", "a•••@example.com"),
        ("a@example.com", "a•••@example.com"),
        ("ana", "•••"),
        ("", "•••"),
    ],
)
def test_a_masked_email_keeps_one_letter_and_the_domain(address: str, masked: str) -> None:
    assert mask_email(address) == masked


@pytest.mark.parametrize(
    ("channel", "one", "other", "same"),
    [
        ("email", "Ana@Example.com", "ana@example.COM ", True),
        ("email", "ana@example.com", "ann@example.com", False),
        ("email", "ana+1@example.com", "ana@example.com", False),
        ("sms", "+1 555 123 4567", "+15551234567", True),
        ("sms", "+15551234567", "+15551234568", False),
    ],
)
def test_addresses_are_the_same_when_their_keys_are(channel: str, one: str, other: str, same: bool) -> None:
    assert (address_key(channel, one) == address_key(channel, other)) is same


@pytest.mark.parametrize(
    ("first", "last", "folded"),
    [
        ("José", "O’Brien-Łuk", "jose obrien luk"),
        ("  JOSE ", "O'Brien  Luk", "jose obrien luk"),
        ("Mª", "Núñez", "ma nunez"),
        ("Søren", "Æbelø", "soren aebelo"),
        ("Jürgen", "Groß", "jurgen gross"),
        ("İpek", "Işık", "ipek isik"),
        ("J.", "Smith, Jr.", "j smith jr"),
        ("Олена", "Йовенко", "олена иовенко"),
        ("がく", "山田", "がく 山田"),
        ("कि", "", "कि"),  # a vowel sign is no accent: without it this is another name
        ("", "", ""),
    ],
)
def test_names_are_compared_without_case_accents_and_punctuation(first: str, last: str, folded: str) -> None:
    assert fold_name(first, last) == folded


@given(st.text(max_size=20), st.text(max_size=20))
@example("", "ŉ")
def test_a_folded_name_folds_to_itself_and_ignores_case(first: str, last: str) -> None:
    once = fold_name(first, last)
    assert fold_name(once, "") == once
    assert fold_name("  " + first, last + " ") == once


def test_importing_the_rules_does_not_load_the_phone_and_email_libraries() -> None:
    probe = (
        "import sys, notifier.rules.recipients; print({'phonenumbers', 'email_validator'} & set(sys.modules))"
    )
    loaded = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True).stdout
    assert loaded.strip() == "set()"
