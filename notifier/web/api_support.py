"""Who asks by the API, at which clinic and in which scope; how a change is made and an answer is given."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from typing import Annotated
from urllib.parse import urlencode

from fastapi import Depends, Header, Path, Query, Request
from fastapi.responses import JSONResponse
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from pydantic import BaseModel
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session
from sqlalchemy.orm.exc import StaleDataError

from notifier import api_tokens, audit, idempotency, registers
from notifier.api_tokens import Bearer
from notifier.errors import InputError
from notifier.idempotency import Answer
from notifier.import_times import read_day_or_time, read_time
from notifier.models import Clinic
from notifier.registers import Period
from notifier.rules.zones import zone
from notifier.web.api_problems import Refusal
from notifier.web.site import Site, site_of

_REALM = 'Bearer realm="Aftercare Notifier"'
_token = HTTPBearer(
    auto_error=False,
    scheme_name="token",
    description="A token of the clinic, made by an admin or by `notifier token create`.",
)


class Caller:
    """What one request of another program works with."""

    def __init__(self, request: Request, site: Site, bearer: Bearer) -> None:
        self.request, self.site, self.bearer = request, site, bearer
        self.key: str | None = None
        self.sent = b""

    @property
    def actor(self) -> str:
        return self.bearer.actor

    @property
    def clinic_id(self) -> int:
        return self.bearer.clinic_id

    def now(self) -> datetime:
        """Plan time."""
        return self.site.clock.now()

    def clinic(self, session: Session) -> Clinic:
        return session.get_one(Clinic, self.clinic_id)

    @contextmanager
    def reading(self) -> Iterator[Session]:
        with self.site.reading() as session:
            yield session

    def change(self, work: Callable[[Session], Answer]) -> JSONResponse:
        """One transaction, and under an Idempotency-Key only once. Again where another was quicker."""
        try:
            return respond(self._change(work))
        except (IntegrityError, StaleDataError):
            return respond(self._change(work))

    def _change(self, work: Callable[[Session], Answer]) -> Answer:
        with self.site.transaction() as session:
            if self.key is None:
                return work(session)
            mark = idempotency.fingerprint(self.request.method, self._target, self.sent)
            return idempotency.once(session, self.bearer.token_id, self.key, mark, work, now=self.now())

    @property
    def _target(self) -> str:
        url = self.request.url
        return f"{url.path}?{url.query}" if url.query else url.path

    def viewed(self, patient_id: int | None) -> None:
        """Into the audit trail, as on the pages."""
        if patient_id is None:
            return
        now = self.now()
        with self.reading() as session:
            known = audit.is_viewing(session, patient_id, now=now, actor=self.actor)
        if not known:
            with self.site.transaction() as session:
                audit.viewed(
                    session, clinic_id=self.clinic_id, patient_id=patient_id, now=now, actor=self.actor
                )

    def listed(self, patient_ids: Iterable[int | None]) -> None:
        ids = [number for number in patient_ids if number is not None]
        if ids:
            with self.site.transaction() as session:
                audit.listed(
                    session, clinic_id=self.clinic_id, patient_ids=ids, now=self.now(), actor=self.actor
                )


def reader(
    request: Request, given: Annotated[HTTPAuthorizationCredentials | None, Depends(_token)]
) -> Caller:
    """Whoever holds a token of either scope. Cookies mean nothing here, so no page can be made to ask."""
    if given is None:
        words = "Send the token with every request: Authorization: Bearer TOKEN"
        raise Refusal("unauthorized", words, WWW_Authenticate=_REALM)
    site = site_of(request)
    with site.reading() as session:
        bearer = api_tokens.find(session, given.credentials)
    if bearer is None:
        words = "This token is not one of ours, or it was revoked. An admin of the clinic can make a new one."
        raise Refusal("unauthorized", words, WWW_Authenticate=f'{_REALM}, error="invalid_token"')
    now = site.clock.now()
    if not api_tokens.is_noted(bearer, now):
        with site.transaction() as session:
            api_tokens.note_use(session, bearer, now)
    return Caller(request, site, bearer)


async def _sent(request: Request) -> bytes:
    return await request.body()


def writer(
    caller: Annotated[Caller, Depends(reader)],
    sent: Annotated[bytes, Depends(_sent)],
    idempotency_key: Annotated[
        str | None,
        Header(
            description="A new value for each request, such as a UUID. The same request sent again under the "
            "same key within two days is answered the same, and nothing is done twice.",
            examples=["6f1c2a52-9d0e-4b7e-8a3c-0f6f3f1d2b11"],
        ),
    ] = None,
) -> Caller:
    """Whoever holds a token that may write."""
    if not caller.bearer.may_write:
        raise Refusal(
            "forbidden",
            f'The token "{caller.bearer.name}" may only read. An admin can make one that may write.',
            WWW_Authenticate=f'{_REALM}, error="insufficient_scope", scope="write"',
        )
    kind = caller.request.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    if sent and not (kind == "application/json" or kind.endswith("+json")):
        raise Refusal("not-json", "Send the body as JSON, with Content-Type: application/json.")
    if idempotency_key is not None:
        idempotency.require_usable(idempotency_key)
    caller.key, caller.sent = idempotency_key, sent
    return caller


Reader = Annotated[Caller, Depends(reader)]
Writer = Annotated[Caller, Depends(writer)]

Cursor = Annotated[
    str, Query(max_length=1000, description="What the page before gave as `next`, with the same filters.")
]
Limit = Annotated[int, Query(ge=1, le=registers.MOST, description="How many at most.")]
Number = Annotated[int, Path(ge=1, lt=2**63)]
MANY = 50


def respond(answer: Answer) -> JSONResponse:
    repeated = {"Idempotency-Replayed": "true"} if answer.is_repeated else {}
    headers = {"Cache-Control": "no-store"} | dict(answer.headers) | repeated
    return JSONResponse(dict(answer.body), answer.status, headers=headers)


def shown(shape: BaseModel, *, status: int = 200, version: int | None = None, **headers: str) -> Answer:
    """`version`: of what is shown; it is the answer's ETag."""
    tag = {"ETag": f'"{version}"'} if version is not None else {}
    return Answer(status, shape.model_dump(mode="json"), tag | headers)


def listed(caller: Caller, page: BaseModel) -> JSONResponse:
    """With the address of the next page in the Link header, for clients that follow those."""
    body = page.model_dump(mode="json")
    headers = {}
    if body["next"]:
        query = [
            (name, value) for name, value in caller.request.query_params.multi_items() if name != "cursor"
        ]
        address = f"{caller.request.url.path}?{urlencode([*query, ('cursor', body['next'])])}"
        headers["Link"] = f'<{address}>; rel="next"'
    return respond(Answer(200, body, headers))


def moment(text: str, clinic: Clinic, field: str) -> datetime:
    """Raises InputError for `field` where it says no day and time."""
    try:
        return read_time(text, tz=zone(clinic.timezone), country=clinic.country)
    except InputError as error:
        raise InputError(str(error), field=field) from None


def period(clinic: Clinic, since: str, until: str) -> Period:
    """For a list; a day without a time is its beginning."""
    return Period(_edge(since, clinic, "since"), _edge(until, clinic, "until"))


def _edge(text: str, clinic: Clinic, field: str) -> datetime | None:
    if not text.strip():
        return None
    try:
        return read_day_or_time(text, tz=zone(clinic.timezone), country=clinic.country)
    except InputError as error:
        raise InputError(str(error), field=field) from None


def maybe_moment(text: str, clinic: Clinic, field: str) -> datetime | None:
    return moment(text, clinic, field) if text.strip() else None


@contextmanager
def fields_at(places: Mapping[str, str]) -> Iterator[None]:
    """Complaints about these fields name where they stand in the request."""
    try:
        yield
    except InputError as error:
        error.field = places.get(error.field, error.field)
        raise
