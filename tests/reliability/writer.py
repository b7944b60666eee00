"""The process that is killed, or whose calls to the system fail: an ingest, and nothing else that touches the disk.

    python -m tests.reliability.writer FOLDER INDEX words|vectors [wait]

FOLDER is where the toy library stands, INDEX the name of its index. With `wait` it says "ready" and waits for a line.
It ends with the exit code of the error that a person would see, with 70 for one that nobody should.
"""

from __future__ import annotations

import os
import sys
import traceback
from pathlib import Path

from ai_library_bot import ingest, reading
from ai_library_bot.errors import LibraryError
from ai_library_bot.index import lexical  # noqa: F401 - loaded before anything is counted
from tests.reliability.toy import embedder
from tests.shelves import RULES, Shelf


def main(folder: str, index: str, kind: str, wait: str = "") -> int:
    shelf = Shelf(Path(folder), index)
    vars(reading)["ReaderPool"] = shelf.pool  # books are read in this process
    if wait:
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        sys.stdin.readline()
    model = embedder() if kind == "vectors" else None
    try:
        ingest.ingest(shelf.generations, [shelf.books], RULES, lambda _: None, lambda: False, model)
    except LibraryError as error:
        return error.exit_code
    except BaseException:  # noqa: BLE001 - a panic of Rust is one
        traceback.print_exc()
        return 70
    return 0


if __name__ == "__main__":
    os._exit(main(*sys.argv[1:]))
