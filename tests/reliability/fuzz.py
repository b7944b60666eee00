"""Sound books of every format, damaged at random again and again, through the same workers that read books.

    python -m tests.reliability.fuzz --minutes 60

Whatever a file does to its worker, the pool must give a book or a reason. A file at which a reader fails in a way that
nobody foresaw (`reader_failed`) is a fault too, though it costs that book alone: such files are kept and named.
"""

from __future__ import annotations

import argparse
import io
import random
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

from ai_library_bot.errors import UnreadableBook
from ai_library_bot.readers.pool import ReaderPool
from tests.readers.build_pdf import Mark, Page, Text, pdf
from tests.readers.test_readers import WRITERS
from tests.reliability.tally import Tally

BOOKS = Path(__file__).parents[2] / "books"
SECONDS = 20  # for one file; what takes longer is named as such

_UNFORESEEN = ("reader_failed",)
_SCRAPS = (
    b"<section> </section> <p> </p> <title> <a href='#x'> <![CDATA[ ]]> &#0; &#x10ffff; &amp; <!-- --> <!DOCTYPE x [ "
    b"<table> <tr> <td colspan='9'> <ul> <li> {\\b \\'ff \\u-1? \\par } \\bin9 {\\*\\x # ## ``` --- * > [^1]: | << >>"
    b" obj endobj stream endstream BT ET Tj 0 -1 99999999999 \xff\xfe \xef\xbb\xbf \x00 \xd8\x00 PK\x03\x04 % ( ) [ ] /"
).split()
_REPEATED = 400


def seeds(folder: Path) -> dict[str, bytes]:
    """Sound files by name."""
    found = {path.name: path.read_bytes() for path in BOOKS.iterdir()}
    for suffix, write in WRITERS.items():
        path = folder / f"seed.{suffix}"
        write(path)
        found[path.name] = path.read_bytes()
    pages = [Page([Text(20, 20 + 15 * line, f"Line {line} of the page.") for line in range(20)]) for _ in range(3)]
    found["seed.pdf"] = pdf(pages, [Mark("One", 1), Mark("Two", 2, inside=[Mark("Three", 3)])], {"Title": "Маяк"})
    return found


def damaged(name: str, data: bytes, drawn: random.Random) -> bytes:
    """The file with a few random changes; those of an archive mostly inside its entries, so that they are read."""
    if zipfile.is_zipfile(io.BytesIO(data)) and drawn.random() < 0.8:
        with zipfile.ZipFile(io.BytesIO(data)) as source:
            entries = {entry: source.read(entry) for entry in source.namelist()}
        for chosen in drawn.sample(sorted(entries), min(len(entries), drawn.choice((1, 1, 2)))):
            entries[chosen] = _changed(entries[chosen], drawn)
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as target:
            for entry, content in entries.items():
                target.writestr(entry, content)
        return buffer.getvalue()
    return _changed(data, drawn)


def _changed(data: bytes, drawn: random.Random) -> bytes:
    changed = bytearray(data)
    for _ in range(drawn.choice((1, 1, 2, 4, 16))):
        at, end = sorted(drawn.randrange(len(changed) + 1) for _ in range(2))
        end = min(end, at + drawn.choice((1, 8, 200, 5000)))
        piece = bytes(changed[at:end])
        changed[at:end] = drawn.choice(_CHANGES)(piece, drawn)
    return bytes(changed)


_CHANGES: tuple[Callable[[bytes, random.Random], bytes], ...] = (
    lambda piece, drawn: b"",
    lambda piece, drawn: piece * drawn.choice((2, _REPEATED)),
    lambda piece, drawn: drawn.randbytes(len(piece)),
    lambda piece, drawn: piece[:1].translate(bytes(byte ^ 1 << drawn.randrange(8) for byte in range(256))) + piece[1:],
    lambda piece, drawn: piece + drawn.choice(_SCRAPS),
    lambda piece, drawn: drawn.choice(_SCRAPS) * drawn.choice((1, _REPEATED)) + piece,
    lambda piece, drawn: piece[::-1],
)


def fuzz(folder: Path, seconds: float, seed: int = 0) -> Tally:
    """Reads damaged files for so long; the files of surprises stay in `folder`."""
    sound = seeds(folder)
    end = time.monotonic() + seconds
    tally = Tally("damaged books")

    def files() -> Iterator[Path]:
        number = 0
        while time.monotonic() < end:
            drawn = random.Random(f"{seed} {number}")
            name = drawn.choice(sorted(sound))
            path = folder / f"{number} {name}"
            path.write_bytes(damaged(name, sound[name], drawn))
            yield path
            number += 1

    with ReaderPool(seconds=SECONDS) as pool:
        for path, book in pool.read(files()):
            if isinstance(book, UnreadableBook) and book.key in _UNFORESEEN:
                tally.failures.append(f"{path}: {book.details['error']}")
                continue
            tally.outcomes[book.key if isinstance(book, UnreadableBook) else "read"] += 1
            if isinstance(book, UnreadableBook) and book.key in ("reader_died", "reading_too_long"):
                tally.facts.setdefault(book.key, []).append(path.name)  # type: ignore[attr-defined]
            else:
                path.unlink()
    return tally


def main() -> int:
    parser = argparse.ArgumentParser(description="Reads books that were damaged at random.")
    parser.add_argument("--minutes", type=float, default=1)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    tally = fuzz(Path(tempfile.mkdtemp(prefix="fuzz-")), asked.minutes * 60, asked.seed)
    sys.stdout.write(f"{tally}\n")
    return 1 if tally.failures else 0


if __name__ == "__main__":
    sys.exit(main())
