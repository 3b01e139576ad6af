from __future__ import annotations

from notifier import plans
from notifier.models import Clinic
from tests.web.cast import Installation


def test_the_sheet_of_a_treatment_has_a_page_in_each_language_the_patients_own_first(
    site: Installation,
) -> None:
    treatment_id = site.log(practitioner="Dr Ruiz")
    page = site.as_desk().get(f"/treatments/{treatment_id}/sheet")
    assert [tag["lang"] for tag in page.all(".sheet")] == ["en", "es"]
    assert "For Alice Moreau · Your visit 3 Feb, with Dr Ruiz" in page.words(".top p")[0]
    assert page.words(".emergency .number strong") == ["911", "911"]
    page = site.as_desk().get(f"/treatments/{treatment_id}/sheet?language=es")
    assert page.words(".sheet h2")[0] == "Cuidados tras la punción seca"
    assert len(page.all(".sheet")) == 1


def test_it_can_be_printed_before_anything_is_logged(site: Installation) -> None:
    page = site.as_desk().get("/sheet?plan=cupping")
    assert page.words(".top p")[0].startswith("For ____")
    assert site.as_desk().get("/sheet?plan=nothing").status == 404


def test_words_that_nobody_has_approved_are_marked_as_drafts(site: Installation) -> None:
    browser = site.as_desk()
    assert len(browser.get("/sheet?plan=cupping").all(".draft")) == 2
    with site.change() as session:
        clinic = session.get_one(Clinic, site.clinic.id)
        version = plans.current_versions(session, clinic)["cupping"]
        plans.approve(session, version, by="Dr Ruiz", now=site.clock.now(), actor="test")
    assert browser.get("/sheet?plan=cupping").all(".draft") == []


def test_a_treatment_keeps_the_words_it_was_planned_with(site: Installation) -> None:
    """A newer version of the plan is for newer treatments."""
    treatment_id = site.log(plan="cupping")
    with site.change() as session:
        clinic = session.get_one(Clinic, site.clinic.id)
        version = plans.current_versions(session, clinic)["cupping"]
        content = dict(version.content)
        content["texts"] = {
            name: text.replace("Round marks", "Square marks") for name, text in content["texts"].items()
        }
        plans.save(session, clinic, content, now=site.clock.now(), actor="test")
    browser = site.as_desk()
    assert "Round marks" in browser.get(f"/treatments/{treatment_id}/sheet").text
    assert "Square marks" in browser.get("/sheet?plan=cupping").text


def test_another_clinics_treatment_has_no_sheet_here(site: Installation) -> None:
    treatment_id = site.log()
    site.open_other_clinic()
    assert site.signed_in("hugo@harbour.example").get(f"/treatments/{treatment_id}/sheet").status == 404
