"""Why messages were not sent, in few plain sentences: reasons that differ only in their moments are one."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from sqlalchemy import ColumnElement, and_, not_, or_

from notifier.models import Message


@dataclass(frozen=True, slots=True)
class Group:
    """`key` stands in addresses of pages. `to_act`: somebody at the clinic can do something about it."""

    key: str
    words: str
    to_act: bool = False
    codes: tuple[str, ...] = ()
    # Beginnings of reasons, `%` standing for what differs, as in SQL.
    likes: tuple[str, ...] = ()

    def said(self, language: str) -> str:
        """A provider's own words stay in its language."""
        return _SPANISH.get(self.key, self.words) if language[:2] == "es" else self.words

    def holds(self, reason: str, code: str) -> bool:
        return code in self.codes or any(_pattern(like).match(reason) for like in self.likes)

    def condition(self) -> ColumnElement[bool]:
        """The same, asked of the database."""
        tests = [_begins(like) for like in self.likes]
        if self.codes:
            tests.append(Message.reason_code.in_(self.codes))
        return or_(*tests)


@lru_cache(maxsize=256)
def _pattern(like: str) -> re.Pattern[str]:
    return re.compile(".*".join(re.escape(part) for part in like.split("%")), re.DOTALL)


def _begins(like: str) -> ColumnElement[bool]:
    return Message.reason.like(f"{like}%")


# What the code alone says; the sentence beside it only adds moments and names.
_BY_CODE = (
    Group(
        "same-visit",
        "One visit gets one first-day message, of the plan with most care.",
        codes=("same_visit",),
    ),
    Group("superseded", "A newer treatment on the same plan takes over.", codes=("superseded",)),
    Group("overtaken", "Logged late: overtaken by a later step that was due by then.", codes=("overtaken",)),
    Group("pace", "It could not be kept apart from others while it was useful.", codes=("pace",)),
    Group("essentials", "The patient gets safety messages only.", codes=("essentials",)),
    Group("void", "The treatment was voided.", codes=("void",)),
    Group("person", "Somebody at the clinic cancelled it.", codes=("person",)),
    Group("replanned", "It goes another way, or is no longer part of the plan.", codes=("replanned",)),
    Group("paused", "The patient's messages are paused until staff have looked.", True, codes=("paused",)),
    Group("render", "The text could not be made.", True, codes=("render",)),
    Group("broken", "It could not be prepared.", True, codes=("broken",)),
)
_BY_SENTENCE = (
    Group("no-consent", "No consent is on record.", True, likes=("No consent to",)),
    Group("withdrawn", "Consent was withdrawn.", likes=("Consent to",)),
    Group(
        "opted-out",
        "The number or address opted out.",
        codes=("opt_out",),
        likes=("This number opted out", "This address opted out"),
    ),
    Group(
        "landline",
        "The number is a landline, which cannot receive SMS.",
        True,
        likes=("The number is a landline", "This number is a landline"),
    ),
    Group("no-phone", "No phone number is on record.", True, likes=("No phone number is on record",)),
    Group("no-email", "No e-mail address is on record.", True, likes=("No e-mail address is on record",)),
    Group(
        "wrong-number",
        "The number is wrong or no longer in use.",
        True,
        likes=("This is not a valid phone", "This number is unknown", "This phone number cannot be reached"),
    ),
    Group("no-sender", "The clinic has no sender for it.", True, likes=("The clinic has no sender",)),
    Group("no-text", "The step has no text for it.", True, likes=("The step has no text",)),
    Group(
        "names-treatment",
        "The words name the treatment, and the patient has not asked for that.",
        likes=("The words name the treatment",),
    ),
    Group("erased", "The patient's data were erased.", likes=("The patient's data were erased",)),
    Group(
        "still-sore",
        "Only for patients who say they are still sore.",
        likes=(
            "Not for this patient: the step is for score",
            "Not for this patient. Who gets it: a score",
        ),
    ),
    Group(
        "too-sore",
        "Only for patients who are less sore.",
        likes=("Not for this patient. Who gets it:%no score of%The latest score is",),
    ),
    Group(
        "first-only",
        "Only after a first treatment.",
        likes=(
            "Not for this patient: the step is for first",
            "Not for this patient. Who gets it: not received",
            "Only for a first treatment",
        ),
    ),
    Group("no-visit", "No next visit is booked.", codes=("no_visit",), likes=("No next visit is booked",)),
    Group("others-only", "The step is for other patients.", codes=("audience",)),
    Group(
        "logged-too-late",
        "Logged too late to be useful.",
        True,
        likes=("It was useful until %, and the first moment it could leave",),
    ),
    Group(
        "not-in-time",
        "It could not leave while it was useful.",
        True,
        likes=("It was useful until % and could not leave before",),
    ),
    Group("sender-stopped", "Its sender could not send while it was useful.", True, codes=("too_late",)),
)
# The first that holds counts, so what is special stands before what is general.
GROUPS = (*_BY_CODE, *_BY_SENTENCE)
CODES_THAT_SAY_ALL = tuple(code for group in _BY_CODE for code in group.codes)
_BY_KEY = {group.key: group for group in GROUPS}
# Where the words themselves were blanked, by age or because the patient was erased.
NOT_KEPT = "The words are no longer kept."
# What is said of a try rather than of its cause.
_TAILS = (" That was the last try.", " Another try would come too late.")


@lru_cache(maxsize=10_000)
def group_of(reason: str, code: str) -> Group:
    """The group of a message that was stopped; a provider's own words are one by themselves."""
    for group in GROUPS:
        if group.holds(reason, code):
            return group
    cause = reason
    for tail in _TAILS:
        cause = cause.removesuffix(tail)
    return Group(cause, cause or "No reason was given.", to_act=True, likes=(cause,))


def without_names(reason: str, code: str) -> str:
    """The reason as it may stay when all that names somebody goes: it still counts to the same group."""
    group = group_of(reason, code)
    if not reason or group not in GROUPS:
        return NOT_KEPT if reason else ""
    if code in group.codes:
        return group.words
    return next(like for like in group.likes if _pattern(like).match(reason)).replace("%", " … ") + " …"


def named(key: str) -> Group:
    """By the key that an address of a page carries."""
    return _BY_KEY.get(key) or Group(key, key, to_act=True, likes=(key,))


def in_group(key: str) -> ColumnElement[bool]:
    """Whether a message's reason counts to this group, and not to one that stands before it."""
    group = named(key)
    before = GROUPS[: GROUPS.index(group)] if group in GROUPS else GROUPS
    return and_(group.condition(), *(not_(other.condition()) for other in before))


_SPANISH = {
    "same-visit": "Una visita recibe un solo mensaje del primer día.",
    "superseded": "Un tratamiento más reciente del mismo plan lo reemplaza.",
    "overtaken": "Registrado tarde: ya correspondía un paso posterior.",
    "pace": "No se pudo separar de otros mensajes mientras era útil.",
    "essentials": "El paciente solo recibe mensajes de seguridad.",
    "void": "El tratamiento se anuló.",
    "person": "Alguien de la clínica lo canceló.",
    "replanned": "Va por otro medio o ya no es parte del plan.",
    "paused": "Los mensajes del paciente están en pausa hasta que el personal los revise.",
    "render": "No se pudo preparar el texto.",
    "broken": "No se pudo preparar.",
    "no-consent": "No consta el consentimiento.",
    "withdrawn": "Se retiró el consentimiento.",
    "opted-out": "El número o la dirección se dio de baja.",
    "landline": "El número es fijo y no recibe SMS.",
    "no-phone": "No consta ningún teléfono.",
    "no-email": "No consta ningún correo.",
    "wrong-number": "El número es incorrecto o ya no está en uso.",
    "no-sender": "La clínica no tiene remitente para este medio.",
    "no-text": "El paso no tiene texto para este medio.",
    "names-treatment": "El texto nombra el tratamiento y el paciente no lo ha pedido.",
    "erased": "Los datos del paciente se borraron.",
    "still-sore": "Solo para pacientes que dicen que aún les duele.",
    "too-sore": "Solo para pacientes a quienes les duele menos.",
    "first-only": "Solo después de un primer tratamiento.",
    "no-visit": "No hay próxima visita.",
    "others-only": "El paso es para otros pacientes.",
    "logged-too-late": "Se registró demasiado tarde para que fuera útil.",
    "not-in-time": "No pudo salir mientras era útil.",
    "sender-stopped": "Su remitente no pudo enviar mientras era útil.",
    "nothing-planned": "No se planificó nada.",
}
