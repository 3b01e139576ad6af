"""The web application: its areas, what every answer has in common, and what runs beside it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Final

from fastapi import APIRouter, FastAPI, Response
from sqlalchemy import Engine
from starlette.concurrency import run_in_threadpool
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from notifier.clock import Clock
from notifier.config import Settings
from notifier.web import (
    account,
    admin_answers,
    admin_answers_edit,
    admin_answers_words,
    admin_audit,
    admin_clinic,
    admin_clinic_lists,
    admin_contacts,
    admin_delivery,
    admin_going_live,
    admin_people,
    admin_plans,
    admin_plans_edit,
    admin_plans_review,
    admin_plans_versions,
    admin_report,
    admin_scores,
    admin_texts,
    admin_texts_mail,
    admin_texts_save,
    admin_texts_trial,
    admin_tokens,
    alert_desk,
    alert_page,
    api,
    demo_bar,
    desk_import,
    desk_log,
    desk_log_patient,
    desk_log_preview,
    desk_message,
    desk_patient,
    desk_patient_consent,
    desk_patient_data,
    desk_patient_edit,
    desk_patients,
    desk_scores,
    desk_sheet,
    desk_today,
    desk_treatment_times,
    desk_treatments,
    failures,
    health,
    inbox,
    inbox_reply,
    patient_page,
    phone,
    signing,
    unsubscribe,
    webhooks,
)
from notifier.web.pages import STATIC
from notifier.web.security import Security
from notifier.web.site import Beside, Site

# One router each; the order is that of the navigation.
AREAS: Final[tuple[APIRouter, ...]] = (
    signing.router,
    account.router,
    desk_log.router,
    desk_log_patient.router,
    desk_log_preview.router,
    desk_sheet.router,
    desk_treatments.router,
    desk_import.router,
    desk_today.router,
    inbox.router,
    inbox_reply.router,
    alert_desk.router,
    desk_patients.router,
    desk_patient.router,
    desk_patient_edit.router,
    desk_patient_consent.router,
    desk_patient_data.router,
    desk_message.router,
    desk_treatment_times.router,
    desk_scores.router,
    admin_clinic_lists.router,
    admin_contacts.router,
    admin_clinic.router,
    admin_plans.router,
    admin_plans_edit.router,
    admin_plans_versions.router,
    admin_plans_review.router,
    admin_texts.router,
    admin_texts_mail.router,
    admin_texts_save.router,
    admin_texts_trial.router,
    admin_answers_words.router,
    admin_answers.router,
    admin_answers_edit.router,
    admin_people.router,
    admin_delivery.router,
    admin_going_live.router,
    admin_report.router,
    admin_scores.router,
    admin_audit.router,
    admin_tokens.router,
    phone.router,
    demo_bar.router,
    unsubscribe.router,
    patient_page.router,
    alert_page.router,
    webhooks.router,
    health.router,
    *api.ROUTERS,
)


def create_app(settings: Settings, engine: Engine, clock: Clock, *, beside: Sequence[Beside] = ()) -> FastAPI:
    """`beside`: what is started before the first request and stopped after the last, such as the worker."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        started: list[Beside] = []
        try:
            for thing in beside:
                await run_in_threadpool(thing.start)
                started.append(thing)
            yield
        finally:
            for thing in reversed(started):
                await run_in_threadpool(thing.stop)

    # The API's own documentation is served by the API's area.
    app = FastAPI(
        title="Aftercare Notifier", lifespan=lifespan, docs_url=None, redoc_url=None, openapi_url=None
    )
    app.state.site = Site(settings, engine, clock)
    for area in AREAS:
        app.include_router(area)
    app.mount("/static", _Static(directory=STATIC), name="static")
    app.add_middleware(Security, https=settings.web.base_url.startswith("https://"))
    failures.add_to(app)
    return app


class _Static(StaticFiles):
    """Files whose address changes with their content, so that they are asked for once."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        response = await super().get_response(path, scope)
        if b"v=" in scope.get("query_string", b""):
            response.headers["Cache-Control"] = "public, max-age=31536000, immutable"
        return response
