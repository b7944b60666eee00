"""The files that could not be read, so that a bad file is not tried again until it changes, or the program does.

`failures.json` stands beside the generations. It is a cache: without it the bad files are merely read once more.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from importlib.metadata import version
from pathlib import Path

from ai_library_bot.index import disk
from ai_library_bot.types import Failure

NAME = "failures.json"

Stamp = tuple[int, int]
"""Size in bytes and time of modification in nanoseconds of the file that failed."""


def read(folder: Path) -> dict[Path, tuple[Stamp, Failure]]:
    """The failures recorded in the index folder, by path; none if another version wrote them or they are damaged."""
    try:
        program, lines = json.loads((folder / NAME).read_text("ascii"))
        if program != version("ai-library-bot"):
            return {}
        return {
            Path(path): ((size, modified_ns), Failure(Path(path), reason, details, retry))
            for path, size, modified_ns, reason, details, retry in lines
        }
    except (OSError, ValueError, TypeError):
        return {}


def write(folder: Path, failed: Iterable[tuple[Stamp, Failure]]) -> None:
    """Replaces the record in the index folder. Raises CannotWrite."""
    lines = [
        (str(failure.path), *stamp, failure.reason, failure.details, failure.retry)
        for stamp, failure in sorted(failed, key=lambda entry: entry[1].path)
    ]
    with disk.writing_into(folder):
        disk.write(folder / NAME, json.dumps((version("ai-library-bot"), lines)).encode("ascii"))
