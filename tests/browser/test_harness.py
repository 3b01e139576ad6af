"""The browser of these tests sees what it should: mistakes, barriers, signs, the files that pages load."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Page, Route, expect

from notifier import web
from notifier.web.security import CONTENT_SECURITY_POLICY as POLICY
from tests.browser.axe import axe, violations
from tests.browser.conftest import LOOKS
from tests.browser.watching import Watch

STATIC = Path(web.__file__).parent / "static"
SITE = "http://localhost"
PAGE = """<!doctype html>
<html lang="en">
<head>
  <title>Riverside Physio</title>
  <meta name="viewport" content="width=device-width, initial-scale=1">
  <meta name="htmx-config" content='{{"includeIndicatorStyles": false, "allowEval": false}}'>
  <link rel="stylesheet" href="/static/vendor/pico.min.css">
  <script src="/static/vendor/htmx.min.js" defer></script>
</head>
<body><main class="container"><h1>Today</h1>{body}</main></body>
</html>"""
ASKING = (
    '<button class="contrast" hx-get="/answer" hx-target="#place">Ask</button><p id="place">Nothing yet</p>'
)
SCRIPTS = {"/complains.js": "console.error('The desk is on fire')", "/throws.js": "null.length"}


def show(page: Page, body: str, policy: str = POLICY) -> None:
    """A page with this in it, under the policy of the application: everything here has to work there."""

    def answer(route: Route) -> None:
        path = urlsplit(route.request.url).path
        if path == "/":
            headers = {"Content-Security-Policy": policy, "Content-Type": "text/html; charset=utf-8"}
            route.fulfill(body=PAGE.format(body=body), headers=headers)
        elif path.startswith("/static/"):
            route.fulfill(path=STATIC / path.removeprefix("/static/"))
        elif path in SCRIPTS:
            route.fulfill(body=SCRIPTS[path], content_type="text/javascript")
        elif path == "/answer":
            route.fulfill(body="<strong>Done</strong>", content_type="text/html")
        elif path == "/cut":
            route.abort("connectionreset")
        elif path != "/never":
            route.fulfill(status=404)

    page.route("**/*", answer)
    page.goto(f"{SITE}/")


@pytest.mark.parametrize(
    ("body", "trouble"),
    [
        ('<script src="/complains.js"></script>', "error: The desk is on fire"),
        ('<script src="/throws.js"></script>', "script: .*null"),
        ('<img src="/nowhere.png" alt="">', "error: .* status of 404 .*/nowhere.png"),
        ('<p style="color: red">Red</p>', "error: .*Content Security Policy"),
        ("<script>1</script>", "error: .*Content Security Policy"),
    ],
)
def test_what_goes_wrong_unseen_fails_the_test(body: str, trouble: str, desktop: Page, watch: Watch) -> None:
    show(desktop, body)
    with pytest.raises(pytest.fail.Exception, match=trouble):
        watch.check()
    watch.expect(trouble)


@pytest.mark.parametrize("policy", [POLICY, "img-src *"])
def test_a_call_to_another_host_fails_the_test(policy: str, desktop: Page, watch: Watch) -> None:
    show(desktop, '<img src="https://tracker.example/1.png" alt="">', policy)
    watch.expect("https://tracker.example/1.png")


def test_a_request_that_gets_no_answer_fails_the_test(desktop: Page, watch: Watch) -> None:
    show(desktop, "")
    desktop.evaluate("fetch('/cut').catch(() => null)")
    watch.expect("request: http://localhost/cut: net::ERR_CONNECTION_RESET")


def test_a_request_that_a_left_page_takes_with_it_is_nobodys_fault(desktop: Page, watch: Watch) -> None:
    show(desktop, "")
    desktop.evaluate("void fetch('/never').catch(() => null)")
    with desktop.expect_event("requestfailed"):
        desktop.goto(f"{SITE}/")
    watch.check()


def test_expecting_what_did_not_happen_fails_the_test(desktop: Page, watch: Watch) -> None:
    show(desktop, "<p>All is well</p>")
    with pytest.raises(AssertionError, match="Nothing went wrong like 'status of 422'"):
        watch.expect("status of 422")


def test_axe_names_the_barrier_the_element_and_the_remedy(desktop: Page) -> None:
    show(desktop, '<label>Name <input></label><input id="phone">')
    (found,) = violations(desktop)
    assert found.startswith("label (critical): Form elements must have labels")
    assert '<input id="phone">' in found
    assert "does not have an implicit (wrapped) <label>" in found
    with pytest.raises(pytest.fail.Exception, match="is not accessible"):
        axe(desktop)


def test_axe_looks_at_the_size_of_targets_too(phone: Page) -> None:
    tiny = '<button style="all: unset; font-size: 8px">{}</button>'
    show(phone, tiny.format("Undo") + tiny.format("Void"), policy="style-src 'self' 'unsafe-inline'")
    assert {found.partition(" ")[0] for found in violations(phone)} == {"target-size"}


@pytest.mark.parametrize("page", LOOKS, indirect=True)
def test_pages_have_their_looks_and_work_under_the_policy(page: Page, request: pytest.FixtureRequest) -> None:
    """Pico and HTMX are there and do what they are for; axe gets in, and finds nothing."""
    show(page, ASKING)
    page.get_by_role("button", name="Ask").click()
    expect(page.locator("#place strong")).to_have_text("Done")
    axe(page)
    size, scheme = request.node.callspec.params["page"].split("-")
    assert page.evaluate("innerWidth") == {"desktop": 1440, "phone": 360}[size]
    light = page.locator(":root").evaluate("root => getComputedStyle(root).backgroundColor")
    assert light == {"light": "rgb(255, 255, 255)", "dark": "rgb(19, 23, 31)"}[scheme]


def test_signs_are_legible(desktop: Page) -> None:
    """Unlike a character that no font has, which is drawn as a box."""
    signs = "ñ¿●○◆▲■✓✕⚠→😀"
    show(desktop, "".join(f"<p><mark>{sign}</mark></p>" for sign in signs + "\U0010fffd"))
    *drawn, box = [mark.screenshot() for mark in desktop.locator("mark").all()]
    assert [sign for sign, picture in zip(signs, drawn, strict=True) if picture == box] == []
