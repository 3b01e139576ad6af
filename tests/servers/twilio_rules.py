"""What Twilio's Messages resource takes, how it shows a message, and which ones a filter lets through."""

from __future__ import annotations

import base64
import json
import re
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any

# From the official description of the API: the form of CreateMessage in twilio/twilio-oai,
# spec/json/twilio_api_v2010.json at 00c8d368.
CREATE_PARAMETERS = frozenset(
    {
        *("To", "From", "MessagingServiceSid", "Body", "MediaUrl", "ContentSid", "ContentVariables"),
        *("StatusCallback", "ApplicationSid", "ValidityPeriod", "MaxPrice", "ProvideFeedback", "Attempt"),
        *("ForceDelivery", "ContentRetention", "AddressRetention", "SmartEncoded", "PersistentAction"),
        *("ShortenUrls", "ScheduleType", "SendAt", "SendAsMms", "RiskCheck"),
    }
)

Form = dict[str, str]
Message = dict[str, Any]


def problem_with(form: Form) -> tuple[int, str] | None:
    """What the real thing refuses, and unknown parameters, which it would swallow without a word."""
    unknown = form.keys() - CREATE_PARAMETERS
    if unknown:
        return 20001, f"Unknown parameters: {', '.join(sorted(unknown))}"
    if not re.fullmatch(r"\+[1-9][0-9]{6,14}", form.get("To", "")):
        return 21211, f"The 'To' number {form.get('To', '')} is not a valid phone number."
    if not ("From" in form or "MessagingServiceSid" in form):
        return 21603, "A 'From' phone number is required."
    if "From" in form and not re.fullmatch(r"\+[1-9][0-9]{6,14}|[0-9]{5,6}", form["From"]):
        return 21212, f"The 'From' number {form['From']} is not a valid phone number."
    if "MessagingServiceSid" in form and not re.fullmatch("MG[0-9a-fA-F]{32}", form["MessagingServiceSid"]):
        return 21701, "The Messaging Service does not exist."
    return _problem_with_content(form)


def _problem_with_content(form: Form) -> tuple[int, str] | None:
    if not form.get("Body"):
        return 21602, "Message body is required."
    if len(form["Body"]) > 1600:
        return 21617, "The concatenated message body exceeds the 1600 character limit."
    validity = form.get("ValidityPeriod", "1")
    if not (re.fullmatch("[0-9]{1,5}", validity) and 1 <= int(validity) <= 14400):
        return 20001, f"ValidityPeriod {validity} is not from 1 to 14400."
    if not re.fullmatch(r"https?://[^\s_/]+/\S*", form.get("StatusCallback", "https://x/")):
        return 21609, "The 'StatusCallback' URL is not a valid URL."
    return None


def resource(account: str, form: Form) -> Message:
    sid = "SM" + uuid.uuid4().hex
    service = form.get("MessagingServiceSid")
    return {
        "account_sid": account,
        "api_version": "2010-04-01",
        "body": form.get("Body", ""),
        "date_created": now(),
        "date_sent": None,
        "date_updated": now(),
        "direction": "outbound-api",
        "error_code": None,
        "error_message": None,
        "from": form.get("From"),
        "messaging_service_sid": service,
        "num_media": "0",
        "num_segments": "0" if service else "1",
        "price": None,
        "price_unit": "USD",
        "sid": sid,
        "status": "accepted" if service else "queued",
        "subresource_uris": {},
        "to": form["To"],
        "uri": f"/2010-04-01/Accounts/{account}/Messages/{sid}.json",
    }


def matches(message: Message, form: Form) -> bool:
    """A message that was not sent yet has no date, so no filter by date finds it."""
    if form.get("To", message["to"]) != message["to"] or form.get("From", message["from"]) != message["from"]:
        return False
    day = (
        message["date_sent"]
        and datetime.strptime(message["date_sent"], "%a, %d %b %Y %H:%M:%S %z").date().isoformat()
    )
    return all(
        day is not None and compare(day, form[name][:10])
        for name, compare in _DATE_FILTERS.items()
        if name in form
    )


_DATE_FILTERS: dict[str, Callable[[str, str], bool]] = {
    "DateSent": lambda day, asked: day == asked,
    "DateSent>": lambda day, asked: day >= asked,
    "DateSent<": lambda day, asked: day <= asked,
}


def problem(code: int, status: int, said: str) -> bytes:
    more = f"https://www.twilio.com/docs/errors/{code}"
    return json.dumps({"code": code, "message": said, "more_info": more, "status": status}).encode()


def basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def now() -> str:
    return format_datetime(datetime.now(UTC))
