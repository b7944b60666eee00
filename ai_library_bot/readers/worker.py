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
from ai_library_bot.locales import messages
from ai_library_bot.readers import png
from ai_library_bot.readers.sandbox import confine
from ai_library_bot.text import one_line
from ai_library_bot.types import BookText, Section

if sys.platform != "win32":
    import resource

BOOK_SECONDS = 120
"""How long the reading of one book, or a page's drawing, may take, in seconds of the clock and of the processor."""

ANSWER_BYTES = 64 * 1024**2
"""The longest line with which a worker answers; a book with more text is refused."""

READY = b"ready\n"

_ORPHAN_SECONDS = BOOK_SECONDS + 5  # the one who asked counts first
_ERROR_CHARACTERS = 200
_MOST_VALUES = 5_000_000  # of an answer: each takes Python some 60 bytes, and in JSON two
_LAST_YEAR = 9999

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
        line = encode(answer)
        if len(line) > ANSWER_BYTES:
            line = encode(UnreadableBook("text_too_long", path=str(path), megabytes=ANSWER_BYTES // 1024**2))
        answers.write(line)
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
    if sum(map(line.count, (b'"', b",", b"[", b"{"))) > _MOST_VALUES:
        raise ValueError("more values than any book has")
    try:
        fields = json.loads(line.decode("utf-8", "surrogatepass"))
        return _failure(fields) if "failed" in fields else wanted(fields)
    except (AttributeError, LookupError, OverflowError, RecursionError, TypeError) as error:
        raise ValueError("no answer to what was asked") from error


def _failure(fields: dict[str, Any]) -> UnreadableBook:
    failure = UnreadableBook(str(fields["failed"]), retry=bool(fields["retry"]), **_details(fields["details"]))
    failure.say("en")  # an unknown key, or a detail that is missing, shows here and not when a person is told
    return failure


def _book(fields: dict[str, Any]) -> BookText:
    book = fields["book"]
    warnings = tuple(map(_text, book["warnings"]))
    year = None if book["year"] is None else int(book["year"])
    if not all(f"warning.{warning}" in messages("en") for warning in warnings) or abs(year or 0) > _LAST_YEAR:
        raise ValueError("no warning and no year that there is")
    return BookText(
        format=_text(book["format"]),
        sections=tuple(map(_section, book["sections"])),
        title=_text(book["title"]),
        authors=tuple(map(_text, book["authors"])),
        language=_text(book["language"]),
        year=year,
        warnings=warnings,
    )


def _text(value: object) -> str:
    """The text; half of a character (a lone surrogate), which nothing can store, is a ValueError."""
    text = str(value)
    text.encode()
    return text


def _picture(fields: dict[str, Any]) -> bytes:
    picture = base64.b64decode(fields["picture"], validate=True)
    if not picture.startswith(png.SIGNATURE):
        raise ValueError("no picture")
    return picture


def _section(fields: dict[str, Any]) -> Section:
    text = _text(fields["text"])
    pages = tuple((int(offset), int(page)) for offset, page in fields["pages"])
    offsets = [0, *(offset for offset, _ in pages), len(text)]
    if offsets != sorted(offsets):
        raise ValueError("pages that do not follow one another")
    return Section(heading=tuple(map(_text, fields["heading"])), text=text, pages=pages)


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
