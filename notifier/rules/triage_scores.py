# ruff: noqa: E501 - patterns are easier to read on one line than in pieces
"""A soreness score from 0 to 10 in a patient's words, or none; never an hour, a count of days or a room.

Asked for, any number that is nothing else will do. Volunteered, it takes a scale ("7/10") or a soreness word.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from notifier.rules.triage_folding import fold


@dataclass(frozen=True, slots=True)
class Score:
    value: int | None = None
    unclear: bool = False  # like a score, but not to be read as one


_WORDS = {
    "zero": 0, "cero": 0, "two": 2, "dos": 2, "three": 3, "tres": 3, "four": 4, "cuatro": 4, "five": 5, "cinco": 5,
    "six": 6, "seis": 6, "seven": 7, "siete": 7, "eight": 8, "ocho": 8, "nine": 9, "nueve": 9, "ten": 10, "diez": 10,
    "eleven": 11, "twelve": 12, "fifteen": 15, "twenty": 20, "hundred": 100, "oh": 0,
    "sevn": 7, "seven7": 7, "eigth": 8, "eigh": 8, "fiv": 5, "fve": 5, "tree": 3, "thre": 3, "sieta": 7, "nuebe": 9, "seix": 6, "sinco": 5, "quatro": 4, "cinko": 5, "sinko": 5, "kuatro": 4, "siet": 7, "dies": 10,
}  # fmt: skip
# Words that are numbers only where nothing else can be meant.
_ONES = {"one": 1, "uno": 1, "una": 1, "un": 1}

_N = r"(?:\d+(?:[.,]\d+)?)"
_SCALE = re.compile(
    rf"({_N})\s*(?:today|now|right now|hoy|ahora)?\s*(?:/|out\s*of|outt?a|of|over|de|sobre|del)\s*(?:a\s*)?(?:los\s*)?(?:10|diez|ten)\b"
)
_SORE = (
    r"(?:sore(?:ness)?|pain(?:ful)?|ache|aches|achy|hurts?|hurting|discomfort|score|level|rate|rating|rated|scale|"
    r"dolor(?:es)?|molestias?|duele|dolido|nivel|puntuacion|escala|puntaje|intensidad|adolorid[oa]|stiffness|stiff|tender(?:ness)?)"
)
# What may stand between a soreness word and its number.
_LINKS = frozenset(
    [
        "is",
        "are",
        "was",
        "level",
        "score",
        "of",
        "at",
        "about",
        "around",
        "like",
        "a",
        "an",
        "un",
        "una",
        "de",
        "en",
        "es",
        "esta",
        "como",
        "it",
        "its",
        "s",
        "im",
        "i",
        "am",
        "now",
        "today",
        "todays",
        "hoy",
        "ahora",
        "me",
        "mi",
        "maybe",
        "probably",
        "roughly",
        "approx",
        "still",
        "just",
        "only",
        "currently",
        "my",
        "down",
        "to",
        "rating",
        "nivel",
        "scale",
        "on",
        "the",
        "would",
        "say",
        "id",
        "rate",
        "tengo",
        "diria",
        "sigue",
        "bajo",
        "mas",
        "o",
        "menos",
        "from",
        "has",
        "gone",
        "went",
        "dropped",
        "been",
        "this",
        "morning",
        "tonight",
        "right",
        "ya",
        "solo",
        "casi",
        "aun",
        "todavia",
        "unos",
        "will",
        "be",
        "call",
        "give",
        "as",
        "levels",
        "siento",
        "siente",
        "creo",
        "que",
        "le",
        "doy",
        "pongo",
        "pondria",
        "pain",
        "soreness",
        "dolor",
        "more",
        "than",
        "por",
        "max",
        "barely",
        "up",
        "subio",
        "anda",
        "and",
        "y",
        "ive",
        "id",
    ]
)
_SORE_FIRST = re.compile(rf"\b{_SORE}\b([^\d#.!?;]{{0,48}}?)(?<![\w/.])({_N})(?!\s*(?:/|%))")
_SORE_AFTER = re.compile(rf"\b({_N})\s*(?:for|in|on|of|de|en)?\s*(?:the|my|mi|el)?\s*(?:{_SORE})\b")
_FROM_TO = re.compile(
    rf"(?:from|de|desde)\s*(?:a|an|un)?\s*({_N})\s*(?:down|up|out)?\s*(?:to|a|hasta)\s*(?:a|an|un|about)?\s*({_N})"
)
_TO_FROM = re.compile(
    rf"(?:to|at|a)\s*(?:a|an|un|about)?\s*({_N})\s*(?:now\s*|today\s*)?(?:,\s*)?(?:down|up)?\s*(?:from|desde|de)\s*(?:a|an|un|about)?\s*({_N})"
)

_UNITS = (
    r"(?:st|nd|rd|th|am|pm|a\.m|p\.m|hrs?|hours?|h|mins?|minutes?|days?|weeks?|wks?|months?|years?|yrs?|nights?|times?|x|"
    r"mg|mgs|ml|pills?|tablets?|tabs?|capsules?|ibuprofens?|ibuprofenos?|advils?|tylenols?|paracetamol(?:es)?|aspirins?|"
    r"kids?|children|dogs?|cats?|miles?|km|kms|kilometers?|steps?|stairs|flights?|reps?|sets?|sessions?|visits?|treatments?|"
    r"appointments?|needles?|agujas?|people|of us|lbs?|pounds?|kgs?|kilos?|inch(?:es)?|cm|feet|percent|degrees?|grados?|"
    r"dias?|horas?|semanas?|meses|mes|anos?|noches?|veces|vez|minutos?|pastillas?|tabletas?|hijos?|ninos?|sesion(?:es)?|"
    r"citas?|millas?|pasos?|de la (?:manana|tarde|noche)|oclock|o clock|more|mas(?! o menos)|others?|spots?|places?|glasses|cups?|"
    r"bucks|dollars|euros?|questions?|preguntas?|calories|laps|seconds?|secs?|hour|ish pm|messages?|texts?|mensajes?|"
    r"squats|push ?ups|little|circles|mil|pisos|visit|dolares|dolar|pesos|personas?|tries|intentos|stars|estrellas|holes|walks?|openings?|rounds?|series|consultas|escalones|quick|late|scoops|items|letters|options|classes|clases|kilometros|blocks|cuadras|bottles?|packs?|hrs|weeks|or more days|months)"
)
_AWAY = [
    rf"\$\s*{_N}",
    r"(?<!\d)\+?\d[\d ().-]{6,}\d",
    rf"{_N}\s*%",
    r"\b\d{1,2}:\d{2}(?:\s*[ap]\.?m)?",
    r"\b\d{1,2}h\d{2}",
    rf"\b(?:day|dia|room|rm|apt|unit|suite|number|numero|no|age|aged|week|semana|step|paso|chapter|bus|line|floor|piso|extension|ext|option|opcion|flight|page|channel|route|stage|etapa|phase|grade|question|zip|visit|session|l|t|c|version|gate|table|bed|ward|exit|highway|route|interstate|street|house|lane)\s*#?\s*{_N}",
    rf"#\s*{_N}",
    rf"\b(?:exercise|ejercicio|level|size|talla|days|dias)\s+{_N}(?:\s+(?:and|y|o|or)\s+{_N})?(?=\s+(?:on|de la|del|of the|which|brace|shoe|is that|of my))",
    rf"\b(?:days?|dias?)\s+{_N}\s+(?:and|y|to|a)\s+{_N}",
    rf"\b(?:sets?|series|rounds?|rondas|reps)\s*(?:of|de|x)\s*{_N}",
    rf"\b(?:daughter|son|kid|boy|girl|baby|hij[oa]|nin[oa]|nephew|niece|niet[oa]|grandson|granddaughter)\s+(?:is|tiene|just turned|turns)\s+{_N}",
    rf"\b(?:somos|seremos|we are|theres|there are|played|jugue|running|ordered|pedi|parked)\s+(?:on\s+)?(?:the\s+)?(?:level\s+|size\s+)?{_N}",
    rf"\bsqueeze me in\b[^.!]*?{_N}\s*(?:and|or|-|y)\s*{_N}",
    rf"\b(?:took|take|taken|taking|tome|tomo|tomando|tomado|had|have|got|had about|did|do|walked|ran|run|ate|drank|slept|dormi|camine|corri|hice|tengo|tuve|bought)\s+(?:about\s+|only\s+|like\s+|solo\s+)?{_N}\s+(?!out|of|/|de\b|sobre|on|now|today|right|pain|sore|dolor|hoy|ahora|or|to|and|y|o|but|pero|at|when|in|en|cuando)\w+",
    rf"\b(?:took|taken|tome|tomo)\s+{_N}\b",
    rf"{_N}\s*(?:or|o|to|a|-)\s*{_N}\s*-?\s*{_UNITS}(?![a-z])",
    rf"{_N}\s*-?\s*{_UNITS}(?![a-z])",
    rf"\b(?:last|past|every|each|cada|ultim[oa]s|next|proxim[oa]s|for|por|hace|in|within|dentro de|another|otr[oa]s|after|despues de|since|desde)\s+(?:the\s+)?{_N}(?=\s+[a-z]{{4,}})(?!\s+(?:maybe|today|when|now|ahora|cuando|with|pero|left|right))",
    rf"\b(?:at|@|by|until|till|til|before|after|since|past|antes de|despues de|hasta|sobre|para)\s+(?:las?\s+)?{_N}(?!\s*(?:/|out|of|or|now|today|on|right|de))(?=.*\b(?:appointment|come|see|call|pick|meet|open|close|visit|cita|llego|venir|ir|nos vemos|work|dinner|home|bed|tomorrow|manana)\b)",
    rf"\ba las\s+{_N}",
    rf"\blas\s+{_N}\b",
    rf"\binstead of\s+{_N}",
    rf"\ben (?:vez|lugar) de\s+(?:las\s+)?{_N}",
    rf"\b{_N}\s*(?:instead|en vez|en lugar)",
    rf"\b(?:jan|feb|mar|apr|may|jun|jul|aug|sep|sept|oct|nov|dec|january|february|march|april|june|july|august|september|october|november|december)\s+{_N}",
    rf"{_N}\s+(?:de\s+)?(?:enero|febrero|marzo|abril|mayo|junio|julio|agosto|septiembre|octubre|noviembre|diciembre|january|february|march|april|june|july|august|september|october|november|december)",
    r"\d{1,2}/\d{1,2}/\d{2,4}",
]
_NOT_SCORES = [re.compile(pattern) for pattern in _AWAY]
# Words in an answer that is only "none", with what is polite around it.
_SHORT = 12
_MEETING = re.compile(
    r"\b(?:appointments?|appt|reschedule|rebook|book(?:ed|ing)?|schedule|come (?:in|at|by|over|earlier|later)|can i come|could i come|see you|see u|be there|running late|arrive|slot|opening|available|availability|are you (?:free|open)|open (?:at|until|till)|"
    r"cita|turno|reagendar|agendar|puedo (?:ir|venir|llegar)|llego|llegar|nos vemos|disponible|horario|abren|cierran|cambiar (?:la|mi) (?:hora|cita)|move (?:my|it|me|to|the)|push (?:it|my)|change (?:it|my|to)|pick (?:me|you|up)|tomorrow|my (?:visit|session|appointment|appt)|ok for|weds|thurs|fit me in|monday|tuesday|wednesday|thursday|friday|saturday|sunday|lunes|martes|miercoles|jueves|viernes|sabado|domingo|parking|address|bus|train)\b"
)
_PRAISE = re.compile(
    r"\b(?:recommend|service|experience|stars?|review|clinic is|thanks for|massage was|recomiendo|servicio|best|great job|would go|perfect 10|she is a 10|hes a 10)\b"
)
_STRONG_PRAISE = re.compile(r"\b(?:recommend|recomiendo|service|servicio|staff|stars|calificacion|review)\b")
_NONE = re.compile(
    r"^(?:(?:i have|i feel|im|i am|feeling|its|it is|ok|hi|hola|yes|no|tengo|pues|oh|honestly|really|today|there is|theres|tho|still|now|currently|right now|at the moment|absolutely|literally|thankfully|almost|me duele|ya|la verdad|estoy|hoy|gracias|thanks|thank you|doing great|all good|todo bien|feeling good|feeling great|great|good|bien|totally|completely|a|de)[ ,.!]*)*"
    r"(?:none|nada|nothing|no pain|no soreness|no aches?|not sore|no discomfort|pain ?free|painless|ninguno|ninguna|ningun dolor|sin dolor|sin molestias?|no dolor|no duele|no me duele|no me duele nada|no hurt|doesnt hurt|dont hurt|no hurts|no siento dolor|no tengo dolor|no molestias?|nil|not at all|not any|zip|nope none|nothing at all|no nothing|no pain at all)\b"
    r"(?:[ ,.!]*(?:at all|whatsoever|today|now|anymore|any more|here|really|left|hoy|ahora|ya|de dolor|nada|alguno|para nada|gracias|thanks|thank you|lol|right now|for me|so far|this morning|feeling great|feel great|feeling good|all good|muchas|todo bien|estoy bien|doing great|tho|at the moment|me siento bien|im good|i feel great|i feel good|yay|great|good|so|much|a|bit))*[ .!,]*$"
)
_NO_PAIN = re.compile(
    r"\b(?:no pain|pain ?free|no soreness|not sore|sin dolor|no me duele(?: nada)?|no tengo dolor|cero dolor|zero pain|no longer sore|sin molestias|ningun dolor)\b(?! (?:killers?|meds?|medication|relief|pills?|in my|in the|en (?:el|la)|yet))"
)
_VAGUE = re.compile(
    r"\b(?:better|worse|same|mejor|peor|igual|so so|mas o menos|little|bit|poco|lot|mucho|bad|fine|bien|okay|mild|moderate|severe|high|low|medium|mal|regular|leve|alto|bajo)\b"
)
_PAST = re.compile(
    r"(?:was|were|than|complains?|dolia|hurt|andaba en|used to be|had been|it started (?:at|as)|started (?:at|as|out)|yesterday|last night|before|earlier|last time|era|estaba|estuve|fue|ayer|antes|anoche|emp[ei][zcs]?[eo] (?:en|con)|from|desde|instead of|not a|not|no un|first day|at first|al principio|initially|peaked at|day one|day 1|night)\s*(?:it|its|was|like|about|a|an|un|en|around|como|the|at|:|,|\s)*$"
)
_PAST_AFTER = re.compile(
    r"^\s*(?:is what i (?:walked|came|went|started)|yesterday|last night|before|earlier|last time|ayer|anoche|antes|at first|initially|el primer dia|the first day|first day|al principio|the day before|the other day|on (?:the )?(?:first|weds|thurs|fit me in|monday|tuesday|wednesday|thursday|friday|saturday|sunday))\b"
)
_NOW = re.compile(
    r"(?:now|currently|today|down to|up to|ahora|hoy|ya|bajo a|subio a|right now|this morning|tonight|dropped to|went to|esta en|really|only|nomas|ahorita|ando en|voy en|it is|its)\s*(?:it|its|and|y|in|ando|is|at|im|i|am|like|about|maybe|around|es|en|estoy|un|una|a|an|only|solo|just|:|,|\s)*$"
)
_NOW_AFTER = re.compile(
    r"^\s*(?:now|today|right now|currently|this morning|tonight|ahora|hoy|ya|at the moment|esta manana)\b(?![^,.;]*\d)"
)


def read_score(text: str, *, asked: bool) -> Score:
    said = _plain(text[:1600])
    whole = _whole(said)
    if whole is not None and asked:
        return _scored([whole])
    meeting = bool(_MEETING.search(said))
    scaled = [m for m in _SCALE.finditer(said) if not re.search(r"\d[/.]$", said[: m.start()])]
    if scaled and meeting and not re.search(rf"\b{_SORE}\b|out of|sobre", said):
        scaled = []
    if scaled and _STRONG_PRAISE.search(said) and not re.search(rf"\b{_SORE}\b", said):
        scaled = []
    if scaled and (asked or not (_PRAISE.search(said) and not re.search(_SORE, said))):
        return _scored(_current([(m.start(1), m.end(), m[1]) for m in scaled], said))
    left = _without_other_numbers(said)
    sore = [*_after_soreness(left), *((m.start(1), m.end(1), m[1]) for m in _SORE_AFTER.finditer(left))]
    if not asked:
        for pattern, new in ((_FROM_TO, 2), (_TO_FROM, 1)):
            if (
                (m := pattern.search(left))
                and re.search(rf"\b{_SORE}\b", left)
                and _value(m[new]) is not None
            ):
                return _scored([m[new]])
        return _scored(_current(_widened(sore, left), left)) if sore and not _far(sore) else Score()
    numbers = [(m.start(), m.end(), m[0]) for m in re.finditer(rf"(?<![\w/.]){_N}(?![\w/])", left)]
    numbers = [n for n in numbers if not re.match(r"\s*/", left[n[1] :])]
    if not sore:
        numbers = [
            n for n in numbers if _is_present(n, left) or not (_in_question(n, left) or _counts(n, left))
        ]
    if meeting and not sore:
        numbers = [n for n in numbers if _is_present(n, left)]
        meeting = not numbers
    if numbers and (sore or not meeting):
        return _scored(_current(numbers, left))
    return _without_numbers(said, left, meeting)


def _in_question(number: Found, said: str) -> bool:
    """ "3 or 4?" about a suite, but not "maybe a 4?"."""
    before, after = re.split(r"[.!?;\n]", said[: number[0]])[-1], said[number[1] :]
    ends = re.search(r"[.!?;\n]", after)
    if ends is None or ends[0] != "?" or (_GUESS.search(before) and not _HOW_MANY.search(before)):
        return False
    return len(before.split()) + len(after[: ends.start()].split()) > 2


def _counts(number: Found, said: str) -> bool:
    """ "4 tries", "we are 2 for": it stands before the thing that it counts, or after one that it belongs to."""
    before, after = said[: number[0]], said[number[1] :]
    follows = re.match(r"\s*([a-z]{3,})", after)
    stands = re.search(r"([a-z]+)\s*$", before)
    is_thing = follows is not None and follows[1] not in _MAY_FOLLOW
    if stands is None:
        return False
    return stands[1] in _OWNS or (is_thing and stands[1] not in _LINKS)


_HOW_MANY = re.compile(r"\b(?:how (?:many|much|long|far|often)|cuant[oa]s?)\b")
# After these a number says of what, when or how old.
_OWNS = frozenset(
    [
        "after",
        "before",
        "until",
        "till",
        "by",
        "since",
        "were",
        "every",
        "cada",
        "de",
        "package",
        "paquete",
        "ages",
        "shes",
        "hes",
    ]
)
_MAY_FOLLOW = frozenset(
    [
        "today", "now", "hoy", "ahora", "ahorita", "right", "currently", "and", "but", "pero", "maybe", "the", "this",
        "for", "with", "when", "cuando", "because", "porque", "thanks", "gracias", "thank", "still", "out", "sobre",
        "max", "tops", "ish", "todavia", "aun", "yesterday", "ayer", "down", "feeling", "feels", "not", "its", "that",
        "hopefully", "getting", "better", "mejor", "tonight", "esta", "este", "mas", "while", "only", "unless",
        "con", "sin", "por", "para", "sore", "lol", "haha", "jaja", "ya", "doing", "after", "before", "since", "in", "on",
        "thats", "just", "solo", "nomas", "creo", "overall", "point", "puntos", "points", "going", "was", "all", "until",
    ]
)  # fmt: skip
_GUESS = re.compile(
    r"\b(?:maybe|about|around|like|guess|think|say|idk|hmm|probably|creo|quiza|quizas|como|tal vez|unos)\b"
)
_PRESENT = re.compile(
    r"\b(?:its|it is|im at|id say|call it|rate it|give it|now|today|ahora|ahorita|hoy|ya|ando en|estoy en|sigo en)\s+(?:(?:only|just|solo|nomas|an?|un|como|at|en|about|like|its|ando)\s+)*$"
)


def _is_present(number: Found, said: str) -> bool:
    """Said of now in so many words, in a message that is about a day or an hour too."""
    after = said[number[1] :]
    for pattern, new in ((_FROM_TO, 2), (_TO_FROM, 1)):
        if (m := pattern.search(said)) and m.start(new) == number[0]:
            return True
    if _NOW_AFTER.match(after) or (number[0] == 0 and re.match(r"\s*[.,!;]", after)):
        return True
    return bool(_PRESENT.search(said[: number[0]])) and bool(
        re.match(r"\s*(?:now|ahora|ahorita)?\s*(?:[,.!;]|$|and |pero |but )", after)
    )


def _without_numbers(said: str, left: str, meeting: bool) -> Score:
    if (len(said.split()) <= _SHORT and _NONE.match(said)) or (
        _NO_PAIN.search(said)
        and not re.search(r"\b(?:but|pero|except|until|when|cuando|hasta|although|aunque)\b|\?", said)
    ):
        return Score(0)
    odd = bool(re.search(r"\d", said)) and not meeting
    return Score(None, odd or (len(said.split()) <= 8 and bool(_VAGUE.search(said))))


def _plain(text: str) -> str:
    text = (
        re.sub(r"(\d)\ufe0f?\u20e3", r"\1 ", text)
        .replace("🔟", " 10 ")
        .replace("½", ".5")
        .replace("→", " to ")
        .replace("💯", " 100 ")
    )
    # No score has so many digits: a telephone number.
    said = re.sub(r"\d{5,}", "#", fold(re.sub("[–—−]", "-", text)))
    said = re.sub(
        r"\b(?:on|in|from|en)?\s*(?:a|an|the|una)?\s*(?:scale|escala)\s*(?:of|from|de|del)?\s*[01]?\s*(?:-|to|a|al)?\s*(?:10|diez|ten)\b",
        " scale ",
        said,
    )
    said = re.sub(r"(?<![\d-])[01]\s*(?:-|to|a)\s*10\b(?=\W*[a-z])", " scale ", said)
    said = re.sub(r"\b(?:de|del|from)\s*[01]\s*(?:-|to|a|al)\s*(?:10|diez|ten)\b", " scale ", said)
    said = re.sub(
        r"(?<![\d/.])(\d)\s*/\s*(\d)(?![\d/])",
        lambda m: f"{m[1]}-{m[2]}" if int(m[2]) == int(m[1]) + 1 else m[0],
        said,
    )
    said = re.sub(r"\b([a-z0-9]+)\b", lambda m: str(_WORDS.get(m[1], m[1])), said)
    said = re.sub(r"\b(one|uno|una|un)\s*(?=(?:/|out\s*of|over|sobre|de)\s*(?:10)\b)", "1 ", said)
    said = re.sub(
        r"\b(?:a|an|un|about|like|is|como|maybe|say|de|at)\s+(one|uno)\b(?!\s+(?:[a-z]{3,}))", " 1", said
    )
    said = re.sub(r"^(one|uno)(?=\s*(?:[,.]|nomas))", "1", said)
    said = re.sub(rf"\bcloser to\s+(?:a\s+)?({_N})\s+than\s+(?:a\s+|to\s+)*{_N}", r"\1", said)
    said = re.sub(r"\b(\d+)\s*(?:and a half|n a half|and half|y medio|y media)\b", r"\1.5", said)
    return re.sub(r"\b(\d)\s*ish\b", r"\1 ", re.sub(r"\b(\d+)-ish\b", r"\1", said))


def _whole(said: str) -> str | None:
    word = re.sub(r"^(?:a|an|un|it is|its|el|la|my|mi|about|like|como|an?)\s+|[^a-z0-9.,]", "", said).strip(
        ".,"
    )
    if word in _ONES and word in {"one", "uno"}:
        return "1"
    return word if re.fullmatch(_N, word) and not re.search(r"[-/]|\d\s+\d", said) else None


def _without_other_numbers(said: str) -> str:
    for pattern in _NOT_SCORES:
        said = pattern.sub(lambda m: re.sub(r"[\d:]", "#", m[0]), said)
    return said


Found = tuple[int, int, str]


def _after_soreness(said: str) -> list[Found]:
    return [
        (m.start(2), m.end(2), m[2])
        for m in _SORE_FIRST.finditer(said)
        if _LINKS.issuperset(re.findall("[a-z]+", m[1]))
    ]


def _far(found: list[Found]) -> bool:
    return all(_value(number) is None for _, _, number in found)


def _widened(found: list[Found], said: str) -> list[Found]:
    """With the other end of a range: "soreness 6 or 7"."""
    more = list(found)
    for _start, end, _number in found:
        if follows := re.match(rf"\s*(?:-|to|or|a|o|maybe)\s*(?:a|un|maybe)?\s*({_N})(?![\w/])", said[end:]):
            more.append((end + follows.start(1), end + follows.end(1), follows[1]))
    return more


def _current(found: list[Found], said: str) -> list[str]:
    """Of several numbers, those that are true now."""
    if len(found) == 1:
        return [found[0][2]]
    for pattern, new in ((_FROM_TO, 2), (_TO_FROM, 1)):
        if (m := pattern.search(said)) and _value(m[new]) is not None:
            return [m[new]]
    now = [n for n in found if _when(n, said) == "now"]
    past = [n for n in found if _when(n, said) == "past"]
    kept = [n for n in found if n not in past] or found
    if now and past:
        kept = now
    return [number for _, _, number in kept]


def _when(found: Found, said: str) -> str:
    """What follows a number says more than what stands before it: "9 yesterday, 4 today"."""
    before, after = said[: found[0]], said[found[1] :]
    if _NOW_AFTER.match(after):
        return "now"
    if _PAST_AFTER.match(after):
        return "past"
    return "now" if _NOW.search(before) else "past" if _PAST.search(before) else ""


def _scored(numbers: list[str]) -> Score:
    values = [value for number in numbers if (value := _value(number)) is not None]
    # Doubt between two goes to the higher.
    return Score(max(values)) if values else Score(None, bool(numbers))


def _value(number: str) -> int | None:
    value = float(number.replace(",", "."))
    return int(value + 0.5) if 0 <= value <= 10 else None
