"""An installation in a folder of its own, used by its command line as a person or a program would."""

from __future__ import annotations

import atexit
import fcntl
import json
import os
import pty
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import termios
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from string import Template
from typing import Any

from sqlalchemy import Engine, create_engine, update
from typer.main import get_command
from typer.testing import CliRunner

from notifier.cli import app
from notifier.models import Clinic

PATIENCE = 30.0  # seconds, for what takes one at most
CLINIC = {"name": "Riverside Physio", "phone": "(212) 555-0100", "timezone": "America/New_York"}

# Open at any hour and without gaps, so that what these tests see does not hang on when they run.
_PLAN = """\
name = "Round the clock"
name_es = "A toda hora"
treatment = "dry-needling"
caution = 1
window = ["00:00", "23:59"]
min_gap = "0m"
max_per_day = 0
max_per_week = 0

[review]
by = ""
on = ""

[[steps]]
key = "first-words"
after = "5m"
not_before = "0m"
useful_for = "12h"
safety = true

[[steps]]
key = "both-ways"
after = "10m"
not_before = "0m"
useful_for = "12h"
deliver = "each"

[[steps]]
key = "two-days-on"
after = "2d"
useful_for = "60h"

[[steps]]
key = "before-next-visit"
anchor = "next_visit"
after = "-1d"
audience = "next_visit_booked"
"""

_TEXT = Template("""\
{% block sms %}
{{ clinic.name }}: $hello {{ patient.first_name }}. $step
Emergency? {{ clinic.emergency_number | default('911') }}. {{ clinic.phone }}. STOP $end.
{% endblock %}

{% block subject %}$hello {{ patient.first_name }}: $step{% endblock %}

{% block email %}
$hello {{ patient.first_name }}, $step

Call {{ clinic.phone }}, or {{ clinic.emergency_number | default('911') }}.
{% endblock %}
""")


def write_plan(folder: Path, key: str = "any-hour") -> Path:
    """A plan whose first two steps are due minutes after a treatment, in both languages."""
    home = folder / key
    home.mkdir()
    (home / "plan.toml").write_text(_PLAN, "utf-8")
    for step in ("first-words", "both-ways", "two-days-on", "before-next-visit"):
        for language, hello, end in (("en", "Hi", "to end"), ("es", "Hola", "para salir")):
            words = _TEXT.substitute(hello=hello, end=end, step=step.replace("-", " "))
            (home / f"{step}.{language}.j2").write_text(words, "utf-8")
    return home


def ago(**span: float) -> str:
    """A moment before now, as a booking system writes it."""
    return (datetime.now(UTC) - timedelta(**span)).strftime("%Y-%m-%dT%H:%M:%SZ")


@dataclass(frozen=True, slots=True)
class Said:
    """How a command ended, and what it said where."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Everything on stdout, which has to be JSON and nothing else."""
        return json.loads(self.out)


class Home:
    """A folder with a config.toml, and the commands that are run against it."""

    def __init__(self, folder: Path, **sections: Mapping[str, Any]) -> None:
        self.folder = folder
        self.config = folder / "config.toml"
        self.configure(**sections)

    def configure(self, **sections: Mapping[str, Any]) -> None:
        """A new config.toml. A section that is not named has its defaults, the clinic's but for its name."""
        lines = [
            f"[{section}]\n" + "".join(f"{key} = {json.dumps(value)}\n" for key, value in values.items())
            for section, values in ({"clinic": CLINIC} | sections).items()
        ]
        self.config.write_text("\n".join(lines), "utf-8")

    def run(self, *words: object, code: int = 0, charset: str = "utf-8", stdin: bytes = b"") -> Said:
        """In this process. Whatever happens, it is a sentence and not a traceback."""
        runner = CliRunner(charset=charset)
        with runner.isolation(stdin, env={"NOTIFIER_CONFIG": str(self.config)}) as (out, err, _):
            ended = _end_of([str(word) for word in words])
            sys.stdout.flush()
            sys.stderr.flush()
            said = Said(ended, out.getvalue().decode(charset), err.getvalue().decode(charset))
        assert "Traceback" not in said.out + said.err
        assert said.code == code, f"{words} ended with {said.code}:\n{said.out}{said.err}"
        return said

    def refused(self, *words: object) -> str:
        """The one sentence of a refusal; nothing stands on stdout, so that a program reads no half answer."""
        said = self.run(*words, code=1)
        assert said.out == ""
        (line,) = said.err.splitlines()
        return line

    def log(self, first_name: str, *words: object, plan: str = "any-hour") -> Said:
        return self.run("log", "--plan", plan, "--first-name", first_name, *words)

    def messages(self, *words: object) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = self.run("messages", "--json", *words).json
        return rows


@cache
def _commands() -> Any:
    """Made once; a program of its own makes them at every start."""
    return get_command(app)


def _end_of(words: list[str]) -> int:
    try:
        _commands().main(args=words, prog_name="notifier")
    except SystemExit as left:
        return int(left.code or 0)
    raise AssertionError("a command always leaves with an exit code")


class Program:
    """A command that runs beside the test, until it is told to stop."""

    def __init__(self, home: Home, *words: object, **environ: str) -> None:
        self._running = subprocess.Popen(
            [sys.executable, "-m", "notifier", *map(str, words)],
            env=os.environ | {"NOTIFIER_CONFIG": str(home.config)} | environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=home.folder,
        )
        self._heard = ""

    @property
    def heard(self) -> str:
        """Its log, as far as it was waited for."""
        return self._heard

    def says(self, words: str) -> None:
        """Wait until it has said this in its log."""
        assert self._running.stderr is not None
        late = threading.Timer(PATIENCE, self._running.kill)
        late.start()
        while words not in self._heard:
            line = self._running.stderr.readline()
            assert line, f"it ended, or took too long, before it said {words!r}: {self._heard}"
            self._heard += line
        late.cancel()

    def stop(self, how: signal.Signals = signal.SIGTERM) -> Said:
        self._running.send_signal(how)
        return self.ends()

    def kill(self) -> None:
        """As when the power fails: it is asked for nothing."""
        self._running.kill()
        self._running.communicate()

    def ends(self) -> Said:
        out, err = self._running.communicate(timeout=PATIENCE)
        return Said(self._running.returncode, out, self._heard + err)

    def stops_listening(self) -> None:
        """As `| head` does after its first lines."""
        assert self._running.stdout is not None
        self._running.stdout.close()


class Person:
    """At a terminal, where one command runs: reads until something is asked, and types the answer."""

    def __init__(self, home: Home, *words: object) -> None:
        self._mine, theirs = pty.openpty()
        self._seen = ""
        self._program = subprocess.Popen(
            [sys.executable, "-m", "notifier", *map(str, words)],
            env=os.environ | {"NOTIFIER_CONFIG": str(home.config), "PYTHONIOENCODING": "utf-8"},
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            cwd=home.folder,
            # A session of its own, whose terminal this is: Ctrl-C reaches it, and passwords are asked here.
            preexec_fn=lambda: _take_terminal(theirs),
            start_new_session=True,
        )
        os.close(theirs)

    def answers(self, *answers: tuple[str, str]) -> None:
        for question, answer in answers:
            self._read_until(question)
            # Asked for a password, a terminal forgets what was typed before the end of the question.
            self._read_until(": ")
            os.write(self._mine, f"{answer}\n".encode())

    def reads_after(self, words: str) -> str:
        """The rest of the line."""
        self._read_until(words)
        while "\n" not in self._seen:
            self._seen += self._read()
        line, _, self._seen = self._seen.partition("\n")
        return line.strip()

    def presses_ctrl_c(self, when: str) -> None:
        self._read_until(when)
        self._read_until(": ")
        # A person sees the whole question first; until the program reads, Python may miss the key.
        time.sleep(0.3)
        os.write(self._mine, b"\x03")

    def leaves(self) -> tuple[int, str]:
        """How the command ended, and all that stood on the screen since the last answer."""
        while chunk := self._read():
            self._seen += chunk
        os.close(self._mine)
        return self._program.wait(timeout=PATIENCE), self._seen.replace("\r\n", "\n")

    def _read_until(self, words: str) -> None:
        while words not in self._seen:
            chunk = self._read()
            assert chunk, f"it ended before it asked {words!r}: {self._seen}"
            self._seen += chunk
        self._seen = self._seen.partition(words)[2]

    def _read(self) -> str:
        ready, _, _ = select.select([self._mine], [], [], PATIENCE)
        assert ready, f"nothing more came after: {self._seen}"
        try:
            return os.read(self._mine, 65536).decode(errors="replace")
        except OSError:  # how Linux says that nobody is at the other end any more
            return ""


def _take_terminal(terminal: int) -> None:
    # What a shell starts in the background does not hear Ctrl-C, nor does what that starts.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    fcntl.ioctl(terminal, termios.TIOCSCTTY, 0)


def open_home(folder: Path, **sections: Mapping[str, Any]) -> Home:
    """Set up on SQLite, with the shipped plans and the one for any hour."""
    shutil.copyfile(_template(), folder / "notifier.db")
    return Home(folder, **sections)


@cache
def _template() -> Path:
    """Set up once, because it takes longer than most of these tests."""
    folder = Path(tempfile.mkdtemp(prefix="notifier-tests-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    home = Home(folder)
    home.run("init")
    home.run("plan", "import", write_plan(folder))
    without_first_text(create_engine(f"sqlite:///{folder / 'notifier.db'}"))
    return folder / "notifier.db"


def without_first_text(engine: Engine) -> None:
    """Numbers get planned messages only, so that who counts them need not think of anything else."""
    with engine.begin() as connection:
        connection.execute(update(Clinic).values(first_text=False, version=Clinic.version))
    engine.dispose()
