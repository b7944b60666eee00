"""A worker whose reader does what the name of the file says; started by the tests of the pool."""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
from pathlib import Path

from ai_library_bot.errors import UnreadableBook
from ai_library_bot.readers import png
from ai_library_bot.readers.worker import ANSWER_BYTES, serve
from ai_library_bot.types import BookText, Section


def book(title: str) -> BookText:
    return BookText("txt", (Section((), "Жил-был смотритель маяка."),), title=title)


def read(data: bytes, path: Path) -> BookText:
    match path.stem:
        case "hang":
            threading.Event().wait()
        case "crash":
            os.abort()
        case "exit":
            sys.exit(0)
        case "greedy":
            bytearray(4 * 1024**3)
        case "mistaken":
            raise ValueError("no such \x1b[31mchapter")
        case "endless":
            return read(data, path)
        case "bad":
            raise UnreadableBook("cannot_open", retry=True, path=str(path), reason="broken")
        case "talkative":
            print("{}" * 100_000)  # noqa: T201
            os.write(1, b'{"book": {}}\n')
            os.system("echo '{}'")
            return book(repr(sys.stdin.read()))
        case "long":
            return BookText("txt", (Section((), "Жил-был смотритель маяка. " * (ANSWER_BYTES // 40)),))
        case "stranger":
            raise UnreadableBook("cannot_open", path="somebody else's", reason="none")
        case "hijacked":
            for descriptor in range(3, 20):
                try:
                    os.write(descriptor, b'{"book": {"title": "anything"}}\n')
                except OSError:
                    continue
        case "littering":
            path.write_bytes(bytes(2 * 1024**2))
        case "environment":
            return book(json.dumps(sorted(os.environ)))
        case "limits":
            import resource

            names = ("RLIMIT_AS", "RLIMIT_FSIZE", "RLIMIT_NOFILE", "RLIMIT_CORE", "RLIMIT_CPU")
            limits = {name: resource.getrlimit(getattr(resource, name))[0] for name in names}
            return book(json.dumps(limits | {"seconds left": signal.alarm(0)}))
        case "process":
            return book(str(os.getpid()))
    return book(path.name)


def draw(data: bytes, path: Path, page: int, text: str, start: int, end: int) -> bytes:
    """A picture of nothing but what `read` gives as a title."""
    title = read(data, path).title.encode()
    return title if path.stem == "lie" else png.SIGNATURE + title


if __name__ == "__main__":
    serve(read, draw)
