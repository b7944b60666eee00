"""Zip files that may be damaged or hostile. Nothing is written to disk, and no size is believed before it is read."""

from __future__ import annotations

import io
import lzma
import struct
import unicodedata
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath, PureWindowsPath

from ai_library_bot.errors import UnreadableBook

MAX_ENTRIES = 10_000
MAX_ENTRY_BYTES = 64 * 2**20
MAX_TOTAL_BYTES = 256 * 2**20
MAX_RATIO = 100  # of what is read to the size of the archive; books reach 30
FREE_BYTES = 16 * 2**20  # up to here the ratio does not matter: a small file may repeat itself

FAULTS = (
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    struct.error,
    EOFError,
    NotImplementedError,  # a compression method or zip version that zipfile does not know
    OSError,  # from bzip2 and from offsets outside of the file
    RuntimeError,
    ValueError,
)
"""The many ways in which zipfile and the decompressors complain of a damaged archive."""

_CHUNK_BYTES = 2**20
_LOCAL_HEADER_BYTES = 30  # without name and extra fields
_ENCRYPTED = 0x1
_NAME_IS_UTF8 = 0x800


class Archive:
    """The entries of a zip file. `names` are in the order of the archive's directory.

    Raises UnreadableBook if the file is no sound zip file, is encrypted, or holds names or sizes no book has.
    What is read counts against one budget: an entry read twice counts twice.
    """

    def __init__(self, data: bytes, path: Path) -> None:
        self._path = path
        self._budget = min(MAX_TOTAL_BYTES, max(FREE_BYTES, MAX_RATIO * len(data)))
        with self._faults_named():
            self._zip = zipfile.ZipFile(io.BytesIO(data))
        entries = self._zip.infolist()
        self._refuse(entries)
        self._entries = {name: entry for entry in entries if (name := _name(entry)) and not name.endswith("/")}
        self._spellings = {_evened(name): name for name in reversed(self._entries)}
        self.names = tuple(self._entries)

    def find(self, name: str) -> str | None:
        """The entry called `name`, give or take capitals and the Unicode form; None if there is none."""
        return name if name in self._entries else self._spellings.get(_evened(name))

    def read(self, name: str) -> bytes:
        """The bytes of the entry `name`. Raises KeyError for no such entry, UnreadableBook if damaged or too large."""
        return b"".join(self._chunks(self._entries[name]))

    def check(self) -> None:
        """Makes sure that a library which unzips the file by itself can do so safely. Raises UnreadableBook."""
        for entry in self._entries.values():
            for _ in self._chunks(entry):
                pass

    def _chunks(self, entry: zipfile.ZipInfo) -> Iterator[bytes]:
        size = 0
        with self._faults_named(), self._zip.open(entry) as stream:
            while chunk := stream.read(_CHUNK_BYTES):
                size += len(chunk)
                self._budget -= len(chunk)
                if size > MAX_ENTRY_BYTES or self._budget < 0:
                    raise self._error("archive_too_large")
                yield chunk

    def _refuse(self, entries: list[zipfile.ZipInfo]) -> None:
        if len(entries) > MAX_ENTRIES:
            raise self._error("archive_too_large")
        end = 0
        for entry in sorted(entries, key=lambda entry: entry.header_offset):
            if entry.flag_bits & _ENCRYPTED:
                raise self._error("archive_encrypted")
            if entry.header_offset < end or not _is_inside(_name(entry)):
                raise self._error("archive_unsafe")
            end = entry.header_offset + _LOCAL_HEADER_BYTES + entry.compress_size

    @contextmanager
    def _faults_named(self) -> Iterator[None]:
        try:
            yield
        except FAULTS as error:
            raise self._error("archive_broken") from error

    def _error(self, key: str) -> UnreadableBook:
        return UnreadableBook(key, path=str(self._path))


def _name(entry: zipfile.ZipInfo) -> str:
    """The entry's name with forward slashes. Not marked as UTF-8, it may be UTF-8 all the same, or DOS Cyrillic."""
    name = entry.orig_filename.split("\0")[0]
    if not entry.flag_bits & _NAME_IS_UTF8:
        data = name.encode("cp437")
        try:
            name = data.decode("utf-8")
        except UnicodeDecodeError:
            name = data.decode("cp866")
    return name.replace("\\", "/")


def _is_inside(name: str) -> bool:
    return not (PurePosixPath(name).is_absolute() or PureWindowsPath(name).drive or ".." in PurePosixPath(name).parts)


def _evened(name: str) -> str:
    return unicodedata.normalize("NFC", name).casefold()
