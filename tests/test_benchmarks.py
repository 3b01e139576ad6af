"""The benchmark of pages, over a small database: every page is asked for, and none of them fails."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from benchmarks import pages
from benchmarks.seed import Size, fill
from notifier import db
from notifier.web.app import AREAS

SMALL = Size(patients=120, treatments=300, messages=1200)


@pytest.fixture(scope="module")
def visitor(tmp_path_factory: pytest.TempPathFactory) -> pages.Visitor:
    folder = tmp_path_factory.mktemp("bench")
    fill(folder / "bench.db", SMALL)
    engine = db.open_engine(f"sqlite:///{folder / 'bench.db'}")
    return pages.Visitor(engine, folder, SMALL, time.perf_counter)


@pytest.mark.parametrize("address", dict.fromkeys(pages.addresses()))
def test_every_page_answers_over_a_full_database(visitor: pages.Visitor, address: str) -> None:
    try:
        path = address.format_map(visitor.fields())
    except KeyError as field:
        pytest.fail(f"{address} is new: fill in {field} in `Visitor.fields`, or say in EXCUSED why not")
    _, status = visitor.ask(path)
    assert status < 500


def test_what_is_excused_is_a_page() -> None:
    paths = {getattr(route, "path", "") for area in AREAS for route in area.routes}
    assert set(pages.EXCUSED) <= paths


def test_a_run_says_how_long_each_page_took(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pages, "addresses", lambda: iter(["/audit", "/delivery?outcome=failed"]))
    fill(tmp_path / "bench.db", SMALL)
    said: list[str] = []
    pages.run(tmp_path / "bench.db", SMALL, 2, time.perf_counter, said.append)
    assert {line.split()[-1] for line in said[1:-1]} == {"/audit", "/delivery?outcome=failed"}
    assert said[-1].startswith("2 addresses, ")
