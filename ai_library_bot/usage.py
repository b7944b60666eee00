"""What models were paid for: a line for each request in `usage.sqlite`, beside the index.

A line says when, what for, which model, how many tokens, how much money and how long; nothing of a question or a
book. Several processes may write at once. Keeping accounts is never worth a failed command: what cannot be written
(a folder that is only read, a full disk) is not recorded, and a damaged file is set aside for a new one.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager, suppress
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Literal, NamedTuple

from ai_library_bot.types import Usage

NAME = "usage.sqlite"
"""The file in the index folder."""

ASIDE = ".damaged"
"""What the name of a damaged one ends in."""

Kind = Literal["embedding", "question", "answer", "rewrite", "rerank", "transcription"]
"""What a request was for: the vectors of books, the vector of a question, an answer, a question said anew, an order,
the text of a voice message."""

_DAYS_KEPT = 400
_DAY = 24 * 3600
_PATIENCE = 0.5  # seconds to wait for another process that is writing

_DAMAGED = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}

_TABLES = """
CREATE TABLE IF NOT EXISTS requests (
    time REAL NOT NULL,  -- seconds since the epoch
    kind TEXT NOT NULL,
    model TEXT NOT NULL,
    prompt_tokens INTEGER NOT NULL,
    completion_tokens INTEGER NOT NULL,
    cost REAL,  -- US dollars; NULL where the price is not known
    seconds REAL NOT NULL
);
CREATE INDEX IF NOT EXISTS requests_by_time ON requests (time);
"""


class Spent(NamedTuple):
    """All requests of one day (by this computer's clock) for one kind of work to one model."""

    day: date
    kind: str
    model: str
    requests: int
    usage: Usage
    seconds: float


class UsageLedger:
    """The accounts of the index in a folder. Nothing is opened or made before the first record."""

    def __init__(self, folder: Path, *, clock: Callable[[], float] = time.time) -> None:
        self._path = folder / NAME
        self._clock = clock

    def record(self, kind: Kind, model: str, usage: Usage, seconds: float) -> None:
        """Adds one request; lines of more than a year ago go."""
        now = self._clock()
        line = (now, kind, model, usage.prompt_tokens, usage.completion_tokens, usage.cost, seconds)
        with self._as_good_as_it_goes(), self._opened("rwc") as ledger:
            ledger.execute("PRAGMA synchronous = OFF")  # a power cut may take the last lines; nobody waits for a disk
            ledger.executescript(_TABLES)
            with ledger:
                ledger.execute("INSERT INTO requests VALUES (?, ?, ?, ?, ?, ?, ?)", line)
                ledger.execute("DELETE FROM requests WHERE time < ?", (now - _DAYS_KEPT * _DAY,))

    def today(self) -> tuple[Spent, ...]:
        """What was spent today, by kind and model."""
        return self.per_day(1)

    def per_day(self, days: int) -> tuple[Spent, ...]:
        """What was spent in the last `days` days, today included, by day (newest first), kind and model."""
        now = datetime.fromtimestamp(self._clock()).astimezone()
        first = datetime.combine(now.date() - timedelta(days=days - 1), datetime.min.time()).timestamp()
        with self._as_good_as_it_goes(), self._opened("ro") as ledger:
            rows = ledger.execute(
                """
                SELECT date(time, 'unixepoch', 'localtime') AS day, kind, model, count(*),
                       sum(prompt_tokens), sum(completion_tokens),
                       CASE WHEN count(cost) = count(*) THEN sum(cost) END, sum(seconds)
                FROM requests WHERE time >= ?
                GROUP BY day, kind, model ORDER BY day DESC, kind, model
                """,
                (first,),
            )
            return tuple(
                Spent(date.fromisoformat(day), kind, model, requests, Usage(read, written, cost), seconds)
                for day, kind, model, requests, read, written, cost, seconds in rows
            )
        return ()

    @contextmanager
    def _opened(self, mode: Literal["ro", "rwc"]) -> Iterator[sqlite3.Connection]:
        address = f"{self._path.absolute().as_uri()}?mode={mode}"
        with closing(sqlite3.connect(address, uri=True, timeout=_PATIENCE)) as ledger:
            yield ledger

    @contextmanager
    def _as_good_as_it_goes(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            if getattr(error, "sqlite_errorcode", None) in _DAMAGED:
                with suppress(OSError):
                    self._path.replace(self._path.with_name(NAME + ASIDE))


def total(spent: Iterable[Spent]) -> Usage:
    """All of it together."""
    return sum((one.usage for one in spent), Usage())
