"""A request under a key does its work once, whoever repeats it and however many do so at once."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from notifier import api_tokens, db, idempotency
from notifier.errors import ConflictError, InputError
from notifier.idempotency import Answer, KeyReused, fingerprint
from notifier.models import AuditEntry, Clinic, IdempotencyRecord
from tests.cast import DESK, LOGGED

PRINT = fingerprint("POST", "/api/v1/treatments", b'{"plan": "cupping"}')


class Work:
    """Answers with how often it was done."""

    def __init__(self) -> None:
        self.times = 0

    def __call__(self, session: Session) -> Answer:
        self.times += 1
        return Answer(201, {"time": self.times}, {"Location": "/1"})


def token(session: Session, clinic: Clinic, name: str = "EHR") -> int:
    return api_tokens.create(session, clinic, name=name, scope="write", now=LOGGED, actor=DESK).token.id


def once(session: Session, token_id: int, work: Any, key: str = "k1", print_: str = PRINT) -> Answer:
    return idempotency.once(session, token_id, key, print_, work, now=LOGGED)


def test_the_same_request_is_answered_the_same_and_done_once(session: Session, clinic: Clinic) -> None:
    work, mine = Work(), token(session, clinic)
    first, second = once(session, mine, work), once(session, mine, work)
    assert (second.status, second.body, second.headers) == (201, {"time": 1}, {"Location": "/1"})
    assert (first.is_repeated, second.is_repeated, work.times) == (False, True, 1)


def test_another_key_or_another_token_is_another_request(session: Session, clinic: Clinic) -> None:
    work, mine, theirs = Work(), token(session, clinic), token(session, clinic, "Reports")
    once(session, mine, work)
    once(session, mine, work, key="k2")
    once(session, theirs, work)
    assert work.times == 3


def test_another_request_under_the_same_key_is_refused(session: Session, clinic: Clinic) -> None:
    work, mine = Work(), token(session, clinic)
    once(session, mine, work)
    with pytest.raises(KeyReused, match="another request"):
        once(session, mine, work, print_=fingerprint("POST", "/api/v1/treatments", b'{"plan": "massage"}'))
    assert work.times == 1


@pytest.mark.parametrize(
    ("body", "same"),
    [
        (b'{"a": 1, "b": 2}', True),
        (b'{"b":2,\n"a":1}', True),
        (b'{"a": 1, "b": 3}', False),
        (b'{"a": 1, "b": 2', False),
        (b"", False),
    ],
)
def test_a_request_is_known_by_what_it_says(body: bytes, same: bool) -> None:
    known = fingerprint("POST", "/t", b'{"a":1,"b":2}')
    assert (fingerprint("POST", "/t", body) == known) is same
    assert fingerprint("POST", "/t/1/void", b'{"a":1,"b":2}') != known
    assert fingerprint("PATCH", "/t", b'{"a":1,"b":2}') != known


@pytest.mark.parametrize("key", ["", "x" * 121, "schlüssel", "a\nb"])
def test_a_key_that_cannot_be_kept_is_refused(session: Session, clinic: Clinic, key: str) -> None:
    with pytest.raises(InputError, match="1 to 120 plain characters"):
        once(session, token(session, clinic), Work(), key=key)


def test_after_a_refusal_the_key_is_free_again(engine: Engine, clinic: Clinic) -> None:
    def refuse(session: Session) -> Answer:
        raise ConflictError("Not now.")

    with db.transaction(engine) as session:
        mine = token(session, clinic)
    with pytest.raises(ConflictError), db.transaction(engine) as session:
        once(session, mine, refuse)
    with db.transaction(engine) as session:
        assert once(session, mine, Work(), print_="another").status == 201


def test_of_many_at_once_one_does_it_and_all_are_answered_the_same(engine: Engine, clinic: Clinic) -> None:
    with db.transaction(engine) as session:
        mine = token(session, clinic)
    together, answers = threading.Barrier(6), []

    def work(session: Session) -> Answer:
        session.add(AuditEntry(clinic_id=clinic.id, at=LOGGED, actor="one of many", action="x", detail={}))
        return Answer(201, {"by": threading.current_thread().name})

    def ask() -> None:
        together.wait()
        with db.transaction(engine) as session:
            answers.append(once(session, mine, work))

    threads = [threading.Thread(target=ask) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(answers) == 6
    assert len({answer.body["by"] for answer in answers}) == 1
    assert sorted(answer.is_repeated for answer in answers) == [False] + [True] * 5
    with db.reading(engine) as session:
        done = session.scalars(select(AuditEntry).where(AuditEntry.actor == "one of many")).all()
        assert (len(done), len(session.scalars(select(IdempotencyRecord)).all())) == (1, 1)
