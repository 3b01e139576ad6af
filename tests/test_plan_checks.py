"""A plan with nothing wrong, and then one thing wrong at a time: each with its severity, file and line."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from notifier.plan_checks import Finding, check, check_content
from notifier.planfiles import read_content, shipped_plans

PLAN = """name = "Taping aftercare"
name_es = "Cuidados tras el vendaje"
treatment = "taping"
window = ["09:00", "20:00"]

[review]
by = ""
on = ""

[[steps]]
key = "day0"
after = "2h"
outside_window = "earlier"
useful_for = "18h"
"""
SMS = "{{ clinic.name }}: Hi {{ patient.first_name }}. A little sore? STOP to end."
BODY = "Hi {{ patient.first_name }},\n\nRest a little."


def text(sms: str = SMS, subject: str = "After your visit", email: str = BODY) -> str:
    return (
        f"{{% block sms %}}{sms}{{% endblock %}}\n\n"
        f"{{% block subject %}}{subject}{{% endblock %}}\n\n"
        f"{{% block email %}}\n{email}\n{{% endblock %}}\n"
    )


def folder(tmp_path: Path, plan: str = PLAN, **texts: str | None) -> Path:
    """A plan's folder; `day0_en` is the text day0.en.j2, and None leaves it out."""
    path = tmp_path / "taping"
    path.mkdir()
    (path / "plan.toml").write_text(plan, "utf-8")
    for name, source in ({"day0_en": text(), "day0_es": text()} | texts).items():
        if source is not None:
            (path / f"{name.replace('_', '.')}.j2").write_text(source, "utf-8")
    return path


def found(path: Path) -> list[tuple[str, str, int | None]]:
    return [(finding.severity, Path(finding.file).name, finding.line) for finding in check(path)]


def only(path: Path) -> Finding:
    (finding,) = check(path)
    return finding


def of_sms(tmp_path: Path, sms: str) -> list[Finding]:
    return check(folder(tmp_path, day0_en=text(sms=sms)))


def test_a_good_plan_has_no_findings(tmp_path: Path) -> None:
    assert check(folder(tmp_path)) == []


@pytest.mark.parametrize("shipped", shipped_plans(), ids=lambda path: path.name)
def test_the_shipped_plans_have_no_errors(shipped: Path) -> None:
    assert [finding for finding in check(shipped) if finding.severity == "error"] == []


def test_a_finding_reads_as_compilers_write_them(tmp_path: Path) -> None:
    path = folder(tmp_path, day0_es=None)
    assert str(only(path)) == (
        f"{path}/plan.toml:11: error: day0: there is no Spanish text; write day0.es.j2."
    )


@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        ('after = "2h"', 'after = "2 hours"', 12),
        ('name = "Taping aftercare"', "name = Taping", 1),
        ('by = ""', 'by = "Dr Ruiz"', 7),
        ('useful_for = "18h"', 'useful_four = "18h"', 14),
        ('treatment = "taping"', "", 1),
    ],
)
def test_a_plan_that_cannot_be_read_is_one_finding_on_its_line(
    tmp_path: Path, old: str, new: str, line: int
) -> None:
    broken = PLAN.replace(old, new) if new else PLAN.replace("name = ", "nom = ", 1)
    assert found(folder(tmp_path, broken)) == [("error", "plan.toml", line)]


def test_a_folder_without_a_plan_is_one_finding(tmp_path: Path) -> None:
    assert found(tmp_path) == [("error", "plan.toml", 1)]


def test_a_text_for_no_step_or_no_language_is_named(tmp_path: Path) -> None:
    path = folder(tmp_path, day1_en=text(), day0_fr=text())
    assert found(path) == [("error", "day0.fr.j2", 1), ("error", "day1.en.j2", 1)]
    assert 'There is no step "day1" in this plan; its steps are day0.' in check(path)[1].message


def test_every_broken_text_is_a_finding_of_its_own(tmp_path: Path) -> None:
    path = folder(
        tmp_path, day0_en=text(email="Hi,\n{{ patient.name }}"), day0_es="{% block sms %}Hola{% endblock"
    )
    assert found(path) == [("error", "day0.en.j2", 7), ("error", "day0.es.j2", 1)]
    assert "There is no variable 'patient.name'" in check(path)[0].message


def test_an_sms_that_fits_only_short_names_is_too_long(tmp_path: Path) -> None:
    # The long clinic name has 26 letters and the first name 12: 306 - 26 - 12 - 17 are left for these.
    fits, not_quite = ("x" * length for length in (251, 252))
    sms = "{{ clinic.name }}: {{ patient.first_name }}. %s STOP to end."
    assert of_sms(tmp_path, sms % fits) == []
    shutil.rmtree(tmp_path / "taping")
    (finding,) = of_sms(tmp_path, sms % not_quite)
    assert (finding.severity, finding.line) == ("error", 1)
    assert "takes 3 parts; the limit is 2. Shorten it by 1 character." in finding.message


def test_a_character_that_raises_the_price_is_named_where_it_stands(tmp_path: Path) -> None:
    (finding,) = of_sms(tmp_path, SMS.replace("A little", "Zoë – “a\n  little” 😀,\n"))
    assert (finding.severity, finding.line) == ("warning", 2)
    assert finding.message.startswith('"😀" (grinning face) cannot be sent in the plain SMS alphabet')
    assert "2 parts to pay instead of 1" in finding.message


def test_letters_that_are_folded_cost_nothing(tmp_path: Path) -> None:
    assert of_sms(tmp_path, SMS.replace("A little", "Aquí – “está” Zoë…")) == []


STEP = PLAN[: PLAN.index("after = ")]


@pytest.mark.parametrize(
    ("timing", "severity", "line", "words"),
    [
        # 22 hours after 10:30 is 8:30, half an hour before the window opens.
        ('after = "22h"\nuseful_for = "22h"', "warning", 13, "from 22:30 to 10:30"),
        ('after = "22h"\nuseful_for = "22h"', "warning", 13, "(52 % of the day)"),
        ('after = "1d"\nuseful_for = "23h"', "error", 13, "it can never go out"),
        ('after = "3h"\nuseful_for = "2h"', "error", 13, "it can never go out"),
        ('after = "2d"\nat = "21:00"', "warning", 13, "at 21:00 is outside the sending window 09:00-20:00"),
        # Due at most 13 hours before the next opening; when the clocks go back in that night, 14.
        ('after = "24h"\nuseful_for = "37h"', "warning", 13, "around a change of the clocks"),
        ('anchor = "next_visit"\nafter = "-1h"\nuseful_for = "-2h"', "error", 14, "it can never go out"),
        ('anchor = "next_visit"\nafter = "-2h"', "warning", 10, "for visits that begin from 22:30 to 08:30"),
    ],
)
def test_a_step_that_often_comes_too_late_is_found_by_trying(
    tmp_path: Path, timing: str, severity: str, line: int, words: str
) -> None:
    finding = only(folder(tmp_path, STEP + timing + "\n"))
    assert (finding.severity, Path(finding.file).name, finding.line) == (severity, "plan.toml", line)
    assert words in finding.message


@pytest.mark.parametrize(
    "timing", ['after = "24h"\nuseful_for = "38h"', 'after = "5d"\nat = "20:00"', 'after = "1w"']
)
def test_a_step_with_time_enough_is_left_alone(tmp_path: Path, timing: str) -> None:
    assert check(folder(tmp_path, STEP + timing + "\n")) == []


THREE_A_DAY = "\n".join(
    f'[[steps]]\nkey = "{key}"\nafter = "{after}"\nuseful_for = "{until}"'
    for key, after, until in [("one", "24h", "40h"), ("two", "25h", "40h"), ("three", "26h", "40h")]
)


@pytest.mark.parametrize(
    ("pace", "key", "line"),
    [
        ('min_gap = "0m"\nmax_per_day = 1', "max_per_day", 4),
        ('min_gap = "48h"\nmax_per_day = 0', "min_gap", 3),
        ('min_gap = "0m"\nmax_per_day = 0\nmax_per_week = 2', "max_per_week", 5),
    ],
)
def test_limits_that_never_let_every_step_through_are_told(
    tmp_path: Path, pace: str, key: str, line: int
) -> None:
    plan = f'name = "Taping"\ntreatment = "taping"\n{pace}\n{THREE_A_DAY}'
    names = {f"{step}_{language}": text() for step in ("one", "two", "three") for language in ("en", "es")}
    finding = only(folder(tmp_path, plan, day0_en=None, day0_es=None, **names))
    assert (finding.severity, Path(finding.file).name, finding.line) == ("warning", "plan.toml", line)
    assert finding.message.startswith(f"{key}: ")
    assert "never let all steps for every patient through" in finding.message


def test_limits_that_let_them_through_are_not_told(tmp_path: Path) -> None:
    plan = f'name = "Taping"\ntreatment = "taping"\nmin_gap = "0m"\nmax_per_day = 3\n{THREE_A_DAY}'
    names = {f"{step}_{language}": text() for step in ("one", "two", "three") for language in ("en", "es")}
    assert check(folder(tmp_path, plan, day0_en=None, day0_es=None, **names)) == []


@pytest.mark.parametrize(
    "asked",
    [
        "Reply YES if you feel better.",
        "Reply yes if you feel better.",
        "Feel better? Reply with\nYES or NO.",
        "Reply GOOD, BAD or STOP.",
        "Text HELP if it hurts.",
        "HELP if it hurts.",
        "Responda 'YES' si va bien.",
        "Responda BAJA si la molestia baja.",
        "Reply CANCEL to cancel your visit.",
        "Reply END to end the course.",
        "Your course is over? END to end it.",
        "Reply START when you start your exercises.",
        "Reply to our texts with QUIT if you gave up.",
    ],
)
def test_a_word_that_networks_understand_is_no_clinical_answer(tmp_path: Path, asked: str) -> None:
    findings = of_sms(tmp_path, f"{{{{ clinic.name }}}}: Hi.\n{asked} STOP to end.")
    assert [finding.severity for finding in findings] == ["error"]
    assert "is offered as an answer, but to a phone network it means" in findings[0].message
    assert findings[0].line == 2 + asked.count("\n")


@pytest.mark.parametrize(
    "hint",
    [
        "STOP to end.",
        "Reply STOP to opt out.",
        "STOP to end, HELP for help.",
        "Reply HELP for help or STOP to end these messages.",
        "To stop these messages, reply STOP.",
        "STOP para salir.",
        "Para no recibir más mensajes, responda STOP.",
        "AYUDA para ayuda, BAJA para no recibir más.",
        "STOP to\nend",
    ],
)
def test_a_hint_how_to_stop_or_get_help_is_fine(tmp_path: Path, hint: str) -> None:
    assert of_sms(tmp_path, f"{{{{ clinic.name }}}}: Rest. Get help now if it is worse. {hint}") == []


def test_an_sms_says_who_writes_and_how_to_stop(tmp_path: Path) -> None:
    findings = of_sms(
        tmp_path, "\n Hi {{ patient.first_name }} of {{ clinic.name }}, please do not stop to move."
    )
    assert [(finding.severity, finding.line) for finding in findings] == [("error", 2), ("error", 2)]
    assert "does not begin with who writes" in findings[0].message
    assert "does not say how to stop" in findings[1].message


def named(tmp_path: Path, *, plan: str = PLAN, **blocks: str) -> list[tuple[str, int | None]]:
    return [(f.severity, f.line) for f in check(folder(tmp_path, plan, day0_en=text(**blocks)))]


@pytest.mark.parametrize(
    "words",
    [
        "after dry needling",
        "tras la punción",
        "agujas",
        "your massage",
        "el masaje",
        "cupping",
        "ventosas",
        "shock-wave",
        "ondas de choque",
        "acupuncture",
        "your taping",
        "el vendaje",
        "{{ treatment.name }}",
    ],
)
def test_an_sms_and_a_subject_do_not_tell_the_treatment(tmp_path: Path, words: str) -> None:
    assert named(tmp_path, sms=f"{SMS}\n{words}") == [("error", 2)]
    shutil.rmtree(tmp_path / "taping")
    assert named(tmp_path, subject=words) == [("error", 3)]


@pytest.mark.parametrize(
    "words", ["agujetas", "pins and needles", "a dry cough", "tos seca", "the tape", "shocked by waves"]
)
def test_words_that_tell_nothing_are_left_alone(tmp_path: Path, words: str) -> None:
    assert named(tmp_path, sms=SMS.replace("A little sore", words), email=words) == []


NEEDLING = PLAN.replace('"Taping aftercare"', '"Dry needling aftercare"').replace(
    '"taping"', '"dry-needling"'
)


def test_an_email_may_advise_against_another_treatment_but_not_name_its_own(tmp_path: Path) -> None:
    assert named(tmp_path, plan=NEEDLING, email="No deep massage today.") == []
    shutil.rmtree(tmp_path / "taping")
    assert named(tmp_path, plan=NEEDLING, email="Hi,\n\nthe needle was thin.") == [("error", 8)]


@pytest.mark.parametrize(
    ("detail", "lines"),
    [('detail = "treatment"', []), ('detail = { email = "treatment" }', [1]), ("", [1, 3, 6])],
)
def test_a_step_may_name_the_treatment_where_its_detail_says_so(
    tmp_path: Path, detail: str, lines: list[int]
) -> None:
    words = {
        "sms": SMS.replace("A little", "Needles?"),
        "subject": "The needle",
        "email": "A needle is thin.",
    }
    assert [line for _, line in named(tmp_path, plan=f"{NEEDLING}{detail}\n", **words)] == lines


@pytest.mark.parametrize(
    "words", ["your left knee", "la espalda", "tendonitis", "su ciática", "frozen shoulder"]
)
def test_a_body_part_or_a_diagnosis_is_a_warning(tmp_path: Path, words: str) -> None:
    assert named(tmp_path, sms=SMS.replace("A little sore", words)) == [("warning", 1)]


@pytest.mark.parametrize("link", ["bit.ly/3xYz", "https://tinyurl.com/rest", "See T.CO/a."])
def test_a_shortened_link_is_no_link_for_patients(tmp_path: Path, link: str) -> None:
    assert named(tmp_path, sms=f"{SMS}\n{link}") == [("error", 2)]


@pytest.mark.parametrize("link", ["clinic.example/bit.ly", "habit.ly", "me@t.co", "https://t.columbia.edu/x"])
def test_another_link_is_left_alone(tmp_path: Path, link: str) -> None:
    assert named(tmp_path, sms=f"{SMS}\n{link}") == []


def test_who_is_asked_for_a_score_is_shown_the_range(tmp_path: Path) -> None:
    asking = f'{PLAN}ask = "score"\n'
    good = {"sms": f"{SMS} From 0 to 10?", "email": "Hi,\n\nfrom 0 (none) to 10 (worst)?"}
    assert found(folder(tmp_path, asking, day0_en=text(**good), day0_es=text(sms=f"{SMS} De 1 a 10."))) == [
        ("warning", "day0.en.j2", 6),
        ("error", "day0.es.j2", 1),
        ("error", "day0.es.j2", 6),
        ("warning", "day0.es.j2", 6),
    ]


def test_an_email_asks_for_a_score_only_where_replies_to_it_are_read(tmp_path: Path) -> None:
    asking = "{% if clinic.reply_address %}From 0 (none) to 10 (worst)?{% else %}Call us.{% endif %}"
    words = text(sms=f"{SMS} From 0 to 10?", email=f"Hi,\n\n{asking}")
    assert found(folder(tmp_path, f'{PLAN}ask = "score"\n', day0_en=words, day0_es=words)) == []


def test_a_step_needs_words_for_a_channel_that_it_takes(tmp_path: Path) -> None:
    path = folder(
        tmp_path, f'{PLAN}channels = ["email"]\n', day0_en=f"{{% block sms %}}{SMS}{{% endblock %}}"
    )
    assert found(path) == [("error", "day0.en.j2", 1)]
    assert "The step goes by e-mail only" in only(path).message


@pytest.mark.parametrize(
    ("words", "severities"),
    [
        ("See you on {{ next_visit.date }}", ["error"]),
        ("We open {{ clinic.opens_next }}", ["error"]),
        ("Call {{ clinic.emergency_number }}", ["warning"]),
        ("Call {{ clinic.emergency_number | default('911') }}", []),
        ("{% if next_visit.date %}See you on {{ next_visit.date }}{% endif %}", []),
        ("Yours, {{ practitioner.name }}", []),
    ],
)
def test_a_value_that_a_message_may_lack_needs_a_way_out(
    tmp_path: Path, words: str, severities: list[str]
) -> None:
    findings = check(folder(tmp_path, day0_en=text(email=f"Hi,\n{words}")))
    assert [finding.severity for finding in findings] == severities
    assert {finding.line for finding in findings} <= {7}


def test_a_step_before_a_booked_visit_may_count_on_it(tmp_path: Path) -> None:
    visit = text(sms=f"{SMS} See you at {{{{ next_visit.time }}}}.")
    for audience in ("next_visit_booked", "next_visit_booked and areas:neck"):
        path = folder(tmp_path, f'{PLAN}audience = "{audience}"\n', day0_en=visit, day0_es=visit)
        assert check(path) == []
        shutil.rmtree(path)
    path = folder(tmp_path, f'{PLAN}audience = "next_visit_booked or areas:neck"\n', day0_en=visit)
    assert found(path) == [("error", "day0.en.j2", 1)]


def test_an_editors_content_is_checked_alike_but_plan_toml_has_no_lines(tmp_path: Path) -> None:
    path = folder(
        tmp_path,
        PLAN.replace('"2h"', '"19h"').replace("earlier", "later"),
        day0_en=text(sms=f"{SMS} Reply YES."),
    )
    on_disk, in_memory = check(path), check_content(read_content(path))
    assert [finding.message for finding in on_disk] == [finding.message for finding in in_memory]
    assert [(finding.file, finding.line) for finding in in_memory] == [
        ("taping/day0.en.j2", 1),
        ("taping/plan.toml", None),
    ]
    assert str(in_memory[1]).startswith("taping/plan.toml: error: day0: it can never go out")


OFF = '\n[[steps]]\nkey = "day1"\nafter = "19h"\nuseful_for = "18h"\non = false\n'


def test_a_step_that_is_switched_off_is_not_checked_and_may_keep_its_texts(tmp_path: Path) -> None:
    assert check(folder(tmp_path, PLAN + OFF)) == []
    shutil.rmtree(tmp_path / "taping")
    assert check(folder(tmp_path, PLAN + OFF, day1_en=text(sms="Anything"))) == []


def test_a_finding_tells_its_place_among_all_steps_those_that_are_off_too(tmp_path: Path) -> None:
    late = '\n[[steps]]\nkey = "day2"\nafter = "19h"\nuseful_for = "18h"\n'
    findings = check(
        folder(tmp_path, PLAN + OFF + late, day2_en=text(), day0_es=text(sms="Hola. STOP to end."))
    )
    assert {(finding.step, finding.key) for finding in findings} == {
        (2, "useful_for"),
        (2, "key"),
        (None, "day0.es"),
    }
