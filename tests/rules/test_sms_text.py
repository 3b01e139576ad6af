from __future__ import annotations

import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from notifier.rules.sms_text import SmsSize, fold, measure, offenders, split

EXTENSION = "\f^{}\\[~]|€"

# 3GPP TS 23.038, the default alphabet row by row as printed there (0x1B, the escape, is a hole).
PRINTED_TABLE = [
    "@ Δ   0 ¡ P ¿ p",
    "£ _ ! 1 A Q a q",
    '$ Φ " 2 B R b r',
    "¥ Γ # 3 C S c s",
    "è Λ ¤ 4 D T d t",
    "é Ω % 5 E U e u",
    "ù Π & 6 F V f v",
    "ì Ψ ' 7 G W g w",
    "ò Σ ( 8 H X h x",
    "Ç Θ ) 9 I Y i y",
    "LF Ξ * : J Z j z",
    "Ø ESC + ; K Ä k ä",
    "ø Æ , < L Ö l ö",
    "CR æ - = M Ñ m ñ",
    "Å ß . > N Ü n ü",
    "å É / ? O § o à",
]
NAMED = {"LF": "\n", "CR": "\r", "ESC": ""}
DEFAULT_ALPHABET = {NAMED.get(cell, cell) for row in PRINTED_TABLE for cell in row.split()} - {""} | {" "}


def slow_size(text: str) -> SmsSize:
    """Pack one unit after the other into parts, as a phone does."""
    seven_bit = all(char in DEFAULT_ALPHABET or char in EXTENSION for char in text)
    units = []
    for char in text:
        if seven_bit:
            units.append(1 if char in DEFAULT_ALPHABET else 2)
        else:
            units.append(1 if ord(char) < 0x10000 else 2)
    single, part = (160, 153) if seven_bit else (70, 67)
    parts = 0 if not units else 1
    if sum(units) > single:
        room = part
        for unit in units:
            if unit > room:
                parts, room = parts + 1, part
            room -= unit
    return SmsSize("GSM-7" if seven_bit else "UCS-2", parts, sum(units))


gsm_text = st.text(st.sampled_from(sorted(DEFAULT_ALPHABET) + list(EXTENSION * 5)), max_size=400)
odd_text = st.text(
    st.sampled_from("aé áçł–…’“\u00a0\u00ad\u200b\u200d\u0301\u0327😀🩹женÁŐﬁß€\t\x00ǻ"), max_size=200
)
# Long enough to need parts, with something at or near every boundary.
long_text = st.builds(
    lambda filler, count, tail: filler * count + tail,
    st.sampled_from(["a", "€", "a€", "é", "ж", "😀", "ж😀"]),
    st.integers(30, 320),
    st.text(st.sampled_from("a€ж😀^"), max_size=8),
)
any_text = gsm_text | odd_text | long_text | st.text(max_size=100)


def test_the_printed_table_has_every_place_filled() -> None:
    assert len(DEFAULT_ALPHABET) == 127


@pytest.mark.parametrize("char", sorted(DEFAULT_ALPHABET))
def test_every_character_of_the_default_alphabet_is_one_septet(char: str) -> None:
    assert measure(char) == SmsSize("GSM-7", 1, 1)


@pytest.mark.parametrize("char", EXTENSION)
def test_every_extension_character_is_two_septets(char: str) -> None:
    assert measure(char) == SmsSize("GSM-7", 1, 2)


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("", SmsSize("GSM-7", 0, 0)),
        ("a" * 160, SmsSize("GSM-7", 1, 160)),
        ("a" * 161, SmsSize("GSM-7", 2, 161)),
        ("a" * 158 + "€", SmsSize("GSM-7", 1, 160)),
        ("a" * 159 + "€", SmsSize("GSM-7", 2, 161)),
        ("a" * 306, SmsSize("GSM-7", 2, 306)),
        ("a" * 307, SmsSize("GSM-7", 3, 307)),
        # 152 + € + 152: the € moves over whole, and 2 + 152 septets no longer fit what division promised.
        ("a" * 152 + "€" + "a" * 152, SmsSize("GSM-7", 3, 306)),
        ("a" * 151 + "€" + "a" * 153, SmsSize("GSM-7", 2, 306)),
        ("é\n\r", SmsSize("GSM-7", 1, 3)),
        ("ç", SmsSize("UCS-2", 1, 1)),
        ("á" * 70, SmsSize("UCS-2", 1, 70)),
        ("á" * 71, SmsSize("UCS-2", 2, 71)),
        ("😀" * 35, SmsSize("UCS-2", 1, 70)),
        ("😀" * 36, SmsSize("UCS-2", 2, 72)),
        ("á" * 134, SmsSize("UCS-2", 2, 134)),
        # 66 + an emoji + 66: the pair moves over whole.
        ("á" * 66 + "😀" + "á" * 66, SmsSize("UCS-2", 3, 134)),
        ("€" * 71 + "á", SmsSize("UCS-2", 2, 72)),
        ("\x1b", SmsSize("UCS-2", 1, 1)),
        ("\t", SmsSize("UCS-2", 1, 1)),
        ("\ud83d", SmsSize("UCS-2", 1, 1)),
    ],
)
def test_a_text_is_measured_as_the_network_counts_it(text: str, size: SmsSize) -> None:
    assert measure(text) == size


@given(any_text)
@example("a" * 152 + "€" + "a" * 152)
def test_measuring_agrees_with_packing_unit_by_unit(text: str) -> None:
    assert measure(text) == slow_size(text)


@given(any_text)
def test_the_parts_join_to_the_text_and_every_part_fits(text: str) -> None:
    parts = split(text)
    size = measure(text)
    assert "".join(parts) == text
    assert len(parts) == size.segments
    limit = {"GSM-7": (160, 153), "UCS-2": (70, 67)}[size.encoding][len(parts) > 1]
    for part in parts:
        units = (
            slow_size(part).units
            if size.encoding == "GSM-7"
            else len(part.encode("utf-16-le", "replace")) // 2
        )
        assert 0 < units <= limit


def test_a_boundary_never_tears_an_escape_pair_or_a_surrogate_pair() -> None:
    assert split("a" * 152 + "€" + "b" * 20) == ["a" * 152, "€" + "b" * 20]
    assert split("á" * 66 + "😀" + "b" * 20) == ["á" * 66, "😀" + "b" * 20]


@pytest.mark.parametrize(
    ("text", "folded"),
    [
        ("María Núñez", "Maria Nuñez"),
        ("áíóúâêîôûëï", "aiouaeiouei"),
        ("éèñüöäåàòìùß¿¡ÇÉÑ", "éèñüöäåàòìùß¿¡ÇÉÑ"),
        ("ç Á Í Ó Ú Ã Œ", "c A I O U A OE"),
        ("Łukasz Żółć, Wiśniewska", "Lukasz Zolc, Wisniewska"),
        ("Ayşe Işık Ğ İ ı", "Ayse Isik G I i"),
        ("Ștefan Ionuț ăî", "Stefan Ionut ai"),
        ("Đặng Nguyễn Ươ", "Dang Nguyen Uo"),
        ("Þór Ðe æ ø", "Thor De æ ø"),
        ("ǻ", "å"),
        ("Ángel’s “good hurt” – 24—48 h…", 'Angel\'s "good hurt" - 24-48 h...'),
        ("a\u00a0b\u202fc\u2009d\te", "a b c d e"),
        ("ﬁne ﬂow Ａ１", "fine flow A1"),
        ("so\u00adre\u200bness\ufeff", "soreness"),
        ("e\u0301 n\u0303 a\u0301", "é ñ a"),
        ("x\u0301", "x"),
        ("á\u200dá\ufe0f", "aa"),
        ("≥ 4 → call", ">= 4 -> call"),
        ("«1º»", '"1o"'),
        ("a\u2028b", "a\nb"),
        ("a\x00\x1bb á", "ab a"),
    ],
)
def test_what_loses_nothing_is_folded_to_gsm(text: str, folded: str) -> None:
    assert fold(text) == folded
    assert measure(fold(text)).encoding == "GSM-7"


@pytest.mark.parametrize(
    ("text", "folded"),
    [
        ("María 😀", "María 😀"),
        ("“José” – 日本", "“José” – 日本"),
        ("Олена, á", "Олена, á"),
        ("38 °C, María", "38 °C, María"),
        ("So\u00adre\u200b 😀\ufeff", "Sore 😀"),
        ("👩\u200d⚕\ufe0f", "👩\u200d⚕\ufe0f"),
        ("می\u200cخواهم", "می\u200cخواهم"),
        ("😀 a\u0301", "😀 á"),
    ],
)
def test_a_text_that_stays_ucs2_keeps_its_letters_and_loses_only_what_nobody_sees(
    text: str, folded: str
) -> None:
    assert fold(text) == folded


@given(any_text)
def test_folding_twice_is_folding_once(text: str) -> None:
    assert fold(fold(text)) == fold(text)


@given(gsm_text)
def test_a_text_that_is_gsm_already_is_left_alone(text: str) -> None:
    assert fold(text) == text


@given(st.text(st.characters(min_codepoint=0xC0, max_codepoint=0x24F, categories=["Lu", "Ll"]), max_size=30))
def test_folding_letters_never_loses_one(text: str) -> None:
    assert len(fold(text)) >= len(unicodedata.normalize("NFC", text))


def test_offenders_are_named_with_their_place() -> None:
    assert offenders("Ana – 38°") == [("–", 4, "en dash"), ("°", 8, "degree sign")]
    assert offenders("{plain} GSM €") == []
    assert offenders("\x1b") == [("\x1b", 0, "U+001B")]
