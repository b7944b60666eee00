"""What `library ingest` costs against a bare loop that reads, cuts and indexes the same books with the same libraries.

python -m benchmarks.ingest [FOLDER] [RUNS]
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from benchmarks.processes import LIBRARY, PYTHON, Command, compare

BARE_LOOP = """
import sys
from pathlib import Path
from ai_library_bot.chunking import passages
from ai_library_bot.index.entries import Entry
from ai_library_bot.index.lexical import LexicalWriter
from ai_library_bot.readers import read_book
writer = LexicalWriter(Path(sys.argv[2]))
for number, path in enumerate(sorted(Path(sys.argv[1]).iterdir())):
    book = read_book(path.read_bytes(), path)
    for passage in passages(str(number), book, 200):
        writer.add(Entry(passage, book.title))
writer.close()
"""


def main() -> None:
    folder = sys.argv[1] if len(sys.argv) > 1 else "books"
    runs = int(sys.argv[2]) if len(sys.argv) > 2 else 5
    with tempfile.TemporaryDirectory() as scratch:
        bare, whole, again = (str(Path(scratch, name)) for name in ("bare", "whole", "again"))
        compare(
            [
                Command("library ingest", _afresh(whole, *LIBRARY, "ingest", folder), {"FAISS_PATH": whole}),
                Command("library ingest, nothing changed", [*LIBRARY, "ingest", folder], {"FAISS_PATH": again}),
            ],
            Command("bare loop", _afresh(bare, PYTHON, "-c", BARE_LOOP, folder, bare), {}),
            runs,
        )


def _afresh(made: str, *line: str) -> list[str]:
    """The command line that first removes what the last run has made."""
    return ["sh", "-c", 'rm -rf "$0"; exec "$@"', made, *line]


if __name__ == "__main__":
    main()
