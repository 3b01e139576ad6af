"""The e-mail of the texts editor in its frame: the words travel in the address, so that nothing is stored.

They are signed with the browser's own secret: an address that somebody else made shows nothing.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import zlib
from typing import Any
from urllib.parse import urlencode

from fastapi import APIRouter, Response

from notifier import rendering, text_samples
from notifier.errors import NotFoundError
from notifier.text_editing import Words, template_of
from notifier.web.admin_texts_form import Editor, base_of
from notifier.web.admin_texts_sides import Side
from notifier.web.auth import Admin
from notifier.web.mail_frame import framed
from notifier.web.visit import Visit

router = APIRouter()

_LONGEST = 7000  # an address; what a proxy on the way lets through
_MOST_WORDS = 100_000


def frames(visit: Visit, shown: Editor) -> dict[str, str]:
    """By language the address of the frame, empty where there is no e-mail to show, or one far too long."""
    return {side.language: _address(visit, shown, side) for side in shown.sides}


def _address(visit: Visit, shown: Editor, side: Side) -> str:
    if side.mail is None:
        return ""
    carried = [side.words.subject, side.words.email, side.language, shown.typed.sample]
    words = _packed(carried)
    query = urlencode({"words": words, "sign": _signed(visit, shown.base.path, words)})
    return f"{shown.base.path}/mail?{query}" if len(query) <= _LONGEST else ""


def _packed(carried: list[str]) -> str:
    return base64.urlsafe_b64encode(zlib.compress(json.dumps(carried).encode(), 9)).decode().rstrip("=")


def _signed(visit: Visit, path: str, words: str) -> str:
    said = f"{visit.clinic_id} {path} {words}".encode()
    return hmac.new(visit.csrf.encode(), said, hashlib.sha256).hexdigest()[:32]


@router.get("/plans/{key}/texts/{step}/mail")
def mail(visit: Admin, key: str, step: str, words: str = "", sign: str = "", scheme: str = "") -> Response:
    with visit.reading() as session:
        base = base_of(session, visit, key, step)
        if not hmac.compare_digest(_signed(visit, base.path, words).encode(), sign.encode()):
            raise NotFoundError("This e-mail is shown by the page of its text only. Open that page again.")
        subject, body, language, sample = _unpacked(words)
        real = text_samples.treatment_of(session, base.clinic, sample)
        if real is not None:
            context = text_samples.of_treatment(
                base.clinic, real, base.plan, language, reply_address=visit.settings.reply_address
            )
        else:
            long = sample == text_samples.LONG
            context = text_samples.made_up(
                session,
                base.clinic,
                base.plan,
                language,
                now=visit.now(),
                long=long,
                reply_address=visit.settings.reply_address,
            )
    shown = rendering.render(template_of(Words("", subject, body)), context, channel="email")
    return framed(shown.html, scheme="dark" if scheme == "dark" else "light")


def _unpacked(words: str) -> tuple[str, str, str, str]:
    """Only after the signature was found right."""
    try:
        packed = base64.urlsafe_b64decode(words + "=" * (-len(words) % 4))
        carried: list[Any] = json.loads(zlib.decompressobj().decompress(packed, _MOST_WORDS))
        subject, body, language, sample = map(str, carried)
    except (ValueError, binascii.Error, zlib.error):
        raise NotFoundError("This address is damaged. Open the page of the text again.") from None
    return subject, body, language, sample
