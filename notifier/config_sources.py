"""Where settings are written: the TOML file, the environment, and files that hold one secret each.

The environment overrides the file. Within either, a secret is given as itself or as `<key>_file`, not both.
"""

from __future__ import annotations

import difflib
import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from notifier.errors import ConfigError

_PREFIX = "NOTIFIER_"
_PATH_VARIABLE = "NOTIFIER_CONFIG"

Name = tuple[str, str]  # section, key
Known = Mapping[str, Mapping[str, bool]]  # section → key → whether it is a secret


class Found(NamedTuple):
    value: object
    origin: str


@dataclass
class Sources:
    folder: Path  # what relative paths start from
    found: dict[Name, Found] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    incomplete: set[str] = field(default_factory=set)  # sections that miss what they were meant to hold

    def values(self, section: str) -> dict[str, object]:
        return {key: found.value for (its, key), found in self.found.items() if its == section}


def read(path: Path | None, environ: Mapping[str, str], known: Known) -> Sources:
    file = config_file(path, environ)
    sources = Sources(folder=(file.parent if file else Path()).absolute())
    in_file = _one_form(_from_toml(file, known, sources.problems), known, sources.problems)
    in_environment = _one_form(_from_environment(environ, known, sources.problems), known, sources.problems)
    sources.found = _merged(in_file, in_environment, known)
    _read_secret_files(sources, known)
    return sources


def config_file(path: Path | None, environ: Mapping[str, str] = os.environ) -> Path | None:
    """Which file counts; None where there is none."""
    named = path or (Path(environ[_PATH_VARIABLE]) if environ.get(_PATH_VARIABLE) else None)
    if named is None and os.path.lexists("config.toml"):
        return Path("config.toml")
    return named


def _from_toml(file: Path | None, known: Known, problems: list[str]) -> dict[Name, Found]:
    found: dict[Name, Found] = {}
    for section, table in (_parsed(file) if file else {}).items():
        if section not in known:
            near = difflib.get_close_matches(section, known, n=1)
            hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(known)}."
            problems.append(f"{section} in {_label(file)} is not a section; {hint}")
        elif not isinstance(table, dict):
            problems.append(
                f"{section} in {_label(file)} is not a section; write [{section}] above its settings."
            )
        else:
            found |= {(section, key): Found(value, _label(file)) for key, value in table.items()}
    return found


def _label(file: Path | None) -> str:
    return file.name if file else ""


def _parsed(file: Path) -> dict[str, object]:
    try:
        # Notepad puts a mark in front, hence -sig.
        return tomllib.loads(file.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        raise ConfigError(
            f"There is no configuration file {file}; correct --config or {_PATH_VARIABLE}."
        ) from None
    except OSError as error:
        raise ConfigError(
            f"{file} cannot be read ({error.strerror}); make it readable to this user."
        ) from None
    except UnicodeDecodeError:
        raise ConfigError(f"{file} is not UTF-8 text; save it with that encoding.") from None
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{file} is not valid TOML: {error}; compare with config.example.toml.") from None


def _from_environment(environ: Mapping[str, str], known: Known, problems: list[str]) -> dict[Name, Found]:
    variables = {_variable(*name): name for name in _every_name(known)}
    bare = {variable.removeprefix(_PREFIX): variable for variable in variables}
    found: dict[Name, Found] = {}
    for variable in sorted(environ):
        if not variable.startswith(_PREFIX) or variable == _PATH_VARIABLE:
            continue
        if variable in variables:
            found[variables[variable]] = Found(environ[variable], variable)
            continue
        near = difflib.get_close_matches(variable.removeprefix(_PREFIX), bare, n=1)
        hint = f"did you mean {bare[near[0]]}?" if near else "they are written NOTIFIER_SECTION__KEY."
        problems.append(f"{variable} in the environment is not a setting; {hint}")
    return found


def _every_name(known: Known) -> list[Name]:
    plain = [(section, key) for section, keys in known.items() for key in keys]
    return plain + [_file_form(name) for name in _secrets(known)]


def _variable(section: str, key: str) -> str:
    return f"{_PREFIX}{section}__{key}".upper()


def _file_form(name: Name) -> Name:
    return name[0], f"{name[1]}_file"


def _secrets(known: Known) -> list[Name]:
    return [(section, key) for section, keys in known.items() for key, secret in keys.items() if secret]


def _one_form(layer: dict[Name, Found], known: Known, problems: list[str]) -> dict[Name, Found]:
    """An empty form counts as not given where the other is: compose files pass empty variables along."""
    kept = dict(layer)
    for name in _secrets(known):
        plain, file = layer.get(name), layer.get(_file_form(name))
        if file is None:
            continue
        if plain and plain.value and file.value:
            both = f"{'.'.join(name)} and {'.'.join(_file_form(name))}"
            problems.append(f"{both} in {_either(plain, file)} are both given; keep one of them.")
            kept.pop(_file_form(name))
        else:
            kept.pop(name if file.value else _file_form(name), None)
    return kept


def _either(plain: Found, file: Found) -> str:
    return plain.origin if plain.origin == file.origin else "the environment"


def _merged(below: dict[Name, Found], above: dict[Name, Found], known: Known) -> dict[Name, Found]:
    """Overriding a secret in one form overrides what was written in the other."""
    pairs = [{name, _file_form(name)} for name in _secrets(known)]
    hidden = set(above).union(*(pair for pair in pairs if pair & above.keys()))
    return {name: found for name, found in below.items() if name not in hidden} | above


def _read_secret_files(sources: Sources, known: Known) -> None:
    for name in _secrets(known):
        place = sources.found.pop(_file_form(name), None)
        if place is None:
            continue
        try:
            sources.found[name] = Found(_secret_in(place.value, sources.folder), place.origin)
        except ValueError as error:
            sources.problems.append(f"{'.'.join(_file_form(name))} in {place.origin}: {error}")
            sources.incomplete.add(name[0])


def _secret_in(value: object, folder: Path) -> str:
    if not isinstance(value, str):
        raise ValueError("this is not text; put the file's name between quotes.")
    file = folder / value
    try:
        secret = file.read_text(encoding="utf-8").removesuffix("\n").removesuffix("\r")
    except OSError as error:
        raise ValueError(
            f"{file} cannot be read ({error.strerror}); name a file that this user can read."
        ) from None
    except UnicodeDecodeError:
        raise ValueError(f"{file} is not text; write the secret into it, and nothing else.") from None
    if not secret.strip():
        raise ValueError(f"{file} is empty; write the secret into it, and nothing else.")
    return secret
