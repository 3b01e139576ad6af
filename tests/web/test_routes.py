"""Every route there is: who may come in, what proof a change needs, and that nothing shows another clinic."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute

from notifier.web import auth, forms
from notifier.web.app import AREAS
from tests.web.cast import Installation

# What people reach without being signed in, each for its reason.
PUBLIC = {
    "/sign-in": "the way in",
    "/u/{token}": "patients, by the link in an e-mail; its seal is the key",
    "/p/{token}": "patients, by the link in a message; its seal is the key",
    "/p/{token}/score": "the same",
    "/p/{token}/write": "the same",
    "/p/{token}/language": "the same",
    "/p/{token}/channel": "the same",
    "/p/{token}/essentials": "the same",
    "/p/{token}/stop": "the same",
    "/a/{token}": "whoever was told of an alert, by its link; its seal is the key",
    "/healthz": "whoever watches over the process",
    "/readyz": "a balancer that asks whether to send anybody here",
    "/link/{secret}": "an invitation, or the demo's way in; the secret is the key",
    "/api/docs": "how the API is used; nothing of a clinic is in it",
    "/api/openapi.json": "the same for programs",
}
CHANGES = {"POST", "PUT", "PATCH", "DELETE"}


def routes() -> Iterator[APIRoute]:
    for area in AREAS:
        yield from (route for route in area.routes if isinstance(route, APIRoute))


PAGES = [route for route in routes() if not route.path.startswith(("/api/v1", "/webhooks/"))]
STAFF = [route for route in PAGES if route.path not in PUBLIC]


def depends(dependant: Dependant, on: object) -> bool:
    return any(each.call is on or depends(each, on) for each in dependant.dependencies)


def methods(route: APIRoute) -> set[str]:
    return set(route.methods or ()) - {"HEAD"}


def named(route: APIRoute) -> str:
    return f"{'/'.join(sorted(methods(route)))} {route.path}"


def address(route: APIRoute) -> str:
    """With something in each place; nothing of it exists."""
    path = route.path
    for name, convertor in route.param_convertors.items():
        path = path.replace("{" + name + "}", "999999" if convertor.regex == "[0-9]+" else "1")
        path = path.replace("{" + name + ":int}", "999999").replace("{" + name + ":path}", "x")
    return path


@pytest.mark.parametrize("route", STAFF, ids=named)
def test_nobody_comes_in_without_signing_in(route: APIRoute, site_once: Installation) -> None:
    assert depends(route.dependant, auth.desk), f"{named(route)} lets anybody in"
    browser = site_once.anonymous()
    for method in methods(route):
        answer = browser.client.request(method, address(route), follow_redirects=False)
        assert answer.status_code in ((303,) if method == "GET" else (401,)), method


@pytest.mark.parametrize(
    "route", [route for route in STAFF if depends(route.dependant, auth.admin)], ids=named
)
def test_the_front_desk_does_not_reach_what_is_for_admins(route: APIRoute, site_once: Installation) -> None:
    browser = site_once.as_desk()
    for method in methods(route):
        data = {"csrf": browser.csrf} if method in CHANGES else None
        answer = browser.client.request(method, address(route), data=data, follow_redirects=False)
        assert answer.status_code == 403, method


# Mail programs post to the first by themselves, without ever having seen a page of ours; who does not know
# the address of a patient's page cannot make a browser post there, and that page needs no cookie.
ONE_CLICK = {path for path in PUBLIC if path.startswith(("/u/", "/p/"))}
CHANGING = [route for route in PAGES if methods(route) & CHANGES and route.path not in ONE_CLICK]


@pytest.mark.parametrize("route", CHANGING, ids=named)
def test_every_change_needs_the_proof_that_one_of_our_pages_asked_for_it(route: APIRoute) -> None:
    assert depends(route.dependant, forms.posted)


def test_what_admins_change_is_for_admins_only() -> None:
    """The areas of the admin, by their addresses: a new route below them cannot forget its guard."""
    below = (
        "/plans",
        "/delivery",
        "/scores",
        "/report",
        "/clinic",
        "/people",
        "/tokens",
        "/audit",
        "/going-live",
        "/answers",
    )
    open_ones = [
        named(route)
        for route in PAGES
        if route.path.startswith(below) and not depends(route.dependant, auth.admin)
    ]
    assert open_ones == []
