"""Every vector that was paid for, kept as soon as it arrives, so that none is paid for twice. A cache, safe to lose.

    embeddings.sqlite         a row for each text: the key, the vector, a checksum
    embeddings.sqlite-wal     what was added since the last checkpoint; gone when the store is closed

Vectors are kept in half precision, as the shards of `vectors` hold them: a vector that comes back is the one that is
searched, at half the room.

The journal is a write-ahead log, synced at every commit: what was put survives a killed process and a power cut, and
a file that was copied without its log is older, where one copied without a rollback journal would be broken. SQLite
notices no flipped bit, so each row has a checksum.
"""

from __future__ import annotations

import hashlib
import os
import sqlite3
import zlib
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import numpy

from ai_library_bot.errors import Busy, CannotWrite, LibraryError
from ai_library_bot.index import disk

if TYPE_CHECKING:
    from ai_library_bot.protocols import Matrix, Vector

NAME = "embeddings.sqlite"
"""The file in the index folder."""

ASIDE = ".damaged"
"""What the name of a damaged store ends in."""

_KEY_BYTES = 16
_AT_ONCE = 500  # rows asked for in one statement
_PATIENCE = 10  # seconds to wait for another process that is writing

_FORBIDDEN = {sqlite3.SQLITE_PERM, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN}

Result = TypeVar("Result")


def key(fingerprint: str, text: str) -> bytes:
    """The key of the vector that the embedder of that fingerprint makes of the text."""
    return hashlib.blake2b(f"{fingerprint}\0{text}".encode(), digest_size=_KEY_BYTES).digest()


class EmbeddingStore:
    """The vectors kept in an index folder. The file is opened at first use, and made when there is something to keep.

    A damaged row counts as missing. A damaged file is set aside, and an empty one takes its place: `set_aside` is
    where it is then. Every method raises CannotWrite when the disk is full or faulty, Busy when another process
    writes and does not end.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / NAME
        self._connection: sqlite3.Connection | None = None
        self.set_aside: Path | None = None

    def get(self, keys: Sequence[bytes]) -> dict[bytes, Vector]:
        """The vectors that are there, `(d,)` float32 each, by their keys."""
        found: dict[bytes, Vector] = {}
        if self._connection or self._path.exists():
            for start in range(0, len(keys), _AT_ONCE):
                found |= self._do(partial(_read, keys=keys[start : start + _AT_ONCE]))
        return found

    def put(self, keys: Sequence[bytes], vectors: Matrix) -> None:
        """Keeps the vectors, `(len(keys), d)` float32. When this returns they are on the disk."""
        rows = [
            (key, vector.tobytes(), _checksum(key, vector.tobytes()))
            for key, vector in zip(keys, vectors.astype(numpy.float16), strict=True)
        ]
        self._do(partial(_write, rows=rows))
        if len(self.get(keys)) < len(set(keys)):  # a damaged file may swallow rows without a word
            self._begin_anew()
            self._do(partial(_write, rows=rows))

    def close(self) -> None:
        """Lets go of the file, in one piece."""
        if self._connection:
            self._connection.close()
            self._connection = None

    def _do(self, work: Callable[[sqlite3.Connection], Result]) -> Result:
        """Does the work; where the file is damaged, with an empty one."""
        try:
            return work(self._opened())
        except sqlite3.Error as error:
            if known := self._in_words(error):
                raise known from error
        except UnicodeDecodeError:  # a damaged name, in the message about it
            pass
        self._begin_anew()
        try:
            return work(self._opened())
        except sqlite3.Error as error:
            raise CannotWrite("write_failed", folder=str(self._path.parent), error=str(error)) from error

    def _opened(self) -> sqlite3.Connection:
        if not self._connection:
            self._connection = sqlite3.connect(self._path, timeout=_PATIENCE, isolation_level=None)
            self._connection.text_factory = bytes
            self._connection.execute("PRAGMA journal_mode = wal")
            self._connection.execute("PRAGMA synchronous = full")
            self._connection.execute(
                "CREATE TABLE IF NOT EXISTS vectors (key BLOB PRIMARY KEY, vector BLOB NOT NULL, checksum INT NOT NULL)"
            )
            with disk.writing_into(self._path.parent):
                disk.sync_folder(self._path.parent)
        return self._connection

    def _in_words(self, error: sqlite3.Error) -> LibraryError | None:
        """What the system has against the work; None where it is the file that makes no sense."""
        folder = str(self._path.parent)
        code = error.sqlite_errorcode & 0xFF  # the rest says where in SQLite
        if code == sqlite3.SQLITE_FULL:
            return CannotWrite("disk_full", folder=folder)
        if code in _FORBIDDEN and not (self._path.is_file() and os.access(self._path, os.R_OK | os.W_OK)):
            return CannotWrite("folder_not_writable", folder=folder)
        if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            return Busy("locked", folder=folder)
        if code == sqlite3.SQLITE_IOERR:
            return CannotWrite("write_failed", folder=folder, error=str(error))
        return None

    def _begin_anew(self) -> None:
        self.close()
        aside = self._path.with_name(NAME + ASIDE)
        with disk.writing_into(self._path.parent):
            disk.rename(self._path, aside)
            for ending in ("-wal", "-shm"):
                self._path.with_name(NAME + ending).unlink(missing_ok=True)
        self.set_aside = aside


def _read(connection: sqlite3.Connection, keys: Sequence[bytes]) -> dict[bytes, Vector]:
    places = ",".join("?" * len(keys))
    rows = connection.execute(f"SELECT key, vector, checksum FROM vectors WHERE key IN ({places})", keys)  # noqa: S608
    return {
        key: numpy.frombuffer(vector, numpy.float16).astype(numpy.float32)
        for key, vector, checksum in rows
        if isinstance(vector, bytes) and checksum == _checksum(key, vector)
    }


def _write(connection: sqlite3.Connection, rows: Sequence[tuple[bytes, bytes, int]]) -> None:
    with connection:
        connection.execute("BEGIN IMMEDIATE")
        connection.executemany("INSERT OR REPLACE INTO vectors VALUES (?, ?, ?)", rows)


def _checksum(key: bytes, vector: bytes) -> int:
    return zlib.crc32(vector, zlib.crc32(key))
