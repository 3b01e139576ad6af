"""What goes wrong in a browser without a person seeing it: noted, so that a test fails for it."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import BrowserContext, ConsoleMessage, Request, WebError

HERE = {"127.0.0.1", "localhost"}
# A page that is left takes its unfinished requests with it, and what the policy stops is on the console.
NOT_FAILED = {"net::ERR_ABORTED", "csp"}
# Said by the console as well, but later than by the request itself.
ALSO_FAILED = "Failed to load resource: net::"


class Watch:
    """Errors on the console, in scripts, of requests and of the content policy, and every call elsewhere."""

    def __init__(self) -> None:
        self.troubles: list[str] = []

    def follow(self, context: BrowserContext) -> None:
        context.on("console", self._console)
        context.on("weberror", self._script)
        context.on("requestfailed", self._failed)
        context.on("request", self._asked)

    def expect(self, pattern: str) -> None:
        """Takes away what the test provoked, "status of 422", and fails if it did not happen."""
        found = [trouble for trouble in self.troubles if re.search(pattern, trouble)]
        assert found, f"Nothing went wrong like {pattern!r}, only: {self.troubles}"
        self.troubles = [trouble for trouble in self.troubles if trouble not in found]

    def check(self) -> None:
        if self.troubles:
            pytest.fail("In the browser:\n" + "\n".join(self.troubles), pytrace=False)

    def _console(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"} and not message.text.startswith(ALSO_FAILED):
            self.troubles.append(f"{message.type}: {message.text} ({message.location['url']})")

    def _script(self, error: WebError) -> None:
        self.troubles.append(f"script: {error.error}")

    def _failed(self, request: Request) -> None:
        if request.failure not in NOT_FAILED:
            self.troubles.append(f"request: {request.url}: {request.failure}")

    def _asked(self, request: Request) -> None:
        address = urlsplit(request.url)
        if address.scheme in {"http", "https"} and address.hostname not in HERE:
            self.troubles.append(f"elsewhere: {request.url}")
