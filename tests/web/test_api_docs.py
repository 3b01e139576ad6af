"""The description of the API: valid, complete, with examples that work, and a page that people can read."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from bs4 import BeautifulSoup
from openapi_spec_validator import validate

from notifier.web.api_openapi import operations, writes
from notifier.web.api_problems import KINDS
from tests.web.api_cast import described, validator
from tests.web.cast import Installation

ROOT = Path(__file__).resolve().parent.parent.parent
OPERATIONS = {f"{method.upper()} {path}": operation for path, method, operation in operations(described())}


def test_it_is_valid_openapi() -> None:
    assert described()["openapi"] == "3.1.0"
    validate(described())


@pytest.mark.parametrize("name", OPERATIONS)
def test_each_operation_has_words_and_examples_that_fit_their_shapes(name: str) -> None:
    operation = OPERATIONS[name]
    assert operation["summary"]
    assert operation["description"]
    assert operation["security"] == [{"token": []}]
    contents = [operation.get("requestBody", {}), *operation["responses"].values()]
    for content in (each for holder in contents for each in holder.get("content", {}).values()):
        assert list(validator(content["schema"]).iter_errors(content["example"])) == []
    for status, response in operation["responses"].items():
        assert response["content"].keys() == {
            "application/json" if int(status) < 400 else "application/problem+json"
        }


def test_every_write_takes_a_key_and_no_read_does() -> None:
    for name, operation in OPERATIONS.items():
        named = {parameter["name"] for parameter in operation.get("parameters", ())}
        assert ("Idempotency-Key" in named) is writes(operation) is not name.startswith("GET "), name


def test_no_shape_has_a_name_of_the_programs_own() -> None:
    assert [name for name in described()["components"]["schemas"] if re.search("Given|Taken|_", name)] == []


def test_both_are_public_and_the_same_for_everybody(site_once: Installation) -> None:
    client = site_once.anonymous().client
    assert client.get("/api/openapi.json").json() == described()
    page = client.get("/api/docs")
    assert "Riverside" not in re.sub(r"<pre.*?</pre>", "", page.text, flags=re.DOTALL)
    assert "public" in page.headers["cache-control"]


@pytest.fixture(scope="module")
def page(site_once: Installation) -> BeautifulSoup:
    return site_once.anonymous().get("/api/docs").html


def test_the_page_tells_of_every_operation_and_every_refusal(page: BeautifulSoup) -> None:
    shown = {
        " ".join(code.get_text() for code in each.select("header code")) for each in page.select("article")
    }
    assert shown == set(OPERATIONS)
    assert {row["id"] for row in page.select("tr[id]")} == {f"problem-{code}" for code in KINDS}
    ids = [str(tag["id"]) for tag in page.select("[id]")]
    assert len(ids) == len(set(ids))
    assert {str(link["href"])[1:] for link in page.select("nav a")} <= set(ids)


def test_the_page_needs_nothing_from_elsewhere_and_nothing_inline(page: BeautifulSoup) -> None:
    assert page.select("style, [style], [onclick], script:not([src])") == []
    loaded = [str(tag.get("src") or tag.get("href")) for tag in page.select("script, link, img")]
    assert [address for address in loaded if not address.startswith("/static/")] == []


def test_nobody_reads_an_empty_meaning_or_a_stray_mark(page: BeautifulSoup) -> None:
    text = page.get_text(" ")
    assert "`" not in text
    assert "None" not in text


def test_the_document_names_addresses_that_there_are() -> None:
    words = (ROOT / "docs" / "api.md").read_text("utf-8")
    told = {
        f"{method} /api/v1{path}"
        for method, path in re.findall(r"`(GET|POST|PUT|PATCH|DELETE) (/[^`\s?]*)", words)
    }
    known = {re.sub(r"\{\w+\}", "{}", name) for name in OPERATIONS}
    assert told
    assert {re.sub(r"\{\w+\}", "{}", name) for name in told} - known == set()
