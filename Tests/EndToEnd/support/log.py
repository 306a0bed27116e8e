"""Reads a log as an operator would: read-only, while the program runs."""

import sqlite3
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Tick:
    offset: int
    received_at: int
    event_time: int | None
    stream: str
    payload: str


class Log:
    def __init__(self, path: Path):
        self.path = path

    def ask(self, sql: str, *arguments) -> list[tuple]:
        """All rows; none while the file or its tables are not there yet, or the writer is just opening it."""
        if not self.path.exists():
            return []
        connection = sqlite3.connect(f"{self.path.as_uri()}?mode=ro", uri=True, timeout=10)
        try:
            return connection.execute(sql, arguments).fetchall()
        except sqlite3.OperationalError as error:
            if any(text in str(error) for text in ("no such table", "unable to open", "locked")):
                return []
            raise
        finally:
            connection.close()

    def value(self, sql: str, *arguments):
        rows = self.ask(sql, *arguments)
        return rows[0][0] if rows else None

    @property
    def head(self) -> int:
        return int(self.value("select value from meta where key = 'head'") or 0)

    @property
    def log_id(self) -> str:
        return self.value("select value from meta where key = 'log_id'")

    def backlog(self) -> dict[str, int]:
        return dict(self.ask("select consumer, lag from backlog"))

    def next_offsets(self) -> dict[str, int]:
        return dict(self.ask("select name, next_offset from consumers"))

    def is_shipped(self, up_to: int) -> bool:
        """Whether every enabled consumer, and there is one, is past this offset."""
        rows = self.ask("select next_offset from backlog")
        return bool(rows) and all(next_offset > up_to for (next_offset,) in rows)

    def ticks(self) -> list[Tick]:
        return [
            Tick(*row)
            for row in self.ask("select offset, received_at, event_time, stream, payload from ticks order by offset")
        ]
