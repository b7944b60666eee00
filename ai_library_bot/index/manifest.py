"""What a generation says of itself: its counts, and every file with its size and SHA-256.

`manifest.json` is written last and ends with the SHA-256 of all that stands before it, so a flipped bit in the
manifest is found like one in any other file. Whatever later formats add, `format`, `program` and that last line stay.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple

from ai_library_bot.errors import BadData
from ai_library_bot.index import disk
from ai_library_bot.types import Damage

NAME = "manifest.json"
FORMAT = 1


class FileEntry(NamedTuple):
    """What is known of a file: its size in bytes and its SHA-256 in hexadecimal."""

    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Published:
    """A generation that may be opened. `files` are by their POSIX path inside `folder`, without the manifest itself.

    `created` is in seconds since the epoch; `embedder` is the fingerprint of what made the vectors. `damaged` are the
    generations that were refused before this one was found.
    """

    number: int
    folder: Path
    parent: int | None
    created: float
    books: int
    passages: int
    embedder: str | None
    files: dict[str, FileEntry]
    damaged: tuple[int, ...] = ()

    @property
    def identity(self) -> str:
        """A hash of all that is in it: two generations have the same only if they hold the same, wherever they are."""
        return hashlib.sha256(json.dumps(self.files, sort_keys=True).encode()).hexdigest()

    @property
    def size(self) -> int:
        """The bytes of all files."""
        return sum(entry.size for entry in self.files.values())


def read(folder: Path) -> Published | None:
    """The generation in the folder; None if its manifest is missing or damaged.

    Raises BadData if a newer program made it, PermissionError if it may not be read.
    """
    try:
        sealed = (folder / NAME).read_bytes()
    except PermissionError:
        raise
    except OSError:
        return None
    if sealed != _seal(sealed[:-_SEAL_LENGTH]):
        return None
    fields = json.loads(sealed)
    if fields["format"] > FORMAT:
        raise BadData("index_too_new", folder=str(folder), program=fields["program"])
    if fields["number"] != int(folder.stem):
        return None  # brought here under another name, perhaps from a backup: nothing knows it by that number
    return Published(
        number=fields["number"],
        folder=folder,
        parent=fields["parent"],
        created=fields["created"],
        books=fields["books"],
        passages=fields["passages"],
        embedder=fields["embedder"],
        files={name: FileEntry(entry["size"], entry["sha256"]) for name, entry in fields["files"].items()},
    )


def write(published: Published) -> None:
    """Writes the generation's manifest into its folder; `read` gives it back."""
    from importlib import metadata  # 10 ms that no reader needs

    fields = {
        "format": FORMAT,
        "program": metadata.version("ai-library-bot"),
        "number": published.number,
        "parent": published.parent,
        "created": published.created,
        "books": published.books,
        "passages": published.passages,
        "embedder": published.embedder,
        "files": {name: entry._asdict() for name, entry in published.files.items()},
    }
    disk.write(published.folder / NAME, _seal(json.dumps(fields, indent=1).removesuffix("\n}").encode()))


def _seal(body: bytes) -> bytes:
    return body + b',\n "sha256": "%s"\n}\n' % hashlib.sha256(body).hexdigest().encode()


_SEAL_LENGTH = len(_seal(b""))


def whole(published: Published) -> bool:
    """Whether every file is there with its size: what can be told without reading them."""
    return not any(_wrong_size(published.folder / name, entry) for name, entry in published.files.items())


def check(published: Published, names: Iterable[str]) -> None:
    """Reads every byte of the named files, as far as the generation has them. Raises BadData if one is damaged."""
    for name in names:
        entry = published.files.get(name)
        path = published.folder / name
        if entry and (_wrong_size(path, entry) or not _same_bytes(path, entry)):
            raise BadData("file_damaged", file=str(path))


def damages(published: Published) -> Iterator[Damage]:
    """What is wrong with the generation's files, every byte of them read: some missing, changed or added."""
    for name, entry in published.files.items():
        path = published.folder / name
        if reason := _wrong_size(path, entry):
            yield Damage(name, reason)
        elif not _same_bytes(path, entry):
            yield Damage(name, "content")
    for name in file_names(published.folder):
        if name not in published.files:
            yield Damage(name, "unlisted")


def file_names(folder: Path) -> list[str]:
    """The POSIX paths of all files in the folder and below it, in order, without the manifest.

    Left out are the empty lock files that tantivy makes wherever it opens an index.
    """
    paths = (Path(parent, name) for parent, _, names in os.walk(folder) for name in names if name[-5:] != ".lock")
    return sorted(name for path in paths if (name := path.relative_to(folder).as_posix()) != NAME)


def _wrong_size(path: Path, entry: FileEntry) -> Literal["missing", "size"] | None:
    try:
        return None if path.stat().st_size == entry.size else "size"
    except (FileNotFoundError, NotADirectoryError):
        return "missing"


def _same_bytes(path: Path, entry: FileEntry) -> bool:
    try:
        return disk.digest(path) == entry.sha256
    except OSError as error:
        if error.errno != errno.EIO:  # a disk that can't read its own sectors is what we are looking for
            raise
        return False
