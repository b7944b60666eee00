"""Which vectors stand where: the list of shards in `vectors.json`, and when shards are worth merging.

A book's vectors stand in one shard, side by side and in the order of its passages, so a row number is a passage id. A
removed book only disappears from the list; its rows stay until the shard is merged.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

from ai_library_bot.index import disk

VECTORS = "vectors"
"""The folder of the vectors inside a generation; one without vectors has none."""

LIST = "vectors.json"
"""The file in it that a writer replaces; all others are never changed once written."""

_MOST_DEAD = 0.3  # of a shard's rows; with more of them it is written anew


class Rows(NamedTuple):
    """Where in its shard the vectors of a book stand."""

    book_id: str
    start: int
    length: int


@dataclass(frozen=True, slots=True)
class Shard:
    """A file of vectors, `rows` of them, and where those of the live books stand, in rising order."""

    name: str
    rows: int
    books: tuple[Rows, ...]

    @property
    def live(self) -> int:
        return sum(book.length for book in self.books)

    def without(self, books: Collection[str]) -> Shard:
        return replace(self, books=tuple(book for book in self.books if book.book_id not in books))


def worth_merging(shard: Shard, newer: int, full: int) -> bool:
    """Whether the shard's live vectors should move on into a new shard, that of the `newer` vectors behind it.

    A full shard stays as it is, and one that is larger than twice what is newer waits: so the shards are few, and each
    vector is written anew a few times only, however many books come one by one.
    """
    if not shard.books or shard.rows - shard.live > _MOST_DEAD * shard.rows:
        return True
    return shard.live <= 2 * newer and shard.live + newer <= full


def read(folder: Path) -> tuple[int, list[Shard]]:
    """The dimensions of the vectors in the folder, and its shards from old to new."""
    fields = json.loads((folder / LIST).read_bytes())
    return fields["dimensions"], [
        Shard(shard["file"], shard["rows"], tuple(Rows(*book) for book in shard["books"])) for shard in fields["shards"]
    ]


def write(folder: Path, dimensions: int, shards: Sequence[Shard]) -> None:
    """Writes the list; `read` gives it back."""
    listed = [{"file": shard.name, "rows": shard.rows, "books": shard.books} for shard in shards]
    fields = {"dimensions": dimensions, "shards": listed}
    disk.write(folder / LIST, json.dumps(fields, separators=(",", ":")).encode())
