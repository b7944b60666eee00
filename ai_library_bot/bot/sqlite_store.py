"""What one bot remembers, in a SQLite file.

    bot.sqlite         a row for each value: the key, the value, until when
    bot.sqlite-wal     what was written since the last checkpoint; gone when the store is closed

One thread owns the connection. What is asked while it commits waits, and then shares one commit: a sync of the disk
takes longer than a hundred calls. The journal is a write-ahead log, synced at every commit, so that what was answered
survives a killed process and a power cut.

The file is locked as a whole as long as it is open, by SQLite's exclusive mode: two bots with one file would answer
every message twice. The system frees the lock when its holder dies.

What is removed is overwritten with zeros, but the write-ahead log may still have it. `erase` empties the log too, and
removes a damaged file that was set aside, for nobody can tell what it holds.
"""

from __future__ import annotations

import asyncio
import logging
import sqlite3
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from ai_library_bot.errors import Busy, CannotWrite

ASIDE = ".damaged"
"""What the name of a damaged file ends in."""

_PATIENCE = 0.5  # seconds: of two bots that start together one gets the file
_SWEEP = 600.0  # seconds between two removals of what has expired

_DAMAGED = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}
_FORBIDDEN = {sqlite3.SQLITE_PERM, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN}

_RULES = """
PRAGMA locking_mode = exclusive;
PRAGMA journal_mode = wal;
PRAGMA synchronous = full;
PRAGMA fullfsync = on;
PRAGMA secure_delete = on;
PRAGMA temp_store = memory;
CREATE TABLE IF NOT EXISTS kept (key BLOB PRIMARY KEY, value BLOB NOT NULL, until REAL NOT NULL) WITHOUT ROWID;
SELECT key, value, until FROM kept LIMIT 0;
"""
_NEVER = float("inf")

_LOG = logging.getLogger(__name__)

Result = TypeVar("Result")


class _Call(NamedTuple):
    """Work on the connection inside a transaction, and where its result goes."""

    work: Callable[[sqlite3.Connection], Any]
    answer: Future[Any]
    erases: bool


class SqliteStore:
    """What is remembered in the file at `path`, which is made where there is none; see `Store`.

    A damaged file is set aside, and an empty one takes its place.
    """

    def __init__(self, path: Path, *, clock: Callable[[], float] = time.time) -> None:
        self._path = path
        self._clock = clock
        self._waiting: deque[_Call] = deque()
        self._thread = ThreadPoolExecutor(1, "bot-store")
        self._connection: sqlite3.Connection | None = None
        self._sweep_at = 0.0

    async def get(self, key: str) -> bytes | None:
        name = key.encode()
        return await self._ask(lambda connection: self._value(connection, name))

    async def put(self, key: str, value: bytes, *, seconds: float | None = None) -> None:
        name = key.encode()
        await self._ask(lambda connection: self._write(connection, name, value, seconds))

    async def add(self, key: str, value: bytes, *, seconds: float | None = None) -> bool:
        name = key.encode()

        def work(connection: sqlite3.Connection) -> bool:
            if self._value(connection, name) is not None:
                return False
            self._write(connection, name, value, seconds)
            return True

        return await self._ask(work)

    async def change(
        self, key: str, change: Callable[[bytes | None], bytes | None], *, seconds: float | None = None
    ) -> bytes | None:
        name = key.encode()

        def work(connection: sqlite3.Connection) -> bytes | None:
            value = change(self._value(connection, name))
            if value is None:
                _remove(connection, [name])
            else:
                self._write(connection, name, value, seconds)
            return value

        return await self._ask(work)

    async def remove(self, *keys: str) -> None:
        names = [key.encode() for key in keys]
        await self._ask(lambda connection: _remove(connection, names))

    async def items(self, prefix: str) -> list[tuple[str, bytes]]:
        first, last = _range(prefix)

        def work(connection: sqlite3.Connection) -> list[tuple[str, bytes]]:
            rows = connection.execute(
                "SELECT key, value FROM kept WHERE key >= ? AND key < ? AND until > ? ORDER BY key",
                (first, last, self._clock()),
            )
            return [(key.decode(), value) for key, value in rows]

        return await self._ask(work)

    async def erase(self, prefix: str) -> None:
        between = _range(prefix)

        def work(connection: sqlite3.Connection) -> None:
            connection.execute("DELETE FROM kept WHERE key >= ? AND key < ?", between)

        await self._ask(work, erases=True)

    async def close(self) -> None:
        """Lets go of the file, in one piece, when all that waits is done."""
        await asyncio.wrap_future(self._thread.submit(self._let_go))

    def _value(self, connection: sqlite3.Connection, name: bytes) -> bytes | None:
        rows = connection.execute("SELECT value FROM kept WHERE key = ? AND until > ?", (name, self._clock()))
        return next((value for (value,) in rows), None)

    def _write(self, connection: sqlite3.Connection, name: bytes, value: bytes, seconds: float | None) -> None:
        until = _NEVER if seconds is None else self._clock() + seconds
        connection.execute("INSERT OR REPLACE INTO kept VALUES (?, ?, ?)", (name, value, until))

    async def _ask(self, work: Callable[[sqlite3.Connection], Result], *, erases: bool = False) -> Result:
        """What the work returns, when it is safe on the disk."""
        answer: Future[Result] = Future()
        self._waiting.append(_Call(work, answer, erases))
        self._thread.submit(self._serve)
        return await asyncio.wrap_future(answer)

    # From here on everything runs in the thread.

    def _serve(self) -> None:
        """Does all that waits; nothing, if an earlier turn did it."""
        waiting = [self._waiting.popleft() for _ in range(len(self._waiting))]
        if calls := [call for call in waiting if call.answer.set_running_or_notify_cancel()]:
            for call, outcome in zip(calls, self._outcomes(calls), strict=True):
                if isinstance(outcome, Exception):
                    call.answer.set_exception(outcome)
                else:
                    call.answer.set_result(outcome)

    def _outcomes(self, calls: Sequence[_Call]) -> list[Any]:
        """What comes of each call: its result, or an exception that is meant for whoever asked."""
        try:
            try:
                return self._together(calls)
            except (sqlite3.Error, UnicodeDecodeError) as error:
                if self._is_damaged(error):
                    self._begin_anew()
                    return self._together(calls)
                if not self._connection or len(calls) == 1:
                    raise
                return [self._outcomes([call])[0] for call in calls]  # it was one of them: the others shall not fail
        except Exception as error:  # noqa: BLE001 - whoever asked hears of it, and nobody waits for ever
            return [self._in_words(error) for _ in calls]

    def _together(self, calls: Sequence[_Call]) -> list[Any]:
        """What comes of each call, all in one transaction. When it raises, nothing was done."""
        connection = self._opened()
        with connection:
            connection.execute("BEGIN IMMEDIATE")
            outcomes = [_outcome(call, connection) for call in calls]
            if (now := self._clock()) >= self._sweep_at:
                self._sweep_at = now + _SWEEP
                connection.execute("DELETE FROM kept WHERE until <= ?", (now,))
        if any(call.erases for call in calls):
            try:
                connection.execute("PRAGMA wal_checkpoint(truncate)")
                self._aside.unlink(missing_ok=True)
            except (sqlite3.Error, OSError) as error:
                return [
                    self._in_words(error) if call.erases else outcome
                    for call, outcome in zip(calls, outcomes, strict=True)
                ]
        return outcomes

    def _opened(self) -> sqlite3.Connection:
        if not self._connection:
            with suppress(OSError):  # whatever it is, SQLite will stumble over it too
                self._path.touch(0o600, exist_ok=False)  # it holds what people asked
            connection = sqlite3.connect(self._path, timeout=_PATIENCE, isolation_level=None)
            try:
                connection.executescript(_RULES)
            except BaseException:
                connection.close()
                raise
            self._connection = connection
        return self._connection

    def _let_go(self) -> None:
        if self._connection:
            self._connection.close()
            self._connection = None

    def _begin_anew(self) -> None:
        self._let_go()
        self._path.replace(self._aside)
        for ending in ("-wal", "-shm"):
            self._path.with_name(self._path.name + ending).unlink(missing_ok=True)
        _LOG.warning("%s was damaged. It was set aside as %s, and a new one begun.", self._path, self._aside.name)

    @property
    def _aside(self) -> Path:
        return self._path.with_name(self._path.name + ASIDE)

    def _is_damaged(self, error: Exception) -> bool:
        """Whether it is the file that makes no sense; while it is opened, statements that do not fit it say so too."""
        unfit = self._connection is None and _code(error) == sqlite3.SQLITE_ERROR
        garbled = isinstance(error, UnicodeDecodeError)  # a name, in the message about it
        return unfit or garbled or _code(error) in _DAMAGED

    def _in_words(self, error: Exception) -> Exception:
        """What the system has against the work; the error itself where it is a mistake of the program."""
        file, code = str(self._path), _code(error)
        if code == sqlite3.SQLITE_BUSY:
            return Busy("bot_running", file=file)
        if code == sqlite3.SQLITE_FULL:
            return CannotWrite("bot_disk_full", file=file)
        if code in _FORBIDDEN:
            return CannotWrite("bot_not_writable", file=file)
        if code == sqlite3.SQLITE_IOERR or code in _DAMAGED or isinstance(error, OSError):
            return CannotWrite("bot_write_failed", file=file, reason=str(error))
        return error


def _code(error: Exception) -> int:
    code: int = getattr(error, "sqlite_errorcode", 0)
    return code & 0xFF  # the rest says where in SQLite


def _outcome(call: _Call, connection: sqlite3.Connection) -> Any:
    """The result of the call's work, or what it raises of its own: nothing is written before that."""
    try:
        return call.work(connection)
    except sqlite3.Error:
        raise
    except Exception as error:  # noqa: BLE001 - it goes to whoever asked
        return error


def _remove(connection: sqlite3.Connection, names: Sequence[bytes]) -> None:
    connection.executemany("DELETE FROM kept WHERE key = ?", [(name,) for name in names])


def _range(prefix: str) -> tuple[bytes, bytes]:
    """The first name that begins so, and the first after the last: no UTF-8 has the byte 255."""
    return prefix.encode(), prefix.encode() + b"\xff"
