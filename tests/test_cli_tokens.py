"""Tokens and invitations from the command line."""

from __future__ import annotations

from pathlib import Path

import pytest

from notifier import api_tokens, db, staff_links
from notifier.models import Staff
from tests.cli_cast import Home, open_home


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return open_home(tmp_path)


def opens(home: Home, secret: str) -> bool:
    engine = db.open_engine(f"sqlite:///{home.folder / 'notifier.db'}")
    try:
        with db.reading(engine) as session:
            return api_tokens.find(session, secret) is not None
    finally:
        engine.dispose()


def test_a_token_is_made_listed_without_its_secret_and_revoked(home: Home) -> None:
    said = home.run("token", "create", "EHR", "--scope", "write").out
    secret = next(word for word in said.split() if word.startswith("aftercare_"))
    assert said.startswith('Token 1, "EHR", may read and write at Riverside Physio.')
    assert opens(home, secret)
    listed = home.run("token", "list").out
    assert "EHR" in listed
    assert secret not in listed
    assert home.run("token", "revoke", 1).out.startswith('Token 1, "EHR", is revoked.')
    assert not opens(home, secret)
    assert home.refused("token", "revoke", 1) == 'The token "EHR" was revoked already.'


def test_for_programs_all_of_it_is_json(home: Home) -> None:
    made = home.run("token", "create", "Reports", "--json").json
    assert (made["scope"], made["hint"]) == ("read", made["secret"][-4:])
    (listed,) = home.run("token", "list", "--json").json
    assert listed == {key: value for key, value in made.items() if key != "secret"}
    assert home.run("token", "revoke", made["id"], "--json").json["revoked_at"].endswith("Z")


def test_what_is_wrong_is_said_in_a_sentence(home: Home) -> None:
    assert "read, write" in home.run("token", "create", "EHR", "--scope", "all", code=2).err
    assert home.refused("token", "revoke", 9) == "There is no token 9 at Riverside Physio."
    assert home.run("token", "list").out.startswith("No other program may come in yet.")


# The link by which a person chooses a password


def invite(home: Home) -> str:
    home.run("user", "add", "roe@example.com", "--name", "Roe")
    link = home.run("user", "link", "Roe@Example.com", "--json").json["link"]
    return str(link)


def whose(home: Home, link: str) -> str:
    engine = db.open_engine(f"sqlite:///{home.folder / 'notifier.db'}")
    try:
        with db.reading(engine) as session:
            found = staff_links.find(session, link.rpartition("/")[2])
            return session.get_one(Staff, found.staff_id).email
    finally:
        engine.dispose()


def test_a_link_leads_one_person_to_a_password(home: Home) -> None:
    link = invite(home)
    assert link.startswith("http://127.0.0.1:8000/link/")
    assert whose(home, link) == "roe@example.com"
    said = home.run("user", "link", "roe@example.com").out
    assert "within 7 days" in said
    assert whose(home, next(word for word in said.split() if "/link/" in word)) == "roe@example.com"


@pytest.mark.parametrize(
    ("web", "address"),
    [
        ({"base_url": "https://care.example.com"}, "https://care.example.com/link/"),
        ({"host": "0.0.0.0", "port": 9000}, "http://localhost:9000/link/"),
        ({"host": "::1"}, "http://[::1]:8000/link/"),
    ],
)
def test_the_link_stands_where_the_pages_are(home: Home, web: dict[str, object], address: str) -> None:
    home.configure(web=web)
    assert invite(home).startswith(address)


def test_whoever_may_not_sign_in_gets_no_link(home: Home) -> None:
    invite(home)
    home.run("user", "disable", "roe@example.com")
    assert "notifier user enable roe@example.com" in home.refused("user", "link", "roe@example.com")
    assert home.refused("user", "link", "who@example.com").startswith("Nobody at Riverside Physio")
