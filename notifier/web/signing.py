"""Signing in and out, choosing a password by an invitation, and going on where a lost sign-in interrupted."""

from __future__ import annotations

from urllib.parse import urlsplit

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse

from notifier import signin, staff, staff_links
from notifier.errors import InputError
from notifier.models import Staff
from notifier.web.auth import SAFE, SIGN_IN, Desk
from notifier.web.csrf import csrf_of, is_from_here, is_own_page, keep_csrf
from notifier.web.forms import Fields, Posted, Problems, proof_in
from notifier.web.pages import context_of_anybody
from notifier.web.site import Site, site_of

router = APIRouter()

_KEEP = "kept:"
_MOST_KEPT = 1000


def public_page(request: Request, template: str, *, status: int = 200, **context: object) -> Response:
    """A page for whoever is not signed in."""
    site = site_of(request)
    csrf = csrf_of(request, site)
    html = site.templates.get_template(template).render(**context_of_anybody(), csrf_token=csrf, **context)
    response = HTMLResponse(html, status, headers={"Cache-Control": "no-store"})
    keep_csrf(request, response)
    return response


async def ask(request: Request, error: Exception) -> Response:
    """Nobody is signed in: ask, and keep where they wanted to go and what they had typed.

    Only from a page of ours: what another site made the browser send must not be signed in for.
    """
    if request.headers.get("HX-Request") == "true":
        return Response(status_code=401)  # the page says so and keeps what was typed
    if request.method in SAFE:
        there = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        return RedirectResponse(str(request.url_for("sign_in").include_query_params(next=there)), 303)
    there, kept = "/", []
    if is_from_here(request):
        async with request.form(max_fields=_MOST_KEPT) as form:
            if is_own_page(request, proof_in(request, form)):
                there, kept = request.url.path, Fields(form).kept
    return _asked(request, there=there, kept=kept, status=401)


@router.get("/sign-in")
def sign_in(request: Request, next: str = "/") -> Response:
    return _asked(request, there=next)


def _asked(
    request: Request,
    *,
    there: str,
    kept: list[tuple[str, str]] | None = None,
    problems: Problems | None = None,
    email: str = "",
    status: int = 200,
) -> Response:
    return public_page(
        request,
        "sign_in.html",
        status=status,
        there=_local(there),
        kept=kept or [],
        keep=_KEEP,
        problems=problems or Problems(),
        email=email,
    )


def _local(address: str) -> str:
    """Only to our own pages: a sign-in must not send people elsewhere."""
    parts = urlsplit(address)
    if parts.scheme or parts.netloc or not address.startswith("/") or address.startswith(("//", "/\\")):
        return "/"
    return "/" if parts.path in ("/sign-in", "/sign-out") else address


@router.post("/sign-in")
def sign_in_now(request: Request, posted: Posted) -> Response:
    site = site_of(request)
    email, there = posted.text("email"), _local(posted.text("next"))
    kept = [(name.removeprefix(_KEEP), value) for name, value in posted.kept if name.startswith(_KEEP)]
    problems = Problems()
    with problems.catching():
        secret = _checked(request, site, email, posted.raw("password"))
    if problems:
        return _asked(request, there=there, kept=kept, problems=problems, email=email, status=422)
    if kept:
        response = public_page(request, "resume.html", there=there, kept=kept)
    else:
        response = RedirectResponse(there, 303)
    return _signed_in(site, response, secret)


def _checked(request: Request, site: Site, email: str, password: str) -> str:
    """The secret of a new sign-in. Raises InputError."""
    if not email or not password:
        raise InputError(
            "Enter your e-mail address and your password.", field="email" if not email else "password"
        )
    computer = request.client.host if request.client else ""
    with site.reading() as session:
        known = signin.known(session, email, computer)
    if not signin.is_right(known, password):
        with site.transaction() as session:
            signin.count_failure(session, email, computer)
        raise InputError(signin.WRONG, field="password")
    assert known.staff_id is not None
    with site.transaction() as session:
        return signin.begin(session, known.staff_id, now=site.clock.now(), user_agent=_browser(request))


def _browser(request: Request) -> str:
    return request.headers.get("User-Agent", "")


def _signed_in(site: Site, response: Response, secret: str) -> Response:
    lasts = int(signin.LONGEST.total_seconds())
    response.set_cookie(site.cookie(SIGN_IN), secret, max_age=lasts, **site.cookie_terms)
    return response


@router.post("/sign-out")
def sign_out(visit: Desk, posted: Posted) -> Response:
    with visit.transaction() as session:
        signin.end(session, visit.signed.id)
    response = RedirectResponse("/sign-in", 303)
    response.delete_cookie(visit.site.cookie(SIGN_IN), path="/")
    return response


@router.post("/switch-clinic")
def switch_clinic(visit: Desk, posted: Posted) -> Response:
    """To another of the person's clinics. The form is the one that names no clinic to write into."""
    with visit.transaction() as session:
        clinic = signin.switch(session, visit.signed, posted.whole("to") or 0)
    return visit.go("/", toast=f"You are at {clinic.name} now.")


@router.get("/link/{secret}")
def link(request: Request, secret: str) -> Response:
    """GET of an invitation changes nothing: mail scanners open links. The demo's own signs in at once."""
    site = site_of(request)
    with site.reading() as session:
        found = staff_links.find(session, secret)
        person = session.get_one(Staff, found.staff_id)
        demo, name, email = found.purpose == staff_links.DEMO, person.name, person.email
    if not demo:
        return _invited(request, secret, name, email)
    with site.transaction() as session:
        signed = signin.begin(session, found.staff_id, now=site.clock.now(), user_agent=_browser(request))
    return _signed_in(site, RedirectResponse("/", 303), signed)


def _invited(
    request: Request, secret: str, name: str, email: str, problems: Problems | None = None
) -> Response:
    return public_page(
        request,
        "invitation.html",
        status=422 if problems else 200,
        secret=secret,
        name=name,
        email=email,
        shortest=staff.SHORTEST_PASSWORD,
        problems=problems or Problems(),
    )


@router.post("/link/{secret}")
def accept(request: Request, secret: str, posted: Posted) -> Response:
    site = site_of(request)
    with site.reading() as session:
        person = session.get_one(Staff, staff_links.find(session, secret).staff_id)
        name, email = person.name, person.email
    password, problems = posted.raw("password"), Problems()
    if password != posted.raw("again"):
        problems["again"] = "The two passwords differ. Type the same one twice."
    if not problems:
        with problems.catching():
            hashed = staff.hash_password(password)
    if problems:
        return _invited(request, secret, name, email, problems)
    with site.transaction() as session:
        signed = staff_links.accept(
            session, secret, hashed, now=site.clock.now(), user_agent=_browser(request)
        )
    return _signed_in(site, RedirectResponse("/", 303), signed)
