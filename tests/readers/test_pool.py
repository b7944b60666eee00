"""Whatever a file does to the process that reads it, the other books are read, in their order, and nothing is left."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import pytest

from ai_library_bot.errors import Unavailable, UnreadableBook
from ai_library_bot.readers import png, sandbox, worker
from ai_library_bot.readers import pool as pool_module
from ai_library_bot.readers.pool import ReaderPool
from ai_library_bot.scan import book_id
from ai_library_bot.types import BookText
from tests.readers import naughty_worker
from tests.readers.files import book_in
from tests.readers.test_readers import WRITERS

NAUGHTY = (sys.executable, naughty_worker.__file__)
FOREVER = 3600.0

on_posix = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such limits or signals")


@pytest.fixture(scope="module")
def pool() -> Iterator[ReaderPool]:
    with ReaderPool(2, command=NAUGHTY, seconds=FOREVER) as pool:
        yield pool


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def file(name: str) -> Path:
    """A file of that name."""
    path = Path(name)
    path.write_bytes(b"what the naughty worker does stands in the name")
    return path


def read(pool: ReaderPool, *names: str) -> list[BookText | UnreadableBook]:
    """What comes of the files; the paths come back in their order."""
    for name in names:
        file(name)
    found = list(pool.read(map(Path, names)))
    assert [path for path, _ in found] == list(map(Path, names))
    return [book for _, book in found]


def title(pool: ReaderPool, name: str) -> str:
    (book,) = read(pool, name)
    assert isinstance(book, BookText)
    return book.title


def failure(pool: ReaderPool, name: str) -> UnreadableBook:
    """Why the file cannot be read; the books before and behind it can."""
    before, bad, behind = read(pool, "before", name, "behind")
    assert (before, behind) == (naughty_worker.book("before"), naughty_worker.book("behind"))
    assert isinstance(bad, UnreadableBook)
    assert bad.details["path"] == name
    return bad


def is_running(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


def test_books_come_in_the_order_of_their_paths(pool: ReaderPool) -> None:
    names = [f"книга {number}" for number in range(40)]
    assert read(pool, *names) == [naughty_worker.book(name) for name in names]


def test_a_book_read_by_a_worker_is_the_book_itself(tmp_path: Path) -> None:
    path = tmp_path / "маяк.txt"
    path.write_text("Маяк\n\n" + "Смотритель маяка зажёг лампу и сел писать письмо. " * 20, "cp1251")
    with ReaderPool(1) as pool:
        assert list(pool.read([path])) == [(path, book_in(path))]


def test_a_file_that_is_gone_may_come_back(pool: ReaderPool) -> None:
    for bad in (next(pool.read([Path("gone.txt")]))[1], pool.picture(Path("gone.pdf"), 1, "text", 0, 4)):
        assert isinstance(bad, UnreadableBook)
        assert (bad.key, bad.retry) == ("cannot_open", True)


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read every file")
def test_a_file_that_may_not_be_read_is_tried_again_later(pool: ReaderPool) -> None:
    file("secret").chmod(0)
    ((_, bad),) = pool.read([Path("secret")])
    assert isinstance(bad, UnreadableBook)
    assert (bad.key, bad.retry) == ("cannot_open", True)


@on_posix
def test_a_file_that_gets_shorter_while_it_is_handed_over_is_tried_again_later(
    pool: ReaderPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = file("shrinking")
    pieces = pool_module._pieces

    def shortened(path: Path, file: BinaryIO, size: int) -> Iterator[bytes]:
        path.write_bytes(b"no")
        return pieces(path, file, size)

    with monkeypatch.context() as patched:
        patched.setattr(pool_module, "_pieces", shortened)
        ((_, bad),) = pool.read([path])
    assert isinstance(bad, UnreadableBook)
    assert (bad.key, bad.retry) == ("changed_while_reading", True)
    assert title(pool, "behind") == "behind"


def test_books_of_every_kind_are_read_within_the_walls(tmp_path: Path) -> None:
    paths = [tmp_path / f"book.{suffix}" for suffix in WRITERS]
    for path, write in zip(paths, WRITERS.values(), strict=True):
        write(path)
    with ReaderPool(1) as pool:
        assert list(pool.read(paths)) == [(path, book_in(path)) for path in paths]


@on_posix
def test_what_has_become_a_pipe_or_a_folder_is_not_waited_for(pool: ReaderPool) -> None:
    os.mkfifo("pipe.txt")
    Path("folder.txt").mkdir()
    for name in ("pipe.txt", "folder.txt"):
        ((_, bad),) = pool.read([Path(name)])
        assert isinstance(bad, UnreadableBook)
        assert (bad.key, bad.retry) == ("cannot_open", True)
        with pytest.raises(OSError, match=r"."):
            book_id(Path(name))


def test_a_book_larger_than_a_pipe_arrives_whole(tmp_path: Path) -> None:
    path = tmp_path / "long.txt"
    path.write_text("Смотритель маяка зажёг лампу и сел писать письмо.\n\n" * 4_000, "utf-8")
    with ReaderPool(1) as pool:
        assert list(pool.read([path])) == [(path, book_in(path))]


def test_a_worker_that_takes_nothing_is_ended_at_the_time_limit() -> None:
    deaf = (sys.executable, "-c", "import threading; print('ready', flush=True); threading.Event().wait()")
    path = file("large")
    path.write_bytes(bytes(2**20))
    with ReaderPool(1, command=deaf, seconds=1) as pool:
        ((_, bad),) = pool.read([path])
    assert isinstance(bad, UnreadableBook)
    assert bad.key == "reading_too_long"


def test_only_a_few_books_are_read_ahead(pool: ReaderPool) -> None:
    taken: list[Path] = []

    def paths() -> Iterator[Path]:
        for number in range(1000):
            taken.append(file(str(number)))
            yield taken[-1]

    books = pool.read(paths())
    for asked in range(1, 20):
        next(books)
        assert len(taken) < asked + 10


def test_without_books_nothing_is_started() -> None:
    with ReaderPool(2, command=("/no/such/program",)) as pool:
        assert read(pool) == []


@pytest.mark.parametrize("command", [("/no/such/program",), (sys.executable, "-c", "raise SystemExit(1)")])
def test_a_worker_that_does_not_start_is_not_the_fault_of_the_books(command: tuple[str, ...]) -> None:
    with ReaderPool(2, command=command) as pool, pytest.raises(Unavailable) as caught:
        read(pool, "one", "two", "three")
    assert command[0] in str(caught.value)


@pytest.mark.parametrize("name", ["crash", "exit", "hijacked"])
def test_a_worker_that_dies_or_lies_is_replaced(pool: ReaderPool, name: str) -> None:
    assert failure(pool, name).key == "reader_died"


@on_posix
def test_a_worker_that_takes_too_much_memory_is_replaced(pool: ReaderPool) -> None:
    assert failure(pool, "greedy").key == "reader_died"


def test_a_worker_that_hangs_is_ended_at_the_time_limit() -> None:
    with ReaderPool(1, command=NAUGHTY, seconds=1) as pool:
        bad = failure(pool, "hang")
    assert (bad.key, bad.details["seconds"]) == ("reading_too_long", 1)


@pytest.mark.parametrize(
    ("name", "error"), [("mistaken", "ValueError: no such [31mchapter"), ("endless", "RecursionError: ")]
)
def test_a_mistake_in_a_reader_costs_one_book_and_is_described(pool: ReaderPool, name: str, error: str) -> None:
    bad = failure(pool, name)
    assert (bad.key, bad.retry) == ("reader_failed", False)
    assert str(bad.details["error"]).startswith(error)


def test_the_reason_a_reader_gives_is_passed_on(pool: ReaderPool) -> None:
    bad = failure(pool, "bad")
    assert (bad.key, bad.details["reason"], bad.retry) == ("cannot_open", "broken", True)


def test_a_failure_is_that_of_the_file_that_was_asked_for(pool: ReaderPool) -> None:
    assert failure(pool, "stranger").key == "cannot_open"


def test_a_book_with_more_text_than_any_is_named_so(pool: ReaderPool) -> None:
    assert failure(pool, "long").key == "text_too_long"


def test_a_picture_comes_from_a_worker_too(pool: ReaderPool) -> None:
    assert pool.picture(file("lamp"), 1, "текст", 0, 5) == png.SIGNATURE + b"lamp"


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("crash", "reader_died"),
        ("exit", "reader_died"),
        ("hijacked", "reader_died"),
        ("lie", "reader_died"),
        ("mistaken", "reader_failed"),
        ("bad", "cannot_open"),
    ],
)
def test_a_worker_that_fails_at_a_picture_is_replaced(pool: ReaderPool, name: str, key: str) -> None:
    bad = pool.picture(file(name), 1, "text", 0, 4)
    assert isinstance(bad, UnreadableBook)
    assert (bad.key, bad.details["path"]) == (key, name)
    assert pool.picture(file("lamp"), 1, "text", 0, 4) == png.SIGNATURE + b"lamp"
    assert title(pool, "behind") == "behind"


def test_a_worker_that_hangs_at_a_picture_is_ended_at_the_time_limit() -> None:
    with ReaderPool(1, command=NAUGHTY, seconds=1) as pool:
        bad = pool.picture(file("hang"), 1, "text", 0, 4)
    assert isinstance(bad, UnreadableBook)
    assert bad.key == "reading_too_long"


def test_a_worker_that_does_not_start_is_not_the_fault_of_the_picture() -> None:
    with ReaderPool(1, command=("/no/such/program",)) as pool, pytest.raises(Unavailable):
        pool.picture(file("lamp"), 1, "text", 0, 4)


def test_what_a_library_prints_or_reads_does_not_touch_the_channel(pool: ReaderPool) -> None:
    assert title(pool, "talkative") == "''"


def test_a_worker_knows_no_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "secret")
    with ReaderPool(1, command=NAUGHTY) as pool:
        names = json.loads(title(pool, "environment"))
    assert set(names) <= pool_module.ENVIRONMENT


@on_posix
def test_a_worker_has_narrow_limits(pool: ReaderPool) -> None:
    limits = json.loads(title(pool, "limits"))
    assert limits["RLIMIT_CORE"] == 0
    assert limits["RLIMIT_NOFILE"] <= sandbox.OPEN_FILES
    assert limits["RLIMIT_FSIZE"] <= sandbox.FILE_BYTES
    assert 0 < limits["RLIMIT_CPU"] <= worker.BOOK_SECONDS + 10
    assert worker.BOOK_SECONDS < limits["seconds left"] <= worker.BOOK_SECONDS + 10
    if sys.platform == "linux":
        assert limits["RLIMIT_AS"] == sandbox.MEMORY_BYTES


@on_posix
def test_a_worker_cannot_fill_the_disk(pool: ReaderPool, tmp_path: Path) -> None:
    littering = tmp_path / "littering"
    littering.touch()
    (bad,) = read(pool, str(littering))
    assert isinstance(bad, UnreadableBook)
    assert littering.stat().st_size <= sandbox.FILE_BYTES


def test_a_worker_is_replaced_after_some_books(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool_module, "BOOKS_PER_WORKER", 3)
    with ReaderPool(1, command=NAUGHTY) as pool:
        processes = [title(pool, "process") for _ in range(7)]
    assert [processes.count(process) for process in dict.fromkeys(processes)] == [3, 3, 1]


@pytest.mark.parametrize("name", ["bad", "mistaken", "long"])
def test_a_worker_is_replaced_after_a_file_that_it_could_not_read(name: str) -> None:
    with ReaderPool(1, command=NAUGHTY) as pool:
        before = title(pool, "process")
        assert title(pool, "process") == before
        read(pool, name)
        assert title(pool, "process") != before


def test_a_module_among_the_books_is_not_taken_for_pythons_own(tmp_path: Path) -> None:
    (tmp_path / "json.py").write_text("open('hijacked', 'w')")
    (tmp_path / "book.txt").touch()
    with ReaderPool(1) as pool:
        ((_, bad),) = pool.read([Path("book.txt")])
    assert isinstance(bad, UnreadableBook)
    assert bad.key == "empty_file"
    assert not Path("hijacked").exists()


@on_posix
def test_leaving_the_block_ends_every_worker_at_once() -> None:
    with ReaderPool(2, command=NAUGHTY, seconds=FOREVER) as pool:
        processes = [int(title(pool, "process"))]
        for _, book in pool.read(map(file, ["process", "hang", "hang", "hang"])):
            assert isinstance(book, BookText)
            processes.append(int(book.title))
            break
    assert not any(map(is_running, processes))


@on_posix
def test_ctrl_c_is_no_business_of_a_worker() -> None:
    with ReaderPool(1, command=NAUGHTY) as pool:
        process = title(pool, "process")
        os.kill(int(process), signal.SIGINT)
        assert title(pool, "process") == process


@on_posix
def test_ctrl_c_ends_a_run_and_its_workers_at_once() -> None:
    program = (
        "import sys; from pathlib import Path; from ai_library_bot.readers.pool import ReaderPool\n"
        "with ReaderPool(1, command=sys.argv[1:]) as pool:\n"
        "    for _, book in pool.read([Path('process'), Path('hang')]): print(book.title, flush=True)"
    )
    for name in ("process", "hang"):
        file(name)
    with subprocess.Popen(
        [sys.executable, "-c", program, *NAUGHTY],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    ) as run:
        assert run.stdout is not None
        reader = int(run.stdout.readline())
        os.killpg(run.pid, signal.SIGINT)
        assert run.wait(timeout=30) == -signal.SIGINT
    assert not is_running(reader)
