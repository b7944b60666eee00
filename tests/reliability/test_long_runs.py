"""Years of use: libraries of any size, clocks that jump, disks and folders that are not as they should be."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.reliability import mounts
from tests.shelves import Shelf

ROOT = Path(__file__).parents[2]
LAMP = "Лампа на маяке горела всю ночь, и смотритель маяка не спал до самого утра."

on_linux = pytest.mark.skipif(sys.platform != "linux", reason="needs Linux")


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    shelf = Shelf(tmp_path)
    shelf.put("лампа.md", LAMP, title="Лампа")
    return shelf


def library(shelf: Shelf, *arguments: str, **environment: str) -> str:
    """What the command prints. It must end well."""
    settings = {"FAISS_PATH": str(shelf.index), "BOOKS_PATH": str(shelf.books), "MIN_PASSAGE_CHARS": "20"}
    command = [sys.executable, "-m", "ai_library_bot", *arguments]
    run = subprocess.run(
        command,
        cwd=ROOT,
        env={**os.environ, **settings, "PYTHONDONTWRITEBYTECODE": "1", **environment},
        capture_output=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr.decode()
    return run.stdout.decode()


def works(shelf: Shelf, **environment: str) -> None:
    """Reading the books and finding something in them."""
    (added,) = json.loads(library(shelf, "ingest", "--json", **environment))["added"]
    assert added.encode("utf-8", "surrogateescape") == bytes(shelf.books / "лампа.md")
    found = json.loads(library(shelf, "search", "лампа маяк", "--json", **environment))
    assert [hit["text"] for hit in found["hits"]] == [LAMP]


class TestSurroundings:
    @on_linux
    def test_a_locale_of_c(self, shelf: Shelf) -> None:
        works(shelf, LC_ALL="C", LANG="C")
        assert "Лампа" in library(shelf, "books", LC_ALL="C", LANG="C")

    @on_linux
    def test_a_home_where_nothing_can_be_written(self, shelf: Shelf) -> None:
        works(shelf, HOME="/proc", XDG_CACHE_HOME="/proc", XDG_CONFIG_HOME="/proc")

    def test_a_folder_for_temporary_files_that_is_not_there(self, shelf: Shelf, tmp_path: Path) -> None:
        works(shelf, TMPDIR=str(tmp_path / "nowhere"), TMP=str(tmp_path / "nowhere"), TEMP=str(tmp_path / "nowhere"))

    def test_a_folder_for_temporary_files_that_is_full(self, shelf: Shelf, tmp_path: Path) -> None:
        if why_not := mounts.usable(tmp_path, disk=False):
            pytest.skip(why_not)
        with mounts.mounted(tmp_path / "full", "-t", "tmpfs", "-o", "size=4k,nr_inodes=2", "tmpfs") as full:
            (full / "filling").write_bytes(bytes(4096))
            works(shelf, TMPDIR=str(full))


class TestClocks:
    def test_a_book_from_the_future_is_read_and_known_again(self, shelf: Shelf) -> None:
        path = shelf.books / "лампа.md"
        os.utime(path, (4e9, 4e9))
        assert shelf.ingest().added == (path,)
        report = shelf.ingest()
        assert (report.generation, report.unchanged) == (1, 1)
        changed = path.read_bytes().replace("ночь".encode(), "зиму".encode())
        path.write_bytes(changed)
        os.utime(path, (4e9, 4e9))  # the same size and time
        assert shelf.ingest().updated == (path,)

    def test_a_clock_set_back_between_ingests(self, shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
        shelf.ingest()
        now = time.time()
        with monkeypatch.context() as patch:
            patch.setattr(time, "time", lambda: now - 1e8)
            patch.setattr(time, "time_ns", lambda: int((now - 1e8) * 1e9))
            shelf.put("мост.md", "Старый мост через реку построили за одно лето.")
            assert shelf.ingest().generation == 2
        generations = shelf.generations.listed()
        assert [(one.number, one.active) for one in generations] == [(2, True), (1, False)]
        assert generations[0].created < generations[1].created
        assert shelf.generations.roll_back() == (2, 1)
        shelf.put("сад.md", "В саду за домом росли старые яблони.")
        assert shelf.ingest().generation == 3
        assert shelf.files() == ["лампа.md", "мост.md", "сад.md"]


GROWTH = """
import sys, tracemalloc
from pathlib import Path
from tests.shelves import Shelf
shelf = Shelf(Path(sys.argv[1]))
for number in range(int(sys.argv[2])):
    shelf.put(f"{number}.md", *(f"{number} {chapter} The lamp of the harbour. " * 100 for chapter in range(10)))
tracemalloc.start()
shelf.ingest()
print(tracemalloc.get_traced_memory()[1])
"""
ONE_BOOK = 10 * 100 * 30  # bytes, about


def test_a_library_of_any_size_takes_the_memory_of_a_few_books(tmp_path: Path) -> None:
    most = {}
    for count in (3, 9):
        command = [sys.executable, "-c", GROWTH, str(tmp_path / f"{count}"), str(count)]
        most[count] = int(subprocess.run(command, cwd=ROOT, check=True, capture_output=True).stdout)
    assert most[9] < most[3] + 2 * ONE_BOOK, most  # six more are read
