"""A plan as a folder: plan.toml and one text file per step and language, read and written."""

from __future__ import annotations

import hashlib
import json
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from notifier.errors import NotFoundError, PlanError
from notifier.resources import templates_dir
from notifier.rules.plan import Plan, Step, read_plan
from notifier.rules.templating import TextTemplate, parse_text

# What a plan version holds in the database: plain values, so that it can be kept and compared as they are.
Content = Mapping[
    str, Any
]  # {"key", "plan": the tables of plan.toml, "texts": {"<step>.<language>": source}}


@dataclass(frozen=True)
class Definition:
    """A plan with its texts, ready for use. Immutable, like the version that it comes from."""

    plan: Plan
    texts: Mapping[tuple[str, str], TextTemplate]
    digest: str

    def text(self, step: str, language: str) -> TextTemplate | None:
        """The step's words in this language, else in English."""
        return self.texts.get((step, language)) or self.texts.get((step, "en"))

    def speaks(self, step: Step, channel: str, language: str) -> bool:
        text = self.text(step.key, language)
        return text is not None and (text.sms if channel == "sms" else text.email) is not None


def shipped_plans() -> list[Path]:
    """The folders of the plans that come with the program."""
    return sorted(path.parent for path in (templates_dir() / "plans").glob("*/plan.toml"))


def find_folder(name: str) -> Path:
    """A folder by its path, or a shipped plan by its key."""
    path = Path(name)
    if (path / "plan.toml").is_file():
        return path
    for folder in shipped_plans():
        if folder.name == name:
            return folder
    known = ", ".join(folder.name for folder in shipped_plans())
    raise NotFoundError(f'There is no plan "{name}": neither a folder with a plan.toml, nor one of {known}.')


def read_content(folder: Path) -> Content:
    """What the folder says, unchecked but for its being TOML and UTF-8."""
    source = _read(folder / "plan.toml")
    try:
        tables = tomllib.loads(source)
    except tomllib.TOMLDecodeError as error:
        line = re.search(r"line (\d+)", str(error))
        raise PlanError(
            f"This is not valid TOML: {error}.",
            file=folder / "plan.toml",
            line=int(line[1]) if line else None,
        ) from None
    texts = {path.name.removesuffix(".j2"): _read(path) for path in sorted(folder.glob("*.j2"))}
    # A date may be written bare in TOML; kept as the same word either way.
    return {"key": folder.resolve().name, "plan": json.loads(json.dumps(tables, default=str)), "texts": texts}


def _read(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise PlanError(f"The file cannot be read as UTF-8 text: {error}.", file=path) from None


def read_folder(folder: Path) -> Definition:
    """Raises PlanError with file and line."""
    content = read_content(folder)
    try:
        return define(content, folder)
    except PlanError as error:
        if error.place is None:
            raise
        file = folder / "plan.toml"
        raise PlanError(error.plain, file=file, line=line_of(_read(file), *error.place)) from None


def digest_of(content: Content) -> str:
    """Two contents with the same digest say the same, whoever reviewed them."""
    plan = {key: value for key, value in content["plan"].items() if key != "review"}
    said = json.dumps([content["key"], plan, content["texts"]], sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(said.encode()).hexdigest()


def define(content: Content, folder: Path | None = None, *, digest: str = "") -> Definition:
    """Raises PlanError; its `place` tells where in plan.toml. `digest`: the content's, where it is known."""
    review = json.dumps(content["plan"].get("review", {}), sort_keys=True)
    return _define(_Frozen(content, folder, (digest or digest_of(content), review, str(folder))))


class _Frozen:
    """A content as a cache key: equal when it says the same. A version is immutable, so it is read once."""

    def __init__(self, content: Content, folder: Path | None, identity: tuple[str, ...]) -> None:
        self.content, self.folder, self.identity = content, folder, identity

    def __hash__(self) -> int:
        return hash(self.identity)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Frozen) and other.identity == self.identity


@lru_cache(maxsize=512)
def _define(frozen: _Frozen) -> Definition:
    content, folder = frozen.content, frozen.folder
    plan = read_plan(content["key"], content["plan"])
    texts = {}
    for name, source in content["texts"].items():
        step, _, language = name.rpartition(".")
        file = str(folder / f"{name}.j2") if folder else f"{content['key']}/{name}.j2"
        texts[step, language] = parse_text(source, file=file)
    return Definition(plan, texts, frozen.identity[0])


def line_of(source: str, step: int | None, key: str) -> int | None:
    """The line of a key in a plan.toml: of its nth [[steps]], or of what stands before and around them."""
    section: int | None = None
    start = None
    for number, line in enumerate(source.splitlines(), start=1):
        if re.match(r"\s*\[\[\s*steps\s*\]\]", line):
            section = 0 if section is None else section + 1
            start = number if section == step else start
        elif re.match(r"\s*\[", line):
            section = -1 if section is None else section
        in_place = section == step or (step is None and section in (None, -1))
        if in_place and re.match(rf'\s*"?{re.escape(key)}"?\s*=', line):
            return number
    return start


def write_folder(content: Content, folder: Path) -> None:
    """Write a plan so that reading it again gives the same content."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "plan.toml").write_text(_toml(content["plan"]), "utf-8")
    for name, source in content["texts"].items():
        (folder / f"{name}.j2").write_text(source, "utf-8")


def _toml(tables: Mapping[str, Any]) -> str:
    plain = {key: value for key, value in tables.items() if key not in ("steps", "review")}
    parts = [_pairs(plain)]
    if "review" in tables:
        parts.append(f"[review]\n{_pairs(tables['review'])}")
    parts += [f"[[steps]]\n{_pairs(step)}" for step in tables.get("steps", [])]
    return "\n".join(parts)


def _pairs(table: Mapping[str, Any]) -> str:
    return "".join(f"{key} = {_value(value)}\n" for key, value in table.items())


def _value(value: Any) -> str:
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{key} = {_value(item)}" for key, item in value.items()) + " }"
    if isinstance(value, list):
        return "[" + ", ".join(_value(item) for item in value) + "]"
    # JSON's strings, numbers and booleans are TOML's too, but for one control character.
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
