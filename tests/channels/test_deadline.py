from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import suppress

import pytest

from notifier.channels.deadline import DeadlinePassed, Watchdog, connect


@pytest.fixture
def watchdog() -> Iterator[Watchdog]:
    dog = Watchdog()
    yield dog
    dog.close()


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield ours, theirs


def dribble(peer: socket.socket, stop: threading.Event) -> None:
    for _ in range(100):
        if stop.wait(0.02):
            return
        with suppress(OSError):
            peer.send(b"x")
    peer.shutdown(socket.SHUT_RDWR)


def test_a_peer_that_dribbles_is_cut_off_at_the_deadline(
    watchdog: Watchdog, pair: tuple[socket.socket, socket.socket]
) -> None:
    ours, theirs = pair
    stop = threading.Event()
    dribbler = threading.Thread(target=dribble, args=(theirs, stop))
    dribbler.start()
    began = time.monotonic()
    with watchdog.limit(0.3) as deadline:
        deadline.watch(ours)
        while ours.recv(1):
            pass
        took = time.monotonic() - began
        assert deadline.passed
    stop.set()
    dribbler.join()
    assert 0.28 <= took < 0.6


def test_a_call_that_ended_in_time_leaves_its_connection_alone(
    watchdog: Watchdog, pair: tuple[socket.socket, socket.socket]
) -> None:
    ours, theirs = pair
    with watchdog.limit(0.1) as deadline:
        deadline.watch(ours)
    time.sleep(0.2)
    theirs.send(b"still here")
    ours.settimeout(1)
    assert ours.recv(20) == b"still here"


def test_a_shorter_limit_that_begins_later_ends_first(watchdog: Watchdog) -> None:
    (slow, _slow_peer), (quick, _quick_peer) = socket.socketpair(), socket.socketpair()
    with slow, _slow_peer, quick, _quick_peer, watchdog.limit(5) as long, watchdog.limit(0.1) as short:
        long.watch(slow)
        short.watch(quick)
        quick.settimeout(2)
        began = time.monotonic()
        assert quick.recv(1) == b""
        assert time.monotonic() - began < 1
        assert not long.passed


def test_many_calls_share_one_thread_and_leave_no_descriptor(
    watchdog: Watchdog, pair: tuple[socket.socket, socket.socket]
) -> None:
    before = len(os.listdir("/dev/fd"))
    for _ in range(200):
        with watchdog.limit(5) as deadline:
            deadline.watch(pair[0])
            assert sum(thread.name == "deadlines" for thread in threading.enumerate()) == 1
    assert len(os.listdir("/dev/fd")) == before
    watchdog.close()
    assert not any(thread.name == "deadlines" for thread in threading.enumerate())


def test_nothing_is_connected_when_the_time_was_up_before() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.1)
        dog = Watchdog()
        with dog.limit(0.0) as deadline, pytest.raises(DeadlinePassed):
            connect("127.0.0.1", server.getsockname()[1], deadline)
        with pytest.raises(TimeoutError):
            server.accept()


def test_the_end_of_a_call_also_ends_a_connection_that_was_wrapped_since(
    watchdog: Watchdog, pair: tuple[socket.socket, socket.socket]
) -> None:
    """As TLS does: the object that was watched is empty, its descriptor lives on in another."""
    ours, _ = pair
    with watchdog.limit(0.1) as deadline:
        deadline.watch(ours)
        with socket.socket(fileno=ours.detach()) as wrapped:
            wrapped.settimeout(2)
            assert wrapped.recv(1) == b""
