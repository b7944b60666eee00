"""Which files lie on the shelf."""

from __future__ import annotations

import hashlib
import os
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ai_library_bot.errors import MissingInput
from ai_library_bot.readers import SUFFIXES, suffix_of
from ai_library_bot.readers.opening import opened

OTHER_KINDS = frozenset("azw azw3 cbr cbz chm djv djvu doc fb3 kfx lit lrf mobi pdb prc".split())
"""Kinds of books that no reader here reads; they are named, other files are passed over in silence."""

_ID_LENGTH = 16  # hexadecimal digits of the content's SHA-256: no two books of a shelf share them
_BLOCK = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Found:
    """A file on the shelf that may be a book."""

    path: Path
    size: int
    modified_ns: int

    @property
    def stamp(self) -> tuple[int, int]:
        """What tells that the file was written anew: its size and time of modification."""
        return self.size, self.modified_ns

    def still_there(self) -> bool:
        """Whether the file stands unchanged since it was found."""
        try:
            return _found(self.path) == self
        except OSError:
            return False


@dataclass(frozen=True, slots=True)
class Shelf:
    """The files under the given files and folders, each once, sorted by path.

    `outside` are links in the folders that lead to files elsewhere; they are not followed.
    """

    roots: tuple[Path, ...]
    found: tuple[Found, ...]
    outside: tuple[Path, ...] = ()

    def covers(self, path: Path) -> bool:
        """Whether a file of that path would have been found if it were there."""
        return _lies_in(self.roots, path)


def scan(paths: Sequence[Path]) -> Shelf:
    """The shelf made of files and of folders with all their subfolders.

    A link to a folder is not followed, nor one to a file that lies in none of the given folders, unless it is given
    itself, without its neighbours: a link that came in somebody's archive must not bring this computer's own files into
    the index.
    Raises MissingInput for a path that is not there, and for a folder without a single book: a disk that is not
    mounted looks like this, and must not empty the library.
    """
    roots = tuple(Path(os.path.abspath(path)) for path in paths)  # noqa: PTH100 - as typed, symbolic links kept
    real_roots = [root.resolve() for root in roots if root.is_dir() or not root.is_symlink()]
    neighbours = Counter(root.parent for root in roots)
    found: dict[Path, Found] = {}
    outside: set[Path] = set()
    for root in roots:
        if not root.exists():
            raise MissingInput("no_such_path", path=str(root))
        named = neighbours[root.parent] == 1  # else the shell may have: library ingest *
        here = [_found(root)] if root.is_file() else list(_books_in(root))
        if not here:
            raise MissingInput("no_books_there", path=str(root), kinds=", ".join(sorted(SUFFIXES)))
        for each in here:
            asked_for = each.path == root and named
            leads_out = each.path.is_symlink() and not _lies_in(real_roots, each.path.resolve())
            outside.add(each.path) if leads_out and not asked_for else found.setdefault(each.path, each)
    return Shelf(roots, tuple(found[path] for path in sorted(found)), tuple(sorted(outside - found.keys())))


def _books_in(folder: Path) -> Iterator[Found]:
    for parent, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in names:
            path = Path(parent, name)
            if not name.startswith((".", "~$")) and suffix_of(path) in SUFFIXES | OTHER_KINDS and path.is_file():
                yield _found(path)


def _lies_in(folders: Sequence[Path], path: Path) -> bool:
    return any(path == folder or folder in path.parents for folder in folders)


def _found(path: Path) -> Found:
    stat = path.stat()
    return Found(path, stat.st_size, stat.st_mtime_ns)


def settled_ns(modified_ns: int) -> int:
    """A time of modification as it may be recorded: 0 if it is so recent that it proves nothing.

    File systems keep time in steps of up to two seconds, so a file that was just written can be written again under
    the same time. A recorded 0 makes the next comparison read the file.
    """
    return modified_ns if modified_ns < time.time_ns() - 2_000_000_000 else 0


def book_id(path: Path) -> str:
    """The id of the book in a file: the beginning of the SHA-256 of its bytes. Raises OSError."""
    digest = hashlib.sha256()
    with opened(path) as file:
        while block := file.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()[:_ID_LENGTH]
