"""The words that are read out when a patient is asked whether the clinic may write: its own, else these."""

from __future__ import annotations

from typing import Final

from notifier.models import Clinic

READ_OUT: Final = "read out at the desk"

# Who writes, about what, how often, what it costs, how it ends, and that treatment does not depend on it.
_WORDS: Final = {
    "en": (
        "{clinic} would like to write to you after your visits: what you may feel, what helps and when to "
        "call. It is up to five messages a week, by text or e-mail, whichever you agree to. You can say no; "
        "your treatment does not depend on it. Message and data rates may apply to texts. To end them, "
        "reply STOP at any time or tell us. For help, reply HELP."
    ),
    "es": (
        "{clinic} quisiera escribirle después de sus visitas: qué puede sentir, qué ayuda y cuándo llamar. "
        "Son hasta cinco mensajes por semana, por SMS o por correo electrónico, según lo que usted acepte. "
        "Puede decir que no; su tratamiento no depende de ello. Los SMS pueden tener cargos de mensajes y "
        "datos. Para que terminen, responda STOP en cualquier momento o díganoslo. Para ayuda, responda "
        "AYUDA."
    ),
}


def words(clinic: Clinic, language: str) -> str:
    """As they are read out and kept with the answer, in the patient's language."""
    own = clinic.consent_wording.get(language, "").strip()
    return own or _WORDS.get(language, _WORDS["en"]).replace("{clinic}", clinic.name)
