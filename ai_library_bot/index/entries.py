"""A passage as the lexical index holds it: one line of JSON with a checksum."""

from __future__ import annotations

import json
import zlib
from dataclasses import fields
from typing import NamedTuple

from ai_library_bot.types import Passage

_FIELDS = tuple(field.name for field in fields(Passage))
_CHECKSUM_LENGTH = 8  # hexadecimal digits
_CHAPTER, _PAGES = _FIELDS.index("chapter"), _FIELDS.index("pages")


class Entry(NamedTuple):
    """A passage as it is indexed: with `book`, the title and authors it stands under."""

    passage: Passage
    book: str

    @property
    def context(self) -> str:
        """Title, authors and chapter in one."""
        return " ".join((self.book, *self.passage.chapter))


def packed(entry: Entry) -> bytes:
    """The entry as a line of JSON with a checksum in front: tantivy would not notice that a bit has flipped."""
    values = [entry.book, *(getattr(entry.passage, name) for name in _FIELDS)]
    line = json.dumps(values, ensure_ascii=False, separators=(",", ":")).encode()
    return b"%08x" % zlib.crc32(line) + line


def unpacked(stored: bytes) -> Entry:
    """The entry; JSON knows no tuples. Raises ValueError if it is damaged."""
    line = stored[_CHECKSUM_LENGTH:] if not stored.startswith(b"[") else stored  # from before there were checksums
    if line is not stored and int(stored[:_CHECKSUM_LENGTH], 16) != zlib.crc32(line):
        raise ValueError("the passage is not what was stored")
    book, *values = json.loads(line)
    values[_CHAPTER], values[_PAGES] = tuple(values[_CHAPTER]), tuple(map(tuple, values[_PAGES]))
    return Entry(Passage(*values), book)
