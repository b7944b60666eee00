"""A disk on which the power can be cut, at any step that the index takes and with all that may then be lost."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from ai_library_bot.index import disk

STEPS = ("make_folder", "sync_file", "sync_folder", "rename", "link", "copy", "digest", "discard")


class PowerCut(BaseException):
    """The machine is off: every further step raises this too, so that no clean-up can pretend to have run."""


Fate = Callable[[bytes, bytes], bytes]
"""What is left of a file, from its bytes at the last sync and those at the power cut."""


def drop(synced: bytes, now: bytes) -> bytes:
    """Whatever was not synced is gone."""
    return synced


class Name(NamedTuple):
    """A name in a folder: the inode behind it and whether that is a folder."""

    inode: int
    is_folder: bool


class Disk:
    """Passes every step on to the real disk and notes it; the power goes when step number `cut` is due.

    It knows what POSIX promises to keep: of a file the bytes at its last sync, of a folder the names at its last sync.
    What stood below `root` at the start is safe. `watch` is called before each step.
    """

    def __init__(self, root: Path, cut: int | None = None, watch: Callable[[], object] = lambda: None) -> None:
        self.steps: list[tuple[str, tuple[Path, ...]]] = []
        self._root = root
        self._cut = cut
        self._watch = watch
        self._safe_bytes: dict[int, bytes] = {}
        self._bytes_left: dict[int, bytes] = {}
        self._safe_names: dict[int, dict[str, Name]] = {}
        self._open: list[int] = []  # an inode's number may serve a new file once nobody holds the old one

    @contextmanager
    def running(self) -> Iterator[None]:
        """Puts this disk under the index. The block ends where the power is cut."""
        for parent, _, names in os.walk(self._root):
            self._keep_names(Path(parent))
            for name in names:
                self._keep_bytes(Path(parent, name))
        with pytest.MonkeyPatch.context() as patch:
            for name in STEPS:
                patch.setattr(disk, name, self._step(name, getattr(disk, name)))
            with suppress(PowerCut):
                yield

    @property
    def off(self) -> bool:
        return self._cut is not None and len(self.steps) >= self._cut

    @property
    def folders(self) -> list[int]:
        """The inodes of all folders of which the power cut may or may not lose the newest names."""
        return sorted(self._safe_names)

    def after_power_cut(self, copy: Path, lucky: Collection[int], fate: Fate = drop) -> None:
        """Builds in `copy` what the next start of the machine finds below the root.

        Bytes that were not synced meet their `fate`. Names that were not synced are left only in the `lucky` folders.
        """
        now = {Path(parent).stat().st_ino: _names(Path(parent)) for parent, _, _ in os.walk(self._root)}
        lucky_now = {inode: names for inode, names in now.items() if inode in lucky}
        bytes_now = {}
        if fate is not drop:
            paths = [Path(parent, name) for parent, _, names in os.walk(self._root) for name in names]
            bytes_now = {path.stat().st_ino: path.read_bytes() for path in paths}
        self._bytes_left = {
            inode: fate(self._safe_bytes.get(inode, b""), bytes_now.get(inode, b""))
            for inode in self._safe_bytes.keys() | bytes_now.keys()
        }
        self._rebuild(self._root.stat().st_ino, copy, {**now, **self._safe_names, **lucky_now})

    def close(self) -> None:
        for descriptor in self._open:
            os.close(descriptor)

    def _rebuild(self, inode: int, copy: Path, names: dict[int, dict[str, Name]]) -> None:
        copy.mkdir()
        for name, child in names.get(inode, {}).items():
            if child.is_folder:
                self._rebuild(child.inode, copy / name, names)
            else:
                (copy / name).write_bytes(self._bytes_left.get(child.inode, b""))

    def _step(self, name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def step(*paths: Path) -> Any:
            self._watch()
            if self.off:
                raise PowerCut
            self.steps.append((name, paths))
            result = real(*paths)
            if name == "sync_file":
                self._keep_bytes(paths[0])
            if name == "sync_folder":
                self._keep_names(paths[0])
            return result

        return step

    def _keep_bytes(self, path: Path) -> None:
        self._open.append(os.open(path, os.O_RDONLY))
        self._safe_bytes[path.stat().st_ino] = path.read_bytes()

    def _keep_names(self, path: Path) -> None:
        self._open.append(os.open(path, os.O_RDONLY))
        self._safe_names[path.stat().st_ino] = _names(path)


def _names(folder: Path) -> dict[str, Name]:
    return {path.name: Name(path.stat().st_ino, path.is_dir()) for path in folder.iterdir()}
