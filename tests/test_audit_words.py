"""Every action that the program notes can be read: found in its source, so that none is forgotten."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

import pytest

from notifier import audit_words
from tests.test_conventions import MODULES, Module

_ACTION = re.compile(r"[a-z]+\.[a-z_]+")
# By these names modules note what is done, most of them by way of a function of their own.
_NOTING = {"note", "_note", "entry", "_audited", "_changed"}


def noted(module: Module) -> Iterator[str]:
    for words, call in module.calls:
        keywords = {keyword.arg: keyword.value for keyword in call.keywords}
        if words.rpartition(".")[2] in _NOTING or "action" in keywords:
            for given in (*call.args, *keywords.values()):
                # What is noted may be chosen there and then.
                for node in ast.walk(given) if isinstance(given, ast.IfExp) else [given]:
                    if isinstance(node, ast.Constant) and _ACTION.fullmatch(str(node.value)):
                        yield str(node.value)


def all_noted() -> set[str]:
    return {action for module in MODULES for action in noted(module)}


def test_every_action_has_words() -> None:
    actions = all_noted()
    assert len(actions) > 40
    assert {action for action in actions if not audit_words.is_known(action)} == set()


def test_each_action_is_of_one_kind() -> None:
    actions = [action for kind in audit_words.KINDS for action in audit_words.actions_of(kind)]
    assert len(actions) == len(set(actions))
    assert audit_words.actions_of("nothing of the sort") == []


@pytest.mark.parametrize(
    ("action", "detail", "subject", "says"),
    [
        ("patient.changed", {"fields": ["phone"]}, "patient 1031", "changed the phone of patient 1031"),
        (
            "patient.changed",
            {"fields": ["phone", "first_name", "email"]},
            "patient 1031",
            "changed the phone, the first name and the e-mail of patient 1031",
        ),
        ("patient.viewed", {}, "patient 1031", "looked at patient 1031"),
        ("plan.saved", {"number": 4}, "Dry needling aftercare", "saved version 4 of Dry needling aftercare"),
        ("consent.granted", {"channels": ["sms", "email"]}, "patient 7",
         "noted that patient 7 consents to SMS and e-mail"),
        ("patient.essentials", {"wanted": True}, "patient 7", "chose safety messages only for patient 7"),
        ("staff.added", {"role": "admin"}, "Ada", "added Ada as an admin"),
        ("staff.signed_in", {}, "Ada", "signed in"),
        ("message.settled", {"arrived": True}, "“Day 0”", "said that “Day 0” arrived"),
        ("patients.listed", {"patients": [1, 2]}, "", "saw a list of 2 patients"),
        ("delivery.exported", {"first": "2026-02-01", "last": "2026-02-02"}, "the clinic",
         "took out the messages from 2026-02-01 to 2026-02-02 as a file"),
        ("thing.from_the_future", {}, "patient 7", "thing from the future patient 7"),
    ],
)  # fmt: skip
def test_an_entry_reads_as_a_sentence(
    action: str, detail: dict[str, object], subject: str, says: str
) -> None:
    assert audit_words.sentence(action, detail, subject) == says


def test_entries_of_older_programs_without_their_detail_still_read() -> None:
    for action in all_noted():
        assert audit_words.sentence(action, {}, "patient 7")
