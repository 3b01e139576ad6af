"""kill -9 in the middle of an import: the same file again adds the rest, and nothing twice."""

from __future__ import annotations

import csv
from collections import Counter
from pathlib import Path

from sqlalchemy import Engine, create_engine, text

from tests.chaos.world import Terms, write_patients
from tests.cli_cast import Program, open_home
from tests.worker_cast import until

ROWS = 1_000  # a second of work, so that the kill comes in the middle on a busy machine too


def test_an_import_that_is_killed_is_finished_by_the_same_file(tmp_path: Path) -> None:
    home = open_home(tmp_path)
    file = write_patients(tmp_path, Terms(ROWS * 3, 0.0))
    engine = create_engine(f"sqlite:///{tmp_path / 'notifier.db'}")
    killed = Program(home, "import", file)
    until(lambda: treatments(engine), pause=0.001)
    killed.kill()
    before = treatments(engine)
    assert 0 < before < ROWS
    said = home.run("import", file).out
    assert treatments(engine) == ROWS
    assert str(ROWS - before) in said
    steps = Counter((row["external_id"], row["step"], row["channel"]) for row in home.messages())
    with file.open(encoding="utf-8") as rows:
        assert {key[0] for key in steps} == {row["external_id"] for row in csv.DictReader(rows)}
    assert set(steps.values()) == {1}
    engine.dispose()


def treatments(engine: Engine) -> int:
    with engine.connect() as connection:
        return int(connection.execute(text("SELECT count(*) FROM treatments")).scalar_one())
