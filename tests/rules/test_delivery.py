"""A message's life: every move, reports in any order, and what follows each class of error."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifier.rules.delivery import (
    CHECKS,
    MAY_HAVE_ARRIVED,
    NEEDS_REASON,
    NEVER_SENT,
    Check,
    ErrorClass,
    GiveUp,
    Kind,
    Priority,
    Retry,
    RetryPolicy,
    Status,
    StopSender,
    after_error,
    may_move,
    may_revive,
    report_applies,
)
from tests.rules.strategies import PROPERTY

NOW = datetime(2026, 3, 3, 15, tzinfo=UTC)
POLICY = RetryPolicy()  # 30 s doubling up to 1 h; few tries: 2 more, 3 h apart
HOUR = timedelta(hours=1)

# Rows are where a message is, columns where it may go, in the order of the table of DESIGN, section 5:
#   scheduled held sending accepted sent delivered undelivered failed unknown skipped cancelled
LEGAL = """
    scheduled   : yes yes yes  no yes yes  no  no  no yes yes
    held        : yes  no  no  no yes yes  no  no  no yes yes
    sending     : yes yes  no yes yes yes yes yes yes yes  no
    accepted    : yes  no  no  no yes yes yes yes  no  no  no
    sent        : yes  no  no  no  no yes yes yes  no  no  no
    delivered   :  no  no  no  no  no  no  no  no  no  no  no
    undelivered : yes  no  no  no  no yes  no  no  no  no  no
    failed      : yes  no  no  no  no yes  no  no  no  no  no
    unknown     : yes yes  no yes yes yes yes yes  no yes  no
    skipped     : yes  no  no  no  no  no  no  no  no yes yes
    cancelled   : yes  no  no  no  no  no  no  no  no yes yes
"""
COLUMNS = "scheduled held sending accepted sent delivered undelivered failed unknown skipped cancelled"


def _moves() -> list[tuple[Status, Status, bool]]:
    moves = []
    for line in LEGAL.strip().splitlines():
        old, _, words = line.partition(":")
        pairs = zip(COLUMNS.split(), words.split(), strict=True)
        moves += [(Status(old.strip()), Status(new), word == "yes") for new, word in pairs]
    return moves


@pytest.mark.parametrize(("old", "new", "legal"), _moves())
def test_a_move_is_legal_or_not(old: Status, new: Status, legal: bool) -> None:
    assert may_move(old, new) is legal


def test_the_table_of_moves_names_every_status() -> None:
    assert {old for old, _, _ in _moves()} == set(Status)
    assert len(_moves()) == len(Status) ** 2


def test_only_what_is_scheduled_is_claimed() -> None:
    assert [old for old in Status if may_move(old, Status.SENDING)] == [Status.SCHEDULED]


def test_a_row_that_waits_is_settled_only_by_word_that_an_attempt_got_through() -> None:
    handed_over = set(Status) - NEVER_SENT - {Status.SENDING}
    moves = {(old, new) for old in NEVER_SENT for new in handed_over if may_move(old, new)}
    assert moves == {
        (old, new) for old in (Status.SCHEDULED, Status.HELD) for new in (Status.SENT, Status.DELIVERED)
    }


def test_what_was_stopped_for_good_is_never_delivered() -> None:
    never = {old for old in Status if not may_move(old, Status.DELIVERED)}
    assert never == {Status.DELIVERED, Status.SKIPPED, Status.CANCELLED}


#   the row is, the provider says, the row changes
REPORTS = [
    ("sending", "accepted", True),  # we died before reading the answer
    ("sending", "delivered", True),  # before our own commit
    ("unknown", "accepted", True),
    ("unknown", "failed", True),
    ("accepted", "sent", True),
    ("accepted", "undelivered", True),
    ("sent", "delivered", True),
    ("sent", "failed", True),
    ("undelivered", "delivered", True),  # the handset's own receipt
    ("failed", "delivered", True),
    # Twice.
    ("accepted", "accepted", False),
    ("delivered", "delivered", False),
    ("failed", "failed", False),
    # Out of order.
    ("sent", "accepted", False),
    ("delivered", "sent", False),
    ("delivered", "undelivered", False),
    ("delivered", "failed", False),
    ("undelivered", "sent", False),
    ("undelivered", "failed", False),  # of equal rank: the first stays
    ("failed", "undelivered", False),
    # About a row that is not with the provider.
    ("scheduled", "delivered", True),  # it waits for another try, and the last one got through after all
    ("held", "delivered", True),
    ("scheduled", "failed", False),
    ("scheduled", "accepted", False),
    ("skipped", "failed", False),
    ("cancelled", "delivered", False),
    # Words that no provider may say.
    ("accepted", "scheduled", False),
    ("sent", "cancelled", False),
    ("sending", "held", False),
    ("accepted", "unknown", False),
]


@pytest.mark.parametrize(("old", "new", "applies"), REPORTS)
def test_a_report_changes_the_row_or_not(old: str, new: str, applies: bool) -> None:
    assert report_applies(Status(old), Status(new)) is applies


def _settle(start: Status, words: tuple[Status, ...]) -> Status:
    for word in words:
        start = word if report_applies(start, word) else start
    return start


@pytest.mark.parametrize("start", [Status.SENDING, Status.UNKNOWN])
@pytest.mark.parametrize("last", [Status.DELIVERED, Status.UNDELIVERED, Status.FAILED])
def test_reports_end_the_same_in_every_order_and_however_often(start: Status, last: Status) -> None:
    reports = (Status.ACCEPTED, Status.SENT, last)
    for order in itertools.permutations(reports + reports):
        assert _settle(start, order) is last


@PROPERTY
@given(st.sampled_from(list(Status)), st.lists(st.sampled_from(list(Status)), max_size=8))
def test_once_delivered_always_delivered(start: Status, words: list[Status]) -> None:
    stopped = start in (Status.SKIPPED, Status.CANCELLED)
    if stopped:
        assert _settle(start, tuple(words)) is start
    elif Status.DELIVERED in (start, *words):
        assert _settle(start, tuple(words)) is Status.DELIVERED


@pytest.mark.parametrize("status", list(Status))
@pytest.mark.parametrize("attempts", [0, 1, 3])
def test_only_a_stopped_row_that_was_never_attempted_can_be_brought_back(
    status: Status, attempts: int
) -> None:
    stopped = status in (Status.SKIPPED, Status.CANCELLED)
    assert may_revive(status, attempts=attempts) is (stopped and attempts == 0)


def test_which_statuses_need_a_reason_and_which_may_have_arrived() -> None:
    assert {str(s) for s in NEEDS_REASON} == {
        "failed",
        "undelivered",
        "held",
        "unknown",
        "skipped",
        "cancelled",
    }
    # "Not known to have failed": neither a definite end nor never begun.
    assert set(Status) - NEVER_SENT - {Status.FAILED, Status.UNDELIVERED} == MAY_HAVE_ARRIVED


def test_a_planned_message_is_checked_for_everything_and_an_answer_at_any_hour() -> None:
    assert CHECKS.keys() == set(Kind)
    assert CHECKS[Kind.PLANNED] == set(Check)
    for kind in (Kind.ANSWER, Kind.STAFF, Kind.ALERT, Kind.TEST):
        assert not CHECKS[kind] & {Check.WINDOW, Check.PACE, Check.PAUSED}
    # Whatever goes to a patient respects their no; alerts go to staff.
    assert all(Check.SUPPRESSION in CHECKS[kind] for kind in Kind if kind is not Kind.ALERT)
    assert Priority.ALERT < Priority.ANSWER < Priority.PLANNED


def follow(
    error_class: ErrorClass,
    attempt: int = 1,
    *,
    useful_for: timedelta | None = None,
    chance: float = 0.0,
    retry_after: float | None = None,
) -> Retry | GiveUp | StopSender:
    return after_error(
        error_class,
        attempt=attempt,
        now=NOW,
        useful_until=None if useful_for is None else NOW + useful_for,
        policy=POLICY,
        chance=chance,
        retry_after=retry_after,
    )


FINAL = {
    ErrorClass.OPT_OUT: GiveUp(Status.FAILED),
    ErrorClass.ADDRESS: GiveUp(Status.FAILED),
    ErrorClass.CONTENT: GiveUp(Status.FAILED),
    ErrorClass.UNLISTED: GiveUp(Status.FAILED),
    ErrorClass.AMBIGUOUS: GiveUp(Status.UNKNOWN),
    ErrorClass.CONFIGURATION: StopSender(),
}


@pytest.mark.parametrize("error_class", FINAL)
@pytest.mark.parametrize("attempt", [1, 2, 9])
@pytest.mark.parametrize("useful_for", [None, HOUR, -HOUR])
def test_these_errors_are_never_tried_again_by_themselves(
    error_class: ErrorClass, attempt: int, useful_for: timedelta | None
) -> None:
    assert follow(error_class, attempt, useful_for=useful_for, retry_after=5) == FINAL[error_class]


def test_the_table_of_what_follows_names_every_class() -> None:
    assert FINAL.keys() | {ErrorClass.TRANSIENT, ErrorClass.FEW_TRIES} == set(ErrorClass)


#   attempt, at least (half), less than (all)
BACK_OFF = [
    (1, 15, 30),  # 30 s × 2⁰
    (2, 30, 60),  # × 2¹
    (3, 60, 120),
    (7, 960, 1920),  # 30 × 2⁶ = 1920
    (8, 1800, 3600),  # 30 × 2⁷ = 3840: at most the hour
    (99, 1800, 3600),
]


@pytest.mark.parametrize(("attempt", "least", "most"), BACK_OFF)
def test_a_transient_error_backs_off_doubling_with_chance_over_the_upper_half(
    attempt: int, least: int, most: int
) -> None:
    assert follow(ErrorClass.TRANSIENT, attempt, chance=0.0) == Retry(NOW + timedelta(seconds=least))
    assert follow(ErrorClass.TRANSIENT, attempt, chance=0.5) == Retry(
        NOW + timedelta(seconds=(least + most) / 2)
    )
    almost = follow(ErrorClass.TRANSIENT, attempt, chance=0.999)
    assert isinstance(almost, Retry)
    assert timedelta(seconds=most * 0.99) < almost.at - NOW < timedelta(seconds=most)


def test_what_the_provider_wishes_is_waited_for_but_never_less_than_our_own() -> None:
    assert follow(ErrorClass.TRANSIENT, retry_after=600) == Retry(NOW + timedelta(minutes=10))
    assert follow(ErrorClass.TRANSIENT, retry_after=2) == Retry(NOW + timedelta(seconds=15))
    assert follow(ErrorClass.TRANSIENT, 3, retry_after=0) == Retry(NOW + timedelta(seconds=60))


def test_few_tries_are_two_more_three_hours_apart() -> None:
    assert follow(ErrorClass.FEW_TRIES, 1) == Retry(NOW + 3 * HOUR)
    assert follow(ErrorClass.FEW_TRIES, 2) == Retry(NOW + 3 * HOUR)
    assert follow(ErrorClass.FEW_TRIES, 3) == GiveUp(Status.FAILED)
    assert follow(ErrorClass.FEW_TRIES, 4) == GiveUp(Status.FAILED)


@pytest.mark.parametrize(
    ("error_class", "wait"), [(ErrorClass.TRANSIENT, timedelta(seconds=15)), (ErrorClass.FEW_TRIES, 3 * HOUR)]
)
def test_a_retry_exactly_when_usefulness_ends_is_the_last_one(
    error_class: ErrorClass, wait: timedelta
) -> None:
    assert follow(error_class, useful_for=wait) == Retry(NOW + wait)
    assert follow(error_class, useful_for=wait - timedelta(microseconds=1)) == GiveUp(Status.FAILED)


def test_a_wish_of_the_provider_beyond_usefulness_fails_now_rather_than_late() -> None:
    assert follow(ErrorClass.TRANSIENT, useful_for=HOUR, retry_after=3601) == GiveUp(Status.FAILED)
    assert follow(ErrorClass.TRANSIENT, useful_for=HOUR, retry_after=3600) == Retry(NOW + HOUR)


@PROPERTY
@given(
    st.sampled_from(list(ErrorClass)),
    st.integers(1, 200),
    st.none() | st.integers(-86_400, 86_400),
    st.floats(0, 1, exclude_max=True),
    st.none() | st.floats(0, 86_400),
)
def test_a_retry_is_in_the_future_useful_and_never_sooner_than_wished(
    error_class: ErrorClass, attempt: int, useful: int | None, chance: float, wish: float | None
) -> None:
    useful_for = None if useful is None else timedelta(seconds=useful)
    after = follow(error_class, attempt, useful_for=useful_for, chance=chance, retry_after=wish)
    if not isinstance(after, Retry):
        return
    assert after.at > NOW
    assert useful_for is None or after.at <= NOW + useful_for
    if error_class is ErrorClass.TRANSIENT:
        assert after.at >= NOW + timedelta(seconds=wish or 0)
        assert after.at <= NOW + max(POLICY.longest, timedelta(seconds=wish or 0))


@PROPERTY
@given(st.integers(1, 30), st.floats(0, 1, exclude_max=True), st.floats(0, 1, exclude_max=True))
def test_a_later_attempt_waits_no_less_whatever_chance_says(
    attempt: int, first: float, second: float
) -> None:
    # The least of the next is the most of this one, until both are at the longest.
    this = follow(ErrorClass.TRANSIENT, attempt, chance=first)
    following = follow(ErrorClass.TRANSIENT, attempt + 1, chance=second)
    assert isinstance(this, Retry)
    assert isinstance(following, Retry)
    assert following.at >= this.at or attempt >= 7
