"""What the doctor sees and says: one finding for each thing looked at, and the installation it looks at."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Literal, Protocol, runtime_checkable

from sqlalchemy import Engine

from notifier.config import Settings

Level = Literal["ok", "note", "warning", "error"]


@dataclass(frozen=True, slots=True)
class Finding:
    """`error`: messages cannot go out, or must not. `note`: worth knowing, nothing is wrong."""

    level: Level
    area: str
    message: str
    advice: str = ""


@runtime_checkable
class Provider(Protocol):
    """A channel that can be tried without sending anything."""

    def check(self) -> None:
        """Raises ChannelError when messages could not be sent."""

    def close(self) -> None: ...


@dataclass(frozen=True)
class Installation:
    """`now` is this host's clock. `providers` are those that the settings name, whatever the mode."""

    settings: Settings
    engine: Engine
    now: datetime
    config_file: Path | None = None
    providers: Mapping[str, Provider] = field(default_factory=dict)

    @property
    def sqlite_file(self) -> Path | None:
        """None on PostgreSQL, and where the address is one that only SQLite itself can read."""
        url = self.engine.url
        plain = url.get_backend_name() == "sqlite" and url.database and not url.database.startswith("file:")
        return Path(url.database or "") if plain else None
