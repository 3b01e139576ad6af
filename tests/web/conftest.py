"""What tests of pages may ask for: an installation to visit, and one that a real browser can reach."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import uvicorn
from sqlalchemy import Engine

from notifier import clinics, db
from notifier.models import Clinic
from tests.databases import SqliteFiles
from tests.web.cast import Installation, common_app


@pytest.fixture
def backend(request: pytest.FixtureRequest) -> str:
    """Pages are tested on SQLite, unless a test asks for the other; capabilities are tested on both."""
    return str(getattr(request, "param", "sqlite"))


@pytest.fixture
def site(engine: Engine, clinic: Clinic, tmp_path: Path) -> Iterator[Installation]:
    app = common_app()
    routes = list(app.router.routes)
    yield Installation(engine, clinic, tmp_path, app=app)
    app.router.routes[:] = routes


@pytest.fixture(scope="module")
def site_once(_sqlite: SqliteFiles, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """One installation for all tests of a module, which only ask and change nothing."""
    with _sqlite.database(with_clinic=True) as engine:
        with db.reading(engine) as session:
            clinic = clinics.only(session)
            session.expunge(clinic)
        yield Installation(engine, clinic, tmp_path_factory.mktemp("site"))


@dataclass
class Live:
    """The same installation behind a real server."""

    installation: Installation
    address: str


@contextmanager
def serving(installation: Installation) -> Iterator[str]:
    """A real server on a free port for as long as this lasts; its address."""
    config = uvicorn.Config(installation.app, host="127.0.0.1", port=0, log_level="error", lifespan="on")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, name="pages", daemon=True)
    thread.start()
    try:
        while not server.started:
            assert thread.is_alive(), "the server did not start"
            time.sleep(0.01)
        (port,) = (sock.getsockname()[1] for each in server.servers for sock in each.sockets)
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join()


@pytest.fixture
def live(site: Installation) -> Iterator[Live]:
    with serving(site) as address:
        yield Live(site, address)
