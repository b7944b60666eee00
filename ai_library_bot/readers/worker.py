"""The process that reads strangers' files: apart from everything worth stealing, within limits, and easily replaced.

It says that it is `READY`; then it takes a line of JSON with the bytes of a file behind it, and gives a line of JSON,
until its input ends:

    {"path": "…", "bytes": 4096}                               →  {"book": {…}}
    {"path": "…", "bytes": 4096, "page": 7, "text": "…", …}    →  {"picture": "…"}
                                                       else    →  {"failed": "key", "details": {…}, "retry": false}

The path is a name and no more: whoever asks has opened the file, so that this process need not be able to open any.
JSON and never pickle: a file that takes this process over can then say nothing that runs in the one that asked.
`readers.pool` starts it and counts the time.
"""

from __future__ import annotations

import base64
import json
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

from ai_library_bot.errors import UnreadableBook
from ai_library_bot.readers import png
from ai_library_bot.readers.sandbox import confine
from ai_library_bot.text import one_line
from ai_library_bot.types import BookText, Section

if sys.platform != "win32":
    import resource

BOOK_SECONDS = 120
"""How long the reading of one book, or a page's drawing, may take, in seconds of the clock and of the processor."""

READY = b"ready\n"

_ORPHAN_SECONDS = BOOK_SECONDS + 5  # the one who asked counts first
_ERROR_CHARACTERS = 200

Wanted = TypeVar("Wanted")  # BookText or, of a picture, bytes


def main() -> None:
    from ai_library_bot.readers import draw_page, read_book

    serve(read_book, draw_page)


def serve(read: Callable[[bytes, Path], BookText], draw: Callable[[bytes, Path, int, str, int, int], bytes]) -> None:
    """Answers requests with what `read` and `draw` return or raise, until standard input ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches every process of the terminal; ours decides
    requests, answers = _take_standard_streams()
    confine()
    answers.write(READY)
    answers.flush()
    for line in requests:
        request = json.loads(line)
        path, size = Path(request.pop("path")), request.pop("bytes")
        data = requests.read(size)
        if len(data) < size:  # nobody is left who asks
            return
        work = partial(draw, data, path, **request) if request else partial(read, data, path)
        with _limited_time():
            answer = _answer(work, path)
        answers.write(encode(answer))
        answers.flush()


def _answer(work: Callable[[], BookText | bytes], path: Path) -> BookText | bytes | UnreadableBook:
    try:
        return work()
    except UnreadableBook as error:
        return error
    except MemoryError:  # nothing is certain in this process any more: let it end
        raise
    except Exception as error:  # noqa: BLE001 - whatever is wrong with one reader, the other books are read
        described = one_line(f"{type(error).__name__}: {error}")[:_ERROR_CHARACTERS]
        return UnreadableBook("reader_failed", path=str(path), error=described)


def encode(answer: BookText | bytes | UnreadableBook) -> bytes:
    """The answer as a line of JSON; `decode` gives a book back, `decode_picture` a picture, both a failure."""
    fields: dict[str, Any]
    if isinstance(answer, BookText):
        fields = {"book": asdict(answer)}
    elif isinstance(answer, bytes):
        fields = {"picture": base64.b64encode(answer).decode()}
    else:
        fields = {"failed": answer.key, "details": answer.details, "retry": answer.retry}
    return json.dumps(fields, ensure_ascii=False).encode("utf-8", "surrogatepass") + b"\n"


def decode(line: bytes) -> BookText | UnreadableBook:
    """The answer that a line holds. Raises ValueError for anything else: who sent it may no longer be our program."""
    return _decoded(line, _book)


def decode_picture(line: bytes) -> bytes | UnreadableBook:
    """The picture in PNG that a line holds, or why there is none. Raises ValueError as `decode`."""
    return _decoded(line, _picture)


def _decoded(line: bytes, wanted: Callable[[dict[str, Any]], Wanted]) -> Wanted | UnreadableBook:
    try:
        fields = json.loads(line.decode("utf-8", "surrogatepass"))
        if "failed" in fields:
            return UnreadableBook(str(fields["failed"]), retry=bool(fields["retry"]), **_details(fields["details"]))
        return wanted(fields)
    except (AttributeError, KeyError, OverflowError, RecursionError, TypeError) as error:
        raise ValueError("no answer to what was asked") from error


def _book(fields: dict[str, Any]) -> BookText:
    book = fields["book"]
    return BookText(
        format=str(book["format"]),
        sections=tuple(map(_section, book["sections"])),
        title=str(book["title"]),
        authors=tuple(map(str, book["authors"])),
        language=str(book["language"]),
        year=None if book["year"] is None else int(book["year"]),
        warnings=tuple(map(str, book["warnings"])),
    )


def _picture(fields: dict[str, Any]) -> bytes:
    picture = base64.b64decode(fields["picture"], validate=True)
    if not picture.startswith(png.SIGNATURE):
        raise ValueError("no picture")
    return picture


def _section(fields: dict[str, Any]) -> Section:
    return Section(
        heading=tuple(map(str, fields["heading"])),
        text=str(fields["text"]),
        pages=tuple((int(offset), int(page)) for offset, page in fields["pages"]),
    )


def _details(fields: dict[str, Any]) -> dict[str, str | int | float]:
    return {name: value if isinstance(value, (int, float)) else str(value) for name, value in fields.items()}


def _take_standard_streams() -> tuple[BinaryIO, BinaryIO]:
    """The channel to whoever asks, out of reach of libraries that print or read: theirs lead nowhere from now on."""
    requests, answers = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    with Path(os.devnull).open("rb") as nothing:
        os.dup2(nothing.fileno(), 0)
    os.dup2(2, 1)
    return requests, answers


@contextmanager
def _limited_time() -> Iterator[None]:
    """Has the system end this process if one book takes too long, even when nobody is left who waits for it."""
    if sys.platform == "win32":
        yield
        return
    _, most = resource.getrlimit(resource.RLIMIT_CPU)
    with suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_CPU, (int(time.process_time()) + BOOK_SECONDS, most))
    signal.alarm(_ORPHAN_SECONDS)
    yield
    signal.alarm(0)


if __name__ == "__main__":
    main()
