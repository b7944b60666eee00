"""The worker processes that read books and draw their pages, as many at a time as the machine has processors.

A worker is handed the bytes of a file through its pipe: it need not open anything, and on Linux it can't.
"""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager, suppress
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

from ai_library_bot.errors import Unavailable, UnreadableBook
from ai_library_bot.readers.opening import opened
from ai_library_bot.readers.worker import ANSWER_BYTES, BOOK_SECONDS, READY, Wanted, decode, decode_picture
from ai_library_bot.types import BookText

COMMAND = (sys.executable, "-P", "-m", "ai_library_bot.readers.worker")
"""Starts a worker; -P, so that a `json.py` among the books in the current folder is not taken for Python's own."""

BOOKS_PER_WORKER = 100
"""After so many books a worker is replaced, whatever the libraries in it have not given back."""

START_SECONDS = 60
"""How long a worker may take to start, on the slowest of machines."""

# All that a worker learns of the environment: how to find Python and its packages, and how to speak. No secrets.
ENVIRONMENT = frozenset(
    "PATH HOME APPDATA SYSTEMROOT TMPDIR TEMP TMP LANG LANGUAGE LC_ALL LC_CTYPE LD_LIBRARY_PATH DYLD_LIBRARY_PATH "
    "PYTHONPATH PYTHONHOME PYTHONUSERBASE PYTHONNOUSERSITE PYTHONPYCACHEPREFIX PYTHONDONTWRITEBYTECODE".split()
)

Request = Mapping[str, str | int]

_AHEAD = 4  # books read and not yet asked for, per worker: enough to work on beside one slow book
_SLICE_SECONDS = 0.2  # a Ctrl-C in the instant before a wait is heard only after it: no wait may be long
_PIECE_BYTES = 1024**2  # of a file at a time, however large it is
_OUT_OF_TIME = {-getattr(signal, name) for name in ("SIGALRM", "SIGXCPU") if hasattr(signal, name)}


class ReaderPool:
    """Reads books and draws pages in worker processes; whatever a file does to its worker, the next gets a sound one.

    Workers start when they are needed. `command` starts one (see `readers.worker`), `seconds` is the time for one file.
    Use it in a `with` block: leaving it ends every worker at once, also in the midst of a book.
    """

    def __init__(
        self, workers: int = os.cpu_count() or 1, *, command: Sequence[str] = COMMAND, seconds: float = BOOK_SECONDS
    ) -> None:
        self._command = command
        self._seconds = seconds
        self._ahead = workers * _AHEAD
        self._threads = ThreadPoolExecutor(workers, thread_name_prefix="reader")
        self._lock = threading.Lock()
        self._idle: list[_Worker] = []
        self._busy: set[_Worker] = set()
        self._closed = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._lock:
            self._closed = True
            for worker in self._busy:
                worker.kill()
        self._threads.shutdown(cancel_futures=True)
        for worker in self._idle:
            worker.end()

    def read(
        self, paths: Iterable[Path], while_waiting: Callable[[], None] = lambda: None
    ) -> Iterator[tuple[Path, BookText | UnreadableBook]]:
        """Each path with its book, or with the reason why there is none, in the order of `paths`.

        No more than a few books per worker are read ahead of the one that was asked for. `while_waiting` is called
        several times a second while a book takes long, and may raise to give up.
        Raises Unavailable if no worker can be started.
        """
        remaining = iter(paths)
        ahead: deque[tuple[Path, Future[BookText | UnreadableBook]]] = deque()
        try:
            while True:
                for path in islice(remaining, self._ahead - len(ahead)):
                    ahead.append((path, self._threads.submit(self._read, path)))
                if not ahead:
                    return
                path, future = ahead.popleft()
                while not future.done():
                    while_waiting()
                    wait([future], _SLICE_SECONDS)
                yield path, future.result()
        finally:
            for _, future in ahead:
                future.cancel()

    def picture(self, path: Path, page: int, text: str, start: int, end: int) -> bytes | UnreadableBook:
        """A page as PNG, as `readers.draw_page` makes it, or the reason why there is none.

        Waits for it in this thread; leaving the block in another one ends that. Raises Unavailable as `read`.
        """
        request: Request = {"page": page, "text": text, "start": start, "end": end}
        return self._answer(path, request, decode_picture)

    def _read(self, path: Path) -> BookText | UnreadableBook:
        return self._answer(path, {}, decode)

    def _answer(
        self, path: Path, request: Request, decode: Callable[[bytes], Wanted | UnreadableBook]
    ) -> Wanted | UnreadableBook:
        try:
            file = opened(path)
        except OSError as error:
            return _cannot_open(path, error)
        with file:
            worker = self._take_worker()
            try:
                return worker.answer(path, file, request, decode, self._seconds)
            finally:
                self._give_back(worker)

    def _take_worker(self) -> _Worker:
        with self._lock:
            if self._closed:
                raise CancelledError
            worker = self._idle.pop() if self._idle else _Worker(self._command)
            self._busy.add(worker)
            return worker

    def _give_back(self, worker: _Worker) -> None:
        with self._lock:
            self._busy.remove(worker)
            if worker.usable and not self._closed:
                self._idle.append(worker)
                return
        worker.end()


class _Worker:
    """A worker process. One thread at a time may use it; any may kill it."""

    def __init__(self, command: Sequence[str]) -> None:
        self.usable = True
        self._command = command
        self._books = 0
        self._late = False
        try:
            self._process = subprocess.Popen(  # noqa: S603 - our own interpreter, and no shell
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env={name: value for name, value in os.environ.items() if name in ENVIRONMENT},
            )
        except OSError as error:
            raise self._not_starting() from error
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._requests, self._answers = self._process.stdin, self._process.stdout

    def answer(
        self,
        path: Path,
        file: BinaryIO,
        request: Request,
        decode: Callable[[bytes], Wanted | UnreadableBook],
        seconds: float,
    ) -> Wanted | UnreadableBook:
        """What is asked for, or why there is none. The worker is not `usable` again if it failed or has served enough.

        Raises Unavailable if the worker does not even start: that is no fault of the book.
        """
        self.usable = False
        if self._books == 0:
            with self._killed_after(START_SECONDS):
                if self._answers.readline(len(READY)) != READY:
                    raise self._not_starting()
        try:
            with self._killed_after(seconds):
                self._send(path, file, request)
                answer = decode(self._answers.readline(ANSWER_BYTES + 1))
        except UnreadableBook as error:
            return error
        except ValueError:
            return self._why_it_died(str(path), seconds)
        if isinstance(answer, UnreadableBook):
            answer.details["path"] = str(path)  # whatever the worker says which it was
            return answer  # and what it has done to the worker besides, nobody knows
        self._books += 1
        self.usable = not self._late and self._books < BOOKS_PER_WORKER
        return answer

    def kill(self) -> None:
        """Ends the process at once; whoever waits for its answer gets none."""
        self._process.kill()

    def end(self) -> None:
        """Ends the process and gives back what it holds. Nobody may be waiting for its answer."""
        self.kill()
        self._process.wait()
        self._answers.close()
        with suppress(OSError):  # a request that nobody has taken
            self._requests.close()

    def _send(self, path: Path, file: BinaryIO, request: Request) -> None:
        """Sends what is asked and the bytes of the file. Raises UnreadableBook if they can't be had."""
        size = os.fstat(file.fileno()).st_size
        with suppress(OSError):  # it is dead, and will not answer
            self._requests.write(json.dumps({"path": str(path), "bytes": size, **request}).encode() + b"\n")
            for piece in _pieces(path, file, size):
                self._requests.write(piece)
            self._requests.flush()

    @contextmanager
    def _killed_after(self, seconds: float) -> Iterator[None]:
        """What is awaited inside ends in time, without an answer if need be."""
        alarm = threading.Timer(seconds, self._kill_late)
        alarm.start()
        try:
            yield
        finally:
            alarm.cancel()
            alarm.join()

    def _kill_late(self) -> None:
        self._late = True
        self.kill()

    def _why_it_died(self, path: str, seconds: float) -> UnreadableBook:
        self.kill()
        if self._process.wait() in _OUT_OF_TIME or self._late:
            return UnreadableBook("reading_too_long", path=path, seconds=round(seconds))
        return UnreadableBook("reader_died", path=path)

    def _not_starting(self) -> Unavailable:
        return Unavailable("reader_not_starting", command=shlex.join(self._command))


def _pieces(path: Path, file: BinaryIO, size: int) -> Iterator[bytes]:
    """The first `size` bytes of a file. Raises UnreadableBook if there are fewer, or if they can't be read."""
    while size:
        try:
            piece = file.read(min(size, _PIECE_BYTES))
        except OSError as error:
            raise _cannot_open(path, error) from error
        if not piece:
            raise UnreadableBook("changed_while_reading", retry=True, path=str(path))
        size -= len(piece)
        yield piece


def _cannot_open(path: Path, error: OSError) -> UnreadableBook:
    return UnreadableBook("cannot_open", retry=True, path=str(path), reason=error.strerror or type(error).__name__)
