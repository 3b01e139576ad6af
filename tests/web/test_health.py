"""What a watcher is told: the process is up; it can be used, or why not."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import text

from notifier import db
from tests.web.cast import Installation


def test_the_process_is_up(site: Installation) -> None:
    answer = site.anonymous().get("/healthz")
    assert (answer.status, answer.text) == (200, "ok")
    assert answer.response.headers["Cache-Control"] == "no-store"


def test_balancers_that_only_want_the_head_get_it(site: Installation) -> None:
    client = site.anonymous().client
    assert [client.head(path).status_code for path in ("/healthz", "/readyz")] == [200, 200]


def test_it_can_be_used(site: Installation) -> None:
    answer = site.anonymous().get("/readyz")
    assert (answer.status, answer.text) == (200, "ready")


@pytest.mark.parametrize(
    ("revision", "said"),
    [
        ("0001", "The database is older than this program"),
        ("9999", "The database is newer than this program"),
    ],
)
def test_a_schema_of_another_version_is_not_ready(site: Installation, revision: str, said: str) -> None:
    with site.change() as session:
        session.execute(text(f"UPDATE alembic_version SET version_num = '{revision}'"))
    answer = site.anonymous().get("/readyz")
    assert answer.status == 503
    assert answer.text.startswith(said)
    assert site.anonymous().get("/healthz").status == 200


def test_a_database_that_is_gone_is_not_ready_and_is_not_made_anew(site: Installation) -> None:
    assert site.engine.url.database is not None
    file = Path(site.engine.url.database)
    away = file.rename(file.with_suffix(".away"))
    answer = site.anonymous().get("/readyz")
    assert (answer.status, answer.text) == (503, f"The database {file} is gone.")
    assert not file.exists()
    away.rename(file)
    assert site.anonymous().get("/readyz").status == 200


def test_a_database_that_cannot_be_read_is_not_ready(site: Installation) -> None:
    broken = site.folder / "broken.db"
    broken.write_bytes(b"no database" * 1000)
    engine = db.open_engine(f"sqlite:///{broken}")
    answer = Installation(engine, site.clinic, site.folder, hired=True).anonymous().get("/readyz")
    assert answer.status == 503
    assert "not a database of this program" in answer.text
    engine.dispose()
