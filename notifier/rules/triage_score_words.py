# ruff: noqa: E501 - patterns are easier to read on one line than in pieces
"""What patients say around a soreness score: scales, soreness words, now and then, and every other number."""

from __future__ import annotations

import re

WORDS = {
    "zero": 0, "cero": 0, "two": 2, "dos": 2, "three": 3, "tres": 3, "four": 4, "cuatro": 4, "five": 5, "cinco": 5,
    "six": 6, "seis": 6, "seven": 7, "siete": 7, "eight": 8, "ocho": 8, "nine": 9, "nueve": 9, "ten": 10, "diez": 10,
    "eleven": 11, "twelve": 12, "fifteen": 15, "twenty": 20, "hundred": 100, "oh": 0,
    "sevn": 7, "seven7": 7, "eigth": 8, "eigh": 8, "fiv": 5, "fve": 5, "tree": 3, "thre": 3, "sieta": 7, "nuebe": 9, "seix": 6, "sinco": 5, "quatro": 4, "cinko": 5, "sinko": 5, "kuatro": 4, "siet": 7, "dies": 10,
}  # fmt: skip

# Words that are numbers only where nothing else can be meant.
ONES = {"one": 1, "uno": 1, "una": 1, "un": 1}

N = r"(?:\d+(?:[.,]\d+)?)"

SCALE = re.compile(
    rf"({N})\s*(?:today|now|right now|hoy|ahora)?\s*(?:/|out\s*of|outt?a|of|over|de|sobre|del)\s*(?:a\s*)?(?:los\s*)?(?:10|diez|ten)\b"
)

SORE = (
    r"(?:sore(?:ness)?|pain(?:ful)?|ache|aches|achy|hurts?|hurting|discomfort|score|level|rate|rating|rated|scale|"
    r"dolor(?:es)?|molestias?|duele|dolido|nivel|puntuacion|escala|puntaje|intensidad|adolorid[oa]|stiffness|stiff|tender(?:ness)?)"
)

# What may stand between a soreness word and its number.
LINKS = frozenset(
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

SORE_FIRST = re.compile(rf"\b{SORE}\b([^\d#.!?;]{{0,48}}?)(?<![\w/.])({N})(?!\s*(?:/|%))")

SORE_AFTER = re.compile(rf"\b({N})\s*(?:for|in|on|of|de|en)?\s*(?:the|my|mi|el)?\s*(?:{SORE})\b")

FROM_TO = re.compile(
    rf"(?:from|de|desde)\s*(?:a|an|un)?\s*({N})\s*(?:down|up|out)?\s*(?:to|a|hasta)\s*(?:a|an|un|about)?\s*({N})"
)

TO_FROM = re.compile(
    rf"(?:to|at|a)\s*(?:a|an|un|about)?\s*({N})\s*(?:now\s*|today\s*)?(?:,\s*)?(?:down|up)?\s*(?:from|desde|de)\s*(?:a|an|un|about)?\s*({N})"
)

UNITS = (
    r"(?:st|nd|rd|th|am|pm|a\.m|p\.m|hrs?|hours?|h|mins?|minutes?|days?|weeks?|wks?|months?|years?|yrs?|nights?|times?|x|"
    r"mg|mgs|ml|pills?|tablets?|tabs?|capsules?|ibuprofens?|ibuprofenos?|advils?|tylenols?|paracetamol(?:es)?|aspirins?|"
    r"kids?|children|dogs?|cats?|miles?|km|kms|kilometers?|steps?|stairs|flights?|reps?|sets?|sessions?|visits?|treatments?|"
    r"appointments?|needles?|agujas?|people|of us|lbs?|pounds?|kgs?|kilos?|inch(?:es)?|cm|feet|percent|degrees?|grados?|"
    r"dias?|horas?|semanas?|meses|mes|anos?|noches?|veces|vez|minutos?|pastillas?|tabletas?|hijos?|ninos?|sesion(?:es)?|"
    r"citas?|millas?|pasos?|de la (?:manana|tarde|noche)|oclock|o clock|more|mas(?! o menos)|others?|spots?|places?|glasses|cups?|"
    r"bucks|dollars|euros?|questions?|preguntas?|calories|laps|seconds?|secs?|hour|ish pm|messages?|texts?|mensajes?|"
    r"squats|push ?ups|little|circles|mil|pisos|visit|dolares|dolar|pesos|personas?|tries|intentos|stars|estrellas|holes|walks?|openings?|rounds?|series|consultas|escalones|quick|late|scoops|items|letters|options|classes|clases|kilometros|blocks|cuadras|bottles?|packs?|hrs|weeks|or more days|months)"
)

AWAY = [
    rf"\$\s*{N}",
    r"(?<!\d)\+?\d[\d ().-]{6,}\d",
    rf"{N}\s*%",
    r"\b\d{1,2}:\d{2}(?:\s*[ap]\.?m)?",
    r"\b\d{1,2}h\d{2}",
    rf"\b(?:day|dia|room|rm|apt|unit|suite|number|numero|no|age|aged|week|semana|step|paso|chapter|bus|line|floor|piso|extension|ext|option|opcion|flight|page|channel|route|stage|etapa|phase|grade|question|zip|visit|session|l|t|c|version|gate|table|bed|ward|exit|highway|route|interstate|street|house|lane)\s*#?\s*{N}",
    rf"#\s*{N}",
    rf"\b(?:exercise|ejercicio|level|size|talla|days|dias)\s+{N}(?:\s+(?:and|y|o|or)\s+{N})?(?=\s+(?:on|de la|del|of the|which|brace|shoe|is that|of my))",
    rf"\b(?:days?|dias?)\s+{N}\s+(?:and|y|to|a)\s+{N}",
    rf"\b(?:sets?|series|rounds?|rondas|reps)\s*(?:of|de|x)\s*{N}",
    rf"\b(?:daughter|son|kid|boy|girl|baby|hij[oa]|nin[oa]|nephew|niece|niet[oa]|grandson|granddaughter)\s+(?:is|tiene|just turned|turns)\s+{N}",
    rf"\b(?:somos|seremos|we are|theres|there are|played|jugue|running|ordered|pedi|parked)\s+(?:on\s+)?(?:the\s+)?(?:level\s+|size\s+)?{N}",
    rf"\bsqueeze me in\b[^.!]*?{N}\s*(?:and|or|-|y)\s*{N}",
    rf"\b(?:took|take|taken|taking|tome|tomo|tomando|tomado|had|have|got|had about|did|do|walked|ran|run|ate|drank|slept|dormi|camine|corri|hice|tengo|tuve|bought)\s+(?:about\s+|only\s+|like\s+|solo\s+)?{N}\s+(?!out|of|/|de\b|sobre|on|now|today|right|pain|sore|dolor|hoy|ahora|or|to|and|y|o|but|pero|at|when|in|en|cuando)\w+",
    rf"\b(?:took|taken|tome|tomo)\s+{N}\b",
    rf"{N}\s*(?:or|o|to|a|-)\s*{N}\s*-?\s*{UNITS}(?![a-z])",
    rf"{N}\s*-?\s*{UNITS}(?![a-z])",
    rf"\b(?:last|past|every|each|cada|ultim[oa]s|next|proxim[oa]s|for|por|hace|in|within|dentro de|another|otr[oa]s|after|despues de|since|desde)\s+(?:the\s+)?{N}(?=\s+[a-z]{{4,}})(?!\s+(?:maybe|today|when|now|ahora|cuando|with|pero|left|right))",
    rf"\b(?:at|@|by|until|till|til|before|after|since|past|antes de|despues de|hasta|sobre|para)\s+(?:las?\s+)?{N}(?!\s*(?:/|out|of|or|now|today|on|right|de))(?=.*\b(?:appointment|come|see|call|pick|meet|open|close|visit|cita|llego|venir|ir|nos vemos|work|dinner|home|bed|tomorrow|manana)\b)",
    rf"\ba las\s+{N}",
    rf"\blas\s+{N}\b",
    rf"\binstead of\s+{N}",
    rf"\ben (?:vez|lugar) de\s+(?:las\s+)?{N}",
    rf"\b{N}\s*(?:instead|en vez|en lugar)",
    rf"\b(?:jan|feb|mar|apr|may|jun|jul|aug|sep|sept|oct|nov|dec|january|february|march|april|june|july|august|september|october|november|december)\s+{N}",
    rf"{N}\s+(?:de\s+)?(?:enero|febrero|marzo|abril|mayo|junio|julio|agosto|septiembre|octubre|noviembre|diciembre|january|february|march|april|june|july|august|september|october|november|december)",
    r"\d{1,2}/\d{1,2}/\d{2,4}",
]

NOT_SCORES = [re.compile(pattern) for pattern in AWAY]

# Words in an answer that is only "none", with what is polite around it.
SHORT = 12

MEETING = re.compile(
    r"\b(?:appointments?|appt|reschedule|rebook|book(?:ed|ing)?|schedule|come (?:in|at|by|over|earlier|later)|can i come|could i come|see you|see u|be there|running late|arrive|slot|opening|available|availability|are you (?:free|open)|open (?:at|until|till)|"
    r"cita|turno|reagendar|agendar|puedo (?:ir|venir|llegar)|llego|llegar|nos vemos|disponible|horario|abren|cierran|cambiar (?:la|mi) (?:hora|cita)|move (?:my|it|me|to|the)|push (?:it|my)|change (?:it|my|to)|pick (?:me|you|up)|tomorrow|my (?:visit|session|appointment|appt)|ok for|weds|thurs|fit me in|monday|tuesday|wednesday|thursday|friday|saturday|sunday|lunes|martes|miercoles|jueves|viernes|sabado|domingo|parking|address|bus|train)\b"
)

PRAISE = re.compile(
    r"\b(?:recommend|service|experience|stars?|review|clinic is|thanks for|massage was|recomiendo|servicio|best|great job|would go|perfect 10|she is a 10|hes a 10)\b"
)

STRONG_PRAISE = re.compile(r"\b(?:recommend|recomiendo|service|servicio|staff|stars|calificacion|review)\b")

NONE = re.compile(
    r"^(?:(?:i have|i feel|im|i am|feeling|its|it is|ok|hi|hola|yes|no|tengo|pues|oh|honestly|really|today|there is|theres|tho|still|now|currently|right now|at the moment|absolutely|literally|thankfully|almost|me duele|ya|la verdad|estoy|hoy|gracias|thanks|thank you|doing great|all good|todo bien|feeling good|feeling great|great|good|bien|totally|completely|a|de)[ ,.!]*)*"
    r"(?:none|nada|nothing|no pain|no soreness|no aches?|not sore|no discomfort|pain ?free|painless|ninguno|ninguna|ningun dolor|sin dolor|sin molestias?|no dolor|no duele|no me duele|no me duele nada|no hurt|doesnt hurt|dont hurt|no hurts|no siento dolor|no tengo dolor|no molestias?|nil|not at all|not any|zip|nope none|nothing at all|no nothing|no pain at all)\b"
    r"(?:[ ,.!]*(?:at all|whatsoever|today|now|anymore|any more|here|really|left|hoy|ahora|ya|de dolor|nada|alguno|para nada|gracias|thanks|thank you|lol|right now|for me|so far|this morning|feeling great|feel great|feeling good|all good|muchas|todo bien|estoy bien|doing great|tho|at the moment|me siento bien|im good|i feel great|i feel good|yay|great|good|so|much|a|bit))*[ .!,]*$"
)

NO_PAIN = re.compile(
    r"\b(?:no pain|pain ?free|no soreness|not sore|sin dolor|no me duele(?: nada)?|no tengo dolor|cero dolor|zero pain|no longer sore|sin molestias|ningun dolor)\b(?! (?:killers?|meds?|medication|relief|pills?|in my|in the|en (?:el|la)|yet))"
)

VAGUE = re.compile(
    r"\b(?:better|worse|same|mejor|peor|igual|so so|mas o menos|little|bit|poco|lot|mucho|bad|fine|bien|okay|mild|moderate|severe|high|low|medium|mal|regular|leve|alto|bajo)\b"
)

PAST = re.compile(
    r"(?:was|were|than|complains?|dolia|hurt|andaba en|used to be|had been|it started (?:at|as)|started (?:at|as|out)|yesterday|last night|before|earlier|last time|era|estaba|estuve|fue|ayer|antes|anoche|emp[ei][zcs]?[eo] (?:en|con)|from|desde|instead of|not a|not|no un|first day|at first|al principio|initially|peaked at|day one|day 1|night)\s*(?:it|its|was|like|about|a|an|un|en|around|como|the|at|:|,|\s)*$"
)

PAST_AFTER = re.compile(
    r"^\s*(?:is what i (?:walked|came|went|started)|yesterday|last night|before|earlier|last time|ayer|anoche|antes|at first|initially|el primer dia|the first day|first day|al principio|the day before|the other day|on (?:the )?(?:first|weds|thurs|fit me in|monday|tuesday|wednesday|thursday|friday|saturday|sunday))\b"
)

NOW = re.compile(
    r"(?:now|currently|today|down to|up to|ahora|hoy|ya|bajo a|subio a|right now|this morning|tonight|dropped to|went to|esta en|really|only|nomas|ahorita|ando en|voy en|it is|its)\s*(?:it|its|and|y|in|ando|is|at|im|i|am|like|about|maybe|around|es|en|estoy|un|una|a|an|only|solo|just|:|,|\s)*$"
)

NOW_AFTER = re.compile(
    r"^\s*(?:now|today|right now|currently|this morning|tonight|ahora|hoy|ya|at the moment|esta manana)\b(?![^,.;]*\d)"
)

HOW_MANY = re.compile(r"\b(?:how (?:many|much|long|far|often)|cuant[oa]s?)\b")

# After these a number says of what, when or how old.
OWNS = frozenset(
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

MAY_FOLLOW = frozenset(
    [
        "today", "now", "hoy", "ahora", "ahorita", "right", "currently", "and", "but", "pero", "maybe", "the", "this",
        "for", "with", "when", "cuando", "because", "porque", "thanks", "gracias", "thank", "still", "out", "sobre",
        "max", "tops", "ish", "todavia", "aun", "yesterday", "ayer", "down", "feeling", "feels", "not", "its", "that",
        "hopefully", "getting", "better", "mejor", "tonight", "esta", "este", "mas", "while", "only", "unless",
        "con", "sin", "por", "para", "sore", "lol", "haha", "jaja", "ya", "doing", "after", "before", "since", "in", "on",
        "thats", "just", "solo", "nomas", "creo", "overall", "point", "puntos", "points", "going", "was", "all", "until",
    ]
)  # fmt: skip

GUESS = re.compile(
    r"\b(?:maybe|about|around|like|guess|think|say|idk|hmm|probably|creo|quiza|quizas|como|tal vez|unos)\b"
)

PRESENT = re.compile(
    r"\b(?:its|it is|im at|id say|call it|rate it|give it|now|today|ahora|ahorita|hoy|ya|ando en|estoy en|sigo en)\s+(?:(?:only|just|solo|nomas|an?|un|como|at|en|about|like|its|ando)\s+)*$"
)
