from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from notifier import planfiles, plans
from notifier.errors import NotFoundError, PlanError
from notifier.models import AuditEntry, Clinic, PlanVersion
from tests.cast import DESK, LOGGED, at, log


@dataclass
class Folder:
    """A plan's folder that somebody edits."""

    path: Path

    def replace(self, old: str, new: str, file: str = "plan.toml") -> None:
        path = self.path / file
        source = path.read_text("utf-8")
        assert old in source
        path.write_text(source.replace(old, new), "utf-8")

    def review(self, by: str, on: str) -> None:
        self.replace('by = ""\non = ""', f'by = "{by}"\non = "{on}"')


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    shipped = planfiles.find_folder("cupping")
    return Folder(Path(shutil.copytree(shipped, tmp_path / "cupping")))


def load(session: Session, clinic: Clinic, folder: Folder) -> plans.Loaded:
    return plans.load_folder(session, clinic, folder.path, now=LOGGED, actor=DESK)


def numbers(session: Session, clinic: Clinic, key: str = "cupping") -> list[int]:
    row = plans.find(session, clinic, key)
    query = select(PlanVersion.number).where(PlanVersion.plan_id == row.id).order_by(PlanVersion.number)
    return list(session.scalars(query))


def test_a_clinic_chooses_among_its_plans(session: Session, clinic: Clinic, other_clinic: Clinic) -> None:
    assert sorted(plans.current_versions(session, clinic)) == [
        "cupping",
        "dry-needling",
        "shockwave",
        "sports-massage",
    ]
    assert plans.current_versions(session, other_clinic) == {}


def test_the_same_folder_again_makes_no_new_version(session: Session, clinic: Clinic, folder: Folder) -> None:
    loaded = load(session, clinic, folder)
    assert not loaded.is_new
    assert loaded.version.number == 1
    folder.replace("# Lowest of the shipped plans", "# The lowest of the shipped plans")  # a comment
    assert not load(session, clinic, folder).is_new


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("plan.toml", 'min_gap = "12h"', 'min_gap = "11h"'),
        ("day0-marks.en.j2", "Hi", "Hello"),
    ],
)
def test_another_time_or_another_word_is_another_version(
    session: Session, clinic: Clinic, folder: Folder, file: str, old: str, new: str
) -> None:
    before = plans.current_versions(session, clinic)["cupping"]
    content = dict(before.content)
    folder.replace(old, new, file)
    loaded = load(session, clinic, folder)
    assert loaded.is_new
    assert loaded.version.number == 2
    assert plans.current_versions(session, clinic)["cupping"].id == loaded.version.id
    session.flush()
    session.expire_all()
    assert session.get_one(PlanVersion, before.id).content == content
    # Going back is another edit, not the old version again.
    folder.replace(new, old, file)
    assert load(session, clinic, folder).version.number == 3
    assert numbers(session, clinic) == [1, 2, 3]


def test_what_the_database_holds_is_what_the_folder_says(
    session: Session, clinic: Clinic, folder: Folder
) -> None:
    session.expire_all()
    version = plans.current_versions(session, clinic)["cupping"]
    assert plans.definition(version) == planfiles.read_folder(folder.path)
    assert version.content == planfiles.read_content(folder.path)


def test_a_treatment_keeps_the_version_it_was_logged_with(
    session: Session, clinic: Clinic, folder: Folder
) -> None:
    treatment = log(session, clinic, plan="cupping")
    folder.replace('after = "2h"', 'after = "3h"')
    newer = load(session, clinic, folder).version
    assert treatment.plan_version.number == 1
    again = log(session, clinic, plan="cupping", ended_at=at("2026-02-20 10:00"))
    assert again.plan_version_id == newer.id


def test_a_plan_that_cannot_be_understood_is_not_loaded(
    session: Session, clinic: Clinic, folder: Folder
) -> None:
    folder.replace('after = "2h"', 'after = "2 hours"')
    with pytest.raises(PlanError, match=r"plan\.toml:\d+: day0-marks: after"):
        load(session, clinic, folder)
    assert numbers(session, clinic) == [1]


def test_a_plan_that_is_not_there_is_refused_with_those_that_are(session: Session, clinic: Clinic) -> None:
    with pytest.raises(
        NotFoundError,
        match=r'no plan "cuping" at Riverside Physio\. There are: cupping, dry-needling, shockwave, sports',
    ):
        plans.find(session, clinic, "cuping")


def test_an_archived_plan_is_found_but_cannot_be_chosen(session: Session, clinic: Clinic) -> None:
    row = plans.find(session, clinic, "shockwave")
    row.archived_at = LOGGED
    session.flush()
    assert "shockwave" not in plans.current_versions(session, clinic)
    assert plans.find(session, clinic, "shockwave").id == row.id
    assert plans.current_version(session, row).number == 1


def drafts(session: Session, clinic: Clinic) -> list[tuple[str, int]]:
    return sorted((version.plan.key, version.number) for _, version in plans.drafts(session, [clinic]))


def test_what_nobody_has_approved_is_a_draft(session: Session, clinic: Clinic) -> None:
    assert drafts(session, clinic) == [
        ("cupping", 1),
        ("dry-needling", 1),
        ("shockwave", 1),
        ("sports-massage", 1),
    ]
    version = plans.current_versions(session, clinic)["cupping"]
    plans.approve(session, version, by="Dr Ruiz", now=LOGGED, actor=DESK)
    assert ("cupping", 1) not in drafts(session, clinic)


def test_an_approval_is_for_one_version_and_the_next_needs_it_again(
    session: Session, clinic: Clinic, folder: Folder
) -> None:
    version = plans.current_versions(session, clinic)["cupping"]
    approval = plans.approve(session, version, by="Dr Ruiz", now=LOGGED, actor=DESK)
    assert (approval.approved_by, approval.approved_on, approval.recorded_by) == ("Dr Ruiz", LOGGED, DESK)
    folder.replace("Hi", "Hello", "day0-marks.en.j2")
    load(session, clinic, folder)
    assert ("cupping", 2) in drafts(session, clinic)


def test_a_review_in_the_folder_approves_its_words_once_with_its_day(
    session: Session, clinic: Clinic, folder: Folder
) -> None:
    looked = plans.current_versions(session, clinic)["cupping"]
    assert ("cupping", 1) in drafts(session, clinic)
    folder.review("Dr Ruiz", "2026-01-15")
    assert not load(session, clinic, folder).is_new  # the words are the same
    assert len(looked.approvals) == 1
    load(session, clinic, folder)
    (approval,) = plans.current_versions(session, clinic)["cupping"].approvals
    assert approval.approved_by == "Dr Ruiz"
    assert approval.approved_on == at("2026-01-15 00:00")
    assert approval.recorded_at == LOGGED
    assert ("cupping", 1) not in drafts(session, clinic)


def test_saving_and_approving_is_in_the_audit_trail(session: Session, clinic: Clinic, folder: Folder) -> None:
    folder.replace("Hi", "Hello", "day0-marks.en.j2")
    folder.review("Dr Ruiz", "2026-01-15")
    load(session, clinic, folder)
    session.flush()
    said = session.scalars(select(AuditEntry).where(AuditEntry.actor == DESK).order_by(AuditEntry.id)).all()
    assert [(entry.action, entry.detail["number"]) for entry in said] == [
        ("plan.saved", 2),
        ("plan.approved", 2),
    ]


def test_clinics_may_have_plans_of_one_key_with_other_words(
    session: Session, clinic: Clinic, other_clinic: Clinic, folder: Folder
) -> None:
    folder.replace("Hi", "Hello", "day0-marks.en.j2")
    theirs = load(session, other_clinic, folder).version
    assert (theirs.number, theirs.clinic_id) == (1, other_clinic.id)
    assert plans.current_versions(session, clinic)["cupping"].digest != theirs.digest
