from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from notifier import answer_editing, answer_texts, answer_trial, answer_words, clinics
from notifier.answer_complaints import complaints
from notifier.answer_names import ANSWERS, BY_NAME
from notifier.answer_words import Doubtful
from notifier.config import Settings, SmsSettings
from notifier.errors import ConflictError, InputError, NotFoundError
from notifier.models import AuditEntry, Clinic
from notifier.rules.plan import LANGUAGES
from notifier.text_editing import Words
from tests.cast import DESK, LOGGED, on_sqlite

NAME = "{{ clinic.name }}: "
NUMBER, PHONE = "{{ clinic.emergency_number | default('911') }}", "{{ clinic.phone }}"
GOOD = f"{NAME}Thank you. Call {PHONE}, or {NUMBER} in an emergency."


def test_every_answer_has_a_name_and_as_shipped_nothing_is_wrong_with_it() -> None:
    assert set(BY_NAME) == set(answer_texts.names())
    found = {
        (answer.name, language): complaints(answer.name, language, words)
        for answer in ANSWERS
        for language, words in answer_editing.shipped_words(answer.name).items()
    }
    assert {place: said for place, said in found.items() if said} == {}
    assert len(found) == len(ANSWERS) * len(LANGUAGES)


@pytest.mark.parametrize(
    ("name", "words", "wrong"),
    [
        ("fallback", GOOD, ""),
        ("fallback", "", "There are no words."),
        ("fallback", GOOD.removeprefix(NAME), "It does not begin with who writes"),
        ("opt-out", f"No more. Text START to get them again. {PHONE} {NUMBER}", "It does not begin with"),
        ("fallback", f"{NAME}Thank you. Call {PHONE}.", "It must say the emergency number"),
        ("opt-out", f"{NAME}No more texts. {PHONE} {NUMBER}", "It must name the word START."),
        ("help", f"{NAME}Call {PHONE}. Emergency: {NUMBER}. STOP to end.", "A frightened patient may text"),
        ("help", f"{NAME}{NUMBER}! Or {PHONE}. STOP now.", "It does not say what STOP is for"),
        ("red-flag-crisis", f"{NAME}Call {NUMBER}.", "It must say the crisis line"),
        ("wrong-number", "Sorry, {{ patient.first_name | default('') }}.", "it must name nobody"),
        ("fallback", f"{GOOD} Hi {{{{ patient.first_name }}}}.", "Not every answer can be filled in"),
        ("fallback", f"{GOOD} {{{{ treatment.date }}}}", "knows nothing of treatment.date"),
        ("fallback", f"{GOOD} {{{{ clinic.fax }}}}", "There is no variable 'clinic.fax'"),
        ("fallback", f"{GOOD} The needles did it.", '"needles" tells whoever reads along'),
        ("fallback", f"{GOOD} Reply YES if you are well.", '"YES" is offered as an answer'),
        ("fallback", f"{GOOD} See bit.ly/x1.", "goes through a link shortener"),
        ("fallback", GOOD + " Rest well." * 30, "keep it to 2."),
        ("when-closed", "We are closed.", "It must say when the clinic opens next"),
    ],
)  # fmt: skip
def test_what_must_not_go_out_is_an_error_in_words(name: str, words: str, wrong: str) -> None:
    found = complaints(name, "en", Words(sms=words))
    assert [each.severity for each in found[:1]] == (["error"] if wrong else [])
    assert wrong in " ".join(each.message for each in found)


def save(session: Session, clinic: Clinic, words: str, *, version: int | None = None) -> list[str]:
    said = {"en": Words(sms=words), "es": answer_editing.words_in(clinic, "fallback")["es"]}
    return answer_editing.save(
        session,
        clinic,
        "fallback",
        said,
        version=version or clinic.version,
        now=LOGGED,
        actor=DESK,
    )


def test_own_words_are_kept_until_they_are_the_shipped_ones_again(session: Session, clinic: Clinic) -> None:
    begun = clinic.version
    assert save(session, clinic, GOOD) == ["reply_texts"]
    assert clinic.reply_texts == {"fallback.en": {"sms": GOOD}}
    said = answer_texts.render(clinic, "fallback", language="en", now=LOGGED)
    assert said == "Riverside Physio: Thank you. Call (212) 555-0100, or 911 in an emergency."
    with pytest.raises(ConflictError):
        save(session, clinic, f"{GOOD} Bye.", version=begun)
    with pytest.raises(InputError):
        save(session, clinic, "Bye.")
    save(session, clinic, answer_editing.shipped_words("fallback")["en"].sms)
    assert clinic.reply_texts == {}
    details = session.scalars(select(AuditEntry.detail).where(AuditEntry.action == "clinic.changed")).all()
    assert [detail["answer"] for detail in details] == ["Not understood", "Not understood"]


def test_an_approval_is_of_these_words_and_no_others(session: Session, clinic: Clinic) -> None:
    def approve(digest: str) -> None:
        answer_editing.approve(
            session,
            clinic,
            by="Dr Ana Ruiz, PT 12345",
            digest=digest,
            now=LOGGED,
            actor=DESK,
        )

    read = answer_texts.digest(clinic)
    save(session, clinic, GOOD)
    with pytest.raises(ConflictError):
        approve(read)
    approve(answer_texts.digest(clinic))
    assert answer_texts.is_approved(clinic)
    save(session, clinic, f"{GOOD} Bye.")
    assert not answer_texts.is_approved(clinic)


def add(session: Session, clinic: Clinic, key: str, phrase: str, *, sure: bool = False) -> str:
    return answer_words.add(
        session,
        clinic,
        key,
        "en",
        phrase,
        sure=sure,
        version=clinic.version,
        now=LOGGED,
        actor=DESK,
    )


def test_what_a_clinic_adds_is_listened_for_until_it_is_removed(session: Session, clinic: Clinic) -> None:
    def is_heard() -> bool:
        said = "Since noon I have the Zappa feeling"
        found = answer_words.found_by(clinic, said, language="en", score_asked=False)
        return found.red_flags == {"urgent"}

    assert not is_heard()
    assert add(session, clinic, "urgent", "  zappa   FEELING ") == "zappa feeling"
    assert is_heard()
    assert answer_words.lists(clinic)[2].own == {"en": ["zappa feeling"], "es": []}
    where = {"version": clinic.version, "now": LOGGED, "actor": DESK}
    with pytest.raises(NotFoundError):
        answer_words.remove(session, clinic, "urgent", "es", "zappa feeling", **where)  # type: ignore[arg-type]
    answer_words.remove(session, clinic, "urgent", "en", "zappa feeling", **where)  # type: ignore[arg-type]
    assert not is_heard()


@on_sqlite
@pytest.mark.parametrize(
    ("key", "phrase", "wrong"),
    [
        ("emergency", "", "Write what patients write"),
        ("emergency", "x" * 61, "Keep it below 60"),
        ("emergency", "{pain} .. arm*", "Only words"),
        ("emergency", "911", "Only words"),
        ("emergency", "can't breathe", "knows “can't breathe” already"),
        ("opt_out", "stop texting me", "knows “stop texting me” already"),
        ("cheerful", "hooray", "Choose a list"),
    ],
)
def test_what_cannot_be_added_says_why(
    key: str, phrase: str, wrong: str, session: Session, clinic: Clinic
) -> None:
    with pytest.raises(InputError, match=wrong) as refused:
        add(session, clinic, key, phrase, sure=True)
    assert not isinstance(refused.value, Doubtful)


@on_sqlite
@pytest.mark.parametrize(
    ("key", "phrase", "why"),
    [
        ("emergency", "ok", "“ok” is very short; .* raise an alert at “ok” and 5 more"),
        ("urgent", "gracias", "raise an alert at “ok gracias” and"),
        ("opt_out", "appointment", "stop the messages of who writes “What time is my appointment"),
    ],
)
def test_a_common_word_is_added_only_by_who_has_read_what_it_would_do(
    key: str, phrase: str, why: str, session: Session, clinic: Clinic
) -> None:
    with pytest.raises(Doubtful, match=why):
        add(session, clinic, key, phrase)
    assert add(session, clinic, key, phrase, sure=True) == phrase


@on_sqlite
@pytest.mark.parametrize(
    ("words", "asked", "read_as", "answer", "told"),
    [
        ("I cant breathe", False, "has a warning sign in it", "red-flag-emergency",
         "At once, at any hour: Dr Ruiz."),
        ("8", True, "gives a soreness score", "score-high", "At once while you are open: Dr Ruiz."),
        ("2", True, "gives a soreness score", "score-low", "Nobody has to do anything."),
        ("please stop texting me", False, "asks for no more messages", "opt-out",
         "Nobody has to do anything."),
        ("start", False, "wants messages again", "opt-in", "Nobody has to do anything."),
        ("call me", False, "asks for a tip", "keyword-call", "Nobody is woken. It stands high in the inbox."),
        ("My cousin has a boat", False, "fits no rule, so a person reads it", "fallback",
         "Nobody is woken. It waits in the inbox to be read."),
    ],
)  # fmt: skip
def test_a_sentence_can_be_tried_without_anything_following(
    words: str, asked: bool, read_as: str, answer: str, told: str, session: Session, clinic: Clinic
) -> None:
    clinics.add_alert_contact(session, clinic, name="Dr Ruiz", phone="(212) 555-0150", email=None)
    found = answer_trial.tried(
        session,
        clinic,
        words,
        language="en",
        asked=asked,
        settings=Settings(),
        now=LOGGED + timedelta(days=2),
    )
    assert (found.read_as, found.decision.answer, found.told) == (read_as, answer, told)
    assert found.text.startswith("Riverside Physio")


@on_sqlite
def test_what_twilio_answers_by_itself_is_not_answered_twice(session: Session, clinic: Clinic) -> None:
    sms = SmsSettings(account_sid="AC1", auth_token="t", from_number="+12125550100")
    found = answer_trial.tried(
        session, clinic, "stop", language="en", asked=False, settings=Settings(sms=sms), now=LOGGED
    )
    assert (found.answer, found.text) == (None, "")
