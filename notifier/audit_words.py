"""What the audit trail says: "changed the phone of patient 1031", "saved version 4 of Cupping"."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from notifier.status_words import channel_name

Detail = Mapping[str, Any]
# Given the detail and what the subject is called.
Say = Callable[[Detail, str], str]


def _of(verb: str) -> Say:
    return lambda detail, subject: f"{verb} {subject}".strip()


def _only(words: str) -> Say:
    return lambda detail, subject: words


_FIELDS = {
    "phone": "the phone",
    "email": "the e-mail",
    "sms_price": "the price of an SMS part",
    "name_treatment": "the wish about naming the treatment",
    "timezone": "the time zone",
    "reply_texts": "the automatic answers",
    "reply_words": "the words that the automatic line listens for",
    "reply_approval": "the approval of the automatic answers",
    "page_in_sms": "whether texts lead to the patient's page",
    "first_text": "whether a first text says who writes",
}


def _changed(detail: Detail, subject: str) -> str:
    if "answer" in detail:
        return f"changed the automatic answer “{detail['answer']}” of {subject}"
    if "listens_for" in detail:
        return f"changed what the automatic line of {subject} listens for: {detail['listens_for']}"
    return (
        f"changed {_listed([_field(name) for name in detail.get('fields', ())]) or 'something'} of {subject}"
    )


def _field(name: str) -> str:
    return _FIELDS.get(name, f"the {name.replace('_', ' ')}")


def _listed(words: list[str]) -> str:
    """One, two and three."""
    return " and ".join(filter(None, [", ".join(words[:-1]), *words[-1:]]))


def _consent(verb: str) -> Say:
    def say(detail: Detail, subject: str) -> str:
        channels = _listed([channel_name(channel) for channel in detail.get("channels", ())])
        return f"noted that {subject} {verb} {channels or 'messages'}"

    return say


def _essentials(detail: Detail, subject: str) -> str:
    which = "safety messages only" if detail.get("wanted") else "all messages again"
    return f"chose {which} for {subject}"


def _saved_plan(detail: Detail, subject: str) -> str:
    return f"saved version {detail.get('number', '?')} of {subject}"


def _approved_plan(detail: Detail, subject: str) -> str:
    by, number = detail.get("by", "a clinician"), detail.get("number", "?")
    return f"noted that {by} approved version {number} of {subject}"


def _retiming(detail: Detail, subject: str) -> str:
    return f"began to bring version {detail.get('number', '?')} of {subject} to what is pending"


def _retimed(detail: Detail, subject: str) -> str:
    count = detail.get("messages", 0)
    return (
        f"brought {subject} to what was pending: {count:,} {'message' if count == 1 else 'messages'} changed"
    )


def _step(words: str) -> Say:
    return lambda detail, subject: f"{words} “{detail.get('step', 'a step')}” on the way to going live"


def _role(verb: str) -> Say:
    def say(detail: Detail, subject: str) -> str:
        role = {"admin": " as an admin", "front_desk": " for the front desk"}.get(detail.get("role", ""), "")
        return f"{verb} {subject}{role}"

    return say


def _settled(detail: Detail, subject: str) -> str:
    if detail.get("arrived"):
        return f"said that {subject} arrived"
    return f"had {subject} sent again, as it had not arrived"


def _suppressed(detail: Detail, subject: str) -> str:
    reason = str(detail.get("reason", "")).rstrip(".")
    return f"stopped {subject} from writing to an address{f': {reason}' if reason else ''}"


def _handled(detail: Detail, subject: str) -> str:
    how = str(detail.get("how", ""))
    return f"dealt with {subject}{f': {how}' if how else ''}"


def _assigned(detail: Detail, subject: str) -> str:
    return f"gave {subject} to somebody" if detail.get("to") else f"gave {subject} to nobody"


def _score(verb: str) -> Say:
    return lambda detail, subject: f"{verb} the soreness score {detail.get('score', '?')} after {subject}"


def _imported(detail: Detail, subject: str) -> str:
    return f"imported {detail.get('file') or 'a file'}"


def _exported(what: str) -> Say:
    def say(detail: Detail, subject: str) -> str:
        return f"took out {what} from {detail.get('first', '?')} to {detail.get('last', '?')} as a file"

    return say


def _saw_several(detail: Detail, subject: str) -> str:
    count = len(detail.get("patients", ()))
    return f"saw a list of {count} {'patient' if count == 1 else 'patients'}"


def _taken(detail: Detail, subject: str) -> str:
    ways = {"link": ", by its link", "sms": ", by texting its code"}
    return f"took {subject}{ways.get(detail.get('how', ''), '')}"


@dataclass(frozen=True, slots=True)
class Kind:
    """What one may look for: several actions under one name."""

    name: str
    actions: Mapping[str, Say]


KINDS: Mapping[str, Kind] = {
    "looked": Kind(
        "Patients looked at", {"patient.viewed": _of("looked at"), "patients.listed": _saw_several}
    ),
    "patients": Kind(
        "Patients changed",
        {
            "patient.added": _of("added"),
            "patient.changed": _changed,
            "patient.page_revoked": _of("revoked the links to the page of"),
            "patient.address_cleared": _of("said that the address is right again of"),
            "patient.essentials": _essentials,
            "patient.paused": _of("paused the messages of"),
            "patient.resumed": _of("resumed the messages of"),
            "patient.erased": _of("erased the data of"),
        },
    ),
    "consent": Kind(
        "Consent and opting out",
        {
            "consent.granted": _consent("consents to"),
            "consent.withdrawn": _consent("no longer consents to"),
            "address.suppressed": _suppressed,
            "address.lifted": _of("allowed writing to an address again to"),
        },
    ),
    "treatments": Kind(
        "Treatments",
        {
            "treatment.logged": _of("logged"),
            "treatment.corrected": _of("corrected the end of"),
            "treatment.visit": _of("changed the next visit of"),
            "treatment.voided": _of("voided"),
            "treatment.unvoided": _of("brought back"),
            "score.told": _score("noted"),
            "score.withdrawn": _score("took back"),
            "score.restored": _score("brought back"),
            "import.finished": _imported,
        },
    ),
    "messages": Kind(
        "Messages",
        {
            "message.cancelled": _of("cancelled"),
            "message.restored": _of("restored"),
            "message.sent_now": _of("sent at once"),
            "message.put_back": _of("put back to its time"),
            "message.released": _of("released"),
            "message.resent": _of("sent again"),
            "message.settled": _settled,
            "message.written": _of("wrote"),
        },
    ),
    "replies": Kind(
        "Replies",
        {
            "reply.seen": _of("was the first to read"),
            "reply.handled": _handled,
            "reply.reopened": _of("put back into the inbox"),
            "reply.assigned": _assigned,
            "reply.called": _of("called without an answer about"),
            "reply.linked": _of("said who wrote"),
            "reply.unlinked": _of("took back who wrote"),
        },
    ),
    "plans": Kind(
        "Plans",
        {
            "plan.saved": _saved_plan,
            "plan.approved": _approved_plan,
            "plan.retiming": _retiming,
            "plan.retimed": _retimed,
            "text.tested": _of("sent themselves a test of"),
            "plan.archived": _of("put away"),
            "plan.restored": _of("brought back"),
        },
    ),
    "people": Kind(
        "People and signing in",
        {
            "staff.added": _role("added"),
            "staff.invited": _of("invited"),
            "staff.role": _role("let work"),
            "staff.left": _of("took out of the clinic"),
            "staff.disabled": _of("disabled"),
            "staff.enabled": _of("enabled"),
            "staff.password": _of("set the password of"),
            "staff.signed_in": _only("signed in"),
            "token.created": _of("let in"),
            "token.revoked": _of("no longer lets in"),
        },
    ),
    "clinic": Kind(
        "Clinic",
        {
            "clinic.changed": _changed,
            "practitioner.added": _of("added the practitioner"),
            "practitioner.removed": _of("removed the practitioner"),
            "contact.added": _of("added the alert contact"),
            "contact.moved": _of("moved up the alert contact"),
            "contact.on_call": _of("put on call"),
            "contact.off_call": _of("took off call"),
            "contact.removed": _of("removed the alert contact"),
            "sender.changed": _of("changed"),
            "sender.tried": _of("tried again"),
            "sender.released": _of("let send again after a restore"),
            "database.restored": _only("brought a backup back"),
            "going_live.done": _step("ticked"),
            "going_live.undone": _step("took back"),
        },
    ),
    "alerts": Kind(
        "Alerts",
        {
            "alert.raised": _of("raised"),
            "alert.taken": _taken,
            "alert.reopened": _of("opened again"),
            "alert.tested": lambda detail, subject: f"sent a test alert to {detail.get('name', '')}".strip(),
        },
    ),
    "tasks": Kind(
        "Tasks",
        {"task.done": _only("dealt with a task"), "task.reopened": _only("opened a task again")},
    ),
    "exports": Kind(
        "Files taken out",
        {
            "patient.exported": _of("took out all data of"),
            "scores.exported": _exported("the soreness scores"),
            "delivery.exported": _exported("the messages"),
            "audit.exported": _exported("the audit trail"),
        },
    ),
}
_SAY: Mapping[str, Say] = {action: say for kind in KINDS.values() for action, say in kind.actions.items()}


def actions_of(kind: str) -> list[str]:
    return list(KINDS[kind].actions) if kind in KINDS else []


def sentence(action: str, detail: Detail, subject: str) -> str:
    """Without who did it. What a newer or older program wrote is told as it stands."""
    say = _SAY.get(action) or _of(action.replace(".", " ").replace("_", " "))
    return say(detail, subject)


def is_known(action: str) -> bool:
    return action in _SAY
