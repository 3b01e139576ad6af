"""Going in as a person would: by the link, with a browser's means. Proves that the pages answer."""

from __future__ import annotations

import re
import urllib.request
from html import unescape
from http.cookiejar import CookieJar

from notifier.errors import NotifierError

_PATIENCE = 30.0


def look_in(address: str, link: str, clinic: str) -> str:
    """Signs in and looks at the phones; what was seen there, in a sentence. Else raises NotifierError."""
    # A proxy of this machine has no way to itself.
    direct = urllib.request.ProxyHandler({})
    browser = urllib.request.build_opener(direct, urllib.request.HTTPCookieProcessor(CookieJar()))
    home = _read(browser, f"{address}{link}")
    phones = _read(browser, f"{address}/phone")
    if clinic not in home or "Sign out" not in home:
        raise NotifierError("The pages answer, but the link does not sign in.")
    if not (texts := len(re.findall('class="bubble"', phones))):
        raise NotifierError("The pages answer, but the phones show no message.")
    who = re.search('<a href="/account"[^>]*>([^<]+)</a>', home)
    name = unescape(who[1]) if who else "somebody"
    return (
        f"The pages answer: {name} was signed in by the link, and the phones show the latest {texts} texts."
    )


def _read(browser: urllib.request.OpenerDirector, address: str) -> str:
    try:
        with browser.open(address, timeout=_PATIENCE) as answer:
            return str(answer.read().decode())
    except OSError as error:
        raise NotifierError(f"The pages do not answer: {error}.") from None
