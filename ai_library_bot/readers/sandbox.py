"""Takes from a process what reading a book does not need, as far as the system lets it: memory, files, the network.

Nothing here needs rights. Linux forbids files, sockets and other programs through Landlock and seccomp, both of which a
process can ask for by itself and never get rid of again: it keeps the pipe to the one that asks, and may read what
Python itself is made of. Elsewhere there are only the limits of POSIX, and on Windows none.
`python -m ai_library_bot.readers.sandbox` tries it and prints what holds.
"""

from __future__ import annotations

import json
import os
import struct
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from ai_library_bot.readers import seccomp

if TYPE_CHECKING:
    import ctypes

if sys.platform != "win32":
    import resource

PROTECTIONS = ("memory", "files", "network")
"""What can be taken away: more than `MEMORY_BYTES`; every file of the person, to read and to write; talking to anybody
and starting programs."""

MEMORY_BYTES = 1024**3
FILE_BYTES = 1024**2  # where writing can't be forbidden: no reader writes files
OPEN_FILES = 64

_OF_THE_SYSTEM = "/usr /lib /lib32 /lib64 /etc/ld.so.cache /nix/store /gnu/store".split()
_TRY_SECONDS = 30

# linux/prctl.h
_SET_NO_NEW_PRIVILEGES = 38

# linux/landlock.h: the numbers of the calls are the same on every machine
_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_GET_VERSION, _PATH_BENEATH = 1, 1
_EXECUTE, _CHANGE_FILES = 1 << 0, 1 << 1 | sum(1 << bit for bit in range(4, 13))
_READ_FILE, _READ_FOLDER = 1 << 2, 1 << 3
_NEWER_ACCESS = ((2, 1 << 13), (3, 1 << 14), (5, 1 << 15))  # since which version: refer, truncate, ioctl of devices
_TCP, _OUTSIDE_PROCESSES = 0b11, 0b11  # bind and connect; abstract sockets and signals


def confine() -> frozenset[str]:
    """Confines this process for good; returns which of the `PROTECTIONS` hold now."""
    holds = {"memory"} if _limit_resources() else set()
    if sys.platform == "linux":
        import ctypes  # 4 ms that nobody else needs

        libc = ctypes.CDLL(None)
        libc.prctl.argtypes = [ctypes.c_int, *[ctypes.c_ulong] * 4]
        libc.syscall.restype = ctypes.c_long
        libc.prctl(_SET_NO_NEW_PRIVILEGES, 1, 0, 0, 0)  # what the two below ask for in return
        files, calls = _forbid_files(libc), seccomp.install(libc)
        holds |= {"network"} if calls else set()
        holds |= {"files"} if files and calls else set()  # Landlock alone leaves modes, times and attributes
    return frozenset(holds)


def holding() -> frozenset[str]:
    """Which of the `PROTECTIONS` hold here, as a process that is confined for the purpose has found."""
    import subprocess  # which no worker needs

    command = [sys.executable, "-P", "-m", __name__]
    with suppress(OSError, ValueError, subprocess.SubprocessError):
        tried = subprocess.run(command, capture_output=True, timeout=_TRY_SECONDS, check=True)  # noqa: S603 - our own
        return frozenset(json.loads(tried.stdout))
    return frozenset()


def _limit_resources() -> bool:
    """The limits that POSIX has; whether that of memory holds (macOS refuses it)."""
    if sys.platform == "win32":
        return False
    for limit, value in (
        (resource.RLIMIT_AS, MEMORY_BYTES),
        (resource.RLIMIT_FSIZE, FILE_BYTES),
        (resource.RLIMIT_NOFILE, OPEN_FILES),
        (resource.RLIMIT_CORE, 0),
    ):
        with suppress(OSError, ValueError):  # a stricter limit may stand already
            resource.setrlimit(limit, (value, value))
    return 0 <= resource.getrlimit(resource.RLIMIT_AS)[0] <= MEMORY_BYTES


def _forbid_files(libc: ctypes.CDLL) -> bool:
    """Whether no file can be made, changed, removed or run any more, nor read but those of Python (Landlock)."""
    version = _call(libc, _CREATE_RULESET, None, 0, _GET_VERSION)
    if version < 1:  # Linux before 5.13
        return False
    files = _EXECUTE | _CHANGE_FILES | _READ_FILE | _READ_FOLDER
    files |= sum(bit for since, bit in _NEWER_ACCESS if version >= since)
    handled = [files, *([_TCP] if version >= 4 else []), *([_OUTSIDE_PROCESSES] if version >= 6 else [])]
    rules = struct.pack(f"={len(handled)}Q", *handled)
    ruleset = _call(libc, _CREATE_RULESET, rules, len(rules), 0)
    if ruleset < 0:
        return False
    try:
        for path in set(_of_python()):
            _allow_reading(libc, ruleset, path)
        return _call(libc, _RESTRICT_SELF, ruleset, 0) == 0
    finally:
        os.close(ruleset)


def _of_python() -> Iterator[Path]:
    """Where Python, its packages, this one and the libraries that they load may stand."""
    yield from map(Path, (sys.prefix, sys.exec_prefix, sys.base_prefix, sys.base_exec_prefix, *_OF_THE_SYSTEM))
    yield from filter(Path.is_absolute, map(Path, os.environ.get("LD_LIBRARY_PATH", "").split(":")))
    yield from (
        folder.parent for folder in Path(sys.base_prefix).resolve().parents if folder.name == "Cellar"
    )  # Homebrew
    yield from filter(_holds_packages, map(Path, sys.path))
    yield Path(__file__).parents[1]  # and not the folder around it, which may be where somebody works on it


def _holds_packages(folder: Path) -> bool:
    with suppress(OSError):
        return next(folder.glob("*.dist-info"), None) is not None
    return False


def _allow_reading(libc: ctypes.CDLL, ruleset: int, path: Path) -> None:
    """Lets the file be read, or the folder with all that is in it; what is not there needs no leave."""
    with suppress(OSError):
        place = os.open(path, os.O_PATH)
        try:
            access = _READ_FILE | _READ_FOLDER if path.is_dir() else _READ_FILE
            _call(libc, _ADD_RULE, ruleset, _PATH_BENEATH, struct.pack("=Qi", access, place), 0)
        finally:
            os.close(place)


def _call(libc: ctypes.CDLL, number: int, *arguments: int | bytes | None) -> int:
    """What the system answers to a call; -1 for a refusal."""
    import ctypes

    whole = (ctypes.c_long(value) if isinstance(value, int) else value for value in arguments)
    return int(libc.syscall(ctypes.c_long(number), *whole))


if __name__ == "__main__":
    print(json.dumps(sorted(confine())))  # noqa: T201 - the one that asked reads it
