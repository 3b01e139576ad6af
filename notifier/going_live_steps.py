"""The steps between an installation and real patients: what each is for, and who can tell that it is done."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Step:
    """`by_hand`: only people know whether it is done. `blocks`: mode live names it, and refuses without it.
    `everywhere`: it is the installation's, and the same for every clinic. `guide`: a step of the guide.
    """

    key: str
    group: str
    title: str
    why: str
    todo: str
    href: str = ""
    link: str = ""
    guide: int = 0
    by_hand: bool = False
    blocks: bool = False
    everywhere: bool = False
    note: str = ""  # what to write down with the tick


_CLINIC, _WORDS, _ANSWERS, _SENDING, _PAPERS = (
    "The clinic",
    "The words",
    "When patients answer",
    "Sending",
    "Registration and agreements",
)

STEPS: Final = (
    Step(
        "numbers",
        _CLINIC,
        "The numbers that patients are told to call",
        "Every warning says whom to call, and a text without a number cannot be sent.",
        "Enter the clinic's own number and the number for an ambulance.",
        "/clinic#details",
        "Clinic",
        1,
        blocks=True,
    ),
    Step(
        "hours",
        _CLINIC,
        "Opening hours",
        "Out of hours, answers that say “call us” say when you open instead, and replies that nobody has "
        "read an hour after opening are reported.",
        "Enter them with the days on which you are closed.",
        "/clinic#hours",
        "Opening hours",
        1,
    ),
    Step(
        "name",
        _CLINIC,
        "A name that tells strangers nothing",
        "Phones are shared and show texts while they are locked. “Mill Street” tells nobody anything; a "
        "pain, fertility or addiction clinic's name does.",
        "Read the name that stands at the beginning of every SMS with a stranger's eyes; choose a neutral "
        "one where it gives away why somebody comes to you.",
        "/clinic#details",
        "Name",
        4,
        by_hand=True,
    ),
    Step(
        "people",
        _CLINIC,
        "Everybody can sign in",
        "Who cannot sign in sees no alert and no reply.",
        "Send those who have no password yet a new invitation.",
        "/people",
        "People",
        1,
    ),
    Step(
        "plans",
        _WORDS,
        "The texts of the plans are approved",
        "They are drafts until a licensed clinician stands for every word that patients read.",
        "Have a clinician read each plan that you use, change what is not yours to say, and enter their "
        "name. Archive the plans that you do not use.",
        "/plans",
        "Plans and texts",
        4,
        blocks=True,
    ),
    Step(
        "answers",
        _WORDS,
        "The automatic answers are approved",
        "They answer a frightened patient at three in the morning, before anybody is awake.",
        "Have a clinician read them and the words that the line listens for, and enter their name.",
        "/answers",
        "Automatic answers",
        4,
        blocks=True,
    ),
    Step(
        "translation",
        _WORDS,
        "A translator has read the Spanish",
        "The Spanish was written by a machine. US law (Section 1557) wants machine translation of critical "
        "text reviewed by a qualified human translator.",
        "Have one read the texts and answers in Spanish. Without Spanish-speaking patients, say so here.",
        "/plans",
        "Texts",
        4,
        by_hand=True,
        note="Who it was",
    ),
    Step(
        "receiving-sms",
        _ANSWERS,
        "Replies by SMS come in",
        "A patient who writes “I can't breathe” must not write into the void.",
        "Leave the worker running: it asks Twilio every 15 seconds. With a public https address Twilio can "
        "call us instead (sms.receive = webhook).",
        "",
        "",
        6,
        blocks=True,
        everywhere=True,
    ),
    Step(
        "receiving-mail",
        _ANSWERS,
        "Replies by e-mail reach somebody",
        "Patients answer e-mails too, and a number that bounces back should be seen.",
        "Name a mailbox in [inbound_mail], or at least an address in email.reply_to that a person reads "
        "every working day.",
        "",
        "",
        6,
        everywhere=True,
    ),
    Step(
        "contacts",
        _ANSWERS,
        "Alert contacts are tested",
        "An alert that reaches nobody is worse than none: the patient was told to expect a call.",
        "Enter whom to tell, in order, and send each a test alert, which they acknowledge.",
        "/clinic#contacts",
        "Alert contacts",
        7,
        blocks=True,
    ),
    Step(
        "calls",
        _ANSWERS,
        "Calls to the texting number are answered",
        "Some patients call the number that texted them. A number that just rings is a bad place to be ill.",
        "In Twilio's console forward the number's voice calls to the clinic's phone, and call it once.",
        guide=6,
        by_hand=True,
        note="Where calls go",
    ),
    Step(
        "channel",
        _SENDING,
        "SMS or e-mail is set up",
        "Without a provider nothing leaves.",
        "Write the [sms] or the [email] section of the configuration on the server.",
        guide=2,
        blocks=True,
        everywhere=True,
    ),
    Step(
        "address",
        _SENDING,
        "The pages have a public https address",
        "E-mails can then carry the link that unsubscribes with one click, and alerts a link to the patient.",
        "Set web.base_url to the https address and web.secret_key to 32 random characters or more. A clinic "
        "without a public address can do without: STOP and the phone work all the same.",
        guide=1,
        everywhere=True,
    ),
    Step(
        "dns",
        _SENDING,
        "Your domain vouches for its mail",
        "Without SPF, DKIM and DMARC large mail hosts put messages into the spam folder, or refuse them.",
        "Publish the three DNS records that your mail host names, send yourself a test, and look at its "
        "headers: each should say pass.",
        guide=2,
        by_hand=True,
    ),
    Step(
        "price",
        _SENDING,
        "What an SMS costs",
        "Pages then say what a longer text costs a month.",
        "Enter the price of one part, with the carrier's fee.",
        "/clinic#price",
        "Price",
        5,
    ),
    Step(
        "backup",
        _SENDING,
        "A backup was made, and restored once",
        "The record of who said yes and who said stop is in the database, and nowhere else.",
        "Set up a daily copy as docs/operations.md shows, and bring one back on another computer.",
        guide=9,
        by_hand=True,
        everywhere=True,
        note="When it was restored, and where copies are",
    ),
    Step(
        "submitted",
        _PAPERS,
        "The number's registration is submitted",
        "US carriers block texts from programs whose number is not registered.",
        "Register your business and what it sends (A2P 10DLC), or verify a toll-free number. What to paste "
        "into the forms is ready.",
        "/going-live/pack",
        "The pack to paste",
        5,
        by_hand=True,
        note="Brand and campaign, or verification number",
    ),
    Step(
        "registered",
        _PAPERS,
        "The registration is approved",
        "Until then texts come back with error 30034 or 30032.",
        "Wait for the provider's mail; attach the number to the campaign; send yourself a test.",
        guide=5,
        by_hand=True,
        note="Campaign or verification id",
    ),
    Step(
        "sms-agreement",
        _PAPERS,
        "An agreement with the SMS provider is signed",
        "It handles your patients' numbers and words for you: under HIPAA a business associate agreement "
        "(BAA), under the GDPR a data processing agreement (DPA).",
        "Ask Twilio for it before the first patient, and mark the account as the one it covers.",
        guide=8,
        by_hand=True,
        note="Where the signed copy is",
    ),
    Step(
        "mail-agreement",
        _PAPERS,
        "An agreement with the mail host is signed",
        "The same holds for whoever carries your e-mails, and not every mail service signs one.",
        "Ask for it; change the host where it is refused.",
        guide=8,
        by_hand=True,
        note="Where the signed copy is",
    ),
    Step(
        "counsel",
        _PAPERS,
        "Your counsel has looked at it",
        "What the law asks of you depends on where you and your patients are. This program gives no legal "
        "advice.",
        "Show your counsel the pack, the words of consent and the privacy paragraph.",
        "/going-live/pack",
        "The pack",
        8,
        by_hand=True,
        note="Who it was",
    ),
    Step(
        "mode",
        _SENDING,
        "Messages really go to patients",
        "Until then everything but the listed recipients' messages stays in the outbox.",
        'When the rest is done: delivery.mode = "live" in the configuration, then restart.',
        guide=9,
        everywhere=True,
    ),
)
BY_KEY: Final = {step.key: step for step in STEPS}
GROUPS: Final = (_CLINIC, _WORDS, _ANSWERS, _SENDING, _PAPERS)
