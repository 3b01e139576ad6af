from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from collections.abc import Callable
from contextlib import chdir
from datetime import timedelta
from itertools import pairwise
from pathlib import Path

import pytest
from pydantic import ValidationError

from notifier.config import AlertContact, EmailSettings, InboundMailSettings, Settings, load
from notifier.errors import ConfigError
from notifier.resources import example_config

Write = Callable[[str], Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def to_file(toml: str) -> Path:
        path = tmp_path / "config.toml"
        path.write_text(toml, encoding="utf-8")
        return path

    return to_file


def refusal(path: Path | None = None, **environ: str) -> str:
    with pytest.raises(ConfigError) as refused:
        load(path, environ)
    return str(refused.value)


def test_without_a_file_the_defaults_hold(tmp_path: Path) -> None:
    with chdir(tmp_path):
        settings = load(None, {})
    assert settings.delivery.mode == "outbox"
    assert settings.sms.timeout == timedelta(seconds=10)
    assert settings.database.url == f"sqlite:///{tmp_path}/notifier.db"
    assert settings.delivery.outbox_file == tmp_path / "outbox.jsonl"


def test_the_argument_comes_before_the_variable_and_the_variable_before_the_folder(tmp_path: Path) -> None:
    for name in ("config", "variable", "argument"):
        (tmp_path / f"{name}.toml").write_text(f'[clinic]\nname = "{name}"\n')
    variable = {"NOTIFIER_CONFIG": str(tmp_path / "variable.toml")}
    with chdir(tmp_path):
        assert load(None, {}).clinic.name == "config"
        assert load(None, {"NOTIFIER_CONFIG": ""}).clinic.name == "config"
        assert load(None, variable).clinic.name == "variable"
        assert load(tmp_path / "argument.toml", variable).clinic.name == "argument"


def test_relative_paths_start_from_the_folder_of_the_file(write: Write, tmp_path: Path) -> None:
    (tmp_path / "key").write_text("k")
    path = write('[delivery]\noutbox_file = "kept/out.jsonl"\n[web]\nsecret_key_file = "key"\n')
    settings = load(path, {"NOTIFIER_DATABASE__URL": "sqlite:///data/clinic.db?timeout=5"})
    assert settings.delivery.outbox_file == tmp_path / "kept/out.jsonl"
    assert settings.database.url == f"sqlite:///{tmp_path}/data/clinic.db?timeout=5"
    assert settings.web.secret_key == "k"


@pytest.mark.parametrize(
    "url", ["sqlite:////var/lib/notifier.db", "postgresql+psycopg://desk:pw@db.example:5433/notifier"]
)
def test_a_complete_database_url_is_kept(url: str, write: Write) -> None:
    assert load(write(f'[database]\nurl = "{url}"'), {}).database.url == url


def test_a_file_from_notepad_is_read(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_bytes(b'\xef\xbb\xbf[clinic]\r\nname = "Elm"\r\n')
    assert load(path, {}).clinic.name == "Elm"


@pytest.mark.parametrize(
    ("section", "key", "written", "value"),
    [
        ("sms", "timeout", "15s", timedelta(seconds=15)),
        ("retention", "words", "52w", timedelta(weeks=52)),
        ("sms", "max_per_second", "2.5", 2.5),
        ("web", "port", "9000", 9000),
        ("web", "base_url", "https://desk.example.com/", "https://desk.example.com"),
        ("web", "base_url", "http://10.0.0.5:8000/notes", "http://10.0.0.5:8000/notes"),
        ("sms", "from_number", "+1 (503) 555-0123", "+15035550123"),
        ("sms", "from_number", "72345", "72345"),
        ("email", "from_address", "desk@mail.internal", "desk@mail.internal"),
        ("delivery", "allowlist", "+15035550123, ana@example.com", ("+15035550123", "ana@example.com")),
        ("delivery", "allowlist", '["ana@example.com"]', ("ana@example.com",)),
        ("delivery", "allowlist", "", ()),
        ("sms", "provider_answers", "STOP,HELP", ("STOP", "HELP")),
        (
            "alerts",
            "contacts",
            '[{ name = "Roe", email = "r@x.org" }]',
            (AlertContact(name="Roe", email="r@x.org"),),
        ),
        ("clinic", "timezone", "America/New_York", "America/New_York"),
        ("clinic", "country", "gb", "GB"),
        ("clinic", "name", "Clínica Olmo", "Clínica Olmo"),
    ],
)
def test_the_environment_overrides_the_file(
    section: str, key: str, written: str, value: object, write: Write
) -> None:
    path = write('[web]\nport = 1\n[sms]\ntimeout = "1s"\n[clinic]\nname = "Elm"\n')
    settings = load(path, {f"NOTIFIER_{section}__{key}".upper(): written, "PATH": "/bin"})
    assert getattr(getattr(settings, section), key) == value


def test_an_override_leaves_the_rest_of_its_section_alone(write: Write) -> None:
    settings = load(write('[sms]\ntimeout = "1s"\nmax_per_second = 3\n'), {"NOTIFIER_SMS__TIMEOUT": "2s"})
    assert (settings.sms.timeout, settings.sms.max_per_second) == (timedelta(seconds=2), 3.0)


SECRETS = [
    ("web", "secret_key"),
    ("sms", "auth_token"),
    ("email", "password"),
    ("inbound_mail", "password"),
    ("database", "url"),
]
COMPLETE = """
[sms]
account_sid = "AC1"
auth_token = "overridden"
from_number = "+15035550123"
[email]
username = "desk"
password = "overridden"
"""


@pytest.mark.parametrize(("section", "key"), SECRETS)
def test_every_secret_may_stand_in_a_file_and_is_in_no_repr(
    section: str, key: str, write: Write, tmp_path: Path
) -> None:
    secret = "postgresql+psycopg://u:hush@h/d" if section == "database" else " hush \n\ttail"
    (tmp_path / "secret").write_text(secret + "\n")
    settings = load(write(COMPLETE), {f"NOTIFIER_{section}__{key}_file".upper(): "secret"})
    assert getattr(getattr(settings, section), key) == secret
    assert "hush" not in repr(settings) + str(settings) + repr(getattr(settings, section))


@pytest.mark.parametrize(("section", "key"), SECRETS)
def test_no_error_ever_shows_a_secret(section: str, key: str, write: Write) -> None:
    words = refusal(write(f'[{section}]\n{key} = ["hush"]\nport = "x"\n'))
    assert (
        f"{section}.{key} in config.toml: the value (not shown) is not text; put it between quotes." in words
    )
    assert "hush" not in words


def test_a_password_inside_an_address_is_not_shown(write: Write) -> None:
    words = refusal(
        write('[web]\nbase_url = "https://ana:hush@x.org"\n[database]\nurl = "mysql://a:hush@h/d"')
    )
    assert "web.base_url" in words
    assert "database.url" in words
    assert "hush" not in words


def test_a_secret_given_twice_in_one_place_is_refused(write: Write, tmp_path: Path) -> None:
    (tmp_path / "key").write_text("k")
    words = refusal(write('[web]\nsecret_key = "a"\nsecret_key_file = "key"'))
    assert words == "web.secret_key and web.secret_key_file in config.toml are both given; keep one of them."
    environment = {"NOTIFIER_WEB__SECRET_KEY": "a", "NOTIFIER_WEB__SECRET_KEY_FILE": "not-there"}
    words = refusal(None, **environment)
    assert (
        words == "web.secret_key and web.secret_key_file in the environment are both given; keep one of them."
    )


def test_an_empty_form_of_a_secret_gives_way_to_the_other(write: Write, tmp_path: Path) -> None:
    (tmp_path / "key").write_text("k")
    path = write('[web]\nsecret_key = ""\nsecret_key_file = "key"')
    assert load(path, {}).web.secret_key == "k"
    assert load(write('[web]\nsecret_key = "k"\nsecret_key_file = ""'), {}).web.secret_key == "k"


def test_the_environment_overrides_a_secret_in_whichever_form(write: Write) -> None:
    path = write('[web]\nsecret_key_file = "not-there"')
    assert load(path, {"NOTIFIER_WEB__SECRET_KEY": "k"}).web.secret_key == "k"


def test_a_secret_file_that_cannot_be_used_is_named_with_its_reason(write: Write, tmp_path: Path) -> None:
    (tmp_path / "empty").write_text("\n")
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    path = write(
        '[web]\nsecret_key_file = "gone"\n[email]\npassword_file = "empty"\n'
        '[inbound_mail]\npassword_file = "binary"\n[sms]\nauth_token_file = 3\n[database]\nurl_file = "."'
    )
    words = refusal(path)
    assert f"web.secret_key_file in config.toml: {tmp_path}/gone cannot be read (No such file" in words
    assert f"email.password_file in config.toml: {tmp_path}/empty is empty;" in words
    assert f"inbound_mail.password_file in config.toml: {tmp_path}/binary is not text;" in words
    assert "sms.auth_token_file in config.toml: this is not text; put the file's name" in words
    assert f"database.url_file in config.toml: {tmp_path} cannot be read (Is a directory" in words


def test_a_secret_file_that_cannot_be_used_is_not_also_called_missing(write: Write) -> None:
    words = refusal(write('[sms]\naccount_sid = "AC1"\nfrom_number = "72345"\nauth_token_file = "gone"'))
    assert words.startswith("sms.auth_token_file in config.toml:")
    assert "\n" not in words


def test_only_secrets_may_stand_in_a_file(write: Write) -> None:
    words = refusal(write('[sms]\naccount_sid_file = "x"'))
    assert words == "sms.account_sid_file in config.toml is not a setting; did you mean sms.account_sid?"


DURATION = 'is not a duration; write it like "10s", "5m" or "2h".'
POSITIVE = 'must be longer than nothing; write it like "10s", "5m" or "2h".'


@pytest.mark.parametrize(
    ("toml", "words"),
    [
        ('[sms]\ntimeout = "abc"', f'sms.timeout in config.toml: "abc" {DURATION}'),
        ("[sms]\ntimeout = 10", f"sms.timeout in config.toml: 10 {DURATION}"),
        ('[sms]\ntimeout = "1.5s"', f'sms.timeout in config.toml: "1.5s" {DURATION}'),
        ('[retention]\nwords = "2y"', f'retention.words in config.toml: "2y" {DURATION}'),
        ('[sms]\ntimeout = "-3s"', f'sms.timeout in config.toml: "-3s" {POSITIVE}'),
        ('[sms]\ntimeout = "0m"', f'sms.timeout in config.toml: "0m" {POSITIVE}'),
        ('[retention]\naudit = "99999999999w"', '"99999999999w" is more than a hundred years; write'),
        ("[web]\nport = 65536", "web.port in config.toml: 65536 is out of range; write 65535 or less."),
        ("[web]\nport = true", "web.port in config.toml: true is not a number; write digits."),
        ("[web]\nport = 80.5", "web.port in config.toml: 80.5 is not a whole number; write digits only."),
        ("[email]\nport = 0", "email.port in config.toml: 0 is out of range; write 1 or more."),
        ("[delivery]\nthreads = 0", "delivery.threads in config.toml: 0 is out of range; write 1 or more."),
        (
            "[delivery]\nthreads = 65",
            "delivery.threads in config.toml: 65 is out of range; write 64 or less.",
        ),
        ("[sms]\nmax_per_second = 0", "0 is too small; write a number above zero."),
        ("[sms]\nmax_per_second = inf", "Infinity is not a number; write one like 1.5."),
        ('[sms]\nmax_per_second = "fast"', '"fast" is not a number; write one like 1.5.'),
        (
            "[sms]\nfrom_number = 15035550123",
            "sms.from_number in config.toml: 15035550123 is not text; put it",
        ),
        ('[sms]\nfrom_number = "503 555 0123"', 'cannot be sent from; write a number like "+15035550123".'),
        (
            '[sms]\nreceive = "push"',
            'sms.receive in config.toml: "push" is not possible; write "poll" or "webhook".',
        ),
        ('[delivery]\nmode = "Live"', '"Live" is not possible; write "outbox", "allowlist" or "live".'),
        (
            '[delivery]\nallowlist = ["bob"]',
            'delivery.allowlist, item 1 in config.toml: "bob" is no phone number',
        ),
        (
            "[delivery]\nallowlist = 3",
            'delivery.allowlist in config.toml: 3 is not a list; write it like ["one"',
        ),
        ('[delivery]\noutbox_file = ""', 'names no file; write one like "outbox.jsonl".'),
        ("[delivery]\noutbox_file = 3", "3 is not the name of a file; put it between quotes."),
        (
            '[email]\nfrom_address = "Desk <a@b.org>"',
            'is not an e-mail address; write it like "desk@example.com".',
        ),
        ('[email]\nreply_to = "a@b.org\\nBcc: c@d.org"', "email.reply_to in config.toml"),
        (
            '[web]\nbase_url = "clinic.example"',
            '"clinic.example" is not a web address; write it like "https://',
        ),
        ('[web]\nbase_url = "ftp://clinic.example"', "is not a web address"),
        ('[web]\nbase_url = "https://clinic.example:port"', "is not a web address"),
        ('[web]\nbase_url = "https://clinic.example/a b"', "is not a web address"),
        (
            '[web]\nbase_url = "https://clinic.example/?a=1"',
            "must be only scheme, host, port and a plain path",
        ),
        ('[web]\nbase_url = "https://clinic.example//a"', "must be only scheme, host, port and a plain path"),
        (
            '[web]\nbase_url = "https://clinic.example/../a"',
            "must be only scheme, host, port and a plain path",
        ),
        ('[database]\nurl = "postgres://u@h/d"', 'begins with "postgres://"; write "postgresql+psycopg://"'),
        (
            '[database]\nurl = "postgresql://u@h/d"',
            'begins with "postgresql://"; write "postgresql+psycopg://"',
        ),
        ('[database]\nurl = "mysql://u@h/d"', "is neither SQLite nor PostgreSQL; write"),
        ('[database]\nurl = "sqlite://notifier.db"', 'write "sqlite:///notifier.db" (three slashes)'),
        ('[database]\nurl = "sqlite:///:memory:"', "would be lost when the program ends; name a file"),
        ('[database]\nurl = "sqlite://"', "would be lost when the program ends; name a file"),
        ('[clinic]\ntimezone = "New York"', 'is not a time zone; did you mean "America/New_York"?'),
        ('[clinic]\ntimezone = "US/Eastren"', 'is not a time zone; did you mean "US/Eastern"?'),
        ('[clinic]\ntimezone = "localtime"', "is not a time zone; write the nearest big city's"),
        ('[clinic]\ncountry = "UK"', '"UK" is not a country; write its two ISO letters'),
        ('[clinic]\nemergency_number = ""', "says nothing; write something between the quotes."),
        (
            "[[alerts.contacts]]\nphone = '+15035550123'",
            "alerts.contacts, item 1, name in config.toml is missing;",
        ),
        (
            "[[alerts.contacts]]\nname = 'Roe'\nphnoe = '+15035550123'",
            "alerts.contacts, item 1, phnoe in config.toml is not a setting; did you mean phone?",
        ),
        (
            "[alerts]\ncontacts = ['Roe']",
            'alerts.contacts, item 1 in config.toml: "Roe" is not a table; write',
        ),
        (
            "[[alerts.contacts]]\nname = 'Roe'",
            "alerts.contacts, item 1, cannot be reached; write a phone or an email.",
        ),
        ("[smss]\ntimeout = '1s'", "smss in config.toml is not a section; did you mean sms?"),
        ("[zzz]", "zzz in config.toml is not a section; there are database, web, delivery,"),
        ("sms = 3", "sms in config.toml is not a section; write [sms] above its settings."),
        ("[sms]\ntime_out = '1s'", "sms.time_out in config.toml is not a setting; did you mean sms.timeout?"),
        (
            "[sms]\nhost = 'h'",
            "sms.host in config.toml is not a setting; did you mean web.host or email.host or inbound_mail",
        ),
        (
            "[retention]\nzzzzzz = 1",
            "is not a setting; there are retention.words, retention.replies, retention.audit.",
        ),
    ],
)
def test_what_is_wrong_is_said_with_its_name_and_what_to_write(toml: str, words: str, write: Write) -> None:
    found = refusal(write(toml))
    assert words in found
    assert "\n" not in found


@pytest.mark.parametrize(
    ("toml", "words"),
    [
        ('[sms]\naccount_sid = "AC1"\nfrom_number = "72345"', "sms.account_sid needs sms.auth_token;"),
        ('[sms]\nauth_token = "t"', "sms.auth_token needs sms.account_sid;"),
        (
            '[sms]\naccount_sid = "AC1"\nauth_token = "t"',
            "sms.account_sid needs a sender; write sms.from_number or",
        ),
        (
            '[sms]\nfrom_number = "72345"\nmessaging_service_sid = "MG1"',
            "sms.from_number and sms.messaging_service_sid are both set; keep one of them.",
        ),
        (
            '[sms]\naccount_sid = "SK1"\nauth_token = "t"\nfrom_number = "72345"',
            'sms.account_sid does not begin with "AC";',
        ),
        (
            '[sms]\nreceive = "webhook"',
            'sms.receive is "webhook", which needs a public web.base_url;',
        ),
        ('[email]\nhost = "mail.example.com"', "email.host needs email.from_address;"),
        ('[email]\nusername = "desk"', "email.username needs email.password;"),
        ('[email]\npassword = "p"', "email.password needs email.username;"),
        ('[inbound_mail]\nhost = "h"\nusername = "u"', "inbound_mail.host needs inbound_mail.username and"),
        ('[delivery]\nmode = "allowlist"', 'delivery.mode is "allowlist" but delivery.allowlist is empty;'),
        ('[delivery]\nretry_base = "2h"', "delivery.retry_base is longer than delivery.retry_max;"),
        (
            '[delivery]\nlease = "35s"',
            'delivery.lease must be longer than email.timeout, "30s", plus 5 s; write "36s" or more, or',
        ),
        (
            '[sms]\ntimeout = "55s"',
            'delivery.lease must be longer than sms.timeout, "55s", plus 5 s; write "61s"',
        ),
    ],
)
def test_settings_that_do_not_go_together_are_refused(toml: str, words: str, write: Write) -> None:
    found = refusal(write(toml))
    assert found.startswith(words)
    assert "\n" not in found


@pytest.mark.parametrize(
    "toml",
    [
        '[sms]\naccount_sid = "AC1"\nauth_token = "t"\nmessaging_service_sid = "MG1"',
        '[sms]\naccount_sid = "test"\nauth_token = "t"\nfrom_number = "72345"\napi_base_url = "http://localhost:9"',
        '[sms]\nreceive = "webhook"\n[web]\nbase_url = "https://clinic.example"',
        '[delivery]\nlease = "36s"',
        '[delivery]\nmode = "allowlist"\nallowlist = ["ana@example.com"]',
        '[email]\nhost = "localhost"\nfrom_address = "desk@example.com"',
    ],
)
def test_settings_that_go_together_are_taken(toml: str, write: Write) -> None:
    load(write(toml), {})


@pytest.mark.parametrize(
    ("reply_to", "host", "username", "read_at"),
    [
        ("desk@clinic.example", "", "", ""),  # a person reads it
        ("desk@clinic.example", "imap.example", "care@clinic.example", "desk@clinic.example"),
        ("", "imap.example", "care@clinic.example", "care@clinic.example"),
        ("", "imap.example", "u1234", "from@clinic.example"),
    ],
)
def test_replies_are_read_only_where_there_is_a_mailbox(
    reply_to: str, host: str, username: str, read_at: str
) -> None:
    settings = Settings(
        email=EmailSettings(from_address="from@clinic.example", reply_to=reply_to),
        inbound_mail=InboundMailSettings(host=host, username=username),
    )
    assert settings.reply_address == read_at


def test_all_problems_come_at_once_a_line_each_and_say_where_they_stand(write: Write) -> None:
    path = write(
        '[sms]\ntimeout = "abc"\nauth_token = "t"\n[email]\nusername = "u"\n[delivery]\nlease = "1s"'
    )
    words = refusal(path, NOTIFIER_WEB__PORT="x", NOTIFIER_SMS_TIMEOUT="1s")
    assert words.splitlines() == [
        "NOTIFIER_SMS_TIMEOUT in the environment is not a setting; did you mean NOTIFIER_SMS__TIMEOUT?",
        'web.port in NOTIFIER_WEB__PORT: "x" is not a whole number; write digits only.',
        f'sms.timeout in config.toml: "abc" {DURATION}',
        "email.username needs email.password; write it, or name its file in email.password_file.",
    ]


@pytest.mark.parametrize(
    ("variable", "value", "words"),
    [
        (
            "NOTIFIER_X",
            "1",
            "NOTIFIER_X in the environment is not a setting; they are written NOTIFIER_SECTION__KEY.",
        ),
        ("NOTIFIER_SMS__ACCOUNT_SID_FILE", "x", "did you mean NOTIFIER_SMS__ACCOUNT_SID?"),
        ("NOTIFIER_DELIVERY__ALLOWLIST", '["a@b.org"', 'is not a list; write it like ["one", "two"].'),
        (
            "NOTIFIER_ALERTS__CONTACTS",
            "Roe",
            'alerts.contacts, item 1 in NOTIFIER_ALERTS__CONTACTS: "Roe" is not',
        ),
    ],
)
def test_the_environment_is_held_to_the_same_rules(variable: str, value: str, words: str) -> None:
    assert words in refusal(None, **{variable: value})


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, write: Write) -> None:
    gone = tmp_path / "gone.toml"
    assert refusal(gone) == f"There is no configuration file {gone}; correct --config or NOTIFIER_CONFIG."
    assert refusal(None, NOTIFIER_CONFIG=str(gone)).startswith(f"There is no configuration file {gone};")
    assert "cannot be read (Is a directory)" in refusal(tmp_path)
    assert "is not valid TOML: Invalid value (at line 2, column 8)" in refusal(write("[sms]\nport = nine\n"))
    (tmp_path / "latin.toml").write_bytes('[clinic]\nname = "Clínica"'.encode("latin-1"))
    assert "is not UTF-8 text" in refusal(tmp_path / "latin.toml")


def test_long_values_are_shortened_when_shown(write: Write) -> None:
    assert len(refusal(write(f'[sms]\ntimeout = "{"x" * 5000}"'))) < 200


def test_settings_cannot_be_changed_after_they_are_read() -> None:
    settings = Settings()
    with pytest.raises(ValidationError):
        settings.sms.timeout = timedelta(seconds=1)  # type: ignore[misc]
    with pytest.raises(ValidationError):
        settings.sms = settings.sms  # type: ignore[misc]


EXAMPLE = example_config().read_text(encoding="utf-8")


def test_the_example_as_it_stands_changes_nothing() -> None:
    assert all(table == {} for table in tomllib.loads(EXAMPLE).values())


def test_the_example_names_every_setting_with_its_real_default(write: Write) -> None:
    path = write(re.sub(r"(?m)^#(?=\w+ = )", "", EXAMPLE))
    named = {section: list(table) for section, table in tomllib.loads(path.read_text()).items()}
    models = {section: type(field.default) for section, field in Settings.model_fields.items()}
    assert named == {section: list(model.model_fields) for section, model in models.items()}
    empty = path.with_name("empty.toml")
    empty.touch()
    assert load(path, {}) == load(empty, {})


def test_the_example_has_a_sentence_above_every_setting_and_marks_the_secrets() -> None:
    lines = EXAMPLE.splitlines()
    above = [(before, line) for before, line in pairwise(lines) if re.match(r"#\w+ = ", line)]
    assert above
    for sentence, setting in above:
        assert re.match(r"# [A-Z\"].+[.\]]$", sentence), setting
    marked = {setting.split(" =")[0].strip("#") for sentence, setting in above if "(secret)" in sentence}
    assert marked == {key for _, key in SECRETS}


def test_reading_settings_loads_neither_the_database_nor_phone_tables() -> None:
    heavy = "sqlalchemy", "phonenumbers", "email_validator", "rich", "twilio"
    code = f"import sys, notifier.config as c; c.load(None, {{}}); print(set({heavy!r}) & set(sys.modules))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "set()"
