"""The generations of an index: built beside one another, published whole, never changed, rolled back by one rename.

    index/
      CURRENT                   the active generation's number; replaced by rename
      LOCK                      held by the one writer; readers need no lock
      generations/000007/       a published generation: its files, and manifest.json written last
      generations/000007.bad    an empty file: some byte of that generation is damaged, as `verify` has found
      generations/000008.tmp/   one being built, or what a crash left of it

What stands in the files is the business of others; here they are names, sizes and sums.
"""

from __future__ import annotations

import os
import time
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

from ai_library_bot.errors import BadData, BadRequest, MissingInput
from ai_library_bot.index import disk, manifest
from ai_library_bot.index.manifest import FileEntry, Published
from ai_library_bot.types import Damage, Generation, Verification


class Generations:
    """An index folder. Making one touches nothing; only `roll_back` and `writing` write, and `verify` a mark."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._damaged: set[int] = set()  # as `verify` has found: in a read-only index there can be no marks

    def current(self) -> Published:
        """The active generation, or the newest sound one if that is damaged.

        Sound means here that the manifest is whole, every file has its size and `verify`, which reads the bytes as
        well, has not found otherwise.
        Raises MissingInput if there is no index, BadData if nothing in it is sound or a newer program made it.
        """
        with disk.reading(self.folder):
            found = self._newest_sound()
            if found is None or found.damaged:  # perhaps only pruned by a writer between two looks: look once more
                found = self._newest_sound()
            if found is None:
                raise self._nothing_sound()
            return found

    def newest_sound(self) -> Published | None:
        """What the next generation would begin with: as `current`, but None where there is nothing sound."""
        with disk.reading(self.folder):
            return self._newest_sound()

    def listed(self) -> tuple[Generation, ...]:
        """The sound generations, newest first; the one that `current` gives is marked. Raises as `current`."""
        current = self.current()
        with disk.reading(self.folder):
            sound = [found for number in _numbers(self.folder) if (found := self._open(number))]
        return tuple(
            Generation(
                number=found.number,
                parent=found.parent,
                created=found.created,
                books=found.books,
                passages=found.passages,
                size=found.size,
                active=found.number == current.number,
            )
            for found in sound
        )

    def numbers(self) -> tuple[int, ...]:
        """The numbers of all generations, sound or not, newest first. Raises MissingInput if there is none."""
        with disk.reading(self.folder):
            if not (numbers := _numbers(self.folder)):
                raise self._nothing_sound()
            return tuple(numbers)

    def verify(self, number: int) -> Verification:
        """Compares every byte of the generation with its manifest. No reader is given one that is damaged from then on.

        Raises BadRequest if there is no such generation, or not any more.
        """
        with disk.reading(self.folder):
            if number not in (kept := _numbers(self.folder)):
                raise BadRequest("unknown_generation", number=number, kept=_in_words(kept))
            found = manifest.read(_path(self.folder, number))
            if found is None:
                return Verification(number, 0, 0, (Damage(manifest.NAME, "manifest"),))
            damages = tuple(manifest.damages(found))
        if damages and not found.folder.exists():  # a writer has removed it meanwhile
            raise BadRequest("unknown_generation", number=number, kept=_in_words(_numbers(self.folder)))
        if damages:
            self._damaged.add(number)
        else:
            self._damaged.discard(number)
        with suppress(OSError):  # the index may be read-only
            _mark(self.folder, number, damaged=number in self._damaged)
        return Verification(number, len(found.files), found.size, damages)

    def found_damaged(self, error: BadData) -> bool:
        """Whether the error comes of damage to what `current` gave; then `current` will not give it again."""
        if error.key != "file_damaged":
            return False
        file = Path(str(error.details["file"]))
        if any(_is_gone(folder) for folder in (file, *file.parents) if folder.parent == self.folder / "generations"):
            return True  # it was only removed meanwhile, and another one is the active one now
        found = self.newest_sound()
        try:
            return found is not None and bool(self.verify(found.number).damages)
        except BadRequest:
            return True  # as above, between these two lines

    def roll_back(self, to: int | None = None) -> tuple[int, int]:
        """Makes another generation the active one and returns `(from, to)`.

        The default is the parent of the active one, or else the next older one; every byte of it must be sound.
        Raises BadRequest if there is no such generation, BadData if it is damaged, Busy if an ingest is running.
        """
        with disk.reading(self.folder):
            if not (kept := _numbers(self.folder)):
                raise self._nothing_sound()
        with disk.locked(self.folder / "LOCK"), disk.reading(self.folder):
            active = _active(self.folder) or kept[0]
            if to is None:
                to = self._older_sound(active)
            elif damages := self.verify(to).damages:
                raise BadData("generation_damaged", number=to, file=damages[0].file, folder=str(self.folder))
            with disk.writing_into(self.folder):
                _activate(self.folder, to)
            return active, to

    @contextmanager
    def writing(self) -> Iterator[Writing]:
        """Holds the lock for one new generation, and sweeps what a crash has left. Without `publish` nothing changes.

        Where no generation is sound the new one has no parent: an ingest mends the index by building it anew.
        Raises Busy at once if another process is writing, CannotWrite, BadData if a newer program made the index.
        """
        with disk.writing_into(self.folder):
            disk.make_folder(self.folder / "generations")
        with disk.locked(self.folder / "LOCK"):
            for left in (self.folder / "generations").glob("*" + disk.TEMPORARY):
                disk.discard(left)
            _sweep_marks(self.folder)
            with disk.reading(self.folder):
                parent = self._newest_sound()
            writing = Writing(self.folder, parent)
            try:
                yield writing
            finally:
                writing.close()

    def _newest_sound(self) -> Published | None:
        active, numbers = _active(self.folder), _numbers(self.folder)
        refused: list[int] = []
        for number in numbers if active is None else dict.fromkeys((active, *numbers)):
            if found := self._open(number):
                return replace(found, damaged=tuple(refused))
            refused.append(number)
        return None

    def _open(self, number: int) -> Published | None:
        """The generation if its manifest is whole, every file has its size and nothing worse is known."""
        found = manifest.read(_path(self.folder, number))
        refused = number in self._damaged or _mark_of(self.folder, number).exists()
        return found if found and manifest.whole(found) and not refused else None

    def _nothing_sound(self) -> BadData | MissingInput:
        if kept := _numbers(self.folder):
            return BadData("index_damaged", folder=str(self.folder), generations=_in_words(kept))
        return MissingInput("no_index", folder=str(self.folder))

    def _older_sound(self, active: int) -> int:
        older = [number for number in _numbers(self.folder) if number < active]
        with suppress(BadData):
            if found := manifest.read(_path(self.folder, active)):
                older.sort(key=lambda number: number != found.parent)
        for number in older:
            with suppress(BadData):
                if not self.verify(number).damages:
                    return number
        raise BadRequest("no_older_generation", number=active)


class Writing:
    """The one new generation that the holder of the lock may build; made by `Generations.writing`.

    `number` is what it will be called; `parent` what it begins with, None for nothing.
    """

    def __init__(self, index: Path, parent: Published | None) -> None:
        self.parent = parent
        self._index = index
        self.number = 1 + max(_active(index) or 0, *_numbers(index), 0)
        self._stage = _path(index, self.number).with_suffix(disk.TEMPORARY)
        self._staged = False

    def stage(self, private: Collection[str] = ()) -> Path:
        """The folder to build in. It begins with the parent's files, as hard links wherever the file system has them.

        A linked file is the parent's own: replace it or remove it, never write into it. Files that will be written
        into are `private`, by their POSIX path in the folder; they are copied.
        Raises CannotWrite, BadData if a copied file is not what the parent's manifest says.
        """
        if not self._staged:
            with disk.writing_into(self._index):
                self._stage.mkdir()
                for name in self.parent.files if self.parent else ():
                    self._carry(name, may_link=name not in private)
            self._staged = True
        return self._stage

    def publish(self, *, books: int, passages: int, embedder: str | None, keep: int) -> Published:
        """Makes what was staged the active generation and removes all but the newest `keep`.

        The new one and its parent are never removed. When this returns no power cut can take the generation away;
        when it raises, readers get the old one (or the new one, whole, if nothing but its last fsync has failed).
        No staged file may be open any more: Windows would not rename the folder.
        Raises CannotWrite, BadData if a file carried over is not what the parent's manifest says.
        """
        stage = self.stage()
        with disk.writing_into(self._index):
            staged = Published(
                number=self.number,
                folder=stage,
                parent=self.parent.number if self.parent else None,
                created=time.time(),
                books=books,
                passages=passages,
                embedder=embedder,
                files={name: self._settle(name) for name in manifest.file_names(stage)},
            )
            manifest.write(staged)
            for folder, _, _ in os.walk(stage, topdown=False):
                disk.sync_folder(Path(folder))
            published = replace(staged, folder=_path(self._index, self.number))
            disk.rename(stage, published.folder)
            disk.sync_folder(published.folder.parent)
            _activate(self._index, published.number)
        _prune(self._index, keep, spared=(published.number, published.parent))
        return published

    def close(self) -> None:
        """Removes what was staged and not published."""
        disk.discard(self._stage)

    def _carry(self, name: str, *, may_link: bool) -> None:
        """Brings a file of the parent into the stage."""
        assert self.parent is not None
        source, target = self.parent.folder / name, self._stage / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if may_link and disk.link(source, target):
            return
        disk.copy(source, target)
        if disk.digest(target) != self.parent.files[name].sha256:
            raise BadData("file_damaged", file=str(source))

    def _settle(self, name: str) -> FileEntry:
        """Brings a staged file to the disk and says what it is.

        A file shared with the parent is what the parent's manifest says of it. Unless somebody has written into it
        since, it is not read again: a new book would cost the reading of the whole library.
        """
        path = self._stage / name
        disk.sync_file(path)
        shared = None
        if self.parent and name in self.parent.files and path.samefile(self.parent.folder / name):
            shared = self.parent.files[name]
            if path.stat().st_mtime_ns < (self.parent.folder / manifest.NAME).stat().st_mtime_ns:
                return shared
        entry = FileEntry(path.stat().st_size, disk.digest(path))
        if self.parent and shared not in (None, entry):
            raise BadData("file_damaged", file=str(self.parent.folder / name))
        return entry


def _path(index: Path, number: int) -> Path:
    return index / "generations" / f"{number:06d}"


def _numbers(index: Path) -> list[int]:
    """The numbers of the generations in the index folder, newest first."""
    with suppress(FileNotFoundError, NotADirectoryError):
        names = [path.name for path in (index / "generations").iterdir()]
        return sorted((int(name) for name in names if name.isdecimal()), reverse=True)
    return []


def _is_gone(folder: Path) -> bool:
    """Whether a generation that was published stood there once."""
    return folder.name.isdecimal() and not folder.exists()


def _mark_of(index: Path, number: int) -> Path:
    return _path(index, number).with_suffix(".bad")


def _mark(index: Path, number: int, *, damaged: bool) -> None:
    """Remembers that the generation is damaged, or that it no longer is."""
    mark = _mark_of(index, number)
    if damaged:
        mark.touch()
    else:
        mark.unlink(missing_ok=True)


def _sweep_marks(index: Path) -> None:
    """Removes the marks of generations that are gone: their numbers may come again if somebody removed them by hand."""
    for mark in (index / "generations").glob("*.bad"):
        if not mark.with_suffix("").exists():
            mark.unlink()


def _active(index: Path) -> int | None:
    """What CURRENT says; None if it is missing or damaged."""
    try:
        return int((index / "CURRENT").read_bytes())
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return None


def _activate(index: Path, number: int) -> None:
    disk.write(index / "CURRENT", f"{number:06d}\n".encode())
    disk.sync_folder(index)


def _prune(index: Path, keep: int, spared: Collection[int | None]) -> None:
    """Removes all generations but the newest `keep`. One that a reader has open (Windows) stays until the next time."""
    for number in _numbers(index)[keep:]:
        if number not in spared:
            doomed = _path(index, number).with_suffix(disk.TEMPORARY)  # never seen half removed
            with suppress(OSError):
                disk.rename(_path(index, number), doomed)
                disk.discard(doomed)


def _in_words(numbers: Iterable[int]) -> str:
    return ", ".join(map(str, numbers))
