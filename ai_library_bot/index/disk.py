"""What the index asks of the file system, so that what was acknowledged survives a power cut.

A file's bytes are safe once the file is fsynced; its name is safe once the folder it stands in is fsynced
(POSIX.1-2017, fsync and rename). Every function raises OSError; `reading` and `writing_into` turn it into words.
"""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from ai_library_bot.errors import Busy, CannotWrite, MissingInput

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

_FOR_LINKS = (None, "/dev/shm")  # noqa: S108 - where the system says; else in memory, as a container without a disk has it

TEMPORARY = ".tmp"

_FULL = {errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)}
_FORBIDDEN = {errno.EACCES, errno.EPERM, errno.EROFS}
_NO_FOLDER_SYNC = {errno.EINVAL, errno.EBADF, errno.ENOTSUP}  # network file systems without fsync of folders
_SIGNATURE = 512  # bytes: there is no longer one
_PATIENCE = (0.01, 0.05, 0.2, 0.5)  # seconds between tries while another program has the file open (Windows)


@contextmanager
def reading(folder: Path) -> Iterator[None]:
    """Says in words that the folder may not be read."""
    try:
        yield
    except PermissionError as error:
        raise MissingInput("index_not_readable", folder=str(folder)) from error


@contextmanager
def writing_into(folder: Path) -> Iterator[None]:
    """Says in words what the system has against writing into the folder: CannotWrite for every OSError."""
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            raise CannotWrite("disk_full", folder=str(folder)) from error
        if error.errno in _FORBIDDEN:
            raise CannotWrite("folder_not_writable", folder=str(folder)) from error
        raise CannotWrite("write_failed", folder=str(folder), error=error.strerror or str(error)) from error


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Holds the lock file; raises Busy at once if somebody else does. The system frees it when its holder dies."""
    with writing_into(path.parent):
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    try:
        with writing_into(path.parent):
            if not _try_lock(descriptor):
                raise _held(path, descriptor)
        with suppress(OSError):  # what stands in the file is a courtesy, and a full disk no reason not to roll back
            _sign(descriptor)
        yield
    finally:
        os.close(descriptor)


def _sign(descriptor: int) -> None:
    """Writes into the lock file who holds it: process, computer and time, each on a line."""
    host = os.environ.get("COMPUTERNAME", "") if sys.platform == "win32" else os.uname().nodename
    os.ftruncate(descriptor, 0)
    os.lseek(descriptor, 0, os.SEEK_SET)
    os.write(descriptor, f"{os.getpid()}\n{host}\n{time.strftime('%Y-%m-%d %H:%M')}\n".encode())


def _held(path: Path, descriptor: int) -> Busy:
    """Who holds the lock, as far as it says."""
    with suppress(OSError, ValueError):
        os.lseek(descriptor, 0, os.SEEK_SET)
        process, host, since = os.read(descriptor, _SIGNATURE).decode().splitlines()
        return Busy("locked_by", folder=str(path.parent), process=int(process), host=host, since=since)
    return Busy("locked", folder=str(path.parent))


def _try_lock(descriptor: int) -> bool:
    try:
        if sys.platform == "win32":
            os.lseek(descriptor, _SIGNATURE, os.SEEK_SET)  # what is locked can't be read either
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        else:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        return False
    return True


def make_folder(path: Path) -> None:
    """Creates the folder and those above it, each of them safely."""
    if not path.is_dir():
        make_folder(path.parent)
        path.mkdir(exist_ok=True)
        sync_folder(path.parent)


def write(path: Path, data: bytes | memoryview) -> None:
    """Writes a whole file, safely, under another name and renames it: a file of that name is replaced, never changed.

    The name itself is safe after `sync_folder(path.parent)`.
    """
    beside = path.with_name(path.name + TEMPORARY)
    with beside.open("wb") as file:
        file.write(data)
    sync_file(beside)
    rename(beside, path)


def sync_file(path: Path) -> None:
    """Returns when the file's bytes are on the disk itself."""
    _sync(path, os.O_RDWR if sys.platform == "win32" else os.O_RDONLY)


def sync_folder(path: Path) -> None:
    """Returns when the names in the folder are on the disk itself; Windows keeps names safe without it."""
    if sys.platform == "win32":
        return
    try:
        _sync(path, os.O_RDONLY)
    except OSError as error:
        if error.errno not in _NO_FOLDER_SYNC:
            raise


def _sync(path: Path, flags: int) -> None:
    descriptor = os.open(path, flags)
    try:
        if sys.platform == "darwin":  # there fsync leaves the bytes in the drive's own cache
            fcntl.fcntl(descriptor, fcntl.F_FULLFSYNC)
        else:
            os.fsync(descriptor)
    finally:
        os.close(descriptor)


def rename(source: Path, target: Path) -> None:
    """Gives a file or folder its new name in one step; a file that has the name is replaced."""
    for pause in _PATIENCE if sys.platform == "win32" else ():
        try:
            source.replace(target)
        except PermissionError:
            time.sleep(pause)
        else:
            return
    source.replace(target)


def link(source: Path, target: Path) -> bool:
    """Gives the file a second name; False where the file system has no hard links."""
    try:
        target.hardlink_to(source)
    except OSError:
        return False
    return True


def copy(source: Path, target: Path) -> None:
    """Copies the file's bytes."""
    shutil.copyfile(source, target)


def digest(path: Path) -> str:
    """The SHA-256 of the file's bytes, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def writable(folder: Path, *, without: str) -> Iterator[Path]:
    """The folder; or, where nothing may be made in it, a temporary one of links to its files, with no file of a suffix.

    Raises CannotWrite if there is no place for a temporary folder either.
    """
    if os.access(folder, os.W_OK):
        yield folder
        return
    with _links(folder, without) as links:
        yield Path(links)


def _links(folder: Path, without: str) -> tempfile.TemporaryDirectory[str]:
    for place in _FOR_LINKS:
        with suppress(OSError), ExitStack() as until_it_fails:
            links = tempfile.TemporaryDirectory(dir=place)
            until_it_fails.callback(links.cleanup)
            for path in folder.iterdir():
                if path.suffix != without:
                    Path(links.name, path.name).symlink_to(path)
            until_it_fails.pop_all()
            return links
    raise CannotWrite("no_temporary_folder", folder=str(folder))


def discard(folder: Path) -> None:
    """Removes the folder and all in it; what another program has open (Windows) is left for the next time."""
    shutil.rmtree(folder, ignore_errors=True)
