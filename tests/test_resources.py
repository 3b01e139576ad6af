from __future__ import annotations

from pathlib import Path

import pytest

from notifier import resources
from notifier.errors import NotifierError


def test_resources_are_found_beside_the_package_in_a_checkout() -> None:
    assert (resources.templates_dir() / "email" / "layout.html.j2").is_file()
    assert resources.migrations_dir().is_dir()
    assert resources.example_config().is_file()


def test_resources_that_were_shipped_inside_the_package_come_first(tmp_path: Path) -> None:
    package = tmp_path / "site-packages" / "notifier"
    (package / "_shipped" / "templates").mkdir(parents=True)
    (package.parent / "templates").mkdir()
    assert resources._find("templates", package) == package / "_shipped" / "templates"


def test_an_installation_without_its_files_says_so(tmp_path: Path) -> None:
    with pytest.raises(NotifierError, match=r"incomplete: 'templates' is missing\. Install"):
        resources._find("templates", tmp_path / "notifier")
