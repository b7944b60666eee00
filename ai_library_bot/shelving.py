"""A file that somebody sent becomes a book on the shelf, or leaves nothing there."""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

from ai_library_bot.errors import BadRequest, CannotWrite
from ai_library_bot.index import disk
from ai_library_bot.ingest import Rules, ingest
from ai_library_bot.readers import SUFFIXES, suffix_of
from ai_library_bot.reading import Listener
from ai_library_bot.scan import OTHER_KINDS
from ai_library_bot.text import one_line
from ai_library_bot.types import IngestReport

if TYPE_CHECKING:
    from ai_library_bot.index.generations import Generations
    from ai_library_bot.protocols import Embedder

_STEM_BYTES = 180  # in UTF-8; with a number, the suffix and what a half file is called far below the 255 there may be
_BEFORE_THE_NAME = re.compile(r"^(?:[.\s]|~\$)+")  # what hides a file, or marks one that a word processor has open
_NOT_IN_A_NAME = re.compile(r'[<>:"|?*]')  # on Windows
_DEVICE = re.compile(r"(?i)(?:con|prn|aux|nul|conin\$|conout\$|(?:com|lpt)[0-9¹²³])\s*(?:\.|$)")  # on Windows


def add(
    file: Path,
    name: str,
    generations: Generations,
    folders: Sequence[Path],
    rules: Rules,
    listener: Listener,
    stop_wanted: Callable[[], bool],
    embedder: Embedder | None = None,
) -> IngestReport:
    """Moves a file that was sent as `name` into the one folder, and ingests it there.

    If it is no book, too large, or on the shelf already, the report says so, and the file is gone. After an error it
    is where it was. Raises BadRequest for a kind of file that no reader reads, CannotWrite, and as `ingest`.
    """
    (folder,) = (path.absolute() for path in folders)
    name = shelf_name(name)
    with _writing_into(folder):
        path = _put(folder, name, file)
    stays = False
    try:
        with _writing_into(folder):
            disk.sync_folder(folder)
        report = ingest(generations, [path], rules, listener, stop_wanted, embedder)
        refused = {failure.path for failure in report.failed} | {skip.path for skip in report.skipped}
        stays = path not in refused
    finally:
        if not stays:
            path.unlink(missing_ok=True)
    file.unlink()
    return report


def shelf_name(name: str) -> str:
    """A file's name for the shelf, made of one that a stranger gave: no path, nothing hidden, good on Windows too.

    Raises BadRequest if it names no kind of book that is read here.
    """
    plain = _BEFORE_THE_NAME.sub("", one_line(re.split(r"[/\\]", name)[-1]))
    plain = _NOT_IN_A_NAME.sub("_", plain).rstrip(". ")
    suffix = suffix_of(Path(plain))
    if suffix in OTHER_KINDS:
        raise BadRequest("other_kind_of_book", path=plain, suffix=suffix)
    if suffix not in SUFFIXES:
        raise BadRequest("not_a_book_kind", path=plain, suffix=suffix)
    stem = plain[: -len(f".{suffix}")].encode()[:_STEM_BYTES].decode(errors="ignore").rstrip(". ")
    return f"{'_' if _DEVICE.match(stem) else ''}{stem}.{suffix}"


def _put(folder: Path, name: str, file: Path) -> Path:
    """Puts a copy of the file into the folder under that name, or the first like it that is free. Returns its path.

    The copy is whole, and its bytes are safe from a power cut, before it has the name.
    """
    disk.make_folder(folder)
    beside = folder / f".{secrets.token_hex(4)}-{name}{disk.TEMPORARY}"  # another process may add one of that name
    try:
        disk.copy(file, beside)
        disk.sync_file(beside)
        path = next(path for path in _names_like(folder, name) if _named(beside, path))
    finally:
        beside.unlink(missing_ok=True)
    return path


def _names_like(folder: Path, name: str) -> Iterator[Path]:
    yield folder / name
    suffix = f".{suffix_of(Path(name))}"
    for number in count(2):
        yield folder / f"{name.removesuffix(suffix)} ({number}){suffix}"


def _named(file: Path, path: Path) -> bool:
    """Gives the file that name; False if another file has it."""
    if disk.link(file, path):
        return True
    try:
        path.touch(exist_ok=False)  # without hard links an empty file keeps the name for it
    except FileExistsError:
        return False
    try:
        disk.rename(file, path)
    except OSError:
        path.unlink()
        raise
    return True


@contextmanager
def _writing_into(folder: Path) -> Iterator[None]:
    """Says in words that a book can't be put into the folder."""
    try:
        yield
    except OSError as error:
        raise CannotWrite("shelf_not_writable", folder=str(folder), reason=error.strerror or str(error)) from error
